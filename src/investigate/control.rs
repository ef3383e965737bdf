//! Which calls can make a resource fail a control.
//!
//! Takes the id of a Security Hub control, the name of a Config rule, a type of GuardDuty or Macie or an Access Analyzer resource type, and gives the
//! calls that bring the state about, each with the sign by which its request shows it. Data: a line a call. Promises that a control that is not in
//! the list gives nothing, so that its cause is ranked by nearness alone and said to be less sure.

use super::sign::{Ports, Sign};

/// What a control looks at, and the calls that matter to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Control {
    /// Security Hub ids, Config rules, types of GuardDuty and Macie, Access Analyzer's resource types; compared in lower case.
    pub(super) names: &'static [&'static str],
    /// The calls.
    pub(super) calls: &'static [Call],
}

/// A call that can be the cause.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    /// The name of the call.
    pub(super) operation: &'static str,
    /// How its request shows that it is.
    pub(super) sign: Sign,
    /// Where to look for it.
    pub(super) scope: Scope,
}

/// Where a call is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Among the calls that name the resource.
    Resource,
    /// In the whole account: the setting belongs to the account or the resource is gone.
    Account,
}

const fn on(operation: &'static str, sign: Sign) -> Call {
    Call { operation, sign, scope: Scope::Resource }
}

const fn account(operation: &'static str, sign: Sign) -> Call {
    Call { operation, sign, scope: Scope::Account }
}

const SSH: Sign = Sign::OpenIngress(Ports::Any(&[22]));
const RDP: Sign = Sign::OpenIngress(Ports::Any(&[3389]));
const ADMIN_PORTS: Sign = Sign::OpenIngress(Ports::Any(&[22, 3389]));
/// The ports of EC2.19.
const RISKY: Sign = Sign::OpenIngress(Ports::Any(&[
    20, 21, 22, 23, 25, 110, 135, 143, 445, 1433, 1434, 3000, 3306, 3389, 4333, 5000, 5432, 5500, 5601, 8080,
    8088, 8888, 9200, 9300,
]));
/// Ports other than those that are meant to be open.
const NOT_WEB: Sign = Sign::OpenIngress(Ports::Except(&[80, 443]));

