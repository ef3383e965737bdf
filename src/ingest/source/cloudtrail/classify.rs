//! Says what kind of OCSF event a CloudTrail record is.
//!
//! Class by event name and event source, as AWS's published mapping lists the
//! names (ocsf/examples, mappings/markdown/AWS/v1.1.0/CloudTrail); the source is
//! asked for too, since other services have calls of the same names (`CreateUser`
//! of ElastiCache is no account change). Activity by the verb the name starts with.

use crate::lake::table::Table;
use crate::ocsf::class::Class;

/// Event names of Authentication 3002, sorted.
const AUTHENTICATION: [&str; 9] = [
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "CheckMfa",
    "ConsoleLogin",
    "CredentialChallenge",
    "CredentialVerification",
    "ExternalIdPDirectoryLogin",
    "UserAuthentication",
];

/// Event names of Account Change 3001, sorted.
const ACCOUNT_CHANGE: [&str; 64] = [
    "AccountNameUpdated",
    "AddRoleToInstanceProfile",
    "AddUserToGroup",
    "AttachGroupPolicy",
    "AttachRolePolicy",
    "AttachUserPolicy",
    "ChangePassword",
    "CreateAccessKey",
    "CreateAccountAlias",
    "CreateInstanceProfile",
    "CreateLoginProfile",
    "CreateRole",
    "CreateServiceLinkedRole",
    "CreateUser",
    "CreateVirtualMFADevice",
    "DeactivateMFADevice",
    "DeleteAccessKey",
    "DeleteAccountAlias",
    "DeleteAccountPasswordPolicy",
    "DeleteGroup",
    "DeleteGroupPolicy",
    "DeleteInstanceProfile",
    "DeleteLoginProfile",
    "DeletePolicy",
    "DeleteRole",
    "DeleteRolePermissionsBoundary",
    "DeleteRolePolicy",
    "DeleteServiceLinkedRole",
    "DeleteUser",
    "DeleteUserPermissionsBoundary",
    "DeleteUserPolicy",
    "DeleteVirtualMFADevice",
    "DetachGroupPolicy",
    "DetachRolePolicy",
    "DetachUserPolicy",
    "EmailUpdated",
    "EnableMFADevice",
    "FinalizeSmsMfaRegistration",
    "PasswordUpdated",
    "PutGroupPolicy",
    "PutRolePermissionsBoundary",
    "PutRolePolicy",
    "PutUserPermissionsBoundary",
    "PutUserPolicy",
    "RemoveRoleFromInstanceProfile",
    "RemoveUserFromGroup",
    "RequestSmsMfaRegistration",
    "ResyncMFADevice",
    "TagInstanceProfile",
    "TagRole",
    "TagUser",
    "UntagInstanceProfile",
    "UntagRole",
    "UntagUser",
    "UpdateAccessKey",
    "UpdateAccountEmailAddress",
    "UpdateAccountName",
    "UpdateAccountPasswordPolicy",
    "UpdateAssumeRolePolicy",
    "UpdateGroup",
    "UpdateLoginProfile",
    "UpdateRole",
    "UpdateRoleDescription",
    "UpdateUser",
];

/// Services whose calls of those names are about accounts and sign-in.
const IDENTITY_SERVICES: [&str; 8] =
    ["account", "iam", "identitystore", "signin", "sso", "sso-directory", "sso-oauth", "sts"];

/// S3 calls on objects: data events, also in records older than `eventCategory`.
const OBJECT_CALLS: [&str; 7] =
    ["DeleteObject", "DeleteObjects", "GetObject", "HeadObject", "ListObjects", "PutObject", "RestoreObject"];

/// Returns the table of a record.
pub fn table(name: &str, source: &str, category: Option<&str>, management: Option<bool>) -> Table {
    match class(name, source) {
        Class::AccountChange => Table::AccountChange,
        Class::Authentication => Table::Authentication,
        _ => match (category, management) {
            // Only data events are aggregated.
            (Some("Data" | "NetworkActivity" | "Aggregated"), _) => Table::DataActivity,
            (Some(_), _) | (None, Some(true)) => Table::ApiActivity,
            (None, Some(false)) => Table::DataActivity,
            (None, None) if source == "s3.amazonaws.com" && OBJECT_CALLS.binary_search(&name).is_ok() => {
                Table::DataActivity
            }
            (None, None) => Table::ApiActivity,
        },
    }
}

fn class(name: &str, source: &str) -> Class {
    let service = source.split_once('.').map_or(source, |(service, _)| service);
    if IDENTITY_SERVICES.binary_search(&service).is_err() {
        return Class::ApiActivity;
    }
    if AUTHENTICATION.binary_search(&name).is_ok() {
        Class::Authentication
    } else if ACCOUNT_CHANGE.binary_search(&name).is_ok() {
        Class::AccountChange
    } else {
        Class::ApiActivity
    }
}

