//! How the request of a call shows what it brought about.
//!
//! Takes a request (JSON as CloudTrail has it) and a sign, and says whether the request shows it, speaks
//! against it, or is silent. Promises that a request that is no JSON, or none at all, is silent.

use serde_json::Value;

/// What to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// The call itself is enough.
    Always,
    /// The call can be the cause, and its request does not tell.
    Likely,
    /// The call belongs to the resource's story and is no cause.
    Never,
    /// A rule that lets everybody in, at one of these ports.
    OpenIngress(Ports),
    /// A policy that lets everybody in.
    PublicPolicy,
    /// A policy, permission or grant that lets somebody else in: everybody, or whom the finding names.
    Grants,
    /// A policy that allows everything on everything.
    AdminPolicy,
    /// An access control list that lets everybody in.
    PublicAcl,
    /// Shared with everybody, or with whom the finding names.
    Shared,
    /// One of these members is false.
    False(&'static [&'static str]),
    /// One of these members is true.
    True(&'static [&'static str]),
    /// The text stands in it.
    Has(&'static str),
    /// The text does not stand in it.
    Lacks(&'static str),
    /// The root user made the call.
    ByRoot,
    /// It was so many days ago when it was noticed.
    DaysAgo(i64),
}

/// Which ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ports {
    /// One of these.
    Any(&'static [i64]),
    /// One that is none of these.
    Except(&'static [i64]),
}

/// What a request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// It is something else.
    Against,
    /// It does not tell.
    Silent,
    /// It is it.
    Shows,
}

/// What is known of a call.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Asked<'a> {
    /// The request, as JSON.
    pub(super) request: Option<&'a str>,
    /// Whether the root user made it.
    pub(super) is_root: bool,
    /// How many days before it was noticed.
    pub(super) days_ago: Option<i64>,
    /// Whom the finding names: an account, an ARN, `*`.
    pub(super) grantee: Option<&'a str>,
}

impl Sign {
    /// Says what a call shows.
    pub(super) fn read(self, asked: Asked<'_>) -> Verdict {
        match self {
            Self::Always => return Verdict::Shows,
            Self::Likely => return Verdict::Silent,
            Self::Never => return Verdict::Against,
            Self::ByRoot => return shows(asked.is_root),
            Self::DaysAgo(days) => return asked.days_ago.map_or(Verdict::Silent, |ago| shows(ago >= days)),
            _ => {}
        }
        let Some(request) = asked.request.and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
            return Verdict::Silent;
        };
        match self {
            Self::OpenIngress(ports) => shows(opens(&request, ports)),
            Self::PublicPolicy => shows(statements(&request).iter().any(is_public)),
            Self::Grants => grants(&request, asked.grantee),
            Self::AdminPolicy => shows(statements(&request).iter().any(is_admin)),
            Self::PublicAcl => shows(has_text(&request, &|text| {
                text.ends_with("groups/global/AllUsers")
                    || text.ends_with("groups/global/AuthenticatedUsers")
                    || text.starts_with("public-read")
                    || text == "authenticated-read"
            })),
            Self::Shared => shows(is_shared(&request, asked.grantee)),
            Self::False(names) => member_is(&request, names, false),
            Self::True(names) => member_is(&request, names, true),
            Self::Has(wanted) => shows(has_text(&request, &|text| text.contains(wanted))),
            Self::Lacks(wanted) => {
                shows(!has_text(&request, &|text| text.contains(wanted)) && !has_name(&request, wanted))
            }
            Self::Always | Self::Likely | Self::Never | Self::ByRoot | Self::DaysAgo(_) => Verdict::Silent,
        }
    }
}

const fn shows(is_so: bool) -> Verdict {
    if is_so { Verdict::Shows } else { Verdict::Against }
}

const WORLD: [&str; 2] = ["0.0.0.0/0", "::/0"];

