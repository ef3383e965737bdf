//! Tells from a message's body which objects it announces.
//!
//! Takes the text of a message and gives object references. What the message is
//! is told by its content: an S3 event, EventBridge's "Object Created", CloudTrail's
//! own notice, any of them inside SNS envelopes; S3's test event announces nothing.
//! Keys of S3 events are form-encoded (`+` is a space), those of the others are plain.

use serde_json::Value;

/// An object somebody announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// The bucket, or the folder of a local archive as a `file://` URL.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The version id, or else the ETag; empty when the message names neither.
    pub version: String,
    /// The size, when the message names it.
    pub size: Option<u64>,
}

/// Why a body announces nothing that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotificationError {
    /// It is no JSON.
    #[error("the message is no JSON")]
    NoJson,
    /// It is none of the shapes we know.
    #[error("the message is no notification we know")]
    Unknown,
}

/// How many envelopes may lie in each other.
const ENVELOPES_MAX: usize = 4;

/// Reads a body. A message that announces nothing by design gives an empty list.
///
/// # Errors
/// It is no notification we know.
pub fn read_notification(body: &str) -> Result<Vec<ObjectRef>, NotificationError> {
    let mut message: Value = serde_json::from_str(body).map_err(|_no_json| NotificationError::NoJson)?;
    for _ in 0..ENVELOPES_MAX {
        let inner = match (message.get("Type").and_then(Value::as_str), message.get("Message")) {
            (Some("Notification"), Some(Value::String(inner))) => inner,
            _ => return read_message(&message),
        };
        message = serde_json::from_str(inner).map_err(|_no_json| NotificationError::Unknown)?;
    }
    Err(NotificationError::Unknown)
}

fn read_message(message: &Value) -> Result<Vec<ObjectRef>, NotificationError> {
    if let Some(records) = message.get("Records").and_then(Value::as_array) {
        return Ok(records.iter().filter_map(s3_record).collect());
    }
    if message.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Ok(Vec::new());
    }
    if message.get("source").and_then(Value::as_str) == Some("aws.s3") {
        return Ok(event_bridge(message).into_iter().collect());
    }
    cloudtrail_notice(message).ok_or(NotificationError::Unknown)
}

fn s3_record(record: &Value) -> Option<ObjectRef> {
    let name = record.get("eventName").and_then(Value::as_str)?;
    if !name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
        return None;
    }
    let s3 = record.get("s3")?;
    let object = s3.get("object")?;
    Some(ObjectRef {
        bucket: s3.get("bucket")?.get("name")?.as_str()?.to_owned(),
        key: form_decode(object.get("key")?.as_str()?),
        version: version(object, "versionId", "eTag"),
        size: object.get("size").and_then(Value::as_u64),
    })
}

fn event_bridge(message: &Value) -> Option<ObjectRef> {
    let detail = message.get("detail")?;
    let object = detail.get("object")?;
    Some(ObjectRef {
        bucket: detail.get("bucket")?.get("name")?.as_str()?.to_owned(),
        key: object.get("key")?.as_str()?.to_owned(),
        version: version(object, "version-id", "etag"),
        size: object.get("size").and_then(Value::as_u64),
    })
}

fn cloudtrail_notice(message: &Value) -> Option<Vec<ObjectRef>> {
    let bucket = message.get("s3Bucket")?.as_str()?;
    let keys = message.get("s3ObjectKey")?.as_array()?;
    let object = |key: &Value| {
        Some(ObjectRef {
            bucket: bucket.to_owned(),
            key: key.as_str()?.to_owned(),
            version: String::new(),
            size: None,
        })
    };
    keys.iter().map(object).collect()
}

fn version(object: &Value, id: &str, etag: &str) -> String {
    let text = |name: &str| object.get(name).and_then(Value::as_str).filter(|text| *text != "null");
    text(id).or_else(|| text(etag)).map(|text| text.trim_matches('"').to_owned()).unwrap_or_default()
}

/// Decodes form data: `+` is a space, `%2B` a plus.
fn form_decode(key: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(key.as_bytes());
    match (pairs.next(), pairs.next()) {
        // A key holds `=` and `&` as they are; only whole keys without them are one pair.
        (Some((name, value)), None) if value.is_empty() && !key.contains(['=', '&']) => name.into_owned(),
        _ => {
            let escaped = key.replace('=', "%3D").replace('&', "%26");
            url::form_urlencoded::parse(escaped.as_bytes())
                .next()
                .map(|(name, _)| name.into_owned())
                .unwrap_or_default()
        }
    }
}

/// Returns the S3 event that announces an object, as S3 would write it.
pub fn write_notification(object: &ObjectRef) -> String {
    let key: String = url::form_urlencoded::byte_serialize(object.key.as_bytes()).collect();
    serde_json::json!({"Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": object.bucket},
            "object": {"key": key, "size": object.size, "eTag": object.version},
        },
    }]})
    .to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn s3_keys_are_form_encoded_and_event_bridge_keys_are_plain() {
        let s3 = r#"{"Records":[{"eventName":"s3:ObjectCreated:Put","s3":{"bucket":{"name":"b"},
            "object":{"key":"a+b%2Bc/region%3Dx=y","size":7,"eTag":"e","versionId":"v"}}}]}"#;
        let expected = ObjectRef {
            bucket: "b".into(),
            key: "a b+c/region=x=y".into(),
            version: "v".into(),
            size: Some(7),
        };
        assert_eq!(read_notification(s3), Ok(vec![expected.clone()]));
        let sns = serde_json::json!({"Type": "Notification", "Message": s3}).to_string();
        let twice = serde_json::json!({"Type": "Notification", "Message": sns}).to_string();
        assert_eq!(read_notification(&twice), Ok(vec![expected]));
        let bridge = r#"{"source":"aws.s3","detail-type":"Object Created",
            "detail":{"bucket":{"name":"b"},"object":{"key":"a+b%2B","etag":"e"}}}"#;
        let expected =
            ObjectRef { bucket: "b".into(), key: "a+b%2B".into(), version: "e".into(), size: None };
        assert_eq!(read_notification(bridge), Ok(vec![expected]));
    }

    #[test]
    fn tells_nothing_from_unknown() {
        assert_eq!(read_notification(r#"{"Event":"s3:TestEvent","Bucket":"b"}"#), Ok(vec![]));
        assert_eq!(read_notification(r#"{"Records":[{"eventName":"ObjectRemoved:Delete"}]}"#), Ok(vec![]));
        assert_eq!(read_notification("CloudTrail validation message."), Err(NotificationError::NoJson));
        assert_eq!(read_notification("{}"), Err(NotificationError::Unknown));
        let notice = r#"{"s3Bucket":"b","s3ObjectKey":["x","y"]}"#;
        assert_eq!(read_notification(notice).map(|objects| objects.len()), Ok(2));
    }

    proptest! {
        #[test]
        fn any_key_survives_the_way_through(key in ".{0,40}") {
            let object = ObjectRef { bucket: "file:///x".into(), key, version: "1".into(), size: Some(1) };
            prop_assert_eq!(read_notification(&write_notification(&object)), Ok(vec![object]));
        }
    }
}
