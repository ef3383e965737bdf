//! What the security services say of the incident.
//!
//! Takes its facts, gives the objects they would have delivered: GuardDuty's export, Security Hub's events as
//! Firehose writes them (without anything between two), Config's history of the bucket, and the findings of Access
//! Analyzer and Macie. Some findings come twice, as they are updated; one comes by two ways.

use super::archive::Vault;
use super::error::DemoError;
use super::spec::IncidentFacts;
use super::text::civil;
use serde_json::{Value, json};

/// What there is to tell.
#[derive(Debug)]
pub(super) struct Story<'a> {
    /// The incident.
    pub(super) incident: &'a IncidentFacts,
    /// The leaked key.
    pub(super) key: &'a str,
    /// The instance that was knocked at.
    pub(super) instance: &'a str,
}

/// What was told.
#[derive(Debug)]
pub(super) struct Told {
    /// Findings and configuration items.
    pub(super) findings: u64,
    /// GuardDuty's finding about the leaked key.
    pub(super) key_finding: String,
}

const DETECTOR: &str = "d4b0d1c2e3f4a5b6c7d8e9f0a1b2c3d4";
const KEY_FINDING: &str = "1ec3a5b7d9f1e3a5c7b9d1f3e5a7c9b1";
const BUCKET_FINDING: &str = "2fd4b6c8eaf2d4b6c8ead2f4b6c8ead2";
const DOWNLOAD_FINDING: &str = "3ae5c7d9fb13e5c7d9fbe3a5c7d9fbe3";
const PROBE_FINDING: &str = "4bf6d8eafc24f6d8eafcf4b6d8eafcf4";

