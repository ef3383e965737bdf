//! Who is behind a chain: the person or the workload at its beginning.
//!
//! Takes the last caller of a walk and how the walk ended, and names the root. Promises that a session of a role of which no record says
//! who took it is never called a person, unless its name or its source identity is set by the one who issued it.

use super::answer::{Confidence, Edge, Evidence, Join, Party, Root, RootCandidate, RootKind};
use super::chain::Caller;

/// The prefix of the roles that IAM Identity Center makes.
const SSO_ROLE: &str = "AWSReservedSSO_";

/// What a name says of itself: the ARN of a user, a role, a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub(super) account: Option<&'a str>,
    pub(super) kind: &'a str,
    /// Without path: the user, the role.
    pub(super) name: &'a str,
    /// The session's name.
    pub(super) session: Option<&'a str>,
}

/// Takes an ARN of IAM or STS apart.
pub(super) fn named(arn: &str) -> Option<Named<'_>> {
    let mut parts = arn.splitn(6, ':').skip(2);
    let service = parts.next()?;
    let account = parts.nth(1).filter(|account| !account.is_empty());
    let rest = parts.next()?;
    if !["iam", "sts"].contains(&service) {
        return None;
    }
    let (kind, name) = rest.split_once('/').unwrap_or((rest, rest));
    if kind == "assumed-role" {
        let (role, session) = name.split_once('/').unwrap_or((name, ""));
        return Some(Named { account, kind, name: role, session: Some(session) });
    }
    let name = name.rsplit('/').next().unwrap_or(name);
    Some(Named { account, kind, name, session: None })
}

/// Names the root. `edges` are those of the walk, the nearest first; `others` what else the last step could have been.
pub(super) fn root(last: &Caller, edges: &[Edge], others: &[RootCandidate]) -> Root {
    let mut root = identity(last, edges);
    let weakest = edges.iter().map(|edge| edge.confidence).min().unwrap_or(Confidence::High);
    if root.kind != RootKind::Unknown {
        root.confidence = root.confidence.min(weakest);
    }
    root.via.clone_from(&last.invoked_by);
    root.account = root.account.or_else(|| last.party.account.clone());
    root.runners_up.extend_from_slice(others);
    root.evidence = edges.iter().flat_map(|edge| edge.evidence.clone()).collect();
    root
}

fn of(kind: RootKind, id: Option<&str>, name: Option<&str>, (confidence, why): (Confidence, String)) -> Root {
    Root {
        kind,
        id: id.map(str::to_owned),
        name: name.map(str::to_owned),
        confidence,
        why,
        ..Root::default()
    }
}

fn identity(last: &Caller, edges: &[Edge]) -> Root {
    use Confidence::{High, Low, Medium};
    let party = &last.party;
    let id = party.principal.as_deref().or(party.actor.as_deref());
    let actor = party.actor.as_deref().or(id);
    let steps = match edges.len() {
        0 => "the call itself names it".to_owned(),
        1 => "one record issued the credentials".to_owned(),
        count if edges.iter().all(|edge| edge.join != Join::StackRole) => {
            format!("{count} records issued the credentials, one from another")
        }
        count => {
            format!("{count} records lead to it, one of which had CloudFormation take the role for a stack")
        }
    };
    let top = edges.last();
    match party.identity.as_deref().unwrap_or_default() {
        "IAMUser" => of(RootKind::IamUser, id, name_of(id), (High, steps)),
        "Root" => of(RootKind::RootUser, id, Some("root"), (High, steps)),
        kind @ ("SAMLUser" | "WebIdentityUser" | "IdentityCenterUser") => {
            of_provider(kind, party, top, &steps)
        }
        "FederatedUser" => of(
            RootKind::FederatedUser,
            actor,
            name_of(actor),
            (Medium, format!("{steps}; no record says which user asked for its token")),
        ),
        "AWSService" => service(party.principal.as_deref().or(actor), edges, &steps),
        "AWSAccount" if id.is_some_and(|id| id.contains("ANONYMOUS") || id.contains("anonymous")) => {
            of(RootKind::Anonymous, None, None, (High, "nobody signed the call".to_owned()))
        }
        "AWSAccount" => {
            let account = party.account.as_deref().or(id);
            let why = "the record names the caller's account only, and no record of that account tells more";
            of(RootKind::Account, account, account, (Medium, why.to_owned()))
        }
        _ => match actor.and_then(named) {
            Some(session) if session.kind == "assumed-role" => role_session(last, &session, actor),
            Some(user) if user.kind == "user" => of(RootKind::IamUser, id, Some(user.name), (High, steps)),
            Some(user) if user.kind == "root" => of(RootKind::RootUser, id, Some("root"), (High, steps)),
            Some(user) if user.kind == "federated-user" => {
                of(RootKind::FederatedUser, actor, Some(user.name), (Medium, steps))
            }
            _ if id.is_some_and(|id| id.ends_with(".amazonaws.com")) => service(id, edges, &steps),
            _ => match id {
                Some(id) => of(
                    RootKind::Unknown,
                    Some(id),
                    Some(id),
                    (Low, "no record says what kind of identity it is".to_owned()),
                ),
                None => {
                    of(RootKind::Unknown, None, None, (Confidence::None, "the event names nobody".to_owned()))
                }
            },
        },
    }
}

