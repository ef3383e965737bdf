//! What stands beside the calls in the archive: findings of Security Hub and flow logs.

use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;
use serde_json::json;

use super::{ACCOUNTS, ADDRESS, BUCKET, DAY, FIRST_DAY, date, pack, region};

/// Findings that each account has anew each day, in turn in its two Regions.
const FINDINGS: u64 = 1;
/// Flow records that each account has each day.
const FLOWS: i64 = 200;

/// The finding that comes of the needle.
pub(super) fn finding() -> String {
    let account = 100_000_000_007_u64;
    format!("arn:aws:securityhub:us-east-1:{account}:security-control/S3.8/finding/needle")
}

/// Writes a day of both.
pub(super) fn deliver(archive: &Path, (day, days): (i64, i64)) {
    let mut packer = libdeflater::Compressor::new(libdeflater::CompressionLvl::fastest());
    let mut text = String::new();
    for number in 0..ACCOUNTS {
        for finding in 0..FINDINGS {
            let at = FIRST_DAY + day * DAY + 3_000 + (number * 37 + finding * 11_000).cast_signed();
            let kind = (number + day.unsigned_abs() + finding) % 2;
            write_finding(&mut text, (number, region(number, kind)), at, kind);
        }
    }
    if day + 1 == days {
        write_needle(&mut text, FIRST_DAY + day * DAY + 73_000);
    }
    let folder = archive.join(format!("security-events/{}/23", date(day)));
    pack(&folder, &format!("security-events-1-{day}.gz"), &text, &mut packer);
    // A quarter of the accounts has networks of its own.
    for number in (0..ACCOUNTS).filter(|number| number % 4 == 3) {
        let text = flows(number, (day, days));
        let (account, region, stamp) =
            (100_000_000_000 + number, region(number, 1), date(day).replace('/', ""));
        let folder = archive.join(format!("AWSLogs/{account}/vpcflowlogs/{region}/{}", date(day)));
        let name = format!("{account}_vpcflowlogs_{region}_fl-0{number:016x}_{stamp}T2355Z_{day:08x}.log.gz");
        pack(&folder, &name, &text, &mut packer);
    }
}

fn event(text: &mut String, (account, region): (u64, &str), at: i64, rest: &serde_json::Value) {
    let time = format!("{:.0}", Timestamp::from_second(at).unwrap());
    let mut finding = json!({
        "SchemaVersion": "2018-10-08",
        "AwsAccountId": account.to_string(),
        "Region": region,
        "CompanyName": "AWS",
        "ProductArn": format!("arn:aws:securityhub:{region}::product/aws/securityhub"),
        "ProductName": "Security Hub",
        "CreatedAt": time,
        "UpdatedAt": time,
        "RecordState": "ACTIVE",
        "Workflow": {"Status": "NEW"},
        "Description": "This control checks how the resource is configured.",
        "Types": ["Software and Configuration Checks/Industry and Regulatory Standards"],
        "Remediation": {"Recommendation": {"Text": "Consult the documentation of the control."}},
    });
    let members = rest.as_object().unwrap().clone();
    finding.as_object_mut().unwrap().extend(members);
    let event = json!({
        "version": "0",
        "id": format!("00000000-0000-4000-8000-{at:012}"),
        "detail-type": "Security Hub Findings - Imported",
        "source": "aws.securityhub",
        "account": account.to_string(),
        "time": time,
        "region": region,
        "resources": [],
        "detail": {"findings": [finding]},
    });
    write!(text, "{event}").unwrap();
}

fn write_finding(text: &mut String, (number, region): (u64, &str), at: i64, kind: u64) {
    let account = 100_000_000_000 + number;
    let controls = ["S3.5", "EC2.13"];
    let control = controls[usize::try_from(kind).unwrap()];
    let resource = match kind {
        1 => ("AwsEc2SecurityGroup", format!("arn:aws:ec2:{region}:{account}:security-group/sg-{at:017x}")),
        _ => ("AwsS3Bucket", format!("arn:aws:s3:::team-{account}-{}", at % 50)),
    };
    let rest = json!({
        "Id": format!("arn:aws:securityhub:{region}:{account}:security-control/{control}/finding/{at:012}-{number}"),
        "GeneratorId": format!("security-control/{control}"),
        "Title": format!("The resource should pass {control}"),
        "Severity": {"Label": if kind == 1 { "MEDIUM" } else { "LOW" }},
        "Compliance": {"Status": "FAILED", "SecurityControlId": control},
        "Resources": [{"Type": resource.0, "Id": resource.1, "Partition": "aws", "Region": region}],
    });
    event(text, (account, region), at, &rest);
}

fn write_needle(text: &mut String, at: i64) {
    let rest = json!({
        "Id": finding(),
        "GeneratorId": "security-control/S3.8",
        "Title": "S3 general purpose buckets should block public access",
        "Severity": {"Label": "CRITICAL"},
        "Compliance": {"Status": "FAILED", "SecurityControlId": "S3.8"},
        "Resources": [{"Type": "AwsS3Bucket", "Id": format!("arn:aws:s3:::{BUCKET}"), "Partition": "aws", "Region": "us-east-1"}],
    });
    event(text, (100_000_000_007, "us-east-1"), at, &rest);
}

/// An account's flows: two machines with a database, and strangers who are refused.
fn flows(number: u64, (day, days): (i64, i64)) -> String {
    let account = 100_000_000_000 + number;
    let mut text = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n".to_owned();
    for record in 0..FLOWS {
        let start = FIRST_DAY + day * DAY + record * (DAY / FLOWS);
        let own = format!("10.{}.1.{}", number % 200, 10 + record % 2);
        let (from, to, action) = match record % 10 {
            9 => (format!("198.51.100.{}", (record * 7 + day) % 250), own, "REJECT"),
            place if place % 2 == 0 => (own, format!("10.{}.9.5", number % 200), "ACCEPT"),
            _ => (format!("10.{}.9.5", number % 200), own, "ACCEPT"),
        };
        let (packets, bytes) = (4 + record % 90, 900 + record * 31);
        writeln!(
            text,
            "2 {account} eni-0{number:016x} {from} {to} 5432 {} 6 {packets} {bytes} {start} {} {action} OK",
            32_768 + record,
            start + 50
        )
        .unwrap();
    }
    if day + 2 >= days && number % 12 == 7 {
        let start = FIRST_DAY + day * DAY + 70_500;
        writeln!(
            text,
            "2 {account} eni-0{number:016x} {ADDRESS} 10.{}.1.10 50122 443 6 46 18211 {start} {} ACCEPT OK",
            number % 200,
            start + 41
        )
        .unwrap();
    }
    text
}
