//! What a person typed: what it can be, told by its shape.
//!
//! Takes a text and gives the kinds it can be, the likeliest first. Where its shape does not settle it (a bare
//! name, an id that events and findings both have), the lake is looked at in this order. Promises that every text has at least one
//! kind, and that no text is refused here.

use std::net::IpAddr;

use super::answer::SubjectKind;

/// How many characters an access key id has at least; AWS says 16 to 128.
const KEY_CHARS_MIN: usize = 16;

/// Services whose ARNs name findings where they have `finding` in them.
const FINDING_SERVICES: [&str; 6] =
    ["guardduty", "securityhub", "inspector2", "inspector", "macie2", "access-analyzer"];

/// Returns what a text can be, the likeliest first.
pub fn kinds(text: &str) -> Vec<SubjectKind> {
    let text = text.trim();
    if text == super::LATEST {
        return vec![SubjectKind::Finding];
    }
    if text.starts_with("arn:") {
        return of_arn(text);
    }
    if is_key(text) {
        return vec![SubjectKind::Key];
    }
    if text.parse::<IpAddr>().is_ok() {
        return vec![SubjectKind::Ip];
    }
    if is_uuid(text) {
        return vec![SubjectKind::Event, SubjectKind::Finding, SubjectKind::Resource];
    }
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return vec![SubjectKind::Finding, SubjectKind::Resource];
    }
    if is_resource_id(text) {
        return vec![SubjectKind::Resource, SubjectKind::Finding];
    }
    vec![SubjectKind::Principal, SubjectKind::Resource, SubjectKind::Finding]
}

fn of_arn(arn: &str) -> Vec<SubjectKind> {
    let mut parts = arn.splitn(6, ':').skip(2);
    let service = parts.next().unwrap_or_default();
    let name = parts.nth(2).unwrap_or_default();
    match service {
        "sts" => vec![SubjectKind::Session],
        "iam" if name == "root" || ["user/", "role/"].iter().any(|kind| name.starts_with(kind)) => {
            vec![SubjectKind::Principal, SubjectKind::Resource]
        }
        _ if FINDING_SERVICES.contains(&service) && arn.contains("finding") => {
            vec![SubjectKind::Finding, SubjectKind::Resource]
        }
        "config" if name.starts_with("config-rule/") => vec![SubjectKind::Finding, SubjectKind::Resource],
        _ => vec![SubjectKind::Resource, SubjectKind::Finding],
    }
}

/// Says whether a text looks like an access key id.
fn is_key(text: &str) -> bool {
    ["AKIA", "ASIA"].iter().any(|prefix| text.starts_with(prefix))
        && text.len() >= KEY_CHARS_MIN
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_uuid(text: &str) -> bool {
    let mut lengths = text.split('-').map(str::len);
    lengths.by_ref().eq([8, 4, 4, 4, 12]) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// An id as EC2 gives them: `sg-0123456789abcdef0`, `i-…`, `vpc-…`.
fn is_resource_id(text: &str) -> bool {
    text.rsplit_once('-').is_some_and(|(prefix, hex)| {
        [8, 17].contains(&hex.len())
            && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
            && !prefix.is_empty()
            && prefix.len() <= 12
            && prefix.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    })
}

/// Returns the account that an access key id was made in, as AWS packs it into the characters after the prefix.
/// Ids of older formats, and made-up ones, give nothing or a number that is nobody's: a hint, no proof.
pub fn account_of_key(key: &str) -> Option<String> {
    /// Where the account's bits lie in the first six bytes.
    const BITS: u64 = 0x7fff_ffff_ff80;
    let coded = key.get(4..14).filter(|_| is_key(key))?;
    let mut bits: u64 = 0;
    for byte in coded.bytes() {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return None,
        };
        bits = (bits << 5) | u64::from(digit);
    }
    // Ten characters are 50 bits, of which the first 48 are the six bytes.
    let account = ((bits >> 2) & BITS) >> 7;
    (account < 1_000_000_000_000 && account > 0).then(|| format!("{account:012}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_tell_kinds() {
        use SubjectKind::{Event, Finding, Ip, Key, Principal, Resource, Session};
        let check = |text: &str, first: SubjectKind| assert_eq!(kinds(text)[0], first, "{text}");
        check("latest", Finding);
        check("AKIAIOSFODNN7EXAMPLE", Key);
        check("AKIA-short", Principal);
        check("192.0.2.1", Ip);
        check("2001:db8::1", Ip);
        check("arn:aws:sts::111122223333:assumed-role/admin/mio", Session);
        check("arn:aws:sts::111122223333:federated-user/mio", Session);
        check("arn:aws:iam::111122223333:user/path/mio", Principal);
        check("arn:aws:iam::111122223333:root", Principal);
        check("arn:aws:iam::111122223333:policy/p", Resource);
        check("arn:aws:s3:::exports", Resource);
        check("arn:aws:guardduty:eu-west-1:111122223333:detector/d/finding/f", Finding);
        check("arn:aws:securityhub:eu-west-1:111122223333:security-control/S3.2/finding/x", Finding);
        check("1ec3a5b7d9f1e3a5c7b9d1f3e5a7c9b1", Finding);
        check("cd5f1a0e-6c1c-4d2d-9d6c-3f7dd7d3d6ef", Event);
        check("sg-0123456789abcdef0", Resource);
        check("i-12345678", Resource);
        check("data-export-operator", Principal);
        check("", Principal);
        check("'; drop table x; --", Principal);
    }

    #[test]
    fn a_key_tells_its_account() {
        // The example of the public description of the format.
        assert_eq!(account_of_key("ASIAQNZGKIQY56JQ7WML").as_deref(), Some("029608264753"));
        assert_eq!(account_of_key("AKIA****************"), None);
        assert_eq!(account_of_key("AKIA"), None);
    }
}
