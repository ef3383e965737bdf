//! Tells from a message's body what it announces.
//!
//! Takes the text of a message and gives what is to be read: objects, or a record that
//! the message carries itself. What a message is, its content tells, without any
//! configuration: an S3 event, EventBridge's "Object Created", Security Lake's notice,
//! CloudTrail's and Config's own notices, a finding or a configuration item; any of them
//! inside envelopes of SNS. Keys of S3 events are form-encoded (`+` is a space), those of
//! all others are plain. A message that announces nothing by design says so; one that is
//! not understood is an error, never an empty answer. No address in a message is followed.

use serde_json::Value;

use super::source::LogSource;
use super::source::content::read_content;
use super::source::key::SkipReason;

/// An object somebody announced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectRef {
    /// The bucket, or the folder of a local archive as a `file://` URL.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The ETag, which tells it from what replaces it; empty when the message does not name it.
    pub version: String,
    /// The version id, where its bucket keeps versions: how it is fetched, not what it is.
    pub version_id: Option<String>,
    /// The Region of its bucket, when the message names it.
    pub region: Option<String>,
    /// The size, when the message names it.
    pub size: Option<u64>,
}

/// Bytes of a key: S3's limit.
const KEY_BYTES_MAX: usize = 1024;

/// Bytes of an ETag, and of a version id: S3's limit for the latter, and far more than it gives the former.
const VERSION_BYTES_MAX: usize = 1024;

/// Bytes of a bucket's name: 63 today, more in the oldest of Regions.
const BUCKET_BYTES_MAX: usize = 255;

/// Bytes of all that names an object. PostgreSQL keeps 2,704 in an entry of an index.
const NAME_BYTES_MAX: usize = 2400;

impl ObjectRef {
    /// Refuses names that S3 does not give, or that a catalog cannot keep: one of them would keep a whole batch
    /// from its commit.
    ///
    /// # Errors
    /// What is wrong with the name.
    pub fn check(&self) -> Result<(), NotificationError> {
        let Self { bucket, key, version, version_id, .. } = self;
        let refused = |what| Err(NotificationError::Impossible { what });
        let is_local = bucket.contains("://");
        let is_of_a_bucket = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if [bucket, key, version].iter().any(|text| text.contains('\0')) {
            return refused(
                "its name holds the character U+0000, which no catalog keeps; copy it to another key",
            );
        }
        if !is_local && (bucket.len() > BUCKET_BYTES_MAX || !bucket.bytes().all(is_of_a_bucket)) {
            return refused("no bucket can have such a name");
        }
        if !is_local && key.len() > KEY_BYTES_MAX {
            return refused("its key has more than 1024 bytes");
        }
        if version.len().max(version_id.as_ref().map_or(0, String::len)) > VERSION_BYTES_MAX {
            return refused("its ETag or version id has more than 1024 bytes");
        }
        if bucket.len() + key.len() + version.len() > NAME_BYTES_MAX {
            return refused(
                "its path has more than 2400 bytes, which no catalog keeps; move it to a shorter one",
            );
        }
        Ok(())
    }
}

/// What a message announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Objects to read, and why others it names are left alone.
    Objects(Vec<ObjectRef>, Vec<SkipReason>),
    /// A record, or several, in the message itself.
    Record {
        /// Whose.
        source: LogSource,
        /// Its text, free of envelopes of SNS.
        text: String,
    },
    /// Nothing, by design.
    Nothing(Formality),
}

/// Messages that are sent without anything to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Formality {
    /// S3 says that notifications were switched on.
    TestEvent,
    /// CloudTrail says that its topic was switched on.
    Validation,
    /// SNS asks whether the subscription is wanted. The owner of a queue need not answer, and an address that
    /// a message names is not fetched.
    Subscription,
    /// Config tells of its own work: a snapshot or an evaluation started, a delivery failed.
    ConfigStatus,
}

