//! The objects of the tests' S3: buckets in memory behind the s3s trait, as far as ashiato meets them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use futures::TryStreamExt;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CommonPrefix, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CreateBucketInput, CreateBucketOutput, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, DeletedObject, ETag, ETagCondition, EncodingType, GetObjectInput, GetObjectOutput,
    HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input,
    ListObjectsV2Output, Object, PutObjectInput, PutObjectOutput, StreamingBlob, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use sha2::{Digest, Sha256};

/// One version of an object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stored {
    pub(crate) bytes: Bytes,
    pub(crate) etag: String,
    pub(crate) version: String,
    /// The key that encrypts it.
    pub(crate) kms_key: Option<String>,
    pub(crate) acl: Option<String>,
    /// Its writer sent a checksum.
    pub(crate) is_checked: bool,
    /// Its writer said that nothing may stand there.
    pub(crate) is_conditional: bool,
    /// It came in parts.
    pub(crate) parts: usize,
    pub(crate) is_marker: bool,
    /// What its writer said of it.
    pub(crate) metadata: Option<std::collections::HashMap<String, String>>,
}

/// A bucket.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    pub(crate) keeps_versions: bool,
    objects: BTreeMap<String, Vec<Stored>>,
}

#[derive(Debug, Default)]
struct Upload {
    key: String,
    like: Stored,
    parts: BTreeMap<i32, Bytes>,
}

/// What a bucket announces: bucket, key, and what was stored.
type Announce = Box<dyn Fn(&str, &str, &Stored) + Send>;

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) buckets: BTreeMap<String, Bucket>,
    uploads: BTreeMap<String, Upload>,
    names: u64,
    pub(crate) announce: Option<Announce>,
}

/// All buckets.
#[derive(Clone, Default)]
pub(crate) struct Store {
    inner: Arc<Mutex<Inner>>,
}

impl Store {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    /// The newest version of an object, unless that is deleted.
    pub(crate) fn newest(&self, key: &str) -> Option<&Stored> {
        self.objects.get(key)?.last().filter(|stored| !stored.is_marker)
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.objects.keys().filter(|key| self.newest(key).is_some()).cloned().collect()
    }
}

impl Inner {
    fn bucket(&mut self, name: &str) -> S3Result<&mut Bucket> {
        self.buckets.get_mut(name).ok_or_else(|| s3_error!(NoSuchBucket))
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("{:024}", self.names)
    }

