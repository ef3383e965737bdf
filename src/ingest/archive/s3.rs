//! Reads and lists buckets.
//!
//! The SDK tries calls again; a body that breaks off is ours to go on with. Every read
//! names the ETag it wants, so that an object that was replaced is never taken for
//! the one before it.

use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::EncodingType;
use bytes::{Bytes, BytesMut};

use super::error::{ArchiveError, Cause};
use super::object::{First, Head, Listed, Page, Sought};
use crate::aws::buckets::{Buckets, Reached};
use crate::ingest::notification::form_decode;

/// Times a body may break off in one piece.
const BREAKS_MAX: u32 = 8;

pub(super) async fn first(
    buckets: &Buckets,
    sought: Sought<'_>,
    piece_bytes: u64,
) -> Result<First, ArchiveError> {
    read(buckets, sought, 0..piece_bytes).await
}

pub(super) async fn range(
    buckets: &Buckets,
    sought: Sought<'_>,
    range: Range<u64>,
) -> Result<Bytes, ArchiveError> {
    let wanted = range.end - range.start;
    let read = read(buckets, sought, range).await?;
    if read.bytes.len() as u64 == wanted { Ok(read.bytes) } else { Err(ArchiveError::Replaced) }
}

/// Reads a range, as much of it as there is, in as many calls as that takes.
async fn read(buckets: &Buckets, sought: Sought<'_>, range: Range<u64>) -> Result<First, ArchiveError> {
    let mut body = BytesMut::new();
    let mut etag = sought.etag.to_owned();
    let mut breaks = 0;
    loop {
        let wanted = range.start + body.len() as u64..range.end;
        let answer = match get(buckets, Sought { etag: &etag, ..sought }, wanted).await {
            Ok(answer) => answer,
            Err(error) if status(&error) == Some(NO_SUCH_RANGE) && range.start == 0 && body.is_empty() => {
                return Ok(First { bytes: Bytes::new(), size: 0, etag });
            }
            Err(error) => return Err(classify(error, sought)),
        };
        if answer.content_range().is_none() && range.start + body.len() as u64 > 0 {
            // The bytes of another place must never be taken for those that were asked for.
            return Err(ArchiveError::refused("its store gives no ranges", "no Content-Range in the answer"));
        }
        let Some(size) = size_of(&answer) else {
            return Err(ArchiveError::refused("its store says no size", "no Content-Length in the answer"));
        };
        if let Some(answered) = answer.e_tag() {
            answered.trim_matches('"').clone_into(&mut etag);
        }
        let end = size.min(range.end);
        let broken = drain(answer.body, &mut body, range.end.saturating_sub(range.start)).await;
        let missing = (end.saturating_sub(range.start)).saturating_sub(body.len() as u64);
        if missing == 0 {
            body.truncate(usize::try_from(end.saturating_sub(range.start)).unwrap_or(usize::MAX));
            return Ok(First { bytes: body.freeze(), size, etag });
        }
        breaks += 1;
        if breaks > BREAKS_MAX {
            let told = format!("the body broke off {breaks} times, {missing} bytes before its end");
            return Err(ArchiveError::away(broken.unwrap_or_else(|| told.into())));
        }
        tracing::debug!(bucket = sought.bucket, key = sought.key, missing, "body broke off, going on");
        // Uneven, so that many broken bodies do not come back at once.
        let pause = Duration::from_millis(20 << breaks).mul_f64(0.5 + fastrand::f64());
        tokio::time::sleep(pause).await;
    }
}

async fn get(
    buckets: &Buckets,
    sought: Sought<'_>,
    range: Range<u64>,
) -> Result<GetObjectOutput, SdkError<GetObjectError>> {
    let last = range.end.saturating_sub(1).max(range.start);
    let (range, if_match) = (&format!("bytes={}-{last}", range.start), quoted(sought.etag));
    let if_match = &if_match;
    let ask = |reached: Reached| async move {
        let get = reached.client.get_object().bucket(sought.bucket).key(sought.key).range(range);
        let get = get.set_if_match(if_match.clone()).set_request_payer(reached.payer);
        get.set_version_id(sought.version_id.map(str::to_owned)).send().await
    };
    buckets.ask(sought.bucket, sought.key, ask).await
}

fn quoted(etag: &str) -> Option<String> {
    (!etag.is_empty()).then(|| format!("\"{etag}\""))
}

/// The size of the whole object, of which a range was given.
fn size_of(answer: &GetObjectOutput) -> Option<u64> {
    let length = || answer.content_length().and_then(|length| u64::try_from(length).ok());
    let whole = answer.content_range().and_then(|range| range.rsplit_once('/')?.1.parse().ok());
    whole.or_else(length)
}

/// Takes what a body gives, and returns why it gives no more when it broke off. A store that knows no ranges gives
/// more than was wanted, and is not listened to for longer than that.
async fn drain(mut body: ByteStream, into: &mut BytesMut, wanted: u64) -> Option<Cause> {
    loop {
        match body.next().await {
            Some(Ok(bytes)) => {
                into.extend_from_slice(&bytes);
                if into.len() as u64 > wanted {
                    return None;
                }
            }
            Some(Err(error)) => return Some(error.into()),
            None => return None,
        }
    }
}