const PUBLIC_BLOCK: [Call; 6] = [
    on("DeleteBucketPublicAccessBlock", Sign::Always),
    on("DeletePublicAccessBlock", Sign::Always),
    on("PutBucketPublicAccessBlock", BLOCK_OFF),
    on("PutPublicAccessBlock", BLOCK_OFF),
    account("PutAccountPublicAccessBlock", BLOCK_OFF),
    account("DeleteAccountPublicAccessBlock", Sign::Always),
];
const BLOCK_OFF: Sign =
    Sign::False(&["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]);

const fn ingress(sign: Sign) -> [Call; 4] {
    [
        on("AuthorizeSecurityGroupIngress", sign),
        on("ModifySecurityGroupRules", sign),
        on("UpdateSecurityGroupRuleDescriptionsIngress", Sign::Never),
        on("CreateSecurityGroup", Sign::Never),
    ]
}

const ADMIN_POLICY: [Call; 6] = [
    on("CreatePolicy", Sign::AdminPolicy),
    on("CreatePolicyVersion", Sign::AdminPolicy),
    on("SetDefaultPolicyVersion", Sign::Always),
    on("PutRolePolicy", Sign::AdminPolicy),
    on("PutUserPolicy", Sign::AdminPolicy),
    on("PutGroupPolicy", Sign::AdminPolicy),
];

/// The list: a line a control, which the formatter would make a page.
#[rustfmt::skip]
pub(super) const CONTROLS: &[Control] = &[
    // S3
    Control { names: &["s3.1", "s3-account-level-public-access-blocks", "s3-account-level-public-access-blocks-periodic", "policy:s3/accountblockpublicaccessdisabled", "pci.s3.6"], calls: &[account("PutAccountPublicAccessBlock", BLOCK_OFF), account("DeleteAccountPublicAccessBlock", Sign::Always)] },
    Control { names: &["s3.2", "s3.3", "pci.s3.1", "pci.s3.2", "s3-bucket-public-read-prohibited", "s3-bucket-public-write-prohibited", "policy:s3/bucketpublicaccessgranted", "policy:s3/bucketanonymousaccessgranted", "policy:iamuser/s3blockpublicaccessdisabled", "policy:iamuser/s3bucketpublic"], calls: &[
        on("PutBucketPolicy", Sign::PublicPolicy), on("PutBucketAcl", Sign::PublicAcl), on("CreateBucket", Sign::PublicAcl),
        PUBLIC_BLOCK[0], PUBLIC_BLOCK[1], PUBLIC_BLOCK[2], PUBLIC_BLOCK[3], PUBLIC_BLOCK[4], PUBLIC_BLOCK[5]] },
    Control { names: &["s3.8", "s3-bucket-level-public-access-prohibited", "policy:s3/bucketblockpublicaccessdisabled"], calls: &[PUBLIC_BLOCK[0], PUBLIC_BLOCK[1], PUBLIC_BLOCK[2], PUBLIC_BLOCK[3]] },
    Control { names: &["s3.4", "s3.17", "pci.s3.4", "s3-bucket-server-side-encryption-enabled", "s3-default-encryption-kms", "policy:iamuser/s3bucketencryptiondisabled"], calls: &[on("DeleteBucketEncryption", Sign::Always), on("PutBucketEncryption", Sign::Likely), on("CreateBucket", Sign::Likely)] },
    Control { names: &["s3.5", "pci.s3.5", "s3-bucket-ssl-requests-only"], calls: &[on("DeleteBucketPolicy", Sign::Always), on("PutBucketPolicy", Sign::Lacks("SecureTransport")), on("CreateBucket", Sign::Likely)] },
    Control { names: &["s3.6", "s3-bucket-blacklisted-actions-prohibited", "s3-bucket-policy-not-more-permissive"], calls: &[on("PutBucketPolicy", Sign::Grants)] },
    Control { names: &["s3.9", "s3-bucket-logging-enabled", "stealth:s3/serveraccessloggingdisabled"], calls: &[on("PutBucketLogging", Sign::Lacks("TargetBucket")), on("CreateBucket", Sign::Likely)] },
    Control { names: &["s3.12", "s3-bucket-acl-prohibited"], calls: &[on("PutBucketAcl", Sign::Likely), on("PutBucketOwnershipControls", Sign::Likely), on("CreateBucket", Sign::Likely)] },
    Control { names: &["s3.14", "s3.20", "pci.s3.3", "s3-bucket-versioning-enabled", "s3-bucket-mfa-delete-enabled"], calls: &[on("PutBucketVersioning", Sign::Has("Suspended")), on("CreateBucket", Sign::Likely)] },
    Control { names: &["s3.10", "s3.13", "s3-lifecycle-policy-check"], calls: &[on("DeleteBucketLifecycle", Sign::Always), on("PutBucketLifecycle", Sign::Likely), on("PutBucketLifecycleConfiguration", Sign::Likely), on("CreateBucket", Sign::Likely)] },
    Control { names: &["s3.7", "s3-bucket-replication-enabled"], calls: &[on("DeleteBucketReplication", Sign::Always), on("PutBucketReplication", Sign::Likely), on("CreateBucket", Sign::Likely)] },
    Control { names: &["policy:iamuser/s3bucketreplicatedexternally"], calls: &[on("PutBucketReplication", Sign::Always)] },
    Control { names: &["sensitivedata:s3object/credentials", "sensitivedata:s3object/customidentifier", "sensitivedata:s3object/financial", "sensitivedata:s3object/multiple", "sensitivedata:s3object/personal", "object:s3/maliciousfile"], calls: &[on("PutObject", Sign::Always), on("CompleteMultipartUpload", Sign::Always), on("CopyObject", Sign::Always)] },
    Control { names: &["aws::s3::bucket", "awss3bucket", "policy:iamuser/s3bucketsharedexternally", "policy:iamuser/s3bucketsharedwithcloudfront"], calls: &[on("PutBucketPolicy", Sign::Grants), on("PutBucketAcl", Sign::PublicAcl), on("PutAccessPointPolicy", Sign::Grants), PUBLIC_BLOCK[0], PUBLIC_BLOCK[1], PUBLIC_BLOCK[2], PUBLIC_BLOCK[3], PUBLIC_BLOCK[4], PUBLIC_BLOCK[5]] },
    // Security groups and networks
    Control { names: &["ec2.13", "restricted-ssh", "incoming-ssh-disabled", "pci.ec2.5"], calls: &ingress(SSH) },
    Control { names: &["ec2.14", "restricted-rdp"], calls: &ingress(RDP) },
    Control { names: &["ec2.53", "ec2.54"], calls: &ingress(ADMIN_PORTS) },
    Control { names: &["ec2.18", "vpc-sg-open-only-to-authorized-ports"], calls: &ingress(NOT_WEB) },
    Control { names: &["ec2.19", "vpc-sg-restricted-common-ports", "restricted-common-ports"], calls: &ingress(RISKY) },
    Control { names: &["ec2.2", "pci.ec2.2", "vpc-default-security-group-closed"], calls: &[on("AuthorizeSecurityGroupIngress", Sign::Always), on("AuthorizeSecurityGroupEgress", Sign::Always), on("ModifySecurityGroupRules", Sign::Always)] },
    Control { names: &["ec2.21", "nacl-no-unrestricted-ssh-rdp"], calls: &[on("CreateNetworkAclEntry", ADMIN_PORTS), on("ReplaceNetworkAclEntry", ADMIN_PORTS)] },
    Control { names: &["ec2.6", "pci.ec2.6", "vpc-flow-logs-enabled"], calls: &[account("DeleteFlowLogs", Sign::Always), on("CreateVpc", Sign::Likely)] },
    Control { names: &["ec2.15", "subnet-auto-assign-public-ip-disabled"], calls: &[on("ModifySubnetAttribute", Sign::True(&["mapPublicIpOnLaunch"])), on("CreateSubnet", Sign::Likely)] },
    // EC2
    Control { names: &["ec2.1", "pci.ec2.1", "ebs-snapshot-public-restorable-check", "aws::ec2::snapshot", "awsec2snapshot"], calls: &[on("ModifySnapshotAttribute", Sign::Shared)] },
    Control { names: &["ec2.3", "encrypted-volumes"], calls: &[on("CreateVolume", Sign::Likely), on("RunInstances", Sign::Likely)] },
    Control { names: &["ec2.7", "ec2-ebs-encryption-by-default"], calls: &[account("DisableEbsEncryptionByDefault", Sign::Always)] },
    Control { names: &["ec2.8", "ec2-imdsv2-check"], calls: &[on("ModifyInstanceMetadataOptions", Sign::Has("optional")), on("RunInstances", Sign::Lacks("required"))] },
    Control { names: &["ec2.9", "ec2-instance-no-public-ip"], calls: &[on("AssociateAddress", Sign::Always), on("RunInstances", Sign::Likely)] },
    Control { names: &["ec2.182", "ami-public", "aws::ec2::image"], calls: &[on("ModifyImageAttribute", Sign::Shared)] },
    Control { names: &["ec2.17", "ec2-instance-multiple-eni-check", "ec2.29", "ec2.4", "ec2-stopped-instance", "ec2.24", "ec2-instance-profile-attached"], calls: &[on("RunInstances", Sign::Likely), on("StopInstances", Sign::Likely), on("AttachNetworkInterface", Sign::Likely), on("DisassociateIamInstanceProfile", Sign::Likely)] },
    Control { names: &["autoscaling.3", "autoscaling-launchconfig-requires-imdsv2", "autoscaling.5"], calls: &[on("CreateLaunchConfiguration", Sign::Likely)] },
    // IAM
    Control { names: &["iam.1", "iam.21", "pci.iam.3", "iam-policy-no-statements-with-admin-access", "iam-policy-no-statements-with-full-access"], calls: &ADMIN_POLICY },
    Control { names: &["iam.2", "pci.iam.2", "iam-user-no-policies-check"], calls: &[on("AttachUserPolicy", Sign::Always), on("PutUserPolicy", Sign::Always)] },
    Control { names: &["iam.3", "access-keys-rotated"], calls: &[on("CreateAccessKey", Sign::DaysAgo(90))] },
    Control { names: &["iam.8", "pci.iam.7", "iam-user-unused-credentials-check"], calls: &[on("CreateAccessKey", Sign::DaysAgo(90)), on("CreateLoginProfile", Sign::DaysAgo(90))] },
    Control { names: &["iam.22"], calls: &[on("CreateAccessKey", Sign::DaysAgo(45)), on("CreateLoginProfile", Sign::DaysAgo(45))] },
    Control { names: &["iam.4", "pci.iam.1", "iam-root-access-key-check"], calls: &[account("CreateAccessKey", Sign::ByRoot)] },
    Control { names: &["iam.5", "iam.19", "pci.iam.6", "mfa-enabled-for-iam-console-access", "iam-user-mfa-enabled"], calls: &[on("DeactivateMFADevice", Sign::Always), on("DeleteVirtualMFADevice", Sign::Always), on("CreateLoginProfile", Sign::Always), on("CreateUser", Sign::Likely)] },
    Control { names: &["iam.6", "iam.9", "pci.iam.4", "pci.iam.5", "root-account-mfa-enabled", "root-account-hardware-mfa-enabled"], calls: &[account("DeactivateMFADevice", Sign::ByRoot)] },
    Control { names: &["iam.7", "iam.10", "iam.11", "iam.12", "iam.13", "iam.14", "iam.15", "iam.16", "iam.17", "pci.iam.8", "iam-password-policy", "stealth:iamuser/passwordpolicychange"], calls: &[account("UpdateAccountPasswordPolicy", Sign::Always), account("DeleteAccountPasswordPolicy", Sign::Always)] },
    Control { names: &["aws::iam::role", "awsiamrole"], calls: &[on("UpdateAssumeRolePolicy", Sign::Grants), on("CreateRole", Sign::Grants)] },
    // Logging and the security services
    Control { names: &["cloudtrail.1", "cloudtrail.3", "pci.cloudtrail.2", "cloudtrail-enabled", "cloud-trail-enabled", "multi-region-cloudtrail-enabled", "multi-region-cloud-trail-enabled", "stealth:iamuser/cloudtrailloggingdisabled"], calls: &[account("StopLogging", Sign::Always), account("DeleteTrail", Sign::Always), account("UpdateTrail", Sign::False(&["isMultiRegionTrail", "includeGlobalServiceEvents"])), account("PutEventSelectors", Sign::Likely)] },
    Control { names: &["cloudtrail.2", "pci.cloudtrail.1", "cloud-trail-encryption-enabled"], calls: &[on("UpdateTrail", Sign::Lacks("kmsKeyId")), on("CreateTrail", Sign::Lacks("kmsKeyId"))] },
    Control { names: &["cloudtrail.4", "pci.cloudtrail.3", "cloud-trail-log-file-validation-enabled"], calls: &[on("UpdateTrail", Sign::False(&["enableLogFileValidation"])), on("CreateTrail", Sign::Likely)] },
    Control { names: &["cloudtrail.5", "pci.cloudtrail.4", "cloud-trail-cloud-watch-logs-enabled"], calls: &[on("UpdateTrail", Sign::Likely), on("CreateTrail", Sign::Lacks("cloudWatchLogsLogGroupArn"))] },
    Control { names: &["config.1", "pci.config.1"], calls: &[account("StopConfigurationRecorder", Sign::Always), account("DeleteConfigurationRecorder", Sign::Always), account("DeleteDeliveryChannel", Sign::Always), account("PutConfigurationRecorder", Sign::Likely)] },
    Control { names: &["guardduty.1", "pci.guardduty.1", "guardduty-enabled-centralized"], calls: &[account("DeleteDetector", Sign::Always), account("UpdateDetector", Sign::False(&["enable"])), account("DisassociateFromAdministratorAccount", Sign::Always), account("DisassociateMembers", Sign::Always)] },
    Control { names: &["securityhub.1", "securityhub-enabled"], calls: &[account("DisableSecurityHub", Sign::Always)] },
    Control { names: &["macie.1", "macie.2", "inspector.1", "inspector.2", "inspector.3", "inspector.4"], calls: &[account("DisableMacie", Sign::Always), account("UpdateMacieSession", Sign::Has("PAUSED")), account("Disable", Sign::Always)] },
    Control { names: &["cloudwatch.16", "cw-loggroup-retention-period-check"], calls: &[on("PutRetentionPolicy", Sign::Likely), on("DeleteRetentionPolicy", Sign::Always), on("CreateLogGroup", Sign::Likely)] },
    // Data
    Control { names: &["rds.1", "pci.rds.1", "rds-snapshots-public-prohibited", "aws::rds::dbsnapshot", "aws::rds::dbclustersnapshot"], calls: &[on("ModifyDBSnapshotAttribute", Sign::Shared), on("ModifyDBClusterSnapshotAttribute", Sign::Shared)] },
    Control { names: &["rds.2", "pci.rds.2", "rds-instance-public-access-check"], calls: &[on("ModifyDBInstance", PUBLICLY), on("CreateDBInstance", PUBLICLY), on("CreateDBInstanceReadReplica", PUBLICLY), on("RestoreDBInstanceFromDBSnapshot", PUBLICLY), on("RestoreDBInstanceToPointInTime", PUBLICLY)] },
    Control { names: &["rds.3", "rds.4", "rds-storage-encrypted", "rds-snapshots-encrypted"], calls: &[on("CreateDBInstance", Sign::Likely), on("CreateDBCluster", Sign::Likely), on("CreateDBSnapshot", Sign::Likely)] },
    Control { names: &["rds.7", "rds.8", "rds-cluster-deletion-protection-enabled", "rds-instance-deletion-protection-enabled"], calls: &[on("ModifyDBInstance", DELETABLE), on("ModifyDBCluster", DELETABLE), on("CreateDBInstance", Sign::Likely), on("CreateDBCluster", Sign::Likely)] },
    Control { names: &["rds.5", "rds.9", "rds.10", "rds.11", "rds.13", "rds.14", "rds.15", "rds.17"], calls: &[on("ModifyDBInstance", Sign::Likely), on("ModifyDBCluster", Sign::Likely), on("CreateDBInstance", Sign::Likely), on("CreateDBCluster", Sign::Likely)] },
    Control { names: &["redshift.1", "pci.redshift.1", "redshift-cluster-public-access-check"], calls: &[on("ModifyCluster", PUBLICLY), on("CreateCluster", PUBLICLY)] },
    Control { names: &["dynamodb.2", "dynamodb-pitr-enabled"], calls: &[on("UpdateContinuousBackups", Sign::False(&["pointInTimeRecoveryEnabled"])), on("CreateTable", Sign::Likely)] },
    Control { names: &["es.2", "pci.es.1", "opensearch.2", "elasticsearch-in-vpc-only", "opensearch-in-vpc-only"], calls: &[on("CreateElasticsearchDomain", Sign::Likely), on("CreateDomain", Sign::Likely), on("UpdateElasticsearchDomainConfig", Sign::Grants), on("UpdateDomainConfig", Sign::Grants)] },
    // Keys, secrets, code, messages
    Control { names: &["kms.1", "kms.2", "iam-customer-policy-blocked-kms-actions", "iam-inline-policy-blocked-kms-actions"], calls: &[on("CreatePolicy", Sign::Has("kms:")), on("CreatePolicyVersion", Sign::Has("kms:")), on("PutRolePolicy", Sign::Has("kms:")), on("PutUserPolicy", Sign::Has("kms:")), on("PutGroupPolicy", Sign::Has("kms:"))] },
    Control { names: &["kms.3", "kms-cmk-not-scheduled-for-deletion"], calls: &[on("ScheduleKeyDeletion", Sign::Always)] },
    Control { names: &["kms.4", "pci.kms.1", "cmk-backing-key-rotation-enabled"], calls: &[on("DisableKeyRotation", Sign::Always), on("CreateKey", Sign::Likely)] },
    Control { names: &["kms.5", "kms-key-policy-no-public-access", "aws::kms::key", "awskmskey"], calls: &[on("PutKeyPolicy", Sign::Grants), on("CreateGrant", Sign::Grants), on("CreateKey", Sign::Grants)] },
    Control { names: &["lambda.1", "pci.lambda.1", "lambda-function-public-access-prohibited", "aws::lambda::function", "awslambdafunction"], calls: &[on("AddPermission", Sign::Grants), on("AddLayerVersionPermission", Sign::Grants), on("CreateFunctionUrlConfig", Sign::Has("NONE")), on("UpdateFunctionUrlConfig", Sign::Has("NONE"))] },
    Control { names: &["lambda.2", "lambda.3", "pci.lambda.2", "lambda-function-settings-check", "lambda-inside-vpc"], calls: &[on("UpdateFunctionConfiguration", Sign::Likely), on("CreateFunction", Sign::Likely)] },
    Control { names: &["sns.4", "sns-topic-no-public-access", "aws::sns::topic"], calls: &[on("SetTopicAttributes", Sign::Grants), on("AddPermission", Sign::Grants), on("CreateTopic", Sign::Grants)] },
    Control { names: &["sns.1", "sns-encrypted-kms"], calls: &[on("SetTopicAttributes", Sign::Likely), on("CreateTopic", Sign::Likely)] },
    Control { names: &["sqs.3", "sqs-queue-no-public-access", "aws::sqs::queue"], calls: &[on("SetQueueAttributes", Sign::Grants), on("AddPermission", Sign::Grants), on("CreateQueue", Sign::Grants)] },
    Control { names: &["sqs.1", "sqs-queue-encrypted"], calls: &[on("SetQueueAttributes", Sign::Likely), on("CreateQueue", Sign::Likely)] },
    Control { names: &["aws::secretsmanager::secret"], calls: &[on("PutResourcePolicy", Sign::Grants)] },
    Control { names: &["secretsmanager.1", "secretsmanager.2", "secretsmanager.4", "secretsmanager-rotation-enabled-check"], calls: &[on("CancelRotateSecret", Sign::Always), on("CreateSecret", Sign::Likely), on("RotateSecret", Sign::Likely)] },
    Control { names: &["ecr.1", "ecr.2", "aws::ecr::repository", "ecr-private-image-scanning-enabled"], calls: &[on("SetRepositoryPolicy", Sign::Grants), on("PutImageScanningConfiguration", Sign::False(&["scanOnPush"])), on("PutImageTagMutability", Sign::Likely), on("CreateRepository", Sign::Likely)] },
    Control { names: &["ssm.4", "ssm-document-not-public"], calls: &[on("ModifyDocumentPermission", Sign::Shared)] },
    Control { names: &["eks.1", "eks-endpoint-no-public-access"], calls: &[on("UpdateClusterConfig", Sign::True(&["endpointPublicAccess"])), on("CreateCluster", Sign::Likely)] },
    Control { names: &["ecs.1", "ecs.2", "ecs.4", "ecs.5", "ecs.8"], calls: &[on("RegisterTaskDefinition", Sign::Likely), on("CreateService", Sign::Likely), on("UpdateService", Sign::Likely)] },
    Control { names: &["aws::efs::filesystem"], calls: &[on("PutFileSystemPolicy", Sign::Grants)] },
];
const PUBLICLY: Sign = Sign::True(&["publiclyAccessible"]);
const DELETABLE: Sign = Sign::False(&["deletionProtection"]);

/// Words of titles, for findings whose control has another number in each edition of its standard.
const TITLES: [(&[&str], &str); 14] = [
    (&["security group", "22"], "ec2.13"),
    (&["security group", "3389"], "ec2.14"),
    (&["default security group"], "ec2.2"),
    (&["administrative privileges"], "iam.1"),
    (&["policies", "attached", "groups or roles"], "iam.2"),
    (&["root", "access key"], "iam.4"),
    (&["access keys", "rotated"], "iam.3"),
    (&["mfa", "console password"], "iam.5"),
    (&["password policy"], "iam.7"),
    (&["cloudtrail", "enabled", "all regions"], "cloudtrail.1"),
    (&["cloudtrail", "validation"], "cloudtrail.4"),
    (&["flow logging"], "ec2.6"),
    (&["rotation", "cmk"], "kms.4"),
    (&["config", "enabled"], "config.1"),
];

/// Finds the control of a finding by any of its names: control id, rule, type, resource type.
pub(super) fn control(name: &str) -> Option<&'static Control> {
    let name = name.trim().to_ascii_lowercase();
    let exact = |name: &str| CONTROLS.iter().find(|control| control.names.contains(&name));
    // Security Hub writes GuardDuty's types as `TTPs/…/Policy:S3-BucketAnonymousAccessGranted`.
    let last = name.rsplit('/').next().unwrap_or(&name);
    let of_hub =
        last.split_once(':').map(|(purpose, rest)| format!("{purpose}:{}", rest.replacen('-', "/", 1)));
    exact(&name).or_else(|| exact(&of_hub?)).or_else(|| {
        // Security Hub's own rules: `securityhub-restricted-ssh-1a2b3c4d`; parameters make `…-conformance-pack-x`.
        let bare = name.strip_prefix("securityhub-").unwrap_or(&name);
        let longest = |control: &'static Control| {
            let named = control.names.iter().filter(|name| name.contains('-') && bare.starts_with(**name));
            named.map(|name| name.len()).max().map(|length| (length, control))
        };
        CONTROLS.iter().filter_map(longest).max_by_key(|(length, _)| *length).map(|(_, control)| control)
    })
}

