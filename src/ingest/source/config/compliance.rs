//! The result of a rule about a resource.

use std::borrow::Cow;

use super::uid::finding_uid;
use crate::ingest::json::{Item, Kind};
use crate::ingest::source::document::finding::{Finding, Severity, Status};
use crate::ingest::source::document::observables::add_observables;
use crate::ingest::source::document::place::of_arn;
use crate::ingest::source::document::record::{Mapped, Record};
use crate::ingest::source::document::take;
use crate::ingest::source::time::take_time;
use crate::lake::table::Table;
use crate::ocsf::event::Object;

/// What rules that belong to no conformance pack comply with: OCSF 1.1.0 wants a standard.
const STANDARD: &str = "AWS Config";

/// Says whether a body is one: a change of compliance, or an evaluation as API answers have it.
pub(super) fn is_one(body: Item<'_>) -> bool {
    body.get("newEvaluationResult").is_some()
        || body.get("oldEvaluationResult").is_some()
        || (body.get("ComplianceType").is_some() && body.get("EvaluationResultIdentifier").is_some())
}

/// Makes an event of a change or an evaluation.
///
/// # Errors
/// It names no rule or no resource.
pub(super) fn normalize(record: Record<'_>, body: Item<'_>) -> Result<Mapped, &'static str> {
    let rule = rule(body)?;
    let result = body.get("newEvaluationResult").filter(|result| result.kind() == Kind::Object);
    // After its resource is gone, a rule has no new result.
    let is_gone = result.is_none() && body.get("oldEvaluationResult").is_some();
    let result = result.unwrap_or(body);
    let kind = result.take_text("ComplianceType");
    let recorded = take_time(result, "ResultRecordedTime");
    let time = recorded.or_else(|| take_time(body, "notificationCreationTime"));
    let verdict = verdict(kind.as_deref(), is_gone);
    let is_first = body.get("oldEvaluationResult").is_some_and(|old| old.kind() == Kind::Null);
    let created = time.filter(|_| is_first);
    let finding = Finding {
        table: Table::Compliance,
        created,
        modified: time,
        severity: verdict.severity,
        status: Some(verdict.status),
    };
    let mut event = finding.event("Config");
    event.text("message", change(body, kind.as_deref(), is_gone).map(Cow::Owned));
    event.constant("compliance.status", verdict.compliance);
    event.text("compliance.status_code", kind);
    event.text("compliance.status_detail", result.take_text("Annotation"));
    set_rule(&rule, &mut event);
    let region = take::region(record, body, "awsRegion");
    set_resource(&rule, region.as_deref(), &mut event);
    add_observables(&mut event);
    let of_arn = rule.arn.as_deref().map(of_arn).unwrap_or_default();
    let account = take::account(record, body, "awsAccountId").or(of_arn.1);
    Ok(Mapped { table: Table::Compliance, time, account, region: region.or(of_arn.0), event })
}

/// What a result means.
struct Verdict {
    compliance: &'static str,
    severity: Severity,
    status: Status,
}

fn verdict(kind: Option<&str>, is_gone: bool) -> Verdict {
    let (compliance, severity, status) = match kind {
        Some("COMPLIANT") => ("PASSED", Severity::Informational, Status::Resolved),
        Some("NON_COMPLIANT") => ("FAILED", Severity::Medium, Status::New),
        Some("NOT_APPLICABLE") => ("NOT_AVAILABLE", Severity::Informational, Status::Resolved),
        None if is_gone => ("NOT_AVAILABLE", Severity::Informational, Status::Resolved),
        _ => ("WARNING", Severity::Informational, Status::New),
    };
    Verdict { compliance, severity, status }
}

/// Says in words what changed.
fn change(body: Item<'_>, now: Option<&str>, is_gone: bool) -> Option<String> {
    let before = body.get("oldEvaluationResult.complianceType")?.text()?;
    let now = now.unwrap_or(if is_gone { "no result" } else { "unknown" });
    Some(format!("{before} before, {now} now"))
}

/// A rule and the resource it looked at.
struct Rule<'d> {
    name: Cow<'d, str>,
    arn: Option<Cow<'d, str>>,
    kind: Option<Cow<'d, str>>,
    resource: Cow<'d, str>,
}

fn rule(body: Item<'_>) -> Result<Rule<'_>, &'static str> {
    let results = ["newEvaluationResult", "oldEvaluationResult"];
    let result =
        results.into_iter().filter_map(|name| body.get(name)).find(|item| item.kind() == Kind::Object);
    let qualifier = result.unwrap_or(body).get("EvaluationResultIdentifier.EvaluationResultQualifier");
    let part =
        |top: &str| body.take_text(top).or_else(|| qualifier.and_then(|qualifier| qualifier.take_text(top)));
    Ok(Rule {
        name: part("ConfigRuleName").ok_or("a result of a rule without a name")?,
        arn: body.take_text("configRuleARN"),
        kind: part("ResourceType"),
        resource: part("ResourceId").ok_or("a result about no resource")?,
    })
}

fn set_rule(rule: &Rule<'_>, event: &mut Object) {
    let name = || Some(Cow::Borrowed(rule.name.as_ref()));
    let key = rule.arn.as_ref().unwrap_or(&rule.name);
    event.constant("finding_info.uid", &finding_uid(key, rule.kind.as_deref(), &rule.resource));
    event.text("finding_info.title", name());
    event.text("finding_info.analytic.name", name());
    event.text("finding_info.analytic.uid", rule.arn.clone());
    event.integer("finding_info.analytic.type_id", 1);
    event.constant("finding_info.analytic.type", "Rule");
    event.constant("finding_info.analytic.category", "AWS::Config::ConfigRule");
    event.text("compliance.control", name());
    let pack = rule.name.find("conformance-pack-").and_then(|at| rule.name.get(at..));
    event.texts("compliance.standards", vec![pack.unwrap_or(STANDARD).to_owned()]);
}

fn set_resource(rule: &Rule<'_>, region: Option<&str>, event: &mut Object) {
    event.text("resource.type", rule.kind.clone());
    event.constant("resource.uid", &rule.resource);
    event.text("resource.region", region.map(Cow::Borrowed));
}