pub(super) async fn head(buckets: &Buckets, sought: Sought<'_>) -> Result<Head, ArchiveError> {
    let ask = |reached: Reached| async move {
        let head = reached.client.head_object().bucket(sought.bucket).key(sought.key);
        let head = head.set_request_payer(reached.payer);
        head.set_version_id(sought.version_id.map(str::to_owned)).send().await
    };
    let answer = match buckets.ask(sought.bucket, sought.key, ask).await {
        Ok(answer) => answer,
        // The answer has no words: an object that is not there looks like a bucket that is none, or a wrong endpoint.
        Err(error) if matches!(status(&error), Some(404 | 405)) => {
            page(buckets, (sought.bucket, sought.key), true, None).await?;
            return Err(ArchiveError::Gone);
        }
        Err(error) => return Err(classify(error, sought)),
    };
    Ok(Head {
        size: answer.content_length().and_then(|length| u64::try_from(length).ok()).unwrap_or(0),
        etag: answer.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
        version_id: answer.version_id().filter(|id| *id != "null").map(str::to_owned),
        metadata: answer.metadata().into_iter().flatten().map(of_user).collect(),
    })
}

/// HTTP headers have no case.
fn of_user((name, value): (&String, &String)) -> (String, String) {
    (name.to_ascii_lowercase(), value.clone())
}

pub(super) async fn page(
    buckets: &Buckets,
    (bucket, prefix): (&str, &str),
    by_folder: bool,
    token: Option<String>,
) -> Result<Page, ArchiveError> {
    let token = &token;
    let ask = |reached: Reached| async move {
        let list = reached.client.list_objects_v2().bucket(bucket).prefix(prefix);
        // Keys may hold what XML cannot.
        let list = list.encoding_type(EncodingType::Url).set_request_payer(reached.payer);
        let list = list.set_delimiter(by_folder.then(|| "/".to_owned()));
        list.set_continuation_token(token.clone()).send().await
    };
    let sought = Sought { bucket, key: prefix, etag: "", version_id: None };
    let answer = buckets.ask(bucket, prefix, ask).await.map_err(|error| classify(error, sought))?;
    let is_encoded = answer.encoding_type() == Some(&EncodingType::Url);
    let plain = |text: Option<&str>| {
        let text = text.unwrap_or_default();
        if is_encoded { form_decode(text) } else { text.to_owned() }
    };
    let objects = answer.contents().iter().map(|object| Listed {
        key: plain(object.key()),
        etag: object.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
        size: object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
    });
    Ok(Page {
        objects: objects.collect(),
        folders: answer.common_prefixes().iter().map(|folder| plain(folder.prefix())).collect(),
        next: answer.next_continuation_token().map(str::to_owned),
    })
}

/// Range not satisfiable: of an empty object there is no first byte.
const NO_SUCH_RANGE: u16 = 416;

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    Some(error.raw_response()?.status().as_u16())
}

/// Decides what an answer means for the object.
fn classify<E>(error: SdkError<E>, sought: Sought<'_>) -> ArchiveError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let told = told(&error);
    let place = format!("s3://{}/{}", sought.bucket, sought.key);
    let SdkError::ServiceError(answer) = &error else {
        return match error {
            // Our own request is wrong, or the role of this place is not to be had: nothing else is held up.
            SdkError::ConstructionFailure(_) => ArchiveError::refused("the request cannot be made", error),
            _ if is_denied(&told) => {
                let what = format!(
                    "no credentials for {place}: check role_arn, external_id and the role's trust policy"
                );
                ArchiveError::refused(what, error)
            }
            _ => ArchiveError::away(error),
        };
    };
    let code = answer.err().code().unwrap_or_default().to_owned();
    let what = match (answer.raw().status().as_u16(), code.as_str()) {
        (_, "NoSuchBucket") => format!("there is no bucket {}", sought.bucket),
        // The last is S3's answer for a version that is a delete marker.
        (404 | 405, "NoSuchKey" | "NoSuchVersion" | "MethodNotAllowed") => return ArchiveError::Gone,
        (status @ (404 | 405), code) => format!(
            "{place} is not found, but the answer ({status} {code}) is not S3's for an object that is gone; check the \
             endpoint (AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL) and that there is a bucket {}",
            sought.bucket
        ),
        (412, _) => return ArchiveError::Replaced,
        (_, "InvalidObjectState") => {
            "it lies in an archived storage class; restore it (s3:RestoreObject) and try again".to_owned()
        }
        // Nothing is wrong with this object: nobody here may ask for anything.
        (
            _,
            "ExpiredToken"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "RequestTimeTooSkewed"
            | "InvalidToken"
            | "RequestTimeout"
            | "SlowDown",
        ) => return ArchiveError::away(error),
        (403 | 400, _) if told.contains("kms:") || code.starts_with("KMS.") => {
            format!(
                "its encryption key is not given: allow kms:Decrypt on the key of {place}, in the key's policy too"
            )
        }
        (403, _) => format!(
            "access denied: allow s3:GetObject, s3:GetObjectVersion and s3:ListBucket on {place}; where the requester \
             pays, set request_payer in [[buckets]]"
        ),
        (301 | 307, _) => {
            format!("the bucket {} is in another Region; set region in [[buckets]]", sought.bucket)
        }
        (429 | 500.., _) => return ArchiveError::away(error),
        (status, code) => format!("S3 answers {status} {code}"),
    };
    ArchiveError::refused(what, error)
}

/// All that an error and its causes say.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(|cause| format!("{cause} ")).collect()
}

fn is_denied(told: &str) -> bool {
    ["AccessDenied", "not authorized", "InvalidClientTokenId"].iter().any(|word| told.contains(word))
}