impl Formality {
    /// Returns the words of a report.
    pub const fn text(self) -> &'static str {
        match self {
            Self::TestEvent => "S3 test event",
            Self::Validation => "CloudTrail validation message",
            Self::Subscription => "SNS subscription message",
            Self::ConfigStatus => "Config status message",
        }
    }
}

/// Why a body announces nothing that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotificationError {
    /// It is no JSON.
    #[error("the message is no JSON")]
    NoJson,
    /// It is none of the shapes we know.
    #[error("the message is no notification and no log record we know")]
    Unknown,
    /// It is a notification, but a part of it is not there.
    #[error("the message is {kind} without {part}")]
    Incomplete {
        /// What it is.
        kind: &'static str,
        /// What is not there.
        part: &'static str,
    },
    /// It names an object that cannot be, or cannot be kept.
    #[error("the object cannot be read: {what}")]
    Impossible {
        /// What is wrong with its name.
        what: &'static str,
    },
    /// What it names as a bucket is none.
    #[error(
        "the message names {0:?} as a bucket, which is none; local files are read by `ashiato ingest`, and from \
         messages only where worker.local_files is set"
    )]
    NoBucket(String),
    /// Envelopes lie in each other without end.
    #[error("the message has more than {ENVELOPES_MAX} envelopes around it")]
    Envelopes,
}

/// How many envelopes may lie in each other.
const ENVELOPES_MAX: usize = 4;

/// CloudTrail's words when a topic is given to a trail.
const VALIDATION: &str = "CloudTrail validation message";

/// Reads a body.
///
/// # Errors
/// It is nothing we know, or a part of it is missing.
pub fn read_notification(body: &str) -> Result<Notice, NotificationError> {
    let mut text = body.to_owned();
    for _ in 0..=ENVELOPES_MAX {
        if text.trim_start().starts_with(VALIDATION) {
            return Ok(Notice::Nothing(Formality::Validation));
        }
        let message: Value = serde_json::from_str(&text).map_err(|_no_json| NotificationError::NoJson)?;
        match envelope(&message) {
            Envelope::Around(inner) => inner.clone_into(&mut text),
            Envelope::Subscription => return Ok(Notice::Nothing(Formality::Subscription)),
            Envelope::None => return read_message(&message, text),
        }
    }
    Err(NotificationError::Envelopes)
}

/// What SNS put around a message.
enum Envelope<'a> {
    Around(&'a str),
    Subscription,
    None,
}

fn envelope(message: &Value) -> Envelope<'_> {
    match (text_of(message, "Type"), text_of(message, "Message")) {
        (Some("Notification"), Some(inner)) => Envelope::Around(inner),
        (Some("SubscriptionConfirmation" | "UnsubscribeConfirmation"), _) => Envelope::Subscription,
        _ => Envelope::None,
    }
}

fn read_message(message: &Value, text: String) -> Result<Notice, NotificationError> {
    if text_of(message, "Event") == Some("s3:TestEvent") {
        return Ok(Notice::Nothing(Formality::TestEvent));
    }
    if let Some(records) = message.get("Records").and_then(Value::as_array)
        && records
            .iter()
            .any(|record| record.get("s3").is_some() || text_of(record, "eventSource") == Some("aws:s3"))
    {
        return s3_event(records);
    }
    if text_of(message, "source") == Some("aws.s3") {
        return event_bridge(message);
    }
    // EventBridge carries Config's messages as details.
    let is_config_event = text_of(message, "source") == Some("aws.config");
    let notice = message.get("detail").filter(|_| is_config_event).unwrap_or(message);
    if let Some(found) = delivery_notice(notice)? {
        return Ok(found);
    }
    let source = read_content(text.as_bytes()).map_err(|_no_log| NotificationError::Unknown)?;
    Ok(Notice::Record { source, text })
}