/// Somebody whom an identity provider vouches for.
fn of_provider(identity: &str, party: &Party, top: Option<&Edge>, steps: &str) -> Root {
    let id = party.actor.as_deref().or(party.principal.as_deref());
    let name = party.name.clone().filter(|name| !name.is_empty()).or_else(|| actor_name(id, top));
    let role = top.and_then(|edge| named(edge.child.actor.as_deref()?));
    let is_sso = identity == "IdentityCenterUser" || role.is_some_and(|role| role.name.starts_with(SSO_ROLE));
    let (kind, how) = match identity {
        "WebIdentityUser" => (RootKind::WebIdentity, "came with a web identity token"),
        _ if is_sso => (RootKind::SsoUser, "signed in through Identity Center"),
        _ => (RootKind::FederatedUser, "signed in with SAML"),
    };
    of(kind, id, name.as_deref(), (Confidence::High, format!("{steps}; {how}")))
}

/// A service that took a role: for an instance, a function, or for itself.
fn service(service: Option<&str>, edges: &[Edge], steps: &str) -> Root {
    use Confidence::High;
    let top = edges.last();
    let child = top.and_then(|edge| edge.child.actor.as_deref()).and_then(named);
    let session = child.as_ref().and_then(|child| child.session).unwrap_or_default();
    let account = child.as_ref().and_then(|child| child.account);
    let host = service.unwrap_or_default();
    let mut root = match (host, session) {
        _ if is_instance(session) => of(
            RootKind::Instance,
            Some(session),
            Some(session),
            (High, format!("{steps}; EC2 took the role for the instance")),
        ),
        (host, session) if host.starts_with("lambda.") && !session.is_empty() => of(
            RootKind::Function,
            Some(session),
            Some(session),
            (High, format!("{steps}; Lambda took the role for the function")),
        ),
        (host, session)
            if (host.starts_with("ecs-tasks.") || host.starts_with("pods.eks.")) && !session.is_empty() =>
        {
            of(
                RootKind::Workload,
                Some(session),
                Some(session),
                (High, format!("{steps}; the role was taken for the task")),
            )
        }
        _ => of(RootKind::Service, service, service, (High, format!("{steps}; an AWS service acted"))),
    };
    root.account = account.map(str::to_owned);
    root
}

/// A session that no record issued: its name can tell all the same.
fn role_session(last: &Caller, session: &Named<'_>, actor: Option<&str>) -> Root {
    use Confidence::{High, Low, Medium};
    let name = session.session.unwrap_or_default();
    let account = session.account.map(str::to_owned);
    let mut root = if session.name.starts_with(SSO_ROLE) {
        let why = "IAM Identity Center names a session after the user it is for".to_owned();
        of(RootKind::SsoUser, actor, Some(name), (High, why))
    } else if let Some(source) = last.source_identity.as_deref() {
        let why =
            "no record issued the credentials; the source identity, which stays along a chain, names it"
                .to_owned();
        of(RootKind::RoleSession, actor, Some(source), (Medium, why))
    } else if is_instance(name) {
        let why = "EC2 names the session of an instance's role after the instance".to_owned();
        of(RootKind::Instance, Some(name), Some(name), (Medium, why))
    } else if session.name.starts_with("AWSServiceRoleFor") {
        let why = "only the service can take its linked role".to_owned();
        of(RootKind::Service, actor, Some(session.name), (High, why))
    } else {
        let why = "origin outside the window: no record in the lake issued these credentials, so who took the role cannot be told".to_owned();
        of(RootKind::RoleSession, actor, Some(name), (Low, why))
    };
    root.account = account;
    root
}