/// Says whether a rule somewhere in the request lets everybody in at one of the ports. A rule is an object with
/// ports whose members, at any depth, have the whole internet as range.
fn opens(value: &Value, ports: Ports) -> bool {
    match value {
        Value::Object(members) => {
            let names_ports = ["fromport", "toport", "ipprotocol", "portrange"];
            let is_rule =
                members.keys().any(|name| names_ports.contains(&name.to_ascii_lowercase().as_str()));
            if is_rule && has_text(value, &|text| WORLD.contains(&text)) && fits(value, ports) {
                return !has_text(value, &|text| text == "deny");
            }
            members.values().any(|member| opens(member, ports))
        }
        Value::Array(items) => items.iter().any(|item| opens(item, ports)),
        _ => false,
    }
}

fn fits(rule: &Value, ports: Ports) -> bool {
    let from = number(rule, &["fromport", "from"]);
    let to = number(rule, &["toport", "to"]);
    let (from, to) = match (from, to) {
        (Some(from), Some(to)) if from >= 0 => (from, to),
        (Some(port), None) | (None, Some(port)) if port >= 0 => (port, port),
        // All ports: none named, or -1.
        _ => (0, 65_535),
    };
    match ports {
        Ports::Any(wanted) => wanted.iter().any(|port| (from..=to).contains(port)),
        Ports::Except(meant) => (from..=to).take(meant.len() + 1).any(|port| !meant.contains(&port)),
    }
}

/// The first number of one of these names, at any depth.
fn number(value: &Value, names: &[&str]) -> Option<i64> {
    match value {
        Value::Object(members) => {
            let own = members.iter().find(|(name, _)| names.contains(&name.to_ascii_lowercase().as_str()));
            let own = own.and_then(|(_, value)| value.as_i64().or_else(|| value.as_str()?.parse().ok()));
            own.or_else(|| members.values().find_map(|member| number(member, names)))
        }
        Value::Array(items) => items.iter().find_map(|item| number(item, names)),
        _ => None,
    }
}

/// How deep policies lie in one another: text in an object, in a text, in a request.
const DEPTH_MAX: u32 = 12;

/// All statements of all policies in a request, which are objects there, or texts.
fn statements(request: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    collect(request, &mut found, DEPTH_MAX);
    found
}

fn collect(value: &Value, found: &mut Vec<Value>, depth: u32) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Value::Object(members) => {
            if members.contains_key("Effect") {
                found.push(value.clone());
            }
            members.values().for_each(|member| collect(member, found, depth));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found, depth)),
        Value::String(text) if text.contains("Effect") => {
            let plain = || serde_json::from_str::<Value>(text).ok();
            let encoded = || serde_json::from_str::<Value>(&percent_decoded(text)).ok();
            if let Some(inner) = plain().or_else(encoded) {
                collect(&inner, found, depth);
            }
        }
        _ => {}
    }
}

