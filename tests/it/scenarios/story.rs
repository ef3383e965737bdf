//! How a scenario is told: people get credentials and make calls, and CloudTrail writes down what it writes down.
//!
//! Each story has accounts of its own, so that one lake holds many. Records have the form of real ones: who issues
//! credentials leaves the records that AWS leaves, in the accounts where it leaves them.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::calls::Call;
use super::who::{Role, TERRAFORM, Who, attributes, key_of, role_session, root, service, user};

pub(super) const REGION: &str = "eu-west-1";

/// A moment of a day; day 0 is 4 February 2026.
pub(super) fn at(day: i64, clock: &str) -> Timestamp {
    let first: Timestamp = format!("2026-02-04T{clock}Z").parse().unwrap();
    first + SignedDuration::from_hours(24 * day)
}

/// So many seconds later.
pub(super) fn later(time: Timestamp, seconds: i64) -> Timestamp {
    time + SignedDuration::from_secs(seconds)
}

/// What is right: the cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// This event.
    Event(String),
    /// A flow from this address.
    Flow(String),
    /// None that the logs have, and the reason has these words.
    CannotTell(&'static str),
    /// The subject asks for none.
    NotAsked,
}

/// What is right: who is behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Root {
    /// Of this kind, with this name or id.
    Is(&'static str, String),
    /// The logs do not tell; whoever is named is named with low confidence, and the reason has these words.
    CannotTell(&'static str),
}

/// A story with its question and its right answer.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) subject: String,
    pub(super) cause: Cause,
    pub(super) root: Root,
    /// When the cause was, where it is an event or a flow.
    pub(super) time: Option<Timestamp>,
    pub(super) records: Vec<Value>,
    pub(super) findings: Vec<Value>,
    pub(super) flows: Vec<String>,
}

/// A story being told.
#[derive(Debug)]
pub(super) struct Story {
    number: u64,
    serial: u64,
    pub(super) account: String,
    pub(super) records: Vec<Value>,
    pub(super) findings: Vec<Value>,
    pub(super) flows: Vec<String>,
}

impl Story {
    pub(super) fn new(number: u64) -> Self {
        let account = account_of(number, 0);
        Self { number, serial: 0, account, records: Vec::new(), findings: Vec::new(), flows: Vec::new() }
    }

    /// Another account of the organization.
    pub(super) fn other_account(&self, which: u64) -> String {
        account_of(self.number, which)
    }

    /// A name nobody else uses.
    pub(super) fn own(&self, name: &str) -> String {
        format!("{name}-{:04}", self.number)
    }

    /// An id as EC2 gives them.
    pub(super) fn ec2(&self, prefix: &str, which: u64) -> String {
        format!("{prefix}-0{:016x}", 0xab00_0000_0000 + self.number * 1000 + which)
    }

    pub(super) fn uuid(&mut self) -> String {
        self.serial += 1;
        format!("{:08x}-5ce2-4a10-8000-{:012x}", self.number + 0x1000, self.serial)
    }

    pub(super) fn key(&mut self, prefix: &str, account: &str) -> String {
        self.serial += 1;
        key_of(prefix, account, self.number * 1000 + self.serial)
    }

    /// A user with a long-term key.
    pub(super) fn user(&mut self, name: &str) -> Who {
        let account = self.account.clone();
        self.user_of(&account, name)
    }

    pub(super) fn user_of(&mut self, account: &str, name: &str) -> Who {
        let key = self.key("AKIA", account);
        Who::new(user(account, name, &key), account)
    }

    /// Somebody makes a call, and it goes through; gives the event's id.
    pub(super) fn did(&mut self, who: &Who, time: Timestamp, call: &Call) -> String {
        let record = self.record(who, time, call);
        self.keep(record)
    }

    /// Somebody makes a call, and it is refused.
    pub(super) fn refused(&mut self, who: &Who, time: Timestamp, call: &Call) -> String {
        let code = if call.service == "ec2" { "Client.UnauthorizedOperation" } else { "AccessDenied" };
        self.failed(who, time, call, code)
    }

