//! The scripted incident: a build agent's key leaks and is used to reach the customers' data.
//!
//! Takes the organization, gives the attacker's records in the order of time, each for its place, and the facts
//! that a question about them needs. The story, over forty minutes of the second night:
//!
//! 1. the key is used from an address it never came from: who am I, what may I see, much of it denied;
//! 2. a role in the production account is assumed, at the second try;
//! 3. there, a bucket's public access block is removed and its policy opened to everyone;
//! 4. some two hundred objects are downloaded;
//! 5. a user with a key of its own is created to come back by, and an attempt to stop the trail fails.
//!
//! Promises that the attacker's address and agent appear nowhere else in the archive.

use super::activity::World;
use super::actor::{BUILD_AGENT, BUILD_AGENT_IP, COMEBACK_SERIAL};
use super::call::{Access, Category};
use super::grant::Grant;
use super::identifier;
use super::issue::{Desk, Owed};
use super::organization::{BUILD, MANAGEMENT, PRODUCTION, Place};
use super::record::{Client, Record, s3_details};
use super::session::{Identity, RoleIdentity, Session, UserIdentity};
use super::spec::{ArchiveSpec, ArchiveSummary, IncidentFacts};
use super::text::long_date;
use jiff::Timestamp;

const ATTACKER_IP: &str = "192.0.2.146";
const ATTACKER_AGENT: &str = "aws-cli/2.15.30 Python/3.11.8 Linux/6.6.15-amd64 exe/x86_64.kali.2024";
const ROLE: &str = "data-export-operator";
const COMEBACK_USER: &str = "svc-metrics-sync";
const DOWNLOADS: u64 = 208;

/// One step of the script: when, which service, what, and the request.
type Step<'a> = (i64, &'a str, &'a str, &'a str);

/// The steps that are allowed; the others are denied.
const ALLOWED: [&str; 9] = [
    "GetCallerIdentity",
    "GetUser",
    "ListBuckets",
    "DescribeRegions",
    "ListFunctions20150331",
    "DescribeRepositories",
    "ListStacks",
    "GetTemplate",
    "DescribeTrails",
];

