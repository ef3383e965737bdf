//! Ninety days of an organisation with 500 accounts, to ask.
//!
//! `cargo bench --bench answers -- [EVENTS IN MILLIONS] [DAYS] [FOLDER]` writes the lake: day by day the archive is
//! generated, read, settled and derived, as a worker would, with the day's clock. Each account is at work in a Region
//! of its own, a quarter of them in us-east-1 as well: service roles with sessions of some hours call the same few operations again and again, people and
//! pipelines sign in and take roles. Beside them are findings and flow logs. Needles are in it, and printed at the
//! end: a key, an address, a bucket, a finding.
//! `benches/peers/duckdb_answers.py FOLDER` then asks the same questions of the binary and of DuckDB.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "a bench stops where it fails"
)]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod beside;
#[path = "../measure/mod.rs"]
mod measure;

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use ashiato::derive::{DeriveLimits, derive};
use ashiato::lake::catalog::Due;
use ashiato::lake::settle::{SettleLimits, settle};
use ashiato::lake::{Catalog, Lake};
use ashiato::query::{Engine, QueryLimits};
use jiff::Timestamp;

use measure::{ingest, measure, open};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ACCOUNTS: u64 = 500;
/// The Regions that accounts have as their own; us-east-1 is beside them.
const REGIONS: [&str; 15] = [
    "us-west-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-central-1",
    "eu-north-1",
    "eu-south-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-south-1",
    "sa-east-1",
    "ca-central-1",
    "us-west-1",
];
/// 2026-03-02, midnight.
const FIRST_DAY: i64 = 1_772_409_600;
const DAY: i64 = 86_400;