    pub(super) fn failed(&mut self, who: &Who, time: Timestamp, call: &Call, code: &str) -> String {
        let mut record = self.record(who, time, call);
        record["errorCode"] = json!(code);
        record["errorMessage"] = json!(format!("{} cannot be done by {}", call.operation, who.arn()));
        record["responseElements"] = Value::Null;
        self.keep(record)
    }

    fn keep(&mut self, record: Value) -> String {
        let id = record["eventID"].as_str().unwrap().to_owned();
        self.records.push(record);
        id
    }

    fn record(&mut self, who: &Who, time: Timestamp, call: &Call) -> Value {
        let is_global = ["iam", "organizations", "route53"].contains(&call.service);
        let region = if is_global { "us-east-1" } else { REGION };
        let mut record = json!({
            "eventVersion": "1.11",
            "userIdentity": who.identity,
            "eventTime": time.to_string(),
            "eventSource": format!("{}.amazonaws.com", call.service),
            "eventName": call.operation,
            "awsRegion": region,
            "sourceIPAddress": who.ip,
            "userAgent": if who.ip.ends_with(".amazonaws.com") { &who.ip } else { who.agent },
            "requestParameters": call.request,
            "responseElements": call.response,
            "requestID": self.uuid(),
            "eventID": self.uuid(),
            "readOnly": call.is_read(),
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": who.account,
            "eventCategory": "Management",
        });
        if call.resources.iter().any(|(kind, _)| *kind == "AWS::S3::Object") {
            record["managementEvent"] = json!(false);
            record["eventCategory"] = json!("Data");
        }
        if !call.resources.is_empty() {
            let resources: Vec<Value> = call
                .resources
                .iter()
                .map(|(kind, arn)| json!({"accountId": who.account, "type": kind, "ARN": arn}))
                .collect();
            record["resources"] = json!(resources);
        }
        if who.is_console {
            record["sessionCredentialFromConsole"] = json!("true");
        }
        record
    }

    /// A role is assumed. Between accounts both get a record, tied by `sharedEventID`.
    pub(super) fn assume(&mut self, who: &Who, time: Timestamp, role: Role<'_>) -> Who {
        let mut asked = grant("AssumeRole", role);
        let session = self.granted(role, time, &mut asked);
        if who.account == role.0 {
            self.did(who, time, &asked);
        } else {
            let shared = self.uuid();
            let mut near = self.record(who, time, &asked);
            near["sharedEventID"] = json!(shared);
            self.keep(near);
            self.far_side(who, time, (role.0, &shared), &asked);
        }
        session.from(&who.ip).with(who.agent)
    }

    /// A role is assumed from an account of which the lake has no logs.
    pub(super) fn assume_from_outside(&mut self, who: &Who, time: Timestamp, role: Role<'_>) -> Who {
        let mut asked = grant("AssumeRole", role);
        let session = self.granted(role, time, &mut asked);
        let shared = self.uuid();
        self.far_side(who, time, (role.0, &shared), &asked);
        session.from(&who.ip).with(who.agent)
    }

    fn far_side(&mut self, who: &Who, time: Timestamp, (account, shared): (&str, &str), asked: &Call) {
        let caller = Who { identity: who.seen_from_elsewhere(), ..who.clone() };
        let mut far = self.record(&caller, time, asked);
        far["recipientAccountId"] = json!(account);
        far["sharedEventID"] = json!(shared);
        self.keep(far);
    }

    fn granted(&mut self, role: Role<'_>, time: Timestamp, asked: &mut Call) -> Who {
        let key = self.key("ASIA", role.0);
        asked.response["credentials"] = credentials(&key, later(time, 3_600));
        Who::new(role_session(role, &key, time), role.0)
    }

    /// A service takes a role: for an instance, a function, a task, or for itself.
    pub(super) fn assume_by_service(&mut self, host: &str, time: Timestamp, role: Role<'_>) -> Who {
        let mut asked = grant("AssumeRole", role);
        let session = self.granted(role, time, &mut asked);
        let caller = Who::new(service(host), role.0).from(host);
        self.did(&caller, time, &asked);
        session
    }