const LOOKING_AROUND: [Step<'_>; 22] = [
    (0, "sts", "GetCallerIdentity", ""),
    (14, "iam", "GetUser", ""),
    (21, "iam", "ListAttachedUserPolicies", OWN_NAME),
    (23, "iam", "ListUserPolicies", OWN_NAME),
    (29, "iam", "ListUsers", ""),
    (31, "iam", "ListRoles", ""),
    (34, "iam", "GetAccountAuthorizationDetails", ""),
    (52, "s3", "ListBuckets", BUCKETS),
    (71, "ec2", "DescribeRegions", r#"{"regionSet":{}}"#),
    (78, "ec2", "DescribeInstances", r#"{"filterSet":{}}"#),
    (80, "ec2", "DescribeSecurityGroups", r#"{"filterSet":{}}"#),
    (83, "ec2", "DescribeSnapshots", r#"{"filterSet":{}}"#),
    (90, "rds", "DescribeDBInstances", ""),
    (97, "lambda", "ListFunctions20150331", ""),
    (112, "secretsmanager", "ListSecrets", ""),
    (115, "ssm", "DescribeParameters", ""),
    (124, "kms", "ListKeys", ""),
    (131, "dynamodb", "ListTables", ""),
    (140, "ecr", "DescribeRepositories", ""),
    (166, "cloudformation", "ListStacks", ""),
    (171, "cloudformation", "GetTemplate", STACK),
    (203, "organizations", "ListAccounts", ""),
];
const OWN_NAME: &str = r#"{"userName":"build-agent-mio.tanaka"}"#;
const BUCKETS: &str = r#"{"Host":"s3.amazonaws.com"}"#;
const STACK: &str = r#"{"stackName":"orders-export-prod"}"#;

/// The attacker at work.
#[derive(Debug)]
struct Play<'a> {
    desk: &'a mut Desk,
    begin: i64,
    script: Vec<(i64, Owed)>,
}

/// Writes the incident, if the spec asks for one, and puts its facts into the summary.
pub(super) fn play(spec: &ArchiveSpec, world: &mut World, summary: &mut ArchiveSummary) -> Vec<(i64, Owed)> {
    let (user_id, key) = world.build_agent();
    summary.key_of_interest.clone_from(&key);
    if !spec.incident || spec.hours < 4 {
        return Vec::new();
    }
    // In a long archive the second night, so that a day of ordinary use lies before it.
    let offset = if spec.hours >= 36 { 26 * 3_600 } else { i64::from(spec.hours) * 1_800 } + 41 * 60 + 17;
    let begin = spec.start.as_second() + offset;
    let desk = world.desk();
    let mut play = Play { desk, begin, script: Vec::new() };
    let facts = play.all(user_id, &key);
    summary.incident = Some(facts);
    play.script.sort_by_key(|(second, _)| *second);
    play.script
}

impl Play<'_> {
    fn all(&mut self, user_id: String, key: &str) -> IncidentFacts {
        let (first, second) = (self.home(BUILD), self.home(PRODUCTION));
        let stolen = self.user_session(BUILD, (BUILD_AGENT, user_id), key);
        for step in LOOKING_AROUND {
            self.step(&stolen, first, step);
        }
        let operator = self.cross(&stolen, (first, second));
        let bucket = format!("asahi-customer-exports-{}", self.account(second).get(8..).unwrap_or_default());
        self.open_bucket(&operator, second, &bucket);
        let downloaded_bytes = self.download(&operator, second, &bucket);
        let persistence_key = self.come_back(&operator, second);
        let at = |second: Option<i64>| {
            second.and_then(|second| Timestamp::from_second(second).ok()).unwrap_or_default()
        };
        let role_arn = match &operator.identity {
            Identity::Role(role) => role.role_arn(),
            _ => String::new(),
        };
        IncidentFacts {
            user_name: BUILD_AGENT.to_owned(),
            first_account: self.account(first),
            usual_ip: BUILD_AGENT_IP.to_owned(),
            attacker_ip: ATTACKER_IP.to_owned(),
            attacker_agent: ATTACKER_AGENT.to_owned(),
            region: self.desk.organization.region(first).to_owned(),
            second_account: self.account(second),
            role_arn,
            role_session_key: operator.key.clone(),
            bucket,
            persistence_user: COMEBACK_USER.to_owned(),
            persistence_key,
            downloads: DOWNLOADS,
            downloaded_bytes,
            records: u64::try_from(self.script.len()).unwrap_or_default(),
            started: at(Some(self.begin)),
            ended: at(self.script.iter().map(|(second, _)| *second).max()),
        }
    }

    fn home(&self, account: usize) -> Place {
        self.desk.organization.home(account)
    }

    fn account(&self, place: Place) -> String {
        self.desk.organization.account(place.account).to_owned()
    }

    /// Takes what the desk owes into the script.
    fn keep(&mut self, second: i64) {
        for owed in std::mem::take(&mut self.desk.owed) {
            self.script.push((second, owed));
        }
    }

    fn say(&mut self, place: Place, record: &Record<'_>) {
        let region = self.desk.organization.region(place);
        let recipient = self.account(place);
        let record =
            Record { region, recipient: &recipient, agent: ATTACKER_AGENT, ip: ATTACKER_IP, ..*record };
        self.desk.owe(place, &record);
        self.keep(record.second);
    }

    fn user_session(&self, account: usize, (user, user_id): (&str, String), key: &str) -> Session {
        let account = self.desk.organization.account(account).to_owned();
        let user = UserIdentity { account, user: user.to_owned(), user_id, session: None };
        outside(Identity::User(user), key.to_owned(), (i64::MIN, i64::MAX))
    }

    fn step(&mut self, session: &Session, place: Place, (after, source, name, request): Step<'_>) {
        // Global services record in us-east-1, whichever Region the tool is set to.
        let global = matches!(source, "iam" | "organizations");
        let place = if global { Place { region: 0, ..place } } else { place };
        let short = name.trim_end_matches("20150331");
        let message = format!(
            "User: {} is not authorized to perform: {source}:{short} on resource: * because no identity-based \
             policy allows the {source}:{short} action",
            session.arn
        );
        let code = if source == "ec2" { "Client.UnauthorizedOperation" } else { "AccessDenied" };
        let mut details = Vec::new();
        if source == "s3" {
            s3_details(&mut details, &mut self.desk.rng, (0, 1_204));
        }
        let record = Record {
            identity: &session.text,
            second: self.begin + after,
            source,
            name,
            failure: (!ALLOWED.contains(&name)).then_some((code, message.as_str())),
            request: request.as_bytes(),
            additional: &details,
            ..Record::default()
        };
        self.say(place, &record);
    }

    /// Assumes the role in the other account; the first guess at a role is refused.
    fn cross(&mut self, stolen: &Session, (from, to): (Place, Place)) -> Session {
        let far = self.account(to);
        let guess = format!("arn:aws:iam::{far}:role/OrganizationAccountAccessRole");
        let message =
            format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {guess}", stolen.arn);
        let refused = Record {
            identity: &stolen.text,
            second: self.begin + 361,
            source: "sts",
            name: "AssumeRole",
            failure: Some(("AccessDenied", &message)),
            ..Record::default()
        };
        self.say(from, &refused);
        let (second, lifetime) = (self.begin + 402, 3_600);
        let role = RoleIdentity {
            account: far.clone(),
            role: ROLE.to_owned(),
            role_id: identifier::principal(&mut self.desk.rng, "AROA"),
            session: "mio".to_owned(),
            created: second,
            ..RoleIdentity::default()
        };
        let key = identifier::temporary_key(&mut self.desk.rng, &far);
        let grant = Grant::new(&role, &key, lifetime, &mut self.desk.rng);
        self.desk.owe_pair(stolen, (from, to), &grant);
        self.keep(second);
        outside(Identity::Role(role), key, (second, second + lifetime))
    }

    /// Looks at the bucket, takes down its guard and opens its policy to everyone.
    fn open_bucket(&mut self, operator: &Session, place: Place, bucket: &str) {
        self.step(operator, place, (441, "sts", "GetCallerIdentity", ""));
        self.step(operator, place, (468, "s3", "ListBuckets", r#"{"Host":"s3.amazonaws.com"}"#));
        let policy = format!(
            ",\"bucketPolicy\":{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Principal\":\"*\",\
             \"Action\":[\"s3:GetObject\",\"s3:ListBucket\"],\"Resource\":[\"arn:aws:s3:::{bucket}\",\
             \"arn:aws:s3:::{bucket}/*\"]}}]}}"
        );
        let steps = [
            (505, "GetBucketLocation", "location", "", Access::Read),
            (533, "GetBucketAcl", "acl", "", Access::Read),
            (541, "GetBucketPolicy", "policy", "", Access::Read),
            (552, "GetBucketPublicAccessBlock", "publicAccessBlock", "", Access::Read),
            (731, "DeleteBucketPublicAccessBlock", "publicAccessBlock", "", Access::Write),
            (757, "PutBucketPolicy", "policy", policy.as_str(), Access::Write),
            (769, "GetBucketPolicyStatus", "policyStatus", "", Access::Read),
        ];
        for (after, name, part, body, access) in steps {
            let request = format!(
                r#"{{"bucketName":"{bucket}","Host":"{bucket}.s3.amazonaws.com"{body},"{part}":""}}"#
            );
            let request = request.as_bytes();
            let base = Record { second: self.begin + after, name, access, request, ..Record::default() };
            self.s3(operator, place, (bucket, ""), (base, (0, 540)));
        }
    }

    /// Lists the bucket and downloads from it; returns the bytes.
    fn download(&mut self, operator: &Session, place: Place, bucket: &str) -> u64 {
        for page in 0..3 {
            let request = format!(
                r#"{{"list-type":"2","bucketName":"{bucket}","encoding-type":"url","prefix":"","Host":"{bucket}.s3.amazonaws.com"}}"#
            );
            let request = request.as_bytes();
            let second = self.begin + 804 + page * 2;
            let category = Category::Data;
            let base = Record { second, name: "ListObjects", category, request, ..Record::default() };
            self.s3(operator, place, (bucket, ""), (base, (0, 182_000)));
        }
        let mut total = 0;
        for at in 0..DOWNLOADS {
            let object = format!("exports/2026/{:02}/customers-{:04}.csv.gz", 1 + at % 12, at);
            let request =
                format!(r#"{{"bucketName":"{bucket}","Host":"{bucket}.s3.amazonaws.com","key":"{object}"}}"#);
            let request = request.as_bytes();
            let bytes = self.desk.rng.u64(4_000_000..61_000_000);
            total += bytes;
            let second = self.begin + 840 + i64::try_from(at * 47 / 10).unwrap_or_default();
            let category = Category::Data;
            let base = Record { second, name: "GetObject", category, request, ..Record::default() };
            self.s3(operator, place, (bucket, &object), (base, (0, bytes)));
        }
        total
    }

    fn s3(
        &mut self,
        session: &Session,
        place: Place,
        (bucket, object): (&str, &str),
        (base, bytes): (Record<'_>, (u64, u64)),
    ) {
        let mut details = Vec::new();
        s3_details(&mut details, &mut self.desk.rng, bytes);
        let account = self.account(place);
        let object = if object.is_empty() {
            String::new()
        } else {
            format!(r#"{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::{bucket}/{object}"}},"#)
        };
        let resources = format!(
            r#"[{object}{{"accountId":"{account}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::{bucket}"}}]"#
        );
        let record = Record {
            identity: &session.text,
            source: "s3",
            additional: &details,
            resources: resources.as_bytes(),
            ..base
        };
        self.say(place, &record);
    }

    /// Leaves a user to come back by, tries it, and fails to stop the trail; returns the user's key.
    fn come_back(&mut self, operator: &Session, place: Place) -> String {
        let global = Place { region: 0, ..place };
        let account = self.account(place);
        let user_id = identifier::principal(&mut self.desk.rng, "AIDA");
        let key = identifier::long_term_key(&account, COMEBACK_SERIAL);
        let mut date = Vec::new();
        long_date(&mut date, self.begin + 1_874);
        let date = String::from_utf8(date).unwrap_or_default();
        let user = format!("{{\"userName\":\"{COMEBACK_USER}\"}}");
        let created = format!(
            "{{\"user\":{{\"path\":\"/\",\"userName\":\"{COMEBACK_USER}\",\"userId\":\"{user_id}\",\
             \"arn\":\"arn:aws:iam::{account}:user/{COMEBACK_USER}\",\"createDate\":\"{date}\"}}}}"
        );
        let keyed = format!(
            "{{\"accessKey\":{{\"userName\":\"{COMEBACK_USER}\",\"accessKeyId\":\"{key}\",\"status\":\"Active\",\
             \"createDate\":\"{date}\"}}}}"
        );
        let attach = format!(
            "{{\"userName\":\"{COMEBACK_USER}\",\"policyArn\":\"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess\"}}"
        );
        let steps = [
            (1_874, "CreateUser", &user, created.as_str()),
            (1_890, "AttachUserPolicy", &attach, ""),
            (1_911, "CreateAccessKey", &user, keyed.as_str()),
        ];
        for (after, name, request, response) in steps {
            let record = Record {
                identity: &operator.text,
                second: self.begin + after,
                source: "iam",
                name,
                request: request.as_bytes(),
                response: response.as_bytes(),
                access: Access::Write,
                ..Record::default()
            };
            self.say(global, &record);
        }
        self.stop_logging(operator, place);
        let comeback = self.user_session(PRODUCTION, (COMEBACK_USER, user_id), &key);
        self.step(&comeback, place, (2_306, "sts", "GetCallerIdentity", ""));
        key
    }

    /// Tries to stop the organization's trail; a service control policy forbids it.
    fn stop_logging(&mut self, operator: &Session, place: Place) {
        self.step(operator, place, (2_044, "cloudtrail", "DescribeTrails", ""));
        let management = self.desk.organization.account(MANAGEMENT);
        let region = self.desk.organization.region(place);
        let trail = format!("arn:aws:cloudtrail:{region}:{management}:trail/asahi-organization-trail");
        let message = format!(
            "User: {} is not authorized to perform: cloudtrail:StopLogging on resource: {trail} with an explicit \
             deny in a service control policy",
            operator.arn
        );
        let request = format!("{{\"name\":\"{trail}\"}}");
        let record = Record {
            identity: &operator.text,
            second: self.begin + 2_071,
            source: "cloudtrail",
            name: "StopLogging",
            failure: Some(("AccessDenied", &message)),
            request: request.as_bytes(),
            access: Access::Write,
            ..Record::default()
        };
        self.say(place, &record);
    }
}

/// Returns an identity in the attacker's hands.
fn outside(identity: Identity, key: String, (created, expires): (i64, i64)) -> Session {
    Session {
        text: identity.json(&key, ""),
        arn: identity.arn(),
        identity,
        key,
        created,
        expires,
        ip: ATTACKER_IP.to_owned(),
        agent: ATTACKER_AGENT,
        endpoint: None,
        client: Client::Program,
    }
}
