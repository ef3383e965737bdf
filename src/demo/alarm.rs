//! What the security services say of the incident.
//!
//! Takes its facts, gives the objects they would have delivered: GuardDuty's export, Security Hub's events as
//! Firehose writes them (without anything between two), Config's history of the bucket, and the findings of Access
//! Analyzer and Macie. Some findings come twice, as they are updated; one comes by two ways.

use super::archive::Vault;
use super::error::DemoError;
use super::spec::IncidentFacts;
use super::story::{BUCKET_FINDING, DETECTOR, DOWNLOAD_FINDING, KEY_FINDING, PROBE_FINDING, Story, merge};
use super::text::civil;
use serde_json::{Value, json};

/// What was told.
#[derive(Debug)]
pub(super) struct Told {
    /// Findings and configuration items.
    pub(super) findings: u64,
    /// GuardDuty's finding about the leaked key.
    pub(super) key_finding: String,
}

impl Story<'_> {
    fn remote(&self) -> Value {
        json!({
            "ipAddressV4": self.incident.attacker_ip,
            "organization": {"asn": "64496", "asnOrg": "Example Hosting", "isp": "Example Hosting", "org": "Example"},
            "country": {"countryName": "Iceland"},
            "city": {"cityName": "Reykjavik"},
            "geoLocation": {"lat": 64.1466, "lon": -21.9426},
        })
    }

    fn guardduty(&self, account: &str, (id, times, count): (&str, (i64, i64), u64), rest: Value) -> Value {
        let (created, updated) = (self.at(times.0), self.at(times.1));
        let mut finding = json!({
            "schemaVersion": "2.0",
            "accountId": account,
            "region": self.incident.region,
            "partition": "aws",
            "id": id,
            "arn": self.arn(account, id),
            "createdAt": created,
            "updatedAt": updated,
            "service": {
                "serviceName": "guardduty",
                "detectorId": DETECTOR,
                "eventFirstSeen": created,
                "eventLastSeen": updated,
                "archived": false,
                "count": count,
            },
        });
        merge(&mut finding, rest);
        finding
    }

    /// The finding about the leaked key, when it is new and when more was seen.
    fn key_findings(&self) -> [Value; 2] {
        let IncidentFacts { user_name, first_account, .. } = self.incident;
        let rest = || {
            json!({
                "type": "Recon:IAMUser/MaliciousIPCaller.Custom",
                "severity": 5,
                "title": format!("API GetCallerIdentity was called from an IP address on the list known-hosting."),
                "description": format!("An API was called by {user_name} from the remote host with IP address {} that is on the list known-hosting.", self.incident.attacker_ip),
                "resource": {
                    "resourceType": "AccessKey",
                    "accessKeyDetails": {
                        "accessKeyId": self.key,
                        "principalId": "AIDACKCEVSQ6C2EXAMPLE",
                        "userType": "IAMUser",
                        "userName": user_name,
                    },
                },
                "service": {
                    "resourceRole": "TARGET",
                    "action": {
                        "actionType": "AWS_API_CALL",
                        "awsApiCallAction": {
                            "api": "GetCallerIdentity",
                            "serviceName": "sts.amazonaws.com",
                            "callerType": "Remote IP",
                            "remoteIpDetails": self.remote(),
                        },
                    },
                },
            })
        };
        [
            self.guardduty(first_account, (KEY_FINDING, (420, 420), 1), rest()),
            self.guardduty(first_account, (KEY_FINDING, (420, 1_020), 24), rest()),
        ]
    }

    fn role_resource(&self) -> Value {
        json!({
            "accessKeyId": self.incident.role_session_key,
            "userType": "AssumedRole",
            "userName": self.incident.role_arn.rsplit('/').next(),
        })
    }

    fn bucket_findings(&self) -> [Value; 2] {
        let account = &self.incident.second_account;
        let bucket = json!([{
            "name": self.incident.bucket,
            "arn": self.bucket_arn(),
            "type": "Destination",
            "owner": {"id": "CanonicalId of Owner"},
        }]);
        let told = |kind: &str, severity: u8, title: String, api: &str| {
            json!({
                "type": kind,
                "severity": severity,
                "title": title,
                "description": format!("Seen from the remote host {}.", self.incident.attacker_ip),
                "resource": {
                    "resourceType": "S3Bucket",
                    "accessKeyDetails": self.role_resource(),
                    "s3BucketDetails": bucket,
                },
                "service": {
                    "resourceRole": "TARGET",
                    "action": {
                        "actionType": "AWS_API_CALL",
                        "awsApiCallAction": {
                            "api": api,
                            "serviceName": "s3.amazonaws.com",
                            "callerType": "Remote IP",
                            "remoteIpDetails": self.remote(),
                        },
                    },
                },
            })
        };
        let bucket = &self.incident.bucket;
        [
            self.guardduty(
                account,
                (BUCKET_FINDING, (900, 900), 1),
                told(
                    "Policy:S3/BucketAnonymousAccessGranted",
                    8,
                    format!("Amazon S3 anonymous access was granted for the S3 bucket {bucket}."),
                    "PutBucketPolicy",
                ),
            ),
            self.guardduty(
                account,
                (DOWNLOAD_FINDING, (1_980, 1_980), self.incident.downloads),
                told(
                    "Exfiltration:S3/AnomalousBehavior",
                    8,
                    format!("An anomalous number of objects was read from the S3 bucket {bucket}."),
                    "GetObject",
                ),
            ),
        ]
    }

    fn probe_finding(&self) -> Value {
        let rest = json!({
            "type": "Recon:EC2/PortProbeUnprotectedPort",
            "severity": 2,
            "title": format!("Unprotected port on EC2 instance {} is being probed.", self.instance),
            "description": "An EC2 instance has an unprotected port which is being probed by a known malicious host.",
            "resource": {
                "resourceType": "Instance",
                "instanceDetails": {"instanceId": self.instance, "instanceType": "m6i.large"},
            },
            "service": {
                "resourceRole": "TARGET",
                "action": {
                    "actionType": "PORT_PROBE",
                    "portProbeAction": {
                        "blocked": false,
                        "portProbeDetails": [{
                            "localPortDetails": {"port": 443, "portName": "HTTPS"},
                            "remoteIpDetails": self.remote(),
                        }],
                    },
                },
            },
        });
        self.guardduty(&self.incident.second_account, (PROBE_FINDING, (1_500, 1_500), 1), rest)
    }
}