impl Story<'_> {
    fn at(&self, after: i64) -> String {
        let second = self.incident.started.as_second() + after;
        jiff::Timestamp::from_second(second).map(|at| format!("{at:.3}")).unwrap_or_default()
    }

    fn arn(&self, account: &str, id: &str) -> String {
        format!("arn:aws:guardduty:{}:{account}:detector/{DETECTOR}/finding/{id}", self.incident.region)
    }

    fn bucket_arn(&self) -> String {
        format!("arn:aws:s3:::{}", self.incident.bucket)
    }

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

    fn event(&self, (source, kind): (&str, &str), after: i64, detail: &Value) -> Value {
        json!({
            "version": "0",
            "id": format!("00000000-0000-4000-8000-{:012}", self.incident.started.as_second() + after),
            "detail-type": kind,
            "source": source,
            "account": self.incident.second_account,
            "time": self.at(after),
            "region": self.incident.region,
            "resources": [],
            "detail": detail,
        })
    }

    /// A finding as Security Hub passes it on.
    fn imported(&self, after: i64, rest: Value) -> Value {
        let account = &self.incident.second_account;
        let mut finding = json!({
            "SchemaVersion": "2018-10-08",
            "AwsAccountId": account,
            "Region": self.incident.region,
            "CompanyName": "AWS",
            "CreatedAt": self.at(-86_400),
            "UpdatedAt": self.at(after),
            "RecordState": "ACTIVE",
            "Workflow": {"Status": "NEW"},
            "Resources": [{
                "Type": "AwsS3Bucket",
                "Id": self.bucket_arn(),
                "Partition": "aws",
                "Region": self.incident.region,
            }],
        });
        merge(&mut finding, rest);
        let detail = json!({"findings": [finding]});
        self.event(("aws.securityhub", "Security Hub Findings - Imported"), after, &detail)
    }

    /// The bucket's public access: as it was the day before, and as it became.
    fn control(&self, after: i64, status: &str, severity: &str) -> Value {
        let (account, region) = (&self.incident.second_account, &self.incident.region);
        let id = format!(
            "arn:aws:securityhub:{region}:{account}:security-control/S3.8/finding/5c07e9fb-0d35-4ae7-b9c1-d3e5f7a9b1c3"
        );
        let workflow = if status == "PASSED" { "RESOLVED" } else { "NEW" };
        self.imported(
            after,
            json!({
                "Id": id,
                "ProductArn": format!("arn:aws:securityhub:{region}::product/aws/securityhub"),
                "ProductName": "Security Hub",
                "GeneratorId": "security-control/S3.8",
                "Title": "S3 general purpose buckets should block public access",
                "Description": "This control checks whether the bucket blocks public access.",
                "Types": ["Software and Configuration Checks/Industry and Regulatory Standards"],
                "Severity": {"Label": severity},
                "Workflow": {"Status": workflow},
                "Compliance": {
                    "Status": status,
                    "SecurityControlId": "S3.8",
                    "AssociatedStandards": [{"StandardsId": "standards/aws-foundational-security-best-practices/v/1.0.0"}],
                },
                "Remediation": {"Recommendation": {
                    "Text": "For information on how to correct this issue, consult the AWS Security Hub controls documentation.",
                    "Url": "https://docs.aws.amazon.com/console/securityhub/S3.8/remediation",
                }},
            }),
        )
    }

    /// GuardDuty's finding about the bucket, a second time by Security Hub.
    fn by_another_way(&self) -> Value {
        let (account, region) = (&self.incident.second_account, &self.incident.region);
        self.imported(
            960,
            json!({
                "Id": self.arn(account, BUCKET_FINDING),
                "ProductArn": format!("arn:aws:securityhub:{region}::product/aws/guardduty"),
                "ProductName": "GuardDuty",
                "GeneratorId": self.arn(account, ""),
                "CreatedAt": self.at(900),
                "Title": format!("Amazon S3 anonymous access was granted for the S3 bucket {}.", self.incident.bucket),
                "Description": "Anonymous access was granted.",
                "Types": ["TTPs/Policy:S3-BucketAnonymousAccessGranted"],
                "Severity": {"Label": "HIGH", "Product": 8},
                "ProductFields": {"aws/securityhub/ProductName": "GuardDuty"},
            }),
        )
    }

    fn analyzer(&self) -> Value {
        let (account, region) = (&self.incident.second_account, &self.incident.region);
        let detail = json!({
            "version": "1.0",
            "id": "6d18fa0c-1e46-4bf8-8ad2-e4f6a8bac2d4",
            "status": "ACTIVE",
            "resourceType": "AWS::S3::Bucket",
            "resource": self.bucket_arn(),
            "createdAt": self.at(1_200),
            "analyzedAt": self.at(1_200),
            "updatedAt": self.at(1_200),
            "accountId": account,
            "region": region,
            "principal": {"AWS": "*"},
            "action": ["s3:GetObject", "s3:ListBucket"],
            "condition": {},
            "isDeleted": false,
            "isPublic": true,
        });
        self.event(("aws.access-analyzer", "Access Analyzer Finding"), 1_200, &detail)
    }

    fn macie(&self) -> Value {
        let (account, region) = (&self.incident.second_account, &self.incident.region);
        let detail = json!({
            "schemaVersion": "1.0",
            "id": "7e29ab1d2f57c0a9",
            "accountId": account,
            "partition": "aws",
            "region": region,
            "type": "SensitiveData:S3Object/Personal",
            "title": "The S3 object contains personal information.",
            "description": "The object contains personal information such as names or addresses.",
            "severity": {"score": 3, "description": "High"},
            "createdAt": self.at(-40_000),
            "updatedAt": self.at(-40_000),
            "count": 1,
            "category": "CLASSIFICATION",
            "archived": false,
            "resourcesAffected": {
                "s3Bucket": {"name": self.incident.bucket, "arn": self.bucket_arn()},
                "s3Object": {
                    "bucketArn": self.bucket_arn(),
                    "key": "exports/2026/01/customers-0000.csv.gz",
                    "path": format!("{}/exports/2026/01/customers-0000.csv.gz", self.incident.bucket),
                    "extension": "gz",
                    "lastModified": self.at(-200_000),
                    "size": 41_562_211,
                },
            },
            "classificationDetails": {"result": {
                "status": {"code": "COMPLETE"},
                "sizeClassified": 41_562_211,
                "sensitiveData": [{"category": "PERSONAL_INFORMATION", "totalCount": 18_204, "detections": [{"type": "ADDRESS", "count": 9_102}]}],
            }},
        });
        self.event(("aws.macie", "Macie Finding"), -40_000, &detail)
    }

    fn rule_change(&self) -> Value {
        let (account, region, bucket) =
            (&self.incident.second_account, &self.incident.region, &self.incident.bucket);
        let result = |status: &str, after: i64| {
            json!({
                "evaluationResultIdentifier": {
                    "evaluationResultQualifier": {
                        "configRuleName": "s3-bucket-public-read-prohibited",
                        "resourceType": "AWS::S3::Bucket",
                        "resourceId": bucket,
                    },
                    "orderingTimestamp": self.at(after),
                },
                "complianceType": status,
                "resultRecordedTime": self.at(after),
                "configRuleInvokedTime": self.at(after),
            })
        };
        let detail = json!({
            "resourceId": bucket,
            "awsRegion": region,
            "awsAccountId": account,
            "configRuleName": "s3-bucket-public-read-prohibited",
            "configRuleARN": format!("arn:aws:config:{region}:{account}:config-rule/config-rule-4f2c9a"),
            "recordVersion": "1.0",
            "messageType": "ComplianceChangeNotification",
            "resourceType": "AWS::S3::Bucket",
            "newEvaluationResult": result("NON_COMPLIANT", 1_100),
            "oldEvaluationResult": result("COMPLIANT", -86_000),
            "notificationCreationTime": self.at(1_101),
        });
        self.event(("aws.config", "Config Rules Compliance Change"), 1_101, &detail)
    }

    /// The bucket before and after, as Config's history has it.
    fn history(&self) -> Value {
        let item = |after: i64, state: &str, public: bool| {
            json!({
                "version": "1.3",
                "accountId": self.incident.second_account,
                "awsAccountId": self.incident.second_account,
                "configurationItemCaptureTime": self.at(after),
                "configurationItemStatus": "OK",
                "configurationStateId": state,
                "ARN": self.bucket_arn(),
                "resourceType": "AWS::S3::Bucket",
                "resourceId": self.incident.bucket,
                "resourceName": self.incident.bucket,
                "awsRegion": self.incident.region,
                "availabilityZone": "Regional",
                "resourceCreationTime": self.at(-20_000_000),
                "tags": {"team": "orders", "data": "customers"},
                "relatedEvents": [],
                "relationships": [],
                "configuration": {"name": self.incident.bucket, "owner": {"displayName": null}},
                "supplementaryConfiguration": {
                    "PublicAccessBlockConfiguration": {"blockPublicAcls": !public, "blockPublicPolicy": !public},
                    "BucketPolicy": {"policyText": if public { json!("{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\"}]}") } else { Value::Null }},
                },
            })
        };
        json!({
            "fileVersion": "1.0",
            "configurationItems": [item(-90_000, "1770000000001", false), item(840, "1770000000002", true)],
        })
    }

    /// The key under which a service files an object.
    fn key(&self, account: &str, service: &str, (after, name): (i64, &str)) -> String {
        let at = civil(self.incident.started.as_second() + after);
        let (year, month, day) = (at.year(), at.month(), at.day());
        let region = &self.incident.region;
        format!("AWSLogs/{account}/{service}/{region}/{year}/{month:02}/{day:02}/{name}")
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

/// Lays one object over another, member by member.
fn merge(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (name, value) in over {
                merge(under.entry(name).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over,
    }
}
