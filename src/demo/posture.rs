//! What the services that watch configuration and data say of the incident: Security Hub, Access Analyzer, Macie,
//! Config.
//!
//! Takes the story, gives their events and Config's history of the bucket.

use super::story::{BUCKET_FINDING, Story, merge};
use serde_json::{Value, json};

impl Story<'_> {
    pub(super) fn event(&self, (source, kind): (&str, &str), after: i64, detail: &Value) -> Value {
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
    pub(super) fn imported(&self, after: i64, rest: Value) -> Value {
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
    pub(super) fn control(&self, after: i64, status: &str, severity: &str) -> Value {
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
    pub(super) fn by_another_way(&self) -> Value {
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

    pub(super) fn analyzer(&self) -> Value {
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

    pub(super) fn macie(&self) -> Value {
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

    pub(super) fn rule_change(&self) -> Value {
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
    pub(super) fn history(&self) -> Value {
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
}