/// Writes the objects of all services.
///
/// # Errors
///
/// Fails if a file cannot be packed or written.
pub(super) fn write(story: &Story<'_>, organization: &str, vault: &mut Vault) -> Result<Told, DemoError> {
    let IncidentFacts { first_account, second_account, .. } = story.incident;
    let [new_key, seen_again] = story.key_findings();
    let [bucket, download] = story.bucket_findings();
    let mut findings = 0;
    let exports = [
        (first_account, vec![new_key], 720, "0c1d2e3f-4a5b-4c6d-8e7f-8091a2b3c4d5.jsonl.gz"),
        (first_account, vec![seen_again], 1_320, "1d2e3f40-5b6c-4d7e-9f80-91a2b3c4d5e6.jsonl.gz"),
        (
            second_account,
            vec![bucket, story.probe_finding(), download],
            2_280,
            "2e3f4051-6c7d-4e8f-a091-a2b3c4d5e6f7.jsonl.gz",
        ),
    ];
    for (account, told, after, name) in exports {
        findings += told.len() as u64;
        let lines: Vec<String> = told.iter().map(Value::to_string).collect();
        let key = story.key(account, "GuardDuty", (after, name));
        vault.write(key, format!("{}\n", lines.join("\n")).as_bytes(), told.len() as u64)?;
    }
    let events = [
        story.macie(),
        story.control(-43_000, "PASSED", "INFORMATIONAL"),
        story.by_another_way(),
        story.rule_change(),
        story.analyzer(),
        story.control(1_800, "FAILED", "HIGH"),
    ];
    findings += events.len() as u64;
    let at = civil(story.incident.started.as_second() + 1_900);
    let folder = format!("{:04}/{:02}/{:02}/{:02}", at.year(), at.month(), at.day(), at.hour());
    let together: String = events.iter().map(Value::to_string).collect();
    let key = format!("security-events/{folder}/security-events-1-{organization}.gz");
    vault.write(key, together.as_bytes(), events.len() as u64)?;
    findings += 2;
    let at = civil(story.incident.started.as_second() + 4_000);
    let region = &story.incident.region;
    // Config does not pad months and days.
    let key = format!(
        "AWSLogs/{second_account}/Config/{region}/{}/{}/{}/ConfigHistory/\
         {second_account}_Config_{region}_ConfigHistory_AWS::S3::Bucket_{}_{}_1.json.gz",
        at.year(),
        at.month(),
        at.day(),
        at.strftime("%Y%m%dT000000Z"),
        at.strftime("%Y%m%dT%H%M%SZ"),
    );
    vault.write(key, story.history().to_string().as_bytes(), 2)?;
    Ok(Told { findings, key_finding: story.arn(first_account, KEY_FINDING) })
}
