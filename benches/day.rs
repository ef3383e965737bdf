//! A day of an organisation with 500 accounts and 17 Regions: tiny objects, settled every hour.
//!
//! `cargo bench --bench day -- [HOURS] [RECORDS] [SLOTS] [FOLDER]`: each hour, SLOTS times (12: every five
//! minutes), each account and Region delivers one object of RECORDS records. The clock is the day's, the work is
//! done as fast as it goes: `ingest` of what the hour brought, then `settle`, as a worker does. At the end the day
//! is over and is settled once more. A line an hour says whether cost grows with what is there already.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops where it fails"
)]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod measure;

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};

use ashiato::lake::catalog::{FileFilter, FileKind};
use ashiato::lake::settle::{SettleLimits, settle};
use ashiato::lake::{Catalog, Lake};
use jiff::Timestamp;

use measure::{Figures, ingest, measure, open};

const ACCOUNTS: u64 = 500;
const REGIONS: [&str; 17] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
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
];
/// The day's midnight.
const MIDNIGHT: i64 = 1_772_409_600;
const HOUR: i64 = 3600;

/// The time of the day.
static NOW: AtomicI64 = AtomicI64::new(MIDNIGHT);

fn now() -> Timestamp {
    Timestamp::from_second(NOW.load(Ordering::Relaxed)).unwrap()
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let number = |place: usize, default: i64| {
        args.get(place).map_or(default, |text| text.parse().expect("HOURS, RECORDS and SLOTS are numbers"))
    };
    let (hours, records, slots) = (number(0, 2), number(1, 5), number(2, 1));
    let folder = args.get(3).map_or_else(|| std::env::temp_dir().join("ashiato-day"), PathBuf::from);
    drop(std::fs::remove_dir_all(&folder));
    let (archive, lake_folder) = (folder.join("archive"), folder.join("lake"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (catalog, lake) = runtime.block_on(open(&lake_folder));
    println!(
        "{:>4} {:>8} {:>9} | {:>6} {:>6} {:>8} {:>8} {:>7} | {:>6} {:>8} {:>7} | {:>6} {:>7} {:>10}",
        "hour",
        "objects",
        "events",
        "CPU s",
        "wall s",
        "objects/s",
        "us/event",
        "peak MB",
        "CPU s",
        "us/event",
        "peak MB",
        "hot",
        "settled",
        "catalog MB"
    );
    for hour in 0..hours {
        NOW.store(MIDNIGHT + hour * HOUR, Ordering::Relaxed);
        let objects = deliver(&archive, hour, records, slots);
        NOW.store(MIDNIGHT + (hour + 1) * HOUR - 1, Ordering::Relaxed);
        let read = measure(|| runtime.block_on(ingest(&archive, &catalog, &lake, now)));
        let hot = runtime.block_on(count(&catalog, FileKind::Hot));
        let settled = measure(|| runtime.block_on(settle_all(&catalog, &lake)));
        let files = runtime.block_on(count(&catalog, FileKind::Settled));
        say(
            &format!("{hour:4}"),
            (objects, objects * records.unsigned_abs()),
            (&read, &settled),
            (hot, files),
            &lake_folder,
        );
        std::fs::remove_dir_all(&archive).unwrap();
    }
    NOW.store(MIDNIGHT + 25 * HOUR, Ordering::Relaxed);
    let settled = measure(|| runtime.block_on(settle_all(&catalog, &lake)));
    let files = runtime.block_on(count(&catalog, FileKind::Settled));
    println!(
        "the day over: settled in {:.1} CPU s, {:.1} s, {:.0} MB at most; {files} files",
        settled.cpu, settled.wall, settled.peak_mb
    );
    let visible = runtime.block_on(catalog.visible_files(&FileFilter::default())).unwrap();
    let (rows, bytes) =
        visible.iter().fold((0, 0), |(rows, bytes), file| (rows + file.rows, bytes + file.bytes));
    println!("{rows} rows, {bytes} bytes");
}

async fn settle_all(catalog: &Catalog, lake: &Lake) {
    let limits = SettleLimits { hot_grace: std::time::Duration::ZERO, ..SettleLimits::default() };
    settle(catalog, lake, &limits, now, |_, _, _| ControlFlow::Continue(())).await.unwrap();
}

async fn count(catalog: &Catalog, kind: FileKind) -> usize {
    let files = catalog.visible_files(&FileFilter::default()).await.unwrap();
    files.iter().filter(|file| file.kind == kind).count()
}

fn say(
    hour: &str,
    (objects, events): (u64, u64),
    (read, settled): (&Figures, &Figures),
    (hot, files): (usize, usize),
    lake: &Path,
) {
    let each = |figures: &Figures| figures.cpu * 1e6 / events as f64;
    let catalog = std::fs::metadata(lake.join("catalog.sqlite")).unwrap().len() as f64 / 1e6;
    println!(
        "{hour:>4} {objects:8} {events:9} | {:6.1} {:6.1} {:9.0} {:8.2} {:7.0} | {:6.1} {:8.2} {:7.0} | {hot:6} {files:7} {catalog:10.0}",
        read.cpu,
        read.wall,
        objects as f64 / read.wall,
        each(read),
        read.peak_mb,
        settled.cpu,
        each(settled),
        settled.peak_mb
    );
}

/// Writes an hour's objects and returns how many there are.
fn deliver(archive: &Path, hour: i64, records: i64, slots: i64) -> u64 {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let accounts: Vec<u64> = (0..ACCOUNTS).collect();
    std::thread::scope(|scope| {
        for accounts in accounts.chunks(accounts.len().div_ceil(threads)) {
            scope.spawn(move || deliver_to(archive, accounts, (hour, records, slots)));
        }
    });
    ACCOUNTS * REGIONS.len() as u64 * slots.unsigned_abs()
}

fn deliver_to(archive: &Path, accounts: &[u64], when: (i64, i64, i64)) {
    let mut packer = libdeflater::Compressor::new(libdeflater::CompressionLvl::fastest());
    for account in accounts {
        for (place, region) in (account * REGIONS.len() as u64..).zip(REGIONS) {
            deliver_one(archive, (100_000_000_000 + account, region, place), when, &mut packer);
        }
    }
}

/// Writes what one account and Region delivers in an hour.
fn deliver_one(
    archive: &Path,
    (account, region, place): (u64, &str, u64),
    (hour, records, slots): (i64, i64, i64),
    packer: &mut libdeflater::Compressor,
) {
    let folder = archive.join(format!("AWSLogs/o-example123/{account}/CloudTrail/{region}/2026/03/02"));
    std::fs::create_dir_all(&folder).unwrap();
    for slot in 0..slots {
        let start = MIDNIGHT + hour * HOUR + slot * HOUR / slots;
        let mut text = "{\"Records\":[".to_owned();
        for number in 0..records {
            let at = Timestamp::from_second(start + number * HOUR / slots / records).unwrap();
            let id = ((hour * slots + slot) * records + number).unsigned_abs();
            if number > 0 {
                text.push(',');
            }
            write_record(&mut text, (account, region, at), (place, id));
        }
        text.push_str("]}");
        let mut packed = vec![0; packer.gzip_compress_bound(text.len())];
        let length = packer.gzip_compress(text.as_bytes(), &mut packed).unwrap();
        packed.truncate(length);
        let minutes = slot * 60 / slots;
        let name =
            format!("{account}_CloudTrail_{region}_20260302T{hour:02}{minutes:02}Z_{place:016x}.json.gz");
        std::fs::write(folder.join(name), packed).unwrap();
    }
}

fn write_record(text: &mut String, (account, region, at): (u64, &str, Timestamp), (place, id): (u64, u64)) {
    let role = place % 7;
    write!(
        text,
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"AssumedRole","principalId":"AROAEXAMPLE0000000{role}:task-{id}","arn":"arn:aws:sts::{account}:assumed-role/service-{role}/task-{id}","accountId":"{account}","accessKeyId":"ASIA{place:08X}{id:08X}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAEXAMPLE0000000{role}","arn":"arn:aws:iam::{account}:role/service-{role}","accountId":"{account}","userName":"service-{role}"}},"attributes":{{"creationDate":"2026-03-02T00:00:00Z","mfaAuthenticated":"false"}}}}}},"eventTime":"{at:.0}","eventSource":"dynamodb.amazonaws.com","eventName":"DescribeTable","awsRegion":"{region}","sourceIPAddress":"10.{role}.{}.{}","userAgent":"aws-sdk-java/2.20.0 Linux/5.10 OpenJDK_64-Bit_Server_VM/17.0.9","requestParameters":{{"tableName":"orders-{id}"}},"responseElements":null,"requestID":"{place:08x}-0000-4000-9000-{id:012x}","eventID":"{place:08x}-0000-4000-8000-{id:012x}","readOnly":true,"resources":[{{"accountId":"{account}","type":"AWS::DynamoDB::Table","ARN":"arn:aws:dynamodb:{region}:{account}:table/orders-{id}"}}],"eventType":"AwsApiCall","apiVersion":"2012-08-10","managementEvent":true,"recipientAccountId":"{account}","eventCategory":"Management","tlsDetails":{{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"dynamodb.{region}.amazonaws.com"}}}}"#,
        place % 250,
        id % 250
    )
    .unwrap();
}
