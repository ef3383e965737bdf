//! Findings in the JSON of the services they come from.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::story::{REGION, Story, later};
use super::who::Who;

/// What a finding is about: the type as its service writes it, and the id.
pub(super) type About<'a> = (&'static str, &'a str);

impl Story {
    /// Security Hub notices that a control fails; gives the finding's id.
    pub(super) fn control(&mut self, control: &str, about: About<'_>, noticed: Timestamp) -> String {
        let number = self.uuid();
        let id = format!(
            "arn:aws:securityhub:{REGION}:{}:security-control/{control}/finding/{number}",
            self.account
        );
        self.control_state(&id, (control, "FAILED"), about, (noticed, noticed));
        id
    }

    /// A state of a control's finding: since when there is one, and when it got this state.
    pub(super) fn control_state(
        &mut self,
        id: &str,
        (control, status): (&str, &str),
        (kind, resource): About<'_>,
        (created, updated): (Timestamp, Timestamp),
    ) {
        let workflow = if status == "PASSED" { "RESOLVED" } else { "NEW" };
        let finding = json!({
            "SchemaVersion": "2018-10-08",
            "Id": id,
            "ProductArn": format!("arn:aws:securityhub:{REGION}::product/aws/securityhub"),
            "ProductName": "Security Hub",
            "CompanyName": "AWS",
            "Region": REGION,
            "GeneratorId": format!("security-control/{control}"),
            "AwsAccountId": self.account,
            "Types": ["Software and Configuration Checks/Industry and Regulatory Standards"],
            "FirstObservedAt": created.to_string(),
            "LastObservedAt": updated.to_string(),
            "CreatedAt": created.to_string(),
            "UpdatedAt": updated.to_string(),
            "Severity": {"Label": "HIGH", "Normalized": 70, "Original": "HIGH"},
            "Title": format!("What {control} checks"),
            "Description": format!("This control checks what {control} checks."),
            "ProductFields": {"aws/securityhub/ProductName": "Security Hub", "aws/securityhub/CompanyName": "AWS"},
            "Resources": [{"Type": kind, "Id": resource, "Partition": "aws", "Region": REGION}],
            "Compliance": {"Status": status, "SecurityControlId": control},
            "WorkflowState": "NEW",
            "Workflow": {"Status": workflow},
            "RecordState": "ACTIVE",
        });
        let detail = json!({"findings": [finding]});
        self.on_the_bus(("aws.securityhub", "Security Hub Findings - Imported"), updated, &detail);
    }

    /// A rule of AWS Config changes its mind about a resource; gives the finding's uid.
    pub(super) fn rule(&mut self, rule: &str, about: About<'_>, (status, at): (&str, Timestamp)) -> String {
        let (kind, resource) = about;
        let arn = format!("arn:aws:config:{REGION}:{}:config-rule/config-rule-{rule:.6}", self.account);
        let result = |status: &str, at: Timestamp| {
            json!({
                "evaluationResultIdentifier": {
                    "evaluationResultQualifier": {
                        "configRuleName": rule,
                        "resourceType": kind,
                        "resourceId": resource,
                        "evaluationMode": "DETECTIVE",
                    },
                    "orderingTimestamp": at.to_string(),
                },
                "complianceType": status,
                "resultRecordedTime": at.to_string(),
                "configRuleInvokedTime": at.to_string(),
            })
        };
        let before = if status == "COMPLIANT" { "NON_COMPLIANT" } else { "COMPLIANT" };
        let detail = json!({
            "resourceId": resource,
            "awsRegion": REGION,
            "awsAccountId": self.account,
            "configRuleName": rule,
            "configRuleARN": arn,
            "recordVersion": "1.0",
            "messageType": "ComplianceChangeNotification",
            "newEvaluationResult": result(status, at),
            "oldEvaluationResult": result(before, later(at, -86_400 * 30)),
            "notificationCreationTime": later(at, 1).to_string(),
            "resourceType": kind,
        });
        self.on_the_bus(("aws.config", "Config Rules Compliance Change"), at, &detail);
        let kind: String = kind.chars().filter(char::is_ascii_alphanumeric).collect();
        format!("{arn}/{}/{resource}", kind.to_ascii_lowercase())
    }

    /// Access Analyzer sees that somebody outside may; gives the finding's id.
    pub(super) fn external(&mut self, about: About<'_>, principal: &Value, at: Timestamp) -> String {
        let id = self.uuid();
        let is_public = *principal == json!({"AWS": "*"});
        let detail = json!({
            "version": "1.0",
            "id": id,
            "status": "ACTIVE",
            "resourceType": about.0,
            "resource": about.1,
            "createdAt": at.to_string(),
            "analyzedAt": at.to_string(),
            "updatedAt": at.to_string(),
            "accountId": self.account,
            "region": REGION,
            "principal": principal,
            "action": ["s3:GetObject"],
            "condition": {},
            "isDeleted": false,
            "isPublic": is_public,
        });
        self.on_the_bus(("aws.access-analyzer", "Access Analyzer Finding"), at, &detail);
        id
    }