/// Says whether a session's name is an instance's id.
pub(super) fn is_instance(name: &str) -> bool {
    name.strip_prefix("i-")
        .is_some_and(|hex| [8, 17].contains(&hex.len()) && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn name_of(arn: Option<&str>) -> Option<&str> {
    let arn = arn?;
    named(arn)
        .map_or(Some(arn), |named| Some(named.session.filter(|name| !name.is_empty()).unwrap_or(named.name)))
}

/// What people call somebody of an identity provider: as the provider names them, or else their session.
fn actor_name(actor: Option<&str>, top: Option<&Edge>) -> Option<String> {
    let of_actor = actor.filter(|actor| !actor.is_empty()).map(|actor| match named(actor) {
        Some(named) => named.session.unwrap_or(named.name).to_owned(),
        None => actor.to_owned(),
    });
    of_actor.or_else(|| name_of(top?.child.actor.as_deref()).map(str::to_owned))
}

/// Says where a root's claim could be checked.
pub(super) fn with_evidence(mut root: Root, evidence: Vec<Evidence>) -> Root {
    if root.evidence.is_empty() {
        root.evidence = evidence;
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(identity: &str, principal: &str, actor: &str) -> Caller {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let party = Party {
            identity: text(identity),
            principal: text(principal),
            actor: text(actor),
            ..Party::default()
        };
        Caller { party, ..Caller::default() }
    }

    #[test]
    fn identities_are_told_apart() {
        let check = |identity: &str, principal: &str, actor: &str, kind, name: Option<&str>, confidence| {
            let root = root(&last(identity, principal, actor), &[], &[]);
            assert_eq!(
                (root.kind, root.name.as_deref(), root.confidence),
                (kind, name, confidence),
                "{actor}"
            );
        };
        use Confidence::{High, Low, Medium, None as No};
        let user = "arn:aws:iam::111122223333:user/path/mio";
        check("IAMUser", user, user, RootKind::IamUser, Some("mio"), High);
        let session = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123/mio@example.com";
        check(
            "AssumedRole",
            "arn:aws:iam::111122223333:role/x",
            session,
            RootKind::SsoUser,
            Some("mio@example.com"),
            High,
        );
        let session = "arn:aws:sts::111122223333:assumed-role/app/i-0123456789abcdef0";
        check("AssumedRole", "", session, RootKind::Instance, Some("i-0123456789abcdef0"), Medium);
        let session = "arn:aws:sts::111122223333:assumed-role/deploy/build-17";
        check("AssumedRole", "", session, RootKind::RoleSession, Some("build-17"), Low);
        check(
            "AWSService",
            "autoscaling.amazonaws.com",
            "",
            RootKind::Service,
            Some("autoscaling.amazonaws.com"),
            High,
        );
        check("", "", "", RootKind::Unknown, None, No);
        check(
            "WebIdentityUser",
            "",
            "repo:asahi/app:ref:refs/heads/main",
            RootKind::WebIdentity,
            Some("repo:asahi/app:ref:refs/heads/main"),
            High,
        );
        check("AWSAccount", "999988887777", "", RootKind::Account, Some("999988887777"), Medium);
    }

    #[test]
    fn source_identity_names_what_no_record_issued() {
        let mut caller = last("AssumedRole", "", "arn:aws:sts::111122223333:assumed-role/deploy/x");
        caller.source_identity = Some("mio".to_owned());
        let root = root(&caller, &[], &[]);
        assert_eq!((root.name.as_deref(), root.confidence), (Some("mio"), Confidence::Medium));
    }
}
