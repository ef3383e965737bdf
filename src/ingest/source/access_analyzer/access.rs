//! Who may do what: the access that findings tell of, as evidences.

use std::borrow::Cow;

use crate::ingest::json::{Item, Kind, compact};
use crate::ingest::source::document::take;
use crate::lake::path::AccountId;
use crate::ocsf::event::{Object, Value};

/// What describes one access, in findings of the first version at the top, later inside their details.
const DESCRIPTION: [&str; 8] = [
    "principal",
    "action",
    "condition",
    "isPublic",
    "sources",
    "accessType",
    "principalType",
    "principalOwnerAccount",
];

/// Actions that a description names, before it counts the others.
const ACTIONS_NAMED: usize = 3;

/// The places of a finding where access is described.
fn accesses(finding: Item<'_>) -> Vec<Item<'_>> {
    let details = finding.get("findingDetails").into_iter().flat_map(Item::elements);
    let inside = details.flat_map(|detail| {
        ["externalAccessDetails", "internalAccessDetails"]
            .into_iter()
            .filter_map(move |name| detail.get(name))
    });
    std::iter::once(finding).chain(inside).filter(|access| access.get("principal").is_some()).collect()
}

/// Says whether everybody has the access.
pub(super) fn is_public(finding: Item<'_>) -> bool {
    let says_so = |access: &Item<'_>| access.get("isPublic").is_some_and(|flag| flag.json() == "true");
    says_so(&finding) || accesses(finding).iter().any(says_so)
}

/// Tells the first access in a sentence.
pub(super) fn describe(finding: Item<'_>) -> Option<String> {
    let access = accesses(finding).into_iter().next()?;
    let member = access.get("principal")?.children().next()?;
    let kind = member.key()?.of(member.text_around());
    let principal = member.text()?;
    let actions: Vec<Cow<'_, str>> =
        access.get("action").into_iter().flat_map(Item::elements).filter_map(Item::text).collect();
    let named = actions.iter().take(ACTIONS_NAMED).map(Cow::as_ref).collect::<Vec<_>>().join(", ");
    let others = match actions.len().saturating_sub(ACTIONS_NAMED) {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    (!named.is_empty()).then(|| format!("{kind} {principal} may {named}{others}."))
}

/// Returns an evidence for each access and each that is not used. Each has its description as JSON text.
pub(super) fn evidences(finding: Item<'_>, resource: &str) -> Vec<Object> {
    let mut all: Vec<Object> = accesses(finding).into_iter().map(evidence).collect();
    for detail in finding.get("findingDetails").into_iter().flat_map(Item::elements) {
        all.extend(
            detail.children().filter(|unused| !unused.is_touched()).map(|unused| not_used(unused, resource)),
        );
    }
    all
}

fn evidence(access: Item<'_>) -> Object {
    let mut evidence = Object::default();
    let principal = access.get("principal").and_then(|principal| principal.children().next());
    if let Some(principal) = principal {
        set_principal(&mut evidence, principal);
    }
    let described = DESCRIPTION.into_iter().filter_map(|name| Some((name, access.get(name)?)));
    let members: Vec<String> =
        described.map(|(name, value)| format!("\"{name}\":{}", take::json(value))).collect();
    evidence.constant("data", &format!("{{{}}}", members.join(",")));
    evidence
}

/// Sets who has the access: an account, an identity, a service, or everybody.
fn set_principal(evidence: &mut Object, principal: Item<'_>) {
    let Some(text) = principal.text().filter(|text| !text.is_empty()) else { return };
    let kind = principal.key().map_or("", |key| key.of(principal.text_around()));
    if kind == "Service" {
        return evidence.text("actor.invoked_by", Some(text));
    }
    let account = if text.starts_with("arn:") { text.split(':').nth(4) } else { Some(text.as_ref()) };
    let mut user = Object::default();
    user.constant("type", kind);
    user.text("uid", Some(text.clone()));
    user.text("account.uid", account.filter(|text| AccountId::read(text).is_some()).map(Cow::Borrowed));
    evidence.set("actor.user", Value::Object(user));
}

/// What nobody uses: a role, a password, a key, permissions.
fn not_used(unused: Item<'_>, resource: &str) -> Object {
    let mut evidence = Object::default();
    if let Some(key) = take::filled(unused, "accessKeyId") {
        evidence.constant("actor.user.uid", resource);
        evidence.text("actor.user.credential_uid", Some(key));
    }
    if unused.kind() != Kind::Null {
        let name = unused.key().map_or("\"\"", |key| key.json(unused.text_around()));
        evidence.constant("data", &format!("{{{name}:{}}}", compact(unused.json())));
        unused.take();
    }
    evidence
}
