//! Turns one call by one session into one record.
//!
//! Takes a session, what the catalog says of a call and the place, gives the record's JSON. Promises that a small
//! share of calls fails, each in the words its service uses, and that a failed call has no response.
//!
//! Not here: who calls when (`activity`).

use super::call::{Access, Call, Caller, Catalog, Category};
use super::identifier;
use super::inventory::Inventory;
use super::issue::Desk;
use super::organization::Place;
use super::record::{Client, Kind, Record, s3_details};
use super::session::Session;
use super::template::Scene;
use super::text::put;

/// Where and when a call is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting<'a> {
    /// The account and Region.
    pub(super) place: Place,
    /// What the account owns there.
    pub(super) inventory: &'a Inventory,
    /// When.
    pub(super) second: i64,
}

/// How many in a thousand calls are refused or throttled, whatever the call.
const REFUSED_PERMILLE: u32 = 26;
/// How many in a thousand calls fail in their own way, where they have one.
const FAILED_PERMILLE: u32 = 90;

/// JSON parts of one record while it is put together; kept to spare allocations.
#[derive(Debug, Default)]
struct Draft {
    request: Vec<u8>,
    response: Vec<u8>,
    resources: Vec<u8>,
    additional: Vec<u8>,
    message: Vec<u8>,
}

impl Draft {
    fn clear(&mut self) {
        for part in [
            &mut self.request,
            &mut self.response,
            &mut self.resources,
            &mut self.additional,
            &mut self.message,
        ] {
            part.clear();
        }
    }
}

/// Writes what callers do.
#[derive(Debug)]
pub(super) struct Scribe {
    /// Where credentials are given out, and the organization known.
    pub(super) desk: Desk,
    catalog: Catalog,
    draft: Draft,
}

impl Scribe {
    /// Takes a seat at the desk.
    pub(super) fn new(desk: Desk, catalog: Catalog) -> Self {
        Self { desk, catalog, draft: Draft::default() }
    }

    /// Appends a record of a call that fits the caller; returns whether there was one to make.
    pub(super) fn call(
        &mut self,
        session: &Session,
        caller: Caller,
        setting: Setting<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let Self { desk, catalog, draft } = self;
        let region = desk.organization.region(setting.place);
        let Some(call) = catalog.choose(caller, region, &mut desk.rng) else {
            return false;
        };
        let account = desk.organization.account(setting.place.account);
        let rng = &mut desk.rng;
        let scene = Scene {
            account,
            region,
            arn: &session.arn,
            user: session.identity.name(),
            second: setting.second,
            token: rng.u64(..),
            inventory: setting.inventory,
        };
        draft.clear();
        call.request.fill(&mut draft.request, &scene, rng);
        call.response.fill(&mut draft.response, &scene, rng);
        call.resources.fill(&mut draft.resources, &scene, rng);
        let code = draft.fail(call, &scene, rng);
        draft.detail(call, code.is_some(), rng);
        let shared = match session.client {
            Client::Service if session.key.is_empty() => identifier::uuid_string(rng),
            _ => String::new(),
        };
        let message = std::str::from_utf8(&draft.message).unwrap_or_default();
        let record = Record {
            identity: &session.text,
            second: setting.second,
            source: call.source,
            name: call.name,
            region,
            ip: &session.ip,
            agent: session.agent,
            failure: code.map(|code| (code, message)),
            request: &draft.request,
            response: &draft.response,
            additional: &draft.additional,
            resources: &draft.resources,
            access: call.access,
            category: call.category,
            kind: Kind::ApiCall,
            version: call.version,
            recipient: account,
            shared: &shared,
            endpoint: session.endpoint.as_ref(),
            client: session.client,
        };
        record.write(out, rng);
        true
    }