/// Finds the control by the words of a title.
pub(super) fn control_of_title(title: &str) -> Option<&'static Control> {
    let title = title.to_ascii_lowercase();
    let (_, name) = TITLES.iter().find(|(words, _)| words.iter().all(|word| title.contains(word)))?;
    control(name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_find_their_control() {
        let check = |name: &str, operation: Option<&str>| {
            let found = control(name).and_then(|control| control.calls.first());
            assert_eq!(found.map(|call| call.operation), operation, "{name}");
        };
        check("S3.8", Some("DeleteBucketPublicAccessBlock"));
        check("EC2.19", Some("AuthorizeSecurityGroupIngress"));
        check("securityhub-s3-bucket-public-read-prohibited-1a2b3c4d", Some("PutBucketPolicy"));
        check("restricted-ssh", Some("AuthorizeSecurityGroupIngress"));
        check("Policy:S3/BucketBlockPublicAccessDisabled", Some("DeleteBucketPublicAccessBlock"));
        check("TTPs/Exposure/Policy:S3-BucketAnonymousAccessGranted", Some("PutBucketPolicy"));
        check("AWS::KMS::Key", Some("PutKeyPolicy"));
        check("Policy:IAMUser/S3BucketPublic", Some("PutBucketPolicy"));
        check("SensitiveData:S3Object/Personal", Some("PutObject"));
        check("Macie.99", None);
        check("", None);
    }

    #[test]
    fn titles_find_what_has_many_numbers() {
        let title = "4.1 Ensure no security groups allow ingress from 0.0.0.0/0 to port 22";
        assert!(control_of_title(title).is_some_and(|control| control.names.contains(&"ec2.13")));
        assert!(control_of_title("something else").is_none());
        for (_, name) in TITLES {
            assert!(control(name).is_some(), "{name}");
        }
    }

    #[test]
    fn no_name_stands_twice_and_all_are_lower_case() {
        let mut seen = BTreeSet::new();
        for name in CONTROLS.iter().flat_map(|control| control.names) {
            assert!(seen.insert(name), "{name}");
            assert_eq!(*name, name.to_ascii_lowercase());
        }
    }
}
