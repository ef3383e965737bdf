//! Which tool a user agent stands for.
//!
//! Versions and machines change with each update; what an access key is used *with* does
//! not. Takes a `User-Agent` as logged and gives its family: a known tool, the service
//! that called, or the first word.

use std::borrow::Cow;

/// A word in the agent (lower case) and the family it tells. The first that is there counts: tools that are built on
/// others name both.
const KNOWN: [(&str, &str); 22] = [
    ("terraform", "Terraform"),
    ("pulumi", "Pulumi"),
    ("ansible", "Ansible"),
    ("aws-cdk", "AWS CDK"),
    ("kubectl", "kubectl"),
    ("pacu", "Pacu"),
    ("trufflehog", "TruffleHog"),
    ("scoutsuite", "ScoutSuite"),
    ("prowler", "Prowler"),
    ("s3console", "console"),
    ("console.amazonaws.com", "console"),
    ("signin.amazonaws.com", "console"),
    ("aws-cli/", "aws-cli"),
    ("powershell", "AWS Tools for PowerShell"),
    ("boto3/", "Boto3"),
    ("botocore/", "Botocore"),
    ("aws-sdk-", "AWS SDK"),
    ("aws-internal/", "AWS Internal"),
    ("aws internal", "AWS Internal"),
    ("mozilla/", "browser"),
    ("curl/", "curl"),
    ("python-", "Python"),
];

/// Longer words say nothing and only cost.
const WORD_CHARS_MAX: usize = 40;

/// Returns the family of a user agent.
pub(super) fn family(agent: &str) -> Cow<'_, str> {
    // One without spaces and versions is the name of a service.
    if agent.ends_with(".amazonaws.com") && !agent.contains(['/', ' ']) && !is_console(agent) {
        return Cow::Borrowed(agent);
    }
    // `console.ec2.amazonaws.com` is a person at the console as well.
    if is_console(agent) {
        return Cow::Borrowed("console");
    }
    let lower = agent.to_ascii_lowercase();
    if let Some((at, family)) = KNOWN.iter().find_map(|(word, family)| Some((lower.find(word)?, *family))) {
        if family == "AWS SDK" {
            let language = lower.get(at + "aws-sdk-".len()..).unwrap_or_default();
            let language: String =
                language.chars().take_while(char::is_ascii_alphanumeric).take(12).collect();
            return Cow::Owned(format!("AWS SDK {language}"));
        }
        return Cow::Borrowed(family);
    }
    let word = agent.trim_start_matches('[').split(['/', ' ', ',', ']']).next().unwrap_or(agent);
    let word = without_uuid(word);
    match word.char_indices().nth(WORD_CHARS_MAX) {
        Some((end, _)) => Cow::Borrowed(word.get(..end).unwrap_or(word)),
        None => Cow::Borrowed(word),
    }
}

/// Some tools name each run: what comes before the UUID is the tool.
fn without_uuid(word: &str) -> &str {
    const UUID_CHARS: usize = 36;
    let is_uuid = |text: &str| {
        text.bytes().enumerate().all(|(at, byte)| {
            if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() }
        })
    };
    let mut starts = (1..word.len().saturating_sub(UUID_CHARS - 1)).filter(|at| word.is_char_boundary(*at));
    let found = starts.find(|at| word.get(*at..at + UUID_CHARS).is_some_and(is_uuid));
    found.and_then(|at| word.get(..at)).map_or(word, |name| name.trim_end_matches(['-', '_']))
}

fn is_console(agent: &str) -> bool {
    agent.starts_with("console.") || agent.starts_with("signin.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_told_whatever_its_version() {
        let check = |agent: &str, expected: &str| assert_eq!(family(agent), expected, "{agent}");
        check("aws-cli/2.15.30 Python/3.11.8 Linux/6.6 exe/x86_64.kali.2024", "aws-cli");
        check(
            "APN/1.0 HashiCorp/1.0 Terraform/1.7.5 (+https://www.terraform.io) aws-sdk-go-v2/1.2",
            "Terraform",
        );
        check("Boto3/1.34.10 md/Botocore#1.34.10 ua/2.0", "Boto3");
        check("[aws-sdk-java/2.20.1 Linux]", "AWS SDK java");
        check("cloudformation.amazonaws.com", "cloudformation.amazonaws.com");
        check("console.amazonaws.com", "console");
        check("console.ec2.amazonaws.com", "console");
        check("stratus-red-team_ea782787-a65d-4fc4-9fca-0123456789ab", "stratus-red-team");
        check("[S3Console/0.4, aws-internal/3]", "console");
        check("Mozilla/5.0 (X11; Linux x86_64)", "browser");
        check("custom-agent/3 x", "custom-agent");
        check("", "");
        check(&"ü".repeat(90), &"ü".repeat(40));
    }
}
