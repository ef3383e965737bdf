//! A lake in a bucket: how its objects are written, and what reads them for DataFusion.
//!
//! Reading, listing and deleting go through `object_store`, with the Region and the credentials
//! that everything else here has. Writing goes through the SDK, which gives checksums, parts,
//! encryption with a named key, and a condition: nothing that stands there is ever replaced.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, ObjectCannedAcl, ServerSideEncryption,
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3Builder, AwsCredential};
use object_store::{CredentialProvider, ObjectStore};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::aws::Aws;
use crate::aws::buckets::{Buckets, Reached};

/// Objects above this size are written in parts of it. S3's own least part is 5 MiB.
pub const PART_BYTES: usize = 8 << 20;

/// Parts written at the same time.
const PARTS_AT_ONCE: usize = 4;

/// Attempts at a write that S3 refuses because of another one under way.
const CONFLICTS_MAX: u32 = 4;

/// How long credentials are used until they are asked for again; those of a session live longer than that.
const CREDENTIALS_FOR: Duration = Duration::from_mins(5);

/// How objects are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteSettings {
    /// The KMS key that encrypts them; without it the bucket's own setting does.
    pub kms_key: Option<String>,
    /// Their canned ACL; without it none is sent, as buckets without ACLs demand.
    pub acl: Option<String>,
}

impl WriteSettings {
    /// Says whether S3 knows a canned ACL.
    pub fn is_acl(text: &str) -> bool {
        ObjectCannedAcl::try_parse(text).is_ok()
    }
}

/// A write failed.
pub type WriteError = Box<dyn std::error::Error + Send + Sync>;

/// The objects of a lake in a bucket.
#[derive(Debug)]
pub(super) struct BucketLake {
    buckets: Buckets,
    bucket: String,
    /// With a slash at its end, or empty.
    prefix: String,
    settings: WriteSettings,
}

impl BucketLake {
    pub(super) fn new(aws: &Arc<Aws>, bucket: &str, prefix: &str, settings: WriteSettings) -> Self {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { buckets: Buckets::new(Arc::clone(aws)), bucket: bucket.to_owned(), prefix, settings }
    }

    /// Returns what reads, lists and deletes the bucket's objects.
    pub(super) async fn store(&self, aws: &Aws) -> Result<Arc<dyn ObjectStore>, object_store::Error> {
        let access = aws.access(&self.bucket, &self.prefix);
        let settings = aws.settings(access).await;
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.bucket)
            .with_request_payer(access.is_some_and(|access| access.request_payer));
        if let Some(region) = self.buckets.region(&self.bucket, &self.prefix).await {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = Aws::s3_endpoint(&settings) {
            builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
        }
        if let Some(provider) = settings.credentials_provider() {
            builder = builder.with_credentials(Arc::new(Credentials { provider, last: Mutex::default() }));
        }
        Ok(Arc::new(builder.build()?))
    }

    /// Writes one object, whole or not at all.
    pub(super) async fn put(&self, key: &str, bytes: Bytes) -> Result<(), WriteError> {
        let key = format!("{}{key}", self.prefix);
        for conflicts in 1.. {
            let written = if bytes.len() > PART_BYTES {
                self.put_parts(&key, &bytes).await
            } else {
                self.put_whole(&key, &bytes).await
            };
            match written {
                Err(Refusal { code: Some(409), .. }) if conflicts < CONFLICTS_MAX => {
                    tokio::time::sleep(Duration::from_millis(50 << conflicts)).await;
                }
                // Names are used once: what stands there is what a first try wrote whose answer was lost. An upload
                // that is not there any more was completed by one.
                Err(Refusal { code: Some(412 | 404), error }) => {
                    return if self.size(&key).await == Some(bytes.len() as u64) {
                        Ok(())
                    } else {
                        Err(error)
                    };
                }
                Err(Refusal { error, .. }) => return Err(error),
                Ok(()) => break,
            }
        }
        Ok(())
    }

    async fn put_whole(&self, key: &str, bytes: &Bytes) -> Result<(), Refusal> {
        let put = |Reached { client, payer, .. }: Reached| async move {
            let put = client.put_object().bucket(&self.bucket).key(key).if_none_match("*");
            let put =
                put.set_request_payer(payer).set_acl(self.acl()).checksum_algorithm(ChecksumAlgorithm::Crc32);
            let put = put
                .set_server_side_encryption(self.encryption())
                .set_ssekms_key_id(self.settings.kms_key.clone());
            put.body(ByteStream::from(bytes.clone())).send().await
        };
        self.buckets.ask(&self.bucket, key, put).await.map(drop).map_err(Refusal::of)
    }