fn s3_event(records: &[Value]) -> Result<Notice, NotificationError> {
    let (mut objects, mut left_alone) = (Vec::new(), Vec::new());
    for record in records {
        let missing = |part| NotificationError::Incomplete { kind: "an S3 event", part };
        let name = text_of(record, "eventName").ok_or_else(|| missing("eventName"))?;
        if !name.trim_start_matches("s3:").starts_with("ObjectCreated:") {
            left_alone.push(SkipReason::NotCreated);
            continue;
        }
        let object = record.pointer("/s3/object").ok_or_else(|| missing("s3.object"))?;
        let bucket = record.pointer("/s3/bucket/name").and_then(Value::as_str);
        let key = text_of(object, "key").ok_or_else(|| missing("s3.object.key"))?;
        objects.push(ObjectRef {
            bucket: bucket.ok_or_else(|| missing("s3.bucket.name"))?.to_owned(),
            key: form_decode(key),
            version: etag(object, "eTag"),
            version_id: version_id(object, "versionId"),
            region: text_of(record, "awsRegion").map(str::to_owned),
            size: object.get("size").and_then(Value::as_u64),
        });
    }
    Ok(Notice::Objects(objects, left_alone))
}

/// Reads what EventBridge says of S3, and what Security Lake says in its words, without a `detail-type`.
fn event_bridge(message: &Value) -> Result<Notice, NotificationError> {
    if text_of(message, "detail-type").is_some_and(|kind| kind != "Object Created") {
        return Ok(Notice::Objects(Vec::new(), vec![SkipReason::NotCreated]));
    }
    let missing = |part| NotificationError::Incomplete { kind: "an EventBridge event of S3", part };
    let object = message.pointer("/detail/object").ok_or_else(|| missing("detail.object"))?;
    let bucket = message.pointer("/detail/bucket/name").and_then(Value::as_str);
    let object = ObjectRef {
        bucket: bucket.ok_or_else(|| missing("detail.bucket.name"))?.to_owned(),
        key: text_of(object, "key").ok_or_else(|| missing("detail.object.key"))?.to_owned(),
        version: etag(object, "etag"),
        version_id: version_id(object, "version-id"),
        region: text_of(message, "region").map(str::to_owned),
        size: object.get("size").and_then(Value::as_u64),
    };
    Ok(Notice::Objects(vec![object], Vec::new()))
}

/// Reads CloudTrail's and Config's own notices; `None` for what is none of them.
fn delivery_notice(message: &Value) -> Result<Option<Notice>, NotificationError> {
    let missing = |part| NotificationError::Incomplete { kind: "a delivery notice", part };
    match text_of(message, "messageType") {
        // Of these the item itself, or what has become of it, is in the message.
        Some("ConfigurationItemChangeNotification" | "ComplianceChangeNotification") => return Ok(None),
        Some("OversizedConfigurationItemChangeNotification") => {
            let place = message.pointer("/s3DeliverySummary/s3BucketLocation").and_then(Value::as_str);
            let place = place.and_then(|place| place.trim_start_matches("s3://").split_once('/'));
            let (bucket, key) = place.ok_or_else(|| missing("s3DeliverySummary.s3BucketLocation"))?;
            return Ok(Some(Notice::Objects(vec![plain(bucket, key)], Vec::new())));
        }
        Some(
            "ConfigurationSnapshotDeliveryStarted"
            | "ConfigurationSnapshotDeliveryFailed"
            | "ConfigurationHistoryDeliveryFailed"
            | "ConfigRulesEvaluationStarted"
            | "OversizedConfigurationItemChangeDeliveryFailed",
        ) => return Ok(Some(Notice::Nothing(Formality::ConfigStatus))),
        _ => {}
    }
    let Some(bucket) = text_of(message, "s3Bucket") else { return Ok(None) };
    let keys = match message.get("s3ObjectKey") {
        Some(Value::String(key)) => vec![plain(bucket, key)],
        Some(Value::Array(keys)) => keys
            .iter()
            .map(|key| key.as_str().map(|key| plain(bucket, key)))
            .collect::<Option<_>>()
            .ok_or_else(|| missing("s3ObjectKey"))?,
        _ => return Err(missing("s3ObjectKey")),
    };
    Ok(Some(Notice::Objects(keys, Vec::new())))
}

