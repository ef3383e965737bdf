//! Makes a Detection Finding of an Access Analyzer finding.

use std::borrow::Cow;

use super::access;
use crate::ingest::json::{Item, Kind};
use crate::ingest::source::document::finding::{Finding, Severity, Status};
use crate::ingest::source::document::observables::add_observables;
use crate::ingest::source::document::place;
use crate::ingest::source::document::record::{Mapped, Record};
use crate::ingest::source::document::take;
use crate::ingest::source::time::take_time;
use crate::lake::path::AccountId;
use crate::lake::table::Table;
use crate::ocsf::event::Object;

/// Says whether a record is one of these.
pub fn recognizes(record: Record<'_>) -> bool {
    let source = record.whole.member("source").and_then(Item::text);
    source.is_some_and(|source| source == "aws.access-analyzer") || is_finding(finding(record))
}

/// The finding of a record; one answer of the API wraps it.
fn finding(record: Record<'_>) -> Item<'_> {
    record.body.get("finding").filter(|finding| finding.kind() == Kind::Object).unwrap_or(record.body)
}

fn is_finding(item: Item<'_>) -> bool {
    let has = |name| item.get(name).is_some();
    id(item).is_some()
        && has("resourceType")
        && has("status")
        && has("createdAt")
        && ["analyzedAt", "findingType", "changeType"].into_iter().any(has)
}

/// Events of unused access have their own word for the id.
fn id(item: Item<'_>) -> Option<&'static str> {
    ["id", "findingId"].into_iter().find(|name| item.get(name).and_then(Item::text).is_some())
}

/// Makes an event of a record.
///
/// # Errors
/// Why it cannot be one.
pub fn normalize(record: Record<'_>) -> Result<Mapped, &'static str> {
    let finding = finding(record);
    if !is_finding(finding) {
        return Err("an event of Access Analyzer that is no finding");
    }
    let (created, modified) = (take_time(finding, "createdAt"), take_time(finding, "updatedAt"));
    let analyzed = take_time(finding, "analyzedAt");
    let access = Access::of(finding);
    let is_preview = finding.get("changeType").is_some();
    let frame = Finding {
        table: Table::Detection,
        created,
        modified,
        severity: if is_preview { Severity::Informational } else { access.severity() },
        status: if is_preview { None } else { status(finding) },
    };
    let mut event = frame.event("IAM Access Analyzer");
    event.integer("finding_info.last_seen_time_dt", analyzed);
    event.text("metadata.event_code", take::text(record.whole, "detail-type"));
    let uid = id(finding).and_then(|name| take::text(finding, name));
    event.text("finding_info.uid", Some(uid.ok_or("an Access Analyzer finding without an id")?));
    let (account, region) = account_and_region(record, finding);
    let resource = resource(&mut event, finding, account.as_deref(), region.as_deref());
    related(&mut event, record, &resource);
    describe(&mut event, finding, (access, is_preview), &resource);
    event.objects("evidences", access::evidences(finding, &resource));
    add_observables(&mut event);
    let time = modified.or(analyzed).or(created);
    Ok(Mapped { table: Table::Detection, time, account, region, event })
}

/// What kind of access a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Public,
    External,
    Internal,
    Unused,
    /// The analyzer could not look.
    NotAnalyzed,
}

impl Access {
    fn of(finding: Item<'_>) -> Self {
        let kind = finding.get("findingType").and_then(Item::text).unwrap_or_default();
        let error = finding.get("error").and_then(Item::text).unwrap_or_default();
        match kind {
            _ if !error.is_empty() => Self::NotAnalyzed,
            kind if kind.starts_with("Unused") => Self::Unused,
            kind if kind == "InternalAccess" => Self::Internal,
            _ if access::is_public(finding) => Self::Public,
            _ => Self::External,
        }
    }

    fn severity(self) -> Severity {
        match self {
            Self::Public => Severity::High,
            Self::External => Severity::Medium,
            Self::Internal | Self::Unused => Severity::Low,
            Self::NotAnalyzed => Severity::Unknown,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Public => "public access",
            Self::External => "access from outside",
            Self::Internal => "access from inside the organization",
            Self::Unused => "unused access",
            Self::NotAnalyzed => "not analyzed",
        }
    }
}

fn status(finding: Item<'_>) -> Option<Status> {
    match finding.get("status").and_then(Item::text).as_deref() {
        Some("ACTIVE") => Some(Status::New),
        Some("ARCHIVED") => Some(Status::Suppressed),
        Some("RESOLVED") => Some(Status::Resolved),
        _ => None,
    }
}

/// The account and the Region. Answers of the API name the owner alone, and the Region only inside the ARN.
fn account_and_region(record: Record<'_>, finding: Item<'_>) -> (Option<String>, Option<String>) {
    let owner =
        || take::filled(finding, "resourceOwnerAccount").filter(|text| AccountId::read(text).is_some());
    let account = take::account(record, finding, "accountId").or_else(|| owner().map(Cow::into_owned));
    let of_arn = || place::of_arn(&take::filled(finding, "resource")?).0;
    let region = take::region(record, finding, "region").or_else(of_arn);
    (account, region)
}

/// Sets the resource and returns its name.
fn resource<'d>(
    event: &mut Object,
    finding: Item<'d>,
    account: Option<&str>,
    region: Option<&str>,
) -> Cow<'d, str> {
    let Some(uid) = take::text(finding, "resource") else { return Cow::Borrowed("a resource") };
    let owner = take::text(finding, "resourceOwnerAccount").or_else(|| account.map(|a| a.to_owned().into()));
    let mut resource = Object::default();
    resource.text("uid", Some(uid.clone()));
    resource.text("type", take::text(finding, "resourceType"));
    resource.text("region", region.map(Cow::Borrowed));
    resource.text("owner.account.uid", owner);
    event.objects("resources", vec![resource]);
    uid
}