    /// GuardDuty speaks of a call of a key; gives the finding's ARN.
    pub(super) fn threat_by_key(
        &mut self,
        kind: &str,
        (who, ip): (&Who, &str),
        (service, api): (&str, &str),
        (first, last): (Timestamp, Timestamp),
    ) -> String {
        let name = who.identity.pointer("/sessionContext/sessionIssuer/userName");
        let resource = json!({
            "resourceType": "AccessKey",
            "accessKeyDetails": {
                "accessKeyId": who.key(),
                "principalId": who.identity["principalId"],
                "userType": who.identity["type"],
                "userName": name.unwrap_or(&who.identity["userName"]),
            },
        });
        let action = json!({
            "actionType": "AWS_API_CALL",
            "awsApiCallAction": {
                "api": api,
                "serviceName": format!("{service}.amazonaws.com"),
                "callerType": "Remote IP",
                "remoteIpDetails": remote(ip),
            },
        });
        self.threat(kind, (resource, action), (first, last))
    }

    /// GuardDuty speaks of a connection to an instance; gives the finding's ARN.
    pub(super) fn threat_on_instance(
        &mut self,
        kind: &str,
        (instance, interface, own): (&str, &str, &str),
        (ip, port): (&str, u16),
        (first, last): (Timestamp, Timestamp),
    ) -> String {
        let resource = json!({
            "resourceType": "Instance",
            "instanceDetails": {
                "instanceId": instance,
                "instanceType": "m6i.large",
                "networkInterfaces": [{"networkInterfaceId": interface, "privateIpAddress": own}],
            },
        });
        let action = json!({
            "actionType": "NETWORK_CONNECTION",
            "networkConnectionAction": {
                "connectionDirection": "INBOUND",
                "protocol": "TCP",
                "blocked": false,
                "localPortDetails": {"port": port, "portName": "SSH"},
                "localIpDetails": {"ipAddressV4": own},
                "remotePortDetails": {"port": 51_515, "portName": "Unknown"},
                "remoteIpDetails": remote(ip),
            },
        });
        self.threat(kind, (resource, action), (first, last))
    }

    fn threat(
        &mut self,
        kind: &str,
        (resource, action): (Value, Value),
        (first, last): (Timestamp, Timestamp),
    ) -> String {
        let id = self.uuid().replace('-', "");
        let detector = "12abc34d567e8fa901bc2d34e56789f0";
        let arn = format!("arn:aws:guardduty:{REGION}:{}:detector/{detector}/finding/{id}", self.account);
        let detail = json!({
            "schemaVersion": "2.0",
            "accountId": self.account,
            "region": REGION,
            "partition": "aws",
            "id": id,
            "arn": arn,
            "type": kind,
            "title": format!("Seen: {kind}"),
            "description": "Something was seen.",
            "severity": 8,
            "createdAt": later(last, 600).to_string(),
            "updatedAt": later(last, 600).to_string(),
            "resource": resource,
            "service": {
                "serviceName": "guardduty",
                "detectorId": detector,
                "eventFirstSeen": first.to_string(),
                "eventLastSeen": last.to_string(),
                "archived": false,
                "count": 1,
                "resourceRole": "TARGET",
                "action": action,
            },
        });
        self.on_the_bus(("aws.guardduty", "GuardDuty Finding"), later(last, 600), &detail);
        arn
    }

    /// Macie finds something of a bucket, or of an object in it; gives the finding's id.
    pub(super) fn macie(&mut self, kind: &str, (bucket, key): (&str, Option<&str>), at: Timestamp) -> String {
        let id = self.uuid().replace('-', "");
        let arn = format!("arn:aws:s3:::{bucket}");
        let object = key.map(|key| json!({"bucketArn": arn, "key": key, "path": format!("{bucket}/{key}")}));
        let detail = json!({
            "schemaVersion": "1.0",
            "id": id,
            "accountId": self.account,
            "partition": "aws",
            "region": REGION,
            "type": kind,
            "title": "Something about a bucket",
            "description": "Macie looked.",
            "severity": {"score": 3, "description": "High"},
            "createdAt": at.to_string(),
            "updatedAt": at.to_string(),
            "count": 1,
            "category": if key.is_some() { "CLASSIFICATION" } else { "POLICY" },
            "archived": false,
            "sample": false,
            "resourcesAffected": {"s3Bucket": {"arn": arn, "name": bucket}, "s3Object": object},
            "classificationDetails": null,
            "policyDetails": null,
        });
        self.on_the_bus(("aws.macie", "Macie Finding"), at, &detail);
        id
    }

    fn on_the_bus(&mut self, (source, kind): (&str, &str), time: Timestamp, detail: &Value) {
        let id = self.uuid();
        self.findings.push(json!({
            "version": "0",
            "id": id,
            "detail-type": kind,
            "source": source,
            "account": self.account,
            "time": time.to_string(),
            "region": REGION,
            "resources": [],
            "detail": detail,
        }));
    }
}

fn remote(ip: &str) -> Value {
    json!({
        "ipAddressV4": ip,
        "organization": {"asn": "64500", "asnOrg": "Example Net", "isp": "Example ISP", "org": "Example Org"},
        "country": {"countryName": "Exampleland"},
        "city": {"cityName": "Example City"},
        "geoLocation": {"lat": 52.374, "lon": 4.8897},
    })
}