    /// A person signs in at the portal of Identity Center and gets a role for the console.
    pub(super) fn sso(&mut self, time: Timestamp, set: &str, person: &str) -> Who {
        let account = self.account.clone();
        let provider = "AWSSSO_0123456789abcdef_DO_NOT_DELETE";
        let role_name = format!("AWSReservedSSO_{set}_0f1e2d3c4b5a6978");
        let role = (account.as_str(), role_name.as_str(), person);
        let mut asked = grant("AssumeRoleWithSAML", role);
        let session = self.granted(role, time, &mut asked).in_console();
        let saml = json!({
            "type": "SAMLUser",
            "principalId": format!("{provider}:{person}"),
            "userName": person,
            "identityProvider": provider,
        });
        self.did(&Who::new(saml, &account).from(&session.ip), time, &asked);
        self.signed_in(&session, time, "No");
        session
    }

    /// A person of a SAML provider of one's own takes a role.
    pub(super) fn saml(&mut self, time: Timestamp, role: &str, person: &str) -> Who {
        let account = self.account.clone();
        let provider = format!("arn:aws:iam::{account}:saml-provider/corporate");
        let role = (account.as_str(), role, person);
        let mut asked = grant("AssumeRoleWithSAML", role);
        asked.request["principalArn"] = json!(provider);
        let session = self.granted(role, time, &mut asked);
        let saml = json!({
            "type": "SAMLUser",
            "principalId": format!("Zm9vYmFy:{person}"),
            "userName": person,
            "identityProvider": "https://idp.example.com/saml",
        });
        self.did(&Who::new(saml, &account).from(&session.ip), time, &asked);
        session
    }

    /// A job outside AWS trades its token for a session.
    pub(super) fn web_identity(&mut self, time: Timestamp, role: Role<'_>, subject: &str) -> Who {
        let issuer = "token.actions.githubusercontent.com";
        let provider = format!("arn:aws:iam::{}:oidc-provider/{issuer}", role.0);
        let mut asked = grant("AssumeRoleWithWebIdentity", role);
        let session = self.granted(role, time, &mut asked).from("203.0.113.40").with(TERRAFORM);
        asked.response["subjectFromWebIdentityToken"] = json!(subject);
        asked.response["provider"] = json!(provider);
        asked.response["audience"] = json!("sts.amazonaws.com");
        let job = json!({
            "type": "WebIdentityUser",
            "principalId": format!("{provider}:sts.amazonaws.com:{subject}"),
            "userName": subject,
            "identityProvider": provider,
        });
        self.did(&Who::new(job, role.0).from(&session.ip).with(TERRAFORM), time, &asked);
        let mut session = session;
        session.identity["sessionContext"]["webIdFederationData"] =
            json!({"federatedProvider": provider, "attributes": {}});
        session
    }

    /// A user signs in to the console with a password and a second factor; the console mints a key without a record.
    pub(super) fn console(&mut self, account: &str, name: &str, time: Timestamp) -> Who {
        let key = self.key("ASIA", account);
        let mut identity = user(account, name, &key);
        identity["sessionContext"] = attributes(time, "true");
        let who = Who::new(identity, account).in_console();
        self.signed_in(&who, time, "Yes");
        who
    }

    /// The root user signs in to the console.
    pub(super) fn root_user(&mut self, time: Timestamp) -> Who {
        let account = self.account.clone();
        let key = self.key("ASIA", &account);
        let who = Who::new(root(&account, &key, time), &account).in_console();
        self.signed_in(&who, time, "Yes");
        who
    }

    pub(super) fn signed_in(&mut self, who: &Who, time: Timestamp, mfa: &str) {
        let mut identity = who.identity.clone();
        let members = identity.as_object_mut().unwrap();
        members.remove("accessKeyId");
        if members["type"] != "AssumedRole" {
            members.remove("sessionContext");
        }
        let call = Call {
            response: json!({"ConsoleLogin": "Success"}),
            ..Call::new("signin", "ConsoleLogin", Value::Null)
        };
        let mut record = self.record(&Who { identity, is_console: false, ..who.clone() }, time, &call);
        record["awsRegion"] = json!("us-east-1");
        record["eventType"] = json!("AwsConsoleSignIn");
        record["additionalEventData"] =
            json!({"LoginTo": "https://console.aws.amazon.com/", "MobileVersion": "No", "MFAUsed": mfa});
        self.keep(record);
    }