/// Returns the name of a call without the date that Lambda's API versions put behind it:
/// `Invoke20150331`, `UpdateFunctionCode20150331v2`.
pub fn plain_name(name: &str) -> &str {
    let versionless =
        name.rsplit_once('v').filter(|(_, version)| is_digits(version)).map_or(name, |(head, _)| head);
    match versionless.split_at_checked(versionless.len().saturating_sub(8)) {
        Some((head, date)) if !head.is_empty() && is_digits(date) && date.starts_with("20") => head,
        _ => name,
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns `activity_id` of a call. 99 is "Other", whose caption is the call's own name.
pub fn activity(class: Class, name: &str) -> i32 {
    match class {
        Class::AccountChange => account_change(name),
        Class::Authentication => authentication(name),
        _ => api_activity(name),
    }
}

/// Returns the first word of a name: `Get` of `GetObject`, `Getaway` of `Getaway`.
fn verb(name: &str) -> &str {
    let end =
        name.bytes().skip(1).position(|byte| !byte.is_ascii_lowercase()).map_or(name.len(), |at| at + 1);
    name.get(..end).unwrap_or(name)
}

fn api_activity(name: &str) -> i32 {
    match verb(name) {
        "Get" | "List" | "Describe" | "Search" | "Lookup" | "Head" | "Query" | "Scan" => 2,
        "Batch" if name.starts_with("BatchGet") => 2,
        "Create" | "Run" | "Generate" => 1,
        "Update" | "Put" | "Modify" | "Add" | "Remove" | "Start" | "Stop" | "Attach" | "Detach"
        | "Associate" | "Disassociate" | "Tag" | "Untag" | "Enable" | "Disable" | "Register"
        | "Deregister" | "Set" | "Authorize" => 3,
        "Delete" | "Terminate" => 4,
        _ => 99,
    }
}

fn account_change(name: &str) -> i32 {
    match (name, verb(name)) {
        ("ChangePassword" | "PasswordUpdated", _) => 3,
        ("EnableMFADevice", _) => 10,
        ("DeactivateMFADevice", _) => 11,
        ("AddUserToGroup", _) | (_, "Attach" | "Put") => 7,
        (_, "Create") => 1,
        (_, "Detach" | "Remove") => 8,
        (_, "Delete") => 6,
        _ => 99,
    }
}

fn authentication(name: &str) -> i32 {
    match name {
        "ConsoleLogin" | "ExternalIdPDirectoryLogin" | "UserAuthentication" => 1,
        _ if name.starts_with("AssumeRole") => 1,
        _ => 99,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_for_the_search() {
        assert!(AUTHENTICATION.is_sorted() && ACCOUNT_CHANGE.is_sorted());
        assert!(IDENTITY_SERVICES.is_sorted() && OBJECT_CALLS.is_sorted());
    }

    #[test]
    fn the_source_decides_with_the_name() {
        assert_eq!(table("CreateUser", "iam.amazonaws.com", None, None), Table::AccountChange);
        assert_eq!(
            table("CreateUser", "elasticache.amazonaws.com", Some("Management"), None),
            Table::ApiActivity
        );
        assert_eq!(table("AssumeRole", "sts.amazonaws.com", Some("Management"), None), Table::Authentication);
        assert_eq!(table("GetObject", "s3.amazonaws.com", Some("Data"), Some(false)), Table::DataActivity);
        assert_eq!(table("GetObject", "s3.amazonaws.com", None, None), Table::DataActivity);
        assert_eq!(table("GetBucketAcl", "s3.amazonaws.com", None, None), Table::ApiActivity);
        assert_eq!(
            table("DescribeKey", "kms.amazonaws.com", Some("NetworkActivity"), None),
            Table::DataActivity
        );
    }

    #[test]
    fn lambda_names_lose_their_date() {
        assert_eq!(plain_name("Invoke20150331"), "Invoke");
        assert_eq!(plain_name("UpdateFunctionCode20150331v2"), "UpdateFunctionCode");
        assert_eq!(plain_name("GetBucketV2"), "GetBucketV2");
        assert_eq!(plain_name("20150331"), "20150331");
        assert_eq!(plain_name("Describe12345678"), "Describe12345678");
    }

    #[test]
    fn verbs_end_where_words_end() {
        assert_eq!(activity(Class::ApiActivity, "GetObject"), 2);
        assert_eq!(activity(Class::ApiActivity, "Getaway"), 99);
        assert_eq!(activity(Class::ApiActivity, "RunInstances"), 1);
        assert_eq!(activity(Class::ApiActivity, "Invoke"), 99);
        assert_eq!(activity(Class::AccountChange, "DetachRolePolicy"), 8);
        assert_eq!(activity(Class::AccountChange, "DeactivateMFADevice"), 11);
        assert_eq!(activity(Class::Authentication, "AssumeRole"), 1);
        assert_eq!(activity(Class::Authentication, "CheckMfa"), 99);
    }
}