/// An object of which a notice says only where it is.
fn plain(bucket: &str, key: &str) -> ObjectRef {
    ObjectRef { bucket: bucket.to_owned(), key: key.to_owned(), ..ObjectRef::default() }
}

fn text_of<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

/// Reads an ETag. It goes into a header, so what is none counts as not named.
fn etag(object: &Value, name: &str) -> String {
    let text = text_of(object, name).unwrap_or_default().trim_matches('"');
    let is_etag = |byte: u8| byte.is_ascii_graphic() && byte != b'"';
    if text.bytes().all(is_etag) { text.to_owned() } else { String::new() }
}

/// Reads a version id. Objects from before versions were kept have `null`.
fn version_id(object: &Value, name: &str) -> Option<String> {
    text_of(object, name).filter(|id| !id.is_empty() && *id != "null").map(str::to_owned)
}

/// Decodes form data: `+` is a space, `%2B` a plus.
pub(super) fn form_decode(key: &str) -> String {
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
        "awsRegion": object.region,
        "s3": {
            "bucket": {"name": object.bucket},
            "object": {
                "key": key, "size": object.size, "eTag": object.version, "versionId": object.version_id,
            },
        },
    }]})
    .to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn object(key: &str, version: &str, size: Option<u64>) -> ObjectRef {
        ObjectRef {
            bucket: "b".into(),
            key: key.into(),
            version: version.into(),
            size,
            ..ObjectRef::default()
        }
    }

    /// Checks a message as it is, inside an envelope of SNS, and inside two.
    #[track_caller]
    fn check(body: &str, expected: &Result<Notice, NotificationError>) {
        assert_eq!(&read_notification(body), expected, "{body}");
        let sns = json!({"Type": "Notification", "MessageId": "m", "Message": body}).to_string();
        assert_eq!(&read_notification(&sns), expected, "{sns}");
        let twice = json!({"Type": "Notification", "Message": sns}).to_string();
        assert_eq!(&read_notification(&twice), expected, "{twice}");
    }

    fn objects(objects: Vec<ObjectRef>) -> Result<Notice, NotificationError> {
        Ok(Notice::Objects(objects, Vec::new()))
    }

    #[test]
    fn keys_of_s3_events_are_form_encoded_and_all_others_are_plain() {
        let s3 = r#"{"Records":[{"eventSource":"aws:s3","eventName":"s3:ObjectCreated:Put","s3":{"bucket":{"name":"b"},
            "object":{"key":"a+b%2Bc/region%3Dx=y","size":7,"eTag":"e","versionId":"v"}},"awsRegion":"eu-west-1"}]}"#;
        let kept = ObjectRef {
            version_id: Some("v".into()),
            region: Some("eu-west-1".into()),
            ..object("a b+c/region=x=y", "e", Some(7))
        };
        check(s3, &objects(vec![kept]));
        let bridge = r#"{"source":"aws.s3","detail-type":"Object Created",
            "detail":{"bucket":{"name":"b"},"object":{"key":"a+b%2B","etag":"e"}}}"#;
        check(bridge, &objects(vec![object("a+b%2B", "e", None)]));
        let security_lake = r#"{"source":"aws.s3","time":"2025-01-05T10:00:00Z","account":"111122223333",
            "resources":["arn:aws:s3:::b"],"detail":{"bucket":{"name":"b"},"object":{"key":"aws/x%2B","size":3,
            "etag":"\"e\""},"requester":"securitylake.amazonaws.com"}}"#;
        check(security_lake, &objects(vec![object("aws/x%2B", "e", Some(3))]));
        let cloudtrail = r#"{"s3Bucket":"b","s3ObjectKey":["x+1","y"]}"#;
        check(cloudtrail, &objects(vec![object("x+1", "", None), object("y", "", None)]));
        let config =
            r#"{"s3Bucket":"b","s3ObjectKey":"x+1","messageType":"ConfigurationHistoryDeliveryCompleted"}"#;
        check(config, &objects(vec![object("x+1", "", None)]));
        let bridge =
            format!(r#"{{"source":"aws.config","detail-type":"Config Snapshot","detail":{config}}}"#);
        check(&bridge, &objects(vec![object("x+1", "", None)]));
        let oversized = r#"{"messageType":"OversizedConfigurationItemChangeNotification",
            "s3DeliverySummary":{"s3BucketLocation":"b/AWSLogs/x"}}"#;
        check(oversized, &objects(vec![object("AWSLogs/x", "", None)]));
    }

    #[test]
    fn every_record_of_a_message_is_read_and_what_was_not_created_is_counted() {
        let record = |name: &str, key: &str| {
            json!({"eventSource": "aws:s3", "eventName": name,
                "s3": {"bucket": {"name": "b"}, "object": {"key": key, "versionId": "null"}}})
        };
        let body = json!({"Records": [
            record("ObjectCreated:Put", "a"), record("ObjectRemoved:Delete", "b"),
            record("ObjectCreated:CompleteMultipartUpload", "c"), record("LifecycleExpiration:Delete", "d"),
        ]});
        let (found, others) =
            (vec![object("a", "", None), object("c", "", None)], vec![SkipReason::NotCreated; 2]);
        check(&body.to_string(), &Ok(Notice::Objects(found, others)));
        let deleted = r#"{"source":"aws.s3","detail-type":"Object Deleted","detail":{}}"#;
        check(deleted, &Ok(Notice::Objects(Vec::new(), vec![SkipReason::NotCreated])));
    }

    #[test]
    fn messages_that_announce_nothing_are_told_apart() {
        let nothing = |formality| Ok(Notice::Nothing(formality));
        check(
            r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#,
            &nothing(Formality::TestEvent),
        );
        check("CloudTrail validation message.", &nothing(Formality::Validation));
        let confirm = r#"{"Type":"SubscriptionConfirmation","Token":"t","Message":"You have chosen to subscribe",
            "SubscribeURL":"http://169.254.169.254/"}"#;
        check(confirm, &nothing(Formality::Subscription));
        check(r#"{"Type":"UnsubscribeConfirmation","SubscribeURL":"x"}"#, &nothing(Formality::Subscription));
        let started = r#"{"messageType":"ConfigurationSnapshotDeliveryStarted","configSnapshotId":"x"}"#;
        check(started, &nothing(Formality::ConfigStatus));
    }

    #[test]
    fn findings_and_items_sent_to_the_queue_are_records() {
        for (source, body) in [
            (
                LogSource::GuardDuty,
                r#"{"detail-type":"GuardDuty Finding","source":"aws.guardduty","detail":{}}"#,
            ),
            (
                LogSource::SecurityHub,
                r#"{"detail-type":"Security Hub Findings - Imported","source":"aws.securityhub"}"#,
            ),
            (
                LogSource::Ocsf,
                r#"{"detail-type":"Findings Imported V2","detail":{"findings":[{"class_uid":2004}]}}"#,
            ),
            (
                LogSource::Inspector,
                r#"{"detail-type":"Inspector2 Finding","source":"aws.inspector2","detail":{}}"#,
            ),
            (
                LogSource::Config,
                r#"{"messageType":"ConfigurationItemChangeNotification","configurationItem":{}}"#,
            ),
            (
                LogSource::Config,
                r#"{"source":"aws.config","detail":{"messageType":"ComplianceChangeNotification"}}"#,
            ),
            (LogSource::CloudTrail, r#"{"source":"aws.ec2","detail":{"eventSource":"ec2.amazonaws.com"}}"#),
        ] {
            check(body, &Ok(Notice::Record { source, text: body.to_owned() }));
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_its_reason() {
        check("hello", &Err(NotificationError::NoJson));
        check("{}", &Err(NotificationError::Unknown));
        check("[]", &Err(NotificationError::Unknown));
        check(r#"{"Records":[]}"#, &Err(NotificationError::Unknown));
        let missing = |kind, part| Err(NotificationError::Incomplete { kind, part });
        let no_key =
            r#"{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{"object":{}}}]}"#;
        check(no_key, &missing("an S3 event", "s3.object.key"));
        check(r#"{"source":"aws.s3","detail":{}}"#, &missing("an EventBridge event of S3", "detail.object"));
        check(r#"{"s3Bucket":"b","s3ObjectKey":[1]}"#, &missing("a delivery notice", "s3ObjectKey"));
        let mut body = "{}".to_owned();
        for _ in 0..9 {
            body = json!({"Type": "Notification", "Message": body}).to_string();
        }
        assert_eq!(read_notification(&body), Err(NotificationError::Envelopes));
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        let of = |bucket: &str, key: &str, version: &str| {
            let bucket = bucket.to_owned();
            ObjectRef { bucket, ..object(key, version, None) }.check()
        };
        let (long, longer, etag) = ("k".repeat(1024), "k".repeat(1025), "e".repeat(1025));
        assert_eq!(of("my-bucket.with_all", &long, "e"), Ok(()));
        assert_eq!(of("file:///root", &longer, "1-2"), Ok(()));
        for (bucket, key, version, told) in [
            ("b", "a\0b", "e", "U+0000"),
            ("a/b", "k", "e", "no bucket"),
            ("b\0", "k", "e", "U+0000"),
            ("file:///\0", "k", "e", "U+0000"),
            (&long, "k", "e", "no bucket"),
            ("b", &longer, "e", "its key has more than 1024 bytes"),
            ("b", "k", &etag, "its ETag or version id"),
            ("file://", &longer.repeat(3), "e", "its path"),
        ] {
            let refused = of(bucket, key, version).unwrap_err().to_string();
            assert!(refused.contains(told), "{refused}");
        }
        let version_id = Some(etag);
        assert!(ObjectRef { version_id, ..object("k", "e", None) }.check().is_err());
    }

    /// The examples of a public library, where they lie beside the project.
    #[test]
    fn examples_of_others_are_understood() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../shared/data/notifications/aws-lambda-go");
        for (name, objects, others) in [
            ("s3-event.json", 1, 0),
            ("s3-event-with-decoded.json", 1, 0),
            ("s3-lifecycle-event.json", 0, 1),
            ("s3-replication-event.json", 0, 1),
        ] {
            let Ok(body) = std::fs::read_to_string(folder.join(name)) else {
                eprintln!("skipped: no {name} beside the project");
                continue;
            };
            let Ok(Notice::Objects(found, left_alone)) = read_notification(&body) else { panic!("{name}") };
            assert_eq!((found.len(), left_alone.len()), (objects, others), "{name}");
            assert!(found.iter().all(|object| object.key == "Happy Face.jpg"), "{found:?}");
        }
    }

    proptest! {
        #[test]
        fn any_key_survives_the_way_through(key in ".{0,40}") {
            let (bucket, version) = ("file:///x".to_owned(), "1".to_owned());
            let (version_id, region) = (Some("v".to_owned()), Some("eu-west-1".to_owned()));
            let object = ObjectRef { bucket, key, version, version_id, region, size: Some(1) };
            prop_assert_eq!(read_notification(&write_notification(&object)), objects(vec![object]));
        }

        #[test]
        fn no_text_makes_it_panic(body in ".{0,200}") {
            drop(read_notification(&body));
        }
    }
}