    /// A user trades key and second factor for a session.
    pub(super) fn session_token(&mut self, who: &Who, time: Timestamp) -> Who {
        let key = self.key("ASIA", &who.account);
        let name = who.identity["userName"].as_str().unwrap().to_owned();
        let serial = format!("arn:aws:iam::{}:mfa/{name}", who.account);
        let request = json!({"serialNumber": serial, "durationSeconds": 3600});
        let mut asked = Call::new("sts", "GetSessionToken", request);
        asked.response = json!({"credentials": credentials(&key, later(time, 3_600))});
        self.did(who, time, &asked);
        let mut session = who.clone().with_key(&key);
        session.identity["sessionContext"] = attributes(time, "true");
        session
    }

    /// A user gives somebody a session of its own.
    pub(super) fn federated(&mut self, who: &Who, time: Timestamp, name: &str) -> Who {
        let (account, key) = (who.account.clone(), self.key("ASIA", &who.account));
        let arn = format!("arn:aws:sts::{account}:federated-user/{name}");
        let request = json!({"name": name, "durationSeconds": 3600});
        let mut asked = Call::new("sts", "GetFederationToken", request);
        asked.response = json!({
            "credentials": credentials(&key, later(time, 3_600)),
            "federatedUser": {"federatedUserId": format!("{account}:{name}"), "arn": arn},
        });
        self.did(who, time, &asked);
        let mut context = attributes(time, "false");
        context["sessionIssuer"] = json!({
            "type": "IAMUser",
            "principalId": who.identity["principalId"],
            "arn": who.arn(),
            "accountId": account,
            "userName": who.identity["userName"],
        });
        let identity = json!({
            "type": "FederatedUser",
            "principalId": format!("{account}:{name}"),
            "arn": arn,
            "accountId": account,
            "accessKeyId": key,
            "sessionContext": context,
        });
        Who::new(identity, &account).from(&who.ip)
    }

    /// A session of a role of which no record says who took it.
    pub(super) fn unissued(&mut self, time: Timestamp, role: Role<'_>) -> Who {
        let key = self.key("ASIA", role.0);
        Who::new(role_session(role, &key, time), role.0)
    }

    /// Ends the story with its question and its right answer.
    pub(super) fn ends(self, name: &'static str, subject: &str, cause: Cause, root: Root) -> Scenario {
        let time = match &cause {
            Cause::Event(id) => {
                let record = self.records.iter().find(|record| record["eventID"] == id.as_str()).unwrap();
                record["eventTime"].as_str().unwrap().parse().ok()
            }
            _ => None,
        };
        let Self { records, findings, flows, .. } = self;
        Scenario { name, subject: subject.to_owned(), cause, root, time, records, findings, flows }
    }
}

fn account_of(number: u64, which: u64) -> String {
    format!("{:012}", 610_000_000_000 + number * 1_000_003 + which * 10_007)
}

fn credentials(key: &str, until: Timestamp) -> Value {
    let expiration = until.strftime("%b %-d, %Y, %-I:%M:%S %p").to_string();
    json!({"accessKeyId": key, "sessionToken": "IQoJb3JpZ2luX2VjEXAMPLE", "expiration": expiration})
}

/// The words of a call that gives a role.
fn grant(operation: &'static str, (account, role, session): Role<'_>) -> Call {
    let path =
        if role.starts_with("AWSReservedSSO") { "aws-reserved/sso.amazonaws.com/eu-west-1/" } else { "" };
    let arn = format!("arn:aws:iam::{account}:role/{path}{role}");
    let request = json!({"roleArn": arn, "roleSessionName": session, "durationSeconds": 3600});
    let response = json!({"assumedRoleUser": {
        "assumedRoleId": format!("AROAEXAMPLE:{session}"),
        "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
    }});
    Call { response, resources: vec![("AWS::IAM::Role", arn)], ..Call::new("sts", operation, request) }
}