fn percent_decoded(text: &str) -> String {
    url::form_urlencoded::parse(format!("p={}", text.replace('+', "%2B").replace('&', "%26")).as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

fn allows(statement: &Value) -> bool {
    statement.get("Effect").and_then(Value::as_str) == Some("Allow")
}

/// Everybody may, unless a condition narrows it to accounts, networks or an organisation.
fn is_public(statement: &Value) -> bool {
    const NARROW: [&str; 9] = [
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:principalaccount",
        "aws:principalarn",
    ];
    let is_everybody =
        statement.get("Principal").is_some_and(|principal| has_text(principal, &|text| text == "*"));
    let is_narrow = statement
        .get("Condition")
        .is_some_and(|condition| NARROW.iter().any(|name| has_name(condition, name)));
    allows(statement) && is_everybody && !is_narrow
}

fn is_admin(statement: &Value) -> bool {
    let is_all = |name: &str| {
        statement.get(name).is_some_and(|value| has_text(value, &|text| text == "*" || text == "*:*"))
    };
    allows(statement) && is_all("Action") && is_all("Resource")
}

/// A policy that names everybody, or whom the finding names; of a permission its `principal`.
fn grants(request: &Value, grantee: Option<&str>) -> Verdict {
    let statements = statements(request);
    let is_named = |value: &Value| {
        grantee.is_some_and(|grantee| grantee != "*" && has_text(value, &|text| text.contains(grantee)))
    };
    if statements.iter().any(is_public) || statements.iter().any(|one| allows(one) && is_named(one)) {
        return Verdict::Shows;
    }
    let names = ["principal", "granteePrincipal", "grantee", "aWSAccountIds"];
    let permission = names.iter().filter_map(|name| request.get(name)).collect::<Vec<_>>();
    if permission.iter().any(|value| has_text(value, &|text| text == "*") || is_named(value)) {
        return Verdict::Shows;
    }
    match grantee {
        // Whom it names is known, and it is not in there.
        Some(_) => Verdict::Against,
        None if statements.is_empty() && permission.is_empty() => Verdict::Against,
        None => Verdict::Silent,
    }
}

/// Added to those who may restore, launch or read: everybody, or whom the finding names.
fn is_shared(request: &Value, grantee: Option<&str>) -> bool {
    let added = ["valuesToAdd", "accountIdsToAdd"].iter().filter_map(|name| request.get(name));
    let mut added: Vec<&Value> = added.collect();
    for name in ["createVolumePermission", "launchPermission"] {
        added.extend(request.get(name).and_then(|permission| permission.get("add")));
    }
    let wanted = grantee.filter(|grantee| *grantee != "*").unwrap_or("all");
    let is_it = |text: &str| text.eq_ignore_ascii_case(wanted) || (text.len() == 12 && wanted.contains(text));
    added.iter().any(|value| has_text(value, &is_it))
}

fn member_is(value: &Value, names: &[&str], wanted: bool) -> Verdict {
    let mut verdict = Verdict::Silent;
    visit(value, &mut |name, member| {
        if names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name)) {
            let is = match member {
                Value::Bool(is) => Some(*is),
                Value::String(text) => text.parse().ok(),
                // `{"value": true}`, as EC2 has it.
                Value::Object(inner) => inner.get("value").and_then(Value::as_bool),
                _ => None,
            };
            match is {
                Some(is) if is == wanted => verdict = Verdict::Shows,
                Some(_) if verdict == Verdict::Silent => verdict = Verdict::Against,
                _ => {}
            }
        }
    });
    verdict
}

fn visit(value: &Value, see: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                see(name, member);
                visit(member, see);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| visit(item, see)),
        _ => {}
    }
}

fn has_text(value: &Value, is_it: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is_it(text),
        Value::Array(items) => items.iter().any(|item| has_text(item, is_it)),
        Value::Object(members) => members.values().any(|member| has_text(member, is_it)),
        _ => false,
    }
}

