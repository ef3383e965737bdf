//! Reads what AWS says when it refuses: who may not do what, on what, and whose policy says so.
//!
//! `User: <arn> is not authorized to perform: <action> on resource: <arn> because <reason>`, in full or in part,
//! with the resource in quotes or not. Older answers say nothing but "Access Denied".

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Denial {
    /// The action that AWS names.
    pub(super) action: Option<String>,
    /// The resource that AWS names.
    pub(super) resource: Option<String>,
    /// Whose policy to look at.
    pub(super) todo: &'static str,
}

/// Marks of a refusal in an error's text or code.
const MARKS: [&str; 6] = [
    "AccessDenied",
    "Access Denied",
    "not authorized to perform",
    "AccessDeniedException",
    "403 Forbidden",
    "KMS.AccessDenied",
];

impl Denial {
    /// Reads the text of an error and its causes; `None` when it is no refusal.
    pub(super) fn read(text: &str) -> Option<Self> {
        if !MARKS.iter().any(|mark| text.contains(mark)) {
            return None;
        }
        // Some of it comes as the XML that the service sent.
        let text = &text.replace("&quot;", "\"");
        let action = after(text, "not authorized to perform: ").map(name);
        let resource = after(text, "on resource: ").map(|rest| name(rest.trim_start_matches(['"', '\\'])));
        Some(Self { action, resource, todo: todo(text) })
    }
}

fn after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.split_once(start).map(|(_, rest)| rest)
}

/// The word at the start of a text.
fn name(text: &str) -> String {
    let is_end = |letter: char| letter.is_whitespace() || matches!(letter, '"' | '\\' | '<' | ',' | ')');
    text.split(is_end).next().unwrap_or_default().trim_end_matches('.').to_owned()
}

fn todo(text: &str) -> &'static str {
    if text.contains("service control policy") {
        "a service control policy of the organisation forbids it: ask who keeps them"
    } else if text.contains("permissions boundary") {
        "the permissions boundary of the role forbids it"
    } else if text.contains("VPC endpoint policy") {
        "the policy of the VPC endpoint forbids it"
    } else if text.contains("explicit deny") {
        "a policy denies it outright; find that statement first"
    } else if text.contains("no resource-based policy allows") {
        "add it to the policy of the resource (bucket, queue, key, or the role's trust policy)"
    } else if text.contains("no identity-based policy allows") {
        "add it to the policy of the role; `ashiato preflight --policy` prints all it needs"
    } else {
        "add it to the policy of the role (`ashiato preflight --policy`), and to that of the resource when it is another account's"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: (Option<&str>, Option<&str>, &str)) {
        let denial = Denial::read(text).unwrap();
        let (action, resource, todo) = expected;
        assert_eq!((denial.action.as_deref(), denial.resource.as_deref()), (action, resource));
        assert!(denial.todo.contains(todo), "{}", denial.todo);
    }

    #[test]
    fn what_aws_names_is_found() {
        check(
            "service error: AccessDenied: User: arn:aws:sts::111122223333:assumed-role/w/1 is not authorized to perform: \
             kms:Decrypt on resource: arn:aws:kms:eu-west-1:444455556666:key/x because no resource-based policy allows the \
             kms:Decrypt action",
            (Some("kms:Decrypt"), Some("arn:aws:kms:eu-west-1:444455556666:key/x"), "policy of the resource"),
        );
        check(
            "User: x is not authorized to perform: s3:ListBucket on resource: \"arn:aws:s3:::b\" because no identity-based \
             policy allows the s3:ListBucket action",
            (Some("s3:ListBucket"), Some("arn:aws:s3:::b"), "policy of the role"),
        );
        check(
            "User: x is not authorized to perform: sqs:sendmessage on resource: arn:aws:sqs:eu-west-1:1:q with an explicit \
             deny in a service control policy",
            (Some("sqs:sendmessage"), Some("arn:aws:sqs:eu-west-1:1:q"), "service control policy"),
        );
        check(
            "<Code>AccessDenied</Code><Message>User: x is not authorized to perform: s3:GetObject on resource: \
             &quot;arn:aws:s3:::b/k&quot; because of something</Message>",
            (Some("s3:GetObject"), Some("arn:aws:s3:::b/k"), "another account's"),
        );
        check("AccessDenied: Access Denied", (None, None, "another account's"));
        assert_eq!(Denial::read("NoSuchBucket: The specified bucket does not exist"), None);
    }
}