    /// Appends a call that a service makes on behalf of a session, with a key that nobody else ever sees.
    pub(super) fn forward(
        &mut self,
        session: &Session,
        (caller, host): (Caller, &'static str),
        setting: Setting<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let account = self.desk.organization.account(setting.place.account);
        let key = identifier::temporary_key(&mut self.desk.rng, account);
        self.call(&session.forwarded(key, host), caller, setting, out)
    }

    /// Appends an event that no call caused: a service turned over a customer key.
    pub(super) fn service_event(&mut self, setting: Setting<'_>, out: &mut Vec<u8>) {
        let Self { desk, draft, .. } = self;
        let region = desk.organization.region(setting.place);
        let account = desk.organization.account(setting.place.account);
        draft.clear();
        let key = identifier::uuid_string(&mut desk.rng);
        put(&mut draft.additional, &["{\"keyOrigin\":\"AWS_KMS\",\"keyId\":\"", &key]);
        put(&mut draft.additional, &["\",\"rotationType\":\"AUTOMATIC\"}"]);
        put(
            &mut draft.resources,
            &["[{\"accountId\":\"", account, "\",\"type\":\"AWS::KMS::Key\",\"ARN\":\""],
        );
        put(&mut draft.resources, &["arn:aws:kms:", region, ":", account, ":key/", &key, "\"}]"]);
        let record = Record {
            identity: &format!("{{\"accountId\":\"{account}\",\"invokedBy\":\"AWS Internal\"}}"),
            second: setting.second,
            source: "kms",
            name: "RotateKey",
            region,
            ip: "AWS Internal",
            agent: "AWS Internal",
            additional: &draft.additional,
            resources: &draft.resources,
            access: Access::Write,
            kind: Kind::ServiceEvent,
            recipient: account,
            client: Client::Service,
            ..Record::default()
        };
        record.write(out, &mut desk.rng);
    }

    /// Appends an unsigned request from the internet for an object that is not public.
    pub(super) fn stranger(&mut self, setting: Setting<'_>, bucket: &str, out: &mut Vec<u8>) {
        let Self { desk, draft, .. } = self;
        let region = desk.organization.region(setting.place);
        let account = desk.organization.account(setting.place.account);
        draft.clear();
        put(&mut draft.request, &["{\"bucketName\":\"", bucket, "\",\"Host\":\"", bucket, ".s3.", region]);
        put(&mut draft.request, &[".amazonaws.com\",\"key\":\".env\"}"]);
        put(
            &mut draft.resources,
            &["[{\"type\":\"AWS::S3::Object\",\"ARN\":\"arn:aws:s3:::", bucket, "/.env\"}"],
        );
        put(
            &mut draft.resources,
            &[",{\"accountId\":\"", account, "\",\"type\":\"AWS::S3::Bucket\",\"ARN\":\""],
        );
        put(&mut draft.resources, &["arn:aws:s3:::", bucket, "\"}]"]);
        let details =
            br#"{"CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"bytesTransferredOut":243}"#;
        let record = Record {
            identity: r#"{"type":"AWSAccount","principalId":"","accountId":"anonymous"}"#,
            second: setting.second,
            source: "s3",
            name: "GetObject",
            region,
            ip: &format!("198.51.100.{}", desk.rng.u8(231..254)),
            agent: "[python-requests/2.32.3]",
            failure: Some(("AccessDenied", "Access Denied")),
            request: &draft.request,
            additional: details,
            resources: &draft.resources,
            category: Category::Data,
            recipient: account,
            ..Record::default()
        };
        record.write(out, &mut desk.rng);
    }
}

impl Draft {
    /// Decides whether the call fails, and how: returns the code, the message stands in the draft.
    fn fail(&mut self, call: &Call, scene: &Scene<'_>, rng: &mut fastrand::Rng) -> Option<&'static str> {
        let throw = rng.u32(0..1_000);
        if scene.arn.is_empty() {
            return None;
        }
        if throw < REFUSED_PERMILLE {
            return Some(if throw.is_multiple_of(4) {
                self.throttle(call)
            } else {
                self.refuse(call, scene, rng)
            });
        }
        let (code, message) = call.failure.as_ref().filter(|_| throw < REFUSED_PERMILLE + FAILED_PERMILLE)?;
        message.fill(&mut self.message, scene, rng);
        Some(code)
    }

    fn throttle(&mut self, call: &Call) -> &'static str {
        match call.source {
            "ec2" => {
                put(&mut self.message, &["Request limit exceeded."]);
                "Client.RequestLimitExceeded"
            }
            "s3" => {
                put(&mut self.message, &["Please reduce your request rate."]);
                "SlowDown"
            }
            _ => {
                put(&mut self.message, &["Rate exceeded"]);
                "ThrottlingException"
            }
        }
    }

    fn refuse(&mut self, call: &Call, scene: &Scene<'_>, rng: &mut fastrand::Rng) -> &'static str {
        let message = &mut self.message;
        if call.source == "ec2" {
            put(message, &["You are not authorized to perform this operation. "]);
        }
        let (service, action) = action(call.source, call.name);
        put(message, &["User: ", scene.arn, " is not authorized to perform: ", service, ":", action]);
        put(message, &[" on resource: arn:aws:", service, ":", scene.region, ":", scene.account, ":*"]);
        put(message, &[" because no identity-based policy allows the ", service, ":", action, " action"]);
        match call.source {
            "ec2" => {
                put(message, &[". Encoded authorization failure message: "]);
                identifier::base64(message, rng, 240);
                "Client.UnauthorizedOperation"
            }
            "kms" | "dynamodb" | "ssm" | "secretsmanager" | "logs" | "ecs" => "AccessDeniedException",
            _ => "AccessDenied",
        }
    }

    /// Adds what only some services record.
    fn detail(&mut self, call: &Call, failed: bool, rng: &mut fastrand::Rng) {
        match (call.source, call.category) {
            ("s3", _) => {
                let small = (0, rng.u64(240..2_400));
                let bytes = match call.name {
                    _ if failed => small,
                    "GetObject" => (0, rng.u64(900..6_000_000)),
                    "PutObject" | "UploadPart" => (rng.u64(900..6_000_000), 0),
                    _ => small,
                };
                s3_details(&mut self.additional, rng, bytes);
            }
            ("lambda", Category::Data) => {
                put(&mut self.additional, &["{\"functionVersion\":\"$LATEST\",\"customerEniId\":\"eni-0"]);
                identifier::hex(&mut self.additional, rng, 16);
                put(&mut self.additional, &["\"}"]);
            }
            _ => {}
        }
    }
}

/// Returns the IAM action of an event: services and calls go by other names there.
fn action(source: &'static str, name: &'static str) -> (&'static str, &'static str) {
    let service = match source {
        "monitoring" => "cloudwatch",
        "tagging" => "tag",
        other => other,
    };
    // Lambda and CloudFront put the date of their API behind the name.
    let action = name.split("20").next().unwrap_or(name);
    (service, if action == "Invoke" { "InvokeFunction" } else { action })
}

#[cfg(test)]
mod tests {
    use super::action;

    #[test]
    fn actions_go_by_their_iam_names() {
        assert_eq!(action("lambda", "Invoke20150331"), ("lambda", "InvokeFunction"));
        assert_eq!(action("lambda", "GetPolicy20150331v2"), ("lambda", "GetPolicy"));
        assert_eq!(action("monitoring", "DescribeAlarms"), ("cloudwatch", "DescribeAlarms"));
    }
}