fn has_name(value: &Value, wanted: &str) -> bool {
    let mut found = false;
    visit(value, &mut |name, _| found |= name.eq_ignore_ascii_case(wanted));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sign: Sign, request: &str, expected: Verdict) {
        let asked = Asked { request: Some(request), ..Asked::default() };
        assert_eq!(sign.read(asked), expected, "{sign:?} {request}");
    }

    #[test]
    fn rules_that_let_everybody_in() {
        use Verdict::{Against, Shows};
        let ssh = Sign::OpenIngress(Ports::Any(&[22]));
        let rule = |cidr: &str, from: i64, to: i64| {
            format!(
                r#"{{"groupId":"sg-1","ipPermissions":{{"items":[{{"ipProtocol":"tcp","fromPort":{from},"toPort":{to},
                "ipRanges":{{"items":[{{"cidrIp":"{cidr}"}}]}},"ipv6Ranges":{{}}}}]}}}}"#
            )
        };
        check(ssh, &rule("0.0.0.0/0", 22, 22), Shows);
        check(ssh, &rule("0.0.0.0/0", 0, 65535), Shows);
        check(ssh, &rule("0.0.0.0/0", 443, 443), Against);
        check(ssh, &rule("10.0.0.0/8", 22, 22), Against);
        check(
            ssh,
            r#"{"groupId":"sg-1","ipPermissions":{"items":[{"ipProtocol":"-1","ipv6Ranges":{"items":[{"cidrIpv6":"::/0"}]}}]}}"#,
            Shows,
        );
        check(
            ssh,
            r#"{"ModifySecurityGroupRulesRequest":{"GroupId":"sg-1","SecurityGroupRule":{"SecurityGroupRule":{"CidrIpv4":"0.0.0.0/0","FromPort":22,"ToPort":22,"IpProtocol":"tcp"},"SecurityGroupRuleId":"sgr-1"}}}"#,
            Shows,
        );
        check(Sign::OpenIngress(Ports::Except(&[80, 443])), &rule("0.0.0.0/0", 443, 443), Against);
        check(Sign::OpenIngress(Ports::Except(&[80, 443])), &rule("0.0.0.0/0", 0, 65535), Shows);
    }

    #[test]
    fn policies_that_let_everybody_in() {
        use Verdict::{Against, Shows};
        let policy = |principal: &str, rest: &str| {
            format!(
                r#"{{"bucketPolicy":{{"Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"s3:GetObject"{rest}}}]}}}}"#
            )
        };
        check(Sign::PublicPolicy, &policy(r#""*""#, ""), Shows);
        check(Sign::PublicPolicy, &policy(r#"{"AWS":["*"]}"#, ""), Shows);
        check(Sign::PublicPolicy, &policy(r#"{"AWS":"arn:aws:iam::111122223333:root"}"#, ""), Against);
        let narrowed = r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}"#;
        check(Sign::PublicPolicy, &policy(r#""*""#, narrowed), Against);
        let text = r#"{"keyId":"k","policy":"{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},\"Action\":\"kms:*\",\"Resource\":\"*\"}]}"}"#;
        check(Sign::PublicPolicy, text, Shows);
        check(
            Sign::AdminPolicy,
            r#"{"policyDocument":"%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22*%22%2C%22Resource%22%3A%22*%22%7D%5D%7D"}"#,
            Shows,
        );
        check(Sign::AdminPolicy, text, Against);
    }

    #[test]
    fn the_one_the_finding_names_decides() {
        let request = r#"{"bucketPolicy":{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999988887777:root"},"Action":"s3:*"}}}"#;
        let read = |grantee| Sign::Grants.read(Asked { request: Some(request), grantee, ..Asked::default() });
        assert_eq!(read(Some("999988887777")), Verdict::Shows);
        assert_eq!(read(Some("444455556666")), Verdict::Against);
        assert_eq!(read(None), Verdict::Silent);
    }

    #[test]
    fn members_and_texts() {
        use Verdict::{Against, Shows, Silent};
        let off = Sign::False(&["BlockPublicAcls", "BlockPublicPolicy"]);
        check(
            off,
            r#"{"PublicAccessBlockConfiguration":{"BlockPublicAcls":true,"BlockPublicPolicy":false}}"#,
            Shows,
        );
        check(off, r#"{"PublicAccessBlockConfiguration":{"BlockPublicAcls":true}}"#, Against);
        check(off, r#"{"bucketName":"b"}"#, Silent);
        check(
            Sign::True(&["mapPublicIpOnLaunch"]),
            r#"{"subnetId":"s","mapPublicIpOnLaunch":{"value":true}}"#,
            Shows,
        );
        check(
            Sign::Shared,
            r#"{"createVolumePermission":{"add":{"items":[{"group":"all"}]}},"snapshotId":"snap-1"}"#,
            Shows,
        );
        check(Sign::Shared, r#"{"createVolumePermission":{"remove":{"items":[{"group":"all"}]}}}"#, Against);
        check(Sign::Shared, r#"{"attributeName":"restore","valuesToAdd":["all"]}"#, Shows);
        check(Sign::PublicAcl, r#"{"x-amz-acl":["public-read"],"bucketName":"b"}"#, Shows);
        check(
            Sign::PublicAcl,
            r#"{"AccessControlPolicy":{"AccessControlList":{"Grant":[{"Grantee":{"URI":"http://acs.amazonaws.com/groups/global/AllUsers"}}]}}}"#,
            Shows,
        );
        check(Sign::Lacks("required"), r#"{"metadataOptions":{"httpTokens":"required"}}"#, Against);
        check(Sign::PublicPolicy, "not json", Silent);
    }
}