/// Service, operation, whether it reads, the request.
type Call = (&'static str, &'static str, bool, &'static str);
const CALLS: [Call; 12] = [
    ("dynamodb", "DescribeTable", true, r#"{"tableName":"orders"}"#),
    ("kms", "Decrypt", true, r#"{"encryptionContext":{"app":"orders"}}"#),
    ("ec2", "DescribeInstances", true, r#"{"instancesSet":{},"filterSet":{}}"#),
    ("ssm", "GetParametersByPath", true, r#"{"path":"/orders/","recursive":true}"#),
    ("logs", "CreateLogStream", false, r#"{"logGroupName":"/aws/orders","logStreamName":"main"}"#),
    (
        "sqs",
        "GetQueueAttributes",
        true,
        r#"{"queueUrl":"https://sqs.eu-west-1.amazonaws.com/111122223333/orders"}"#,
    ),
    ("s3", "GetBucketAcl", true, r#"{"bucketName":"team-artifacts","acl":""}"#),
    (
        "elasticloadbalancing",
        "DescribeTargetHealth",
        true,
        r#"{"targetGroupArn":"arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/orders/0123456789abcdef"}"#,
    ),
    ("ecr", "BatchGetImage", true, r#"{"repositoryName":"orders","imageIds":[{"imageTag":"v1"}]}"#),
    ("secretsmanager", "GetSecretValue", true, r#"{"secretId":"orders/db"}"#),
    ("cloudwatch", "PutMetricAlarm", false, r#"{"alarmName":"orders-latency"}"#),
    ("iam", "GetRole", true, r#"{"roleName":"orders-task"}"#),
];

static NOW: AtomicI64 = AtomicI64::new(FIRST_DAY);

fn now() -> Timestamp {
    Timestamp::from_second(NOW.load(Ordering::Relaxed)).unwrap()
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let number = |place: usize, default: f64| {
        args.get(place).map_or(default, |text| text.parse().expect("EVENTS and DAYS are numbers"))
    };
    let (millions, days) = (number(0, 0.1), number(1, 3.0) as i64);
    let folder = args.get(2).map_or_else(|| std::env::temp_dir().join("ashiato-answers"), PathBuf::from);
    drop(std::fs::remove_dir_all(&folder));
    let (archive, lake_folder) = (folder.join("archive"), folder.join("lake"));
    // An account's events of a day.
    let each = (millions * 1e6 / days as f64 / ACCOUNTS as f64).round() as u64;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (catalog, lake) = runtime.block_on(open(&lake_folder));
    let engine = Engine::new(catalog.clone(), &lake, QueryLimits::default()).unwrap();
    let mut total = [0.0; 3];
    for day in 0..days {
        NOW.store(FIRST_DAY + day * DAY, Ordering::Relaxed);
        deliver(&archive, (day, days), each);
        beside::deliver(&archive, (day, days));
        NOW.store(FIRST_DAY + (day + 1) * DAY + 3600, Ordering::Relaxed);
        let read = measure(|| runtime.block_on(ingest(&archive, &catalog, &lake, now)));
        let settled = measure(|| runtime.block_on(settle_all(&catalog, &lake)));
        let derived = measure(|| runtime.block_on(derive_all(&engine, &catalog, &lake)));
        std::fs::remove_dir_all(&archive).unwrap();
        for (total, figures) in total.iter_mut().zip([&read, &settled, &derived]) {
            *total += figures.cpu;
        }
        if day % 10 == 0 || day + 1 == days {
            println!(
                "day {day:2}: ingest {:.1} CPU s, settle {:.1}, derive {:.1} ({:.1} s, {:.0} MB at most)",
                read.cpu, settled.cpu, derived.cpu, derived.wall, derived.peak_mb
            );
        }
    }
    let events = (days as u64 * ACCOUNTS * each) as f64;
    let [read, settled, derived] = total.map(|cpu| cpu * 1e6 / events);
    println!(
        "{events} events, findings and flows beside them: ingest {read:.2} us an event, settle {settled:.2}, derive {derived:.2}"
    );
    println!("while it derives, another task is woken {} ms late at most", LATE.load(Ordering::Relaxed));
    let size = |folder: &str| size(&lake_folder.join(folder)) as f64 / 1e6;
    let (events, kept) = (size("ext"), size("own"));
    println!("events {events:.1} MB, derived tables {kept:.1} MB: {:.2} %", kept / events * 100.0);
    for table in runtime.block_on(catalog.derived_sizes()).unwrap() {
        println!(
            "  {:12} {:>10} rows {:>12} bytes {:>4} files",
            table.derived.name(),
            table.rows,
            table.bytes,
            table.files
        );
    }
    println!("key {KEY}, address {ADDRESS}, bucket {BUCKET}; the last day is {}", date(days - 1));
    println!("finding {}", beside::finding());
}

async fn settle_all(catalog: &Catalog, lake: &Lake) {
    let limits = SettleLimits { hot_grace: std::time::Duration::ZERO, ..SettleLimits::default() };
    settle(catalog, lake, &limits, now, |_, _, _| ControlFlow::Continue(())).await.unwrap();
}

/// How late the runtime wakes another task while it derives, in milliseconds: a worker renews leases beside it.
static LATE: AtomicI64 = AtomicI64::new(0);

async fn derive_all(engine: &Engine, catalog: &Catalog, lake: &Lake) {
    let mut ticker = tokio::task::JoinSet::new();
    ticker.spawn(async {
        let pause = std::time::Duration::from_millis(20);
        loop {
            let began = std::time::Instant::now();
            tokio::time::sleep(pause).await;
            LATE.fetch_max((began.elapsed() - pause).as_millis() as i64, Ordering::Relaxed);
        }
    });
    derive((engine, catalog, lake), (Due::Settled, DeriveLimits::default()), now, |_, _, _| {
        ControlFlow::Continue(())
    })
    .await
    .unwrap();
    ticker.abort_all();
}

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap);
    entries
        .map(
            |entry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().unwrap().len() },
        )
        .sum()
}

/// The needles: a pipeline's key that leaks on the last day but one; where it is used from then; what is opened.
const KEY: &str = "AKIAIOSFODNN7PIPE001";
const ADDRESS: &str = "192.0.2.146";
const BUCKET: &str = "team-customer-exports";
const PIPELINE: &str = "arn:aws:iam::100000000007:user/pipeline";

/// Writes a day's archive.
fn deliver(archive: &Path, when: (i64, i64), each: u64) {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let accounts: Vec<u64> = (0..ACCOUNTS).collect();
    std::thread::scope(|scope| {
        for accounts in accounts.chunks(accounts.len().div_ceil(threads)) {
            scope.spawn(move || {
                let mut packer = libdeflater::Compressor::new(libdeflater::CompressionLvl::fastest());
                let places =
                    accounts.iter().flat_map(|account| places(*account).map(|place| (*account, place)));
                places.for_each(|place| deliver_one(archive, place, when, each, &mut packer));
            });
        }
    });
}

/// Where an account is at work: what is global is in us-east-1.
fn places(account: u64) -> std::ops::Range<u64> {
    if account % 4 == 3 { 0..2 } else { 1..2 }
}

fn region(account: u64, place: u64) -> &'static str {
    match place {
        0 => "us-east-1",
        _ => REGIONS[usize::try_from(account).unwrap() % REGIONS.len()],
    }
}

fn date(day: i64) -> String {
    Timestamp::from_second(FIRST_DAY + day * DAY).unwrap().strftime("%Y/%m/%d").to_string()
}

fn deliver_one(
    archive: &Path,
    (number, place): (u64, u64),
    (day, days): (i64, i64),
    each: u64,
    packer: &mut libdeflater::Compressor,
) {
    let (account, region) = (100_000_000_000 + number, region(number, place));
    let mut random = fastrand::Rng::with_seed((number << 20) ^ (place << 16) ^ day.unsigned_abs());
    let mut text = "{\"Records\":[".to_owned();
    let mut writer = Writer { text: &mut text, random: &mut random, account, region, written: 0 };
    // Eight sessions of service roles, four of people and pipelines.
    let sessions: Vec<Session> = (0..12).map(|number| Session::open(&mut writer, number, day)).collect();
    // What is global and what is tried there is in us-east-1, the rest in the account's own Region.
    let each = match (place, number % 4) {
        (0, _) => each / 5,
        (_, 3) => each - each / 5,
        _ => each,
    };
    for event in 0..each.saturating_sub(12) {
        // Most calls are of few sessions.
        let pick = writer.random.usize(0..12).min(writer.random.usize(0..12));
        let session = &sessions[pick];
        let call = CALLS[(pick * 5 + writer.random.usize(0..4)) % CALLS.len()];
        let at = session.start + (event as i64 * 7919) % session.seconds;
        writer.write(session, call, at, None);
    }
    writer.needles((number, place), (day, days));
    text.push_str("]}");
    let (date, stamp) = (date(day), date(day).replace('/', ""));
    let folder = archive.join(format!("AWSLogs/o-example123/{account}/CloudTrail/{region}/{date}"));
    let name = format!("{account}_CloudTrail_{region}_{stamp}T2355Z_{number:08x}{place:08x}.json.gz");
    pack(&folder, &name, &text, packer);
}

fn pack(folder: &Path, name: &str, text: &str, packer: &mut libdeflater::Compressor) {
    let mut packed = vec![0; packer.gzip_compress_bound(text.len())];
    let length = packer.gzip_compress(text.as_bytes(), &mut packed).unwrap();
    packed.truncate(length);
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join(name), packed).unwrap();
}

struct Session {
    user: String,
    address: String,
    agent: &'static str,
    start: i64,
    seconds: i64,
}

const AGENTS: [&str; 4] = [
    "aws-sdk-java/2.20.0 Linux/5.10 OpenJDK_64-Bit_Server_VM/17.0.9",
    "Boto3/1.34.10 md/Botocore#1.34.10 ua/2.0 os/linux#5.10 lang/python#3.12",
    "aws-sdk-go-v2/1.24.0 os/linux lang/go#1.22 md/GOOS#linux",
    "APN/1.0 HashiCorp/1.0 Terraform/1.7.5 aws-sdk-go-v2/1.24.0",
];

struct Writer<'a> {
    text: &'a mut String,
    random: &'a mut fastrand::Rng,
    account: u64,
    region: &'static str,
    written: u64,
}

impl Session {
    /// Opens a session of a role: the call that issues its key, then what it is called.
    fn open(writer: &mut Writer<'_>, number: u64, day: i64) -> Self {
        let (account, region) = (writer.account, writer.region);
        let is_service = number < 8;
        let start = FIRST_DAY + day * DAY + if is_service { 600 } else { writer.random.i64(1000..60_000) };
        let seconds = if is_service { 82_000 } else { 3_000 };
        let (role, name) = if is_service {
            (format!("orders-task-{number}"), format!("{:032x}", writer.random.u128(..)))
        } else {
            (format!("delivery-{}", number - 8), format!("person.{}", (account + number) % 400))
        };
        let letters: String = (0..16)
            .map(|_| writer.random.choice(*b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567").map(char::from).unwrap())
            .collect();
        let key = format!("ASIA{letters}");
        let at = Timestamp::from_second(start).unwrap();
        let arn = format!("arn:aws:sts::{account}:assumed-role/{role}/{name}");
        let user = format!(
            r#"{{"type":"AssumedRole","principalId":"AROAEXAMPLE{number:09}:{name}","arn":"{arn}","accountId":"{account}","accessKeyId":"{key}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAEXAMPLE{number:09}","arn":"arn:aws:iam::{account}:role/{role}","accountId":"{account}","userName":"{role}"}},"attributes":{{"creationDate":"{at:.0}","mfaAuthenticated":"false"}}}}}}"#
        );
        let asker = Self {
            user: if is_service {
                r#"{"type":"AWSService","invokedBy":"ecs-tasks.amazonaws.com"}"#.to_owned()
            } else {
                format!(
                    r#"{{"type":"IAMUser","principalId":"AIDAEXAMPLE{number:09}","arn":"arn:aws:iam::{account}:user/{name}","accountId":"{account}","accessKeyId":"AKIA{account:016}","userName":"{name}"}}"#
                )
            },
            address: if is_service {
                "ecs-tasks.amazonaws.com".to_owned()
            } else {
                format!("198.51.100.{}", account % 250)
            },
            agent: if is_service { "ecs-tasks.amazonaws.com" } else { AGENTS[3] },
            start,
            seconds: 1,
        };
        let expires =
            Timestamp::from_second(start + seconds).unwrap().strftime("%b %-d, %Y, %-I:%M:%S %p").to_string();
        let response = format!(
            r#"{{"credentials":{{"accessKeyId":"{key}","sessionToken":"","expiration":"{expires}"}},"assumedRoleUser":{{"assumedRoleId":"AROAEXAMPLE{number:09}:{name}","arn":"{arn}"}}}}"#
        );
        let request =
            format!(r#"{{"roleArn":"arn:aws:iam::{account}:role/{role}","roleSessionName":"{name}"}}"#);
        writer.write(&asker, ("sts", "AssumeRole", true, &request), start, Some(&response));
        let address = if is_service {
            format!("10.{}.{}.{}", account % 200, number, region.len())
        } else {
            format!("198.51.100.{}", account % 250)
        };
        Self { user, address, agent: AGENTS[usize::try_from(number).unwrap() % 4], start, seconds }
    }
}

impl Writer<'_> {
    fn write(&mut self, session: &Session, call: (&str, &str, bool, &str), at: i64, response: Option<&str>) {
        let Session { user, address, agent, .. } = session;
        let (service, operation, is_read, request) = call;
        let at = Timestamp::from_second(at).unwrap();
        let (id, other) = (self.random.u128(..), self.random.u64(..));
        let id = uuid::Builder::from_random_bytes(id.to_le_bytes()).into_uuid();
        let (account, region) = (self.account, self.region);
        let response = response.unwrap_or("null");
        if self.written > 0 {
            self.text.push(',');
        }
        self.written += 1;
        write!(
            self.text,
            r#"{{"eventVersion":"1.11","userIdentity":{user},"eventTime":"{at:.0}","eventSource":"{service}.amazonaws.com","eventName":"{operation}","awsRegion":"{region}","sourceIPAddress":"{address}","userAgent":"{agent}","requestParameters":{request},"responseElements":{response},"requestID":"{other:016x}-0000","eventID":"{id}","readOnly":{is_read},"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"{account}","eventCategory":"Management","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"{service}.{region}.amazonaws.com"}}}}"#
        )
        .unwrap();
    }

    /// The pipeline's key works every day from its own address. On the last two days somebody else has it: looks around, opens
    /// the bucket, and goes to forty accounts.
    fn needles(&mut self, (number, place): (u64, u64), (day, days): (i64, i64)) {
        let start = FIRST_DAY + day * DAY;
        let user = format!(
            r#"{{"type":"IAMUser","principalId":"AIDAEXAMPLEPIPELINE","arn":"{PIPELINE}","accountId":"100000000007","accessKeyId":"{KEY}","userName":"pipeline"}}"#
        );
        let own =
            Session { user, address: "198.51.100.77".to_owned(), agent: AGENTS[1], start, seconds: DAY };
        let bucket = format!(r#"{{"bucketName":"{BUCKET}","policy":""}}"#);
        if (number, place) == (7, 0) {
            for hour in 0..24 {
                let call = ("s3", "ListObjects", true, r#"{"bucketName":"pipeline-artifacts"}"#);
                self.write(&own, call, start + hour * 3600 + 17, None);
            }
            if day % 30 == 3 {
                self.write(&own, ("s3", "PutBucketTagging", false, &bucket), start + 40_000, None);
            }
        }
        if day + 2 < days || number % 12 != 7 || place != 0 {
            return;
        }
        let thief = Session {
            address: ADDRESS.to_owned(),
            agent: "aws-cli/2.15.30 Python/3.11.8 Linux/6.6.15-amd64",
            ..own
        };
        for (minute, operation) in
            [(0, "GetCallerIdentity"), (1, "ListBuckets"), (2, "ListRoles"), (4, "ListUsers")]
        {
            self.write(&thief, ("iam", operation, true, "null"), start + 70_000 + minute * 60, None);
        }
        if number == 7 && day + 1 == days {
            self.write(&thief, ("s3", "DeletePublicAccessBlock", false, &bucket), start + 71_000, None);
            self.write(&thief, ("s3", "PutBucketPolicy", false, &bucket), start + 71_020, None);
        }
    }
}