    /// Stores a version and tells of it.
    pub(crate) fn put(&mut self, bucket: &str, key: &str, mut stored: Stored) -> S3Result<Stored> {
        let version = self.name();
        let found = self.bucket(bucket)?;
        if stored.is_conditional && found.newest(key).is_some() {
            return Err(s3_error!(PreconditionFailed));
        }
        stored.version = if found.keeps_versions { version } else { "null".to_owned() };
        if stored.etag.is_empty() {
            let digest: String =
                Sha256::digest(&stored.bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            stored.etag = if stored.parts > 0 { format!("{digest}-{}", stored.parts) } else { digest };
        }
        let versions = found.objects.entry(key.to_owned()).or_default();
        if stored.version == "null" {
            versions.clear();
        }
        versions.push(stored.clone());
        if let Some(announce) = &self.announce {
            announce(bucket, key, &stored);
        }
        Ok(stored)
    }

    pub(crate) fn delete(&mut self, bucket: &str, key: &str) -> S3Result<()> {
        let version = self.name();
        let found = self.bucket(bucket)?;
        if found.keeps_versions {
            let marker = Stored { version, is_marker: true, ..Stored::default() };
            found.objects.entry(key.to_owned()).or_default().push(marker);
        } else {
            found.objects.remove(key);
        }
        Ok(())
    }

    /// Uploads in parts that nobody ended.
    pub(crate) fn open_uploads(&self) -> usize {
        self.uploads.len()
    }

    fn find(&mut self, bucket: &str, key: &str, version: Option<&str>) -> S3Result<Stored> {
        let found = self.bucket(bucket)?;
        let Some(version) = version else {
            return found.newest(key).cloned().ok_or_else(|| s3_error!(NoSuchKey));
        };
        let versions = found.objects.get(key).map(Vec::as_slice).unwrap_or_default();
        match versions.iter().find(|stored| stored.version == version) {
            Some(stored) if stored.is_marker => Err(s3_error!(MethodNotAllowed)),
            Some(stored) => Ok(stored.clone()),
            None => Err(s3_error!(NoSuchVersion)),
        }
    }
}

async fn collect(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(body) = body else { return Ok(Bytes::new()) };
    let pieces: Vec<Bytes> =
        body.try_collect().await.map_err(|error| s3_error!(IncompleteBody, "{error}"))?;
    Ok(pieces.concat().into())
}

fn check(condition: Option<&ETagCondition>, stored: &Stored) -> S3Result<()> {
    match condition {
        Some(ETagCondition::ETag(etag)) if etag.value() != stored.etag => Err(s3_error!(PreconditionFailed)),
        _ => Ok(()),
    }
}

fn ok<T>(output: T) -> S3Result<S3Response<T>> {
    Ok(S3Response::new(output))
}

fn version_of(stored: &Stored) -> Option<String> {
    Some(stored.version.clone()).filter(|version| version != "null")
}

#[async_trait::async_trait]
impl S3 for Store {
    async fn create_bucket(
        &self,
        request: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        self.lock().buckets.entry(request.input.bucket).or_default();
        ok(CreateBucketOutput::default())
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.lock().bucket(&request.input.bucket)?;
        ok(HeadBucketOutput::default())
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let stored = self.lock().find(&input.bucket, &input.key, input.version_id.as_deref())?;
        check(input.if_match.as_ref(), &stored)?;
        let whole = stored.bytes.len();
        let (mut bytes, mut content_range) = (stored.bytes.clone(), None);
        if let Some(range) = input.range {
            let range = range.check(whole as u64).map_err(|_outside| s3_error!(InvalidRange))?;
            let (start, end) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
            bytes = bytes.slice(start..end);
            content_range = Some(format!("bytes {start}-{}/{whole}", end - 1));
        }
        let length = i64::try_from(bytes.len()).unwrap();
        let body = futures::stream::once(async move { Ok::<_, std::io::Error>(bytes) });
        ok(GetObjectOutput {
            body: Some(StreamingBlob::wrap(body)),
            content_length: Some(length),
            content_range,
            e_tag: Some(ETag::Strong(stored.etag.clone())),
            version_id: version_of(&stored),
            ..GetObjectOutput::default()
        })
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let stored = self.lock().find(&input.bucket, &input.key, input.version_id.as_deref())?;
        ok(HeadObjectOutput {
            content_length: Some(i64::try_from(stored.bytes.len()).unwrap()),
            last_modified: Some(std::time::SystemTime::UNIX_EPOCH.into()),
            e_tag: Some(ETag::Strong(stored.etag.clone())),
            version_id: version_of(&stored),
            metadata: stored.metadata,
            ..HeadObjectOutput::default()
        })
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let trailers = request.trailing_headers.clone();
        let input = request.input;
        let bytes = collect(input.body).await?;
        let trailed = trailers.and_then(|trailers| {
            trailers.read(|headers| headers.keys().any(|name| name.as_str().contains("checksum")))
        });
        let stored = Stored {
            bytes,
            kms_key: input.ssekms_key_id,
            acl: input.acl.map(|acl| acl.as_str().to_owned()),
            is_checked: trailed.unwrap_or(false)
                || input.checksum_crc32.is_some()
                || input.checksum_crc64nvme.is_some()
                || input.checksum_sha256.is_some(),
            is_conditional: matches!(input.if_none_match, Some(ETagCondition::Any)),
            ..Stored::default()
        };
        let stored = self.lock().put(&input.bucket, &input.key, stored)?;
        ok(PutObjectOutput {
            e_tag: Some(ETag::Strong(stored.etag.clone())),
            version_id: version_of(&stored),
            ..PutObjectOutput::default()
        })
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let mut inner = self.lock();
        let bucket = inner.bucket(&input.bucket)?;
        let prefix = input.prefix.clone().unwrap_or_default();
        let is_encoded = input.encoding_type.as_ref().is_some_and(|kind| kind.as_str() == EncodingType::URL);
        let encode = |text: &str| {
            if !is_encoded {
                return text.to_owned();
            }
            let parts = text.split('/').map(|part| url::form_urlencoded::byte_serialize(part.as_bytes()));
            parts.map(String::from_iter).collect::<Vec<_>>().join("/")
        };
        let after = input.continuation_token.or(input.start_after).unwrap_or_default();
        let max = usize::try_from(input.max_keys.unwrap_or(1000).min(1000)).unwrap();
        let (mut contents, mut folders, mut next) = (Vec::new(), BTreeSet::new(), None);
        let mut last = String::new();
        for key in bucket.keys().into_iter().filter(|key| key.starts_with(&prefix)) {
            let below = &key[prefix.len()..];
            let folder = input.delimiter.as_deref().and_then(|delimiter| {
                below.find(delimiter).map(|at| format!("{prefix}{}", &below[..at + delimiter.len()]))
            });
            let name = folder.clone().unwrap_or_else(|| key.clone());
            if name <= after || folders.contains(&name) {
                continue;
            }
            if contents.len() + folders.len() == max {
                next = Some(last);
                break;
            }
            last.clone_from(&name);
            match folder {
                Some(folder) => drop(folders.insert(folder)),
                None => {
                    let stored = bucket.newest(&key).unwrap();
                    contents.push(Object {
                        key: Some(encode(&key)),
                        size: Some(i64::try_from(stored.bytes.len()).unwrap()),
                        e_tag: Some(ETag::Strong(stored.etag.clone())),
                        last_modified: Some(std::time::SystemTime::UNIX_EPOCH.into()),
                        ..Object::default()
                    });
                }
            }
        }
        ok(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(encode(&prefix)),
            key_count: Some(i32::try_from(contents.len() + folders.len()).unwrap()),
            max_keys: Some(i32::try_from(max).unwrap()),
            is_truncated: Some(next.is_some()),
            next_continuation_token: next,
            contents: Some(contents),
            common_prefixes: Some(
                folders.iter().map(|folder| CommonPrefix { prefix: Some(encode(folder)) }).collect(),
            ),
            encoding_type: input.encoding_type,
            ..ListObjectsV2Output::default()
        })
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.lock().delete(&request.input.bucket, &request.input.key)?;
        ok(DeleteObjectOutput::default())
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let mut deleted = Vec::new();
        for object in request.input.delete.objects {
            self.lock().delete(&request.input.bucket, &object.key)?;
            deleted.push(DeletedObject { key: Some(object.key), ..DeletedObject::default() });
        }
        ok(DeleteObjectsOutput { deleted: Some(deleted), ..DeleteObjectsOutput::default() })
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        let mut inner = self.lock();
        inner.bucket(&input.bucket)?;
        let id = inner.name();
        let like = Stored {
            kms_key: input.ssekms_key_id,
            acl: input.acl.map(|acl| acl.as_str().to_owned()),
            is_checked: true,
            ..Stored::default()
        };
        inner.uploads.insert(id.clone(), Upload { key: input.key.clone(), like, parts: BTreeMap::new() });
        ok(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        })
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let trailers = request.trailing_headers.clone();
        let input = request.input;
        let bytes = collect(input.body).await?;
        let trailed = trailers.and_then(|trailers| {
            trailers.read(|headers| headers.keys().any(|name| name.as_str().contains("checksum")))
        });
        let is_checked = trailed.unwrap_or(false) || input.checksum_crc32.is_some();
        let mut inner = self.lock();
        let upload = inner.uploads.get_mut(&input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        upload.like.is_checked &= is_checked;
        upload.parts.insert(input.part_number, bytes);
        let e_tag = Some(ETag::Strong(format!("part-{}", input.part_number)));
        ok(UploadPartOutput { e_tag, ..UploadPartOutput::default() })
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let mut inner = self.lock();
        let upload = inner.uploads.get(&input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        let named = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        let mut bytes = Vec::new();
        for part in &named {
            let part = upload.parts.get(&part.part_number.unwrap()).ok_or_else(|| s3_error!(InvalidPart))?;
            bytes.extend_from_slice(part);
        }
        let stored = Stored {
            bytes: bytes.into(),
            parts: named.len(),
            is_conditional: matches!(input.if_none_match, Some(ETagCondition::Any)),
            ..upload.like.clone()
        };
        let key = upload.key.clone();
        let stored = inner.put(&input.bucket, &key, stored)?;
        inner.uploads.remove(&input.upload_id);
        ok(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(key),
            e_tag: Some(ETag::Strong(stored.etag)),
            ..CompleteMultipartUploadOutput::default()
        })
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let ended = self.lock().uploads.remove(&request.input.upload_id);
        ended.ok_or_else(|| s3_error!(NoSuchUpload))?;
        ok(AbortMultipartUploadOutput::default())
    }
}