    async fn put_parts(&self, key: &str, bytes: &Bytes) -> Result<(), Refusal> {
        let create = |Reached { client, payer, .. }: Reached| async move {
            let create = client.create_multipart_upload().bucket(&self.bucket).key(key);
            let create = create.set_request_payer(payer).set_acl(self.acl());
            let create = create.checksum_algorithm(ChecksumAlgorithm::Crc32);
            let create = create.set_server_side_encryption(self.encryption());
            create.set_ssekms_key_id(self.settings.kms_key.clone()).send().await
        };
        let created = self.buckets.ask(&self.bucket, key, create).await.map_err(Refusal::of)?;
        let upload = created.upload_id().unwrap_or_default();
        let written = self.complete(key, upload, bytes).await;
        if written.is_err() {
            let abort = |Reached { client, payer, .. }: Reached| async move {
                let abort = client.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload);
                abort.set_request_payer(payer).send().await
            };
            if let Err(error) = self.buckets.ask(&self.bucket, key, abort).await {
                tracing::debug!(key, error = &error as &dyn std::error::Error, "upload not aborted");
            }
        }
        written
    }

    async fn complete(&self, key: &str, upload: &str, bytes: &Bytes) -> Result<(), Refusal> {
        let starts = (0..bytes.len()).step_by(PART_BYTES);
        let parts: Vec<(i32, Bytes)> =
            (1..).zip(starts.map(|start| bytes.slice(start..bytes.len().min(start + PART_BYTES)))).collect();
        let parts: Vec<CompletedPart> = futures::stream::iter(parts)
            .map(|(number, part)| self.put_part(key, upload, number, part))
            .buffered(PARTS_AT_ONCE)
            .try_collect()
            .await?;
        let parts = &parts;
        let complete = |Reached { client, payer, .. }: Reached| async move {
            let complete = client.complete_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload);
            let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.clone())).build();
            complete.multipart_upload(parts).if_none_match("*").set_request_payer(payer).send().await
        };
        self.buckets.ask(&self.bucket, key, complete).await.map(drop).map_err(Refusal::of)
    }

    async fn put_part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        part: Bytes,
    ) -> Result<CompletedPart, Refusal> {
        let part = &part;
        let put = |Reached { client, payer, .. }: Reached| async move {
            let put =
                client.upload_part().bucket(&self.bucket).key(key).upload_id(upload).part_number(number);
            let put = put.set_request_payer(payer).checksum_algorithm(ChecksumAlgorithm::Crc32);
            put.body(ByteStream::from(part.clone())).send().await
        };
        let put = self.buckets.ask(&self.bucket, key, put).await.map_err(Refusal::of)?;
        let part = CompletedPart::builder().part_number(number);
        let part = part.set_e_tag(put.e_tag().map(str::to_owned));
        Ok(part.set_checksum_crc32(put.checksum_crc32().map(str::to_owned)).build())
    }

    async fn size(&self, key: &str) -> Option<u64> {
        let head = |Reached { client, payer, .. }: Reached| async move {
            client.head_object().bucket(&self.bucket).key(key).set_request_payer(payer).send().await
        };
        let head = self.buckets.ask(&self.bucket, key, head).await.ok()?;
        u64::try_from(head.content_length()?).ok()
    }

    fn acl(&self) -> Option<ObjectCannedAcl> {
        self.settings.acl.as_deref().map(ObjectCannedAcl::from)
    }

    fn encryption(&self) -> Option<ServerSideEncryption> {
        self.settings.kms_key.as_ref().map(|_| ServerSideEncryption::AwsKms)
    }
}

/// Why S3 did not write.
struct Refusal {
    code: Option<u16>,
    error: WriteError,
}

impl Refusal {
    fn of<E>(error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let code = error.raw_response().map(|answer| answer.status().as_u16());
        // A bucket that is not there has the same status as an upload that is not there any more.
        let code = if error.code() == Some("NoSuchBucket") { None } else { code };
        Self { code, error: error.into() }
    }
}

/// The SDK's credentials in `object_store`'s words. The SDK's clients keep theirs; here that is ours to do.
#[derive(Debug)]
struct Credentials {
    provider: aws_sdk_s3::config::SharedCredentialsProvider,
    last: Mutex<Option<(Instant, Arc<AwsCredential>)>>,
}

#[async_trait::async_trait]
impl CredentialProvider for Credentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        use aws_sdk_s3::config::ProvideCredentials;
        let mut last = self.last.lock().await;
        if let Some((since, credential)) = &*last
            && since.elapsed() < CREDENTIALS_FOR
        {
            return Ok(Arc::clone(credential));
        }
        let found = self.provider.provide_credentials().await;
        let found = found.map_err(|source| object_store::Error::Generic {
            store: "credentials",
            source: Box::new(source),
        })?;
        let credential = Arc::new(AwsCredential {
            key_id: found.access_key_id().to_owned(),
            secret_key: found.secret_access_key().to_owned(),
            token: found.session_token().map(str::to_owned),
        });
        *last = Some((Instant::now(), Arc::clone(&credential)));
        Ok(credential)
    }
}