/// Names the analyzer, and what else is known under another name.
fn related(event: &mut Object, record: Record<'_>, resource: &str) {
    let mut related = Vec::new();
    let analyzers = record.whole.member("resources");
    if let Some(analyzer) = analyzers.and_then(only_text).filter(|text| text.contains(":access-analyzer:")) {
        let mut of_security_hub = Object::default();
        of_security_hub.constant("uid", &format!("{analyzer}/{resource}"));
        of_security_hub.constant("type", "Security Hub finding of the resource");
        related.push(of_security_hub);
        analyzers.into_iter().for_each(Item::take);
        event.text("metadata.product.feature.uid", Some(analyzer));
    }
    if let Some(existing) = take::text(finding(record), "existingFindingId") {
        let mut finding = Object::default();
        finding.text("uid", Some(existing));
        finding.constant("type", "Finding that exists");
        related.push(finding);
    }
    event.objects("finding_info.related_events", related);
}

/// The text of a list that has nothing else.
fn only_text(list: Item<'_>) -> Option<Cow<'_, str>> {
    let mut elements = list.elements();
    let first = elements.next()?;
    if elements.next().is_some() { None } else { first.text() }
}

fn describe(event: &mut Object, finding: Item<'_>, (access, is_preview): (Access, bool), resource: &str) {
    let kind = take::filled(finding, "resourceType").map_or_else(String::new, |kind| format!("{kind} "));
    let preview = if is_preview { "Preview: " } else { "" };
    event.constant("finding_info.title", &format!("{preview}{kind}{resource}: {}", access.words()));
    event.text("finding_info.desc", access::describe(finding).map(Cow::Owned));
    let named = take::text(finding, "findingType");
    let named = named.unwrap_or(Cow::Borrowed("ExternalAccess"));
    event.texts("finding_info.types", vec![named.into_owned()]);
    event.text("status_detail", take::text(finding, "error"));
}
