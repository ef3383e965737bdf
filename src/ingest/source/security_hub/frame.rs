//! What findings of every class have: product, times, severity, status.

use std::borrow::Cow;

use crate::ingest::json::Item;
use crate::ingest::source::config::finding_uid;
use crate::ingest::source::document::finding::{Finding, Severity, Status};
use crate::ingest::source::document::place::of_arn;
use crate::ingest::source::document::record::Record;
use crate::ingest::source::document::take::int;
use crate::ingest::source::time::take_time;
use crate::lake::table::Table;
use crate::ocsf::event::Object;

/// Starts the event of a finding and says when it got its state.
pub(super) fn event(record: Record<'_>, table: Table) -> (Object, Option<i64>) {
    let body = record.body;
    let created = take_time(body, "CreatedAt");
    let modified = take_time(body, "UpdatedAt");
    let finding = Finding { table, created, modified, severity: severity(body), status: status(body) };
    let mut event = finding.event(&product(body));
    metadata(record, &mut event);
    let own = rule_uid(body).or_else(|| analyzer_uid(body));
    event.text("finding_info.uid", own.or_else(|| body.take_text("Id")));
    let title = body.take_text("Title").or_else(|| body.get("GeneratorId").and_then(Item::text));
    event.text("finding_info.title", Some(title.unwrap_or(Cow::Borrowed("untitled"))));
    event.text("finding_info.desc", body.take_text("Description"));
    event.texts("finding_info.types", body.take_texts("Types"));
    event.text("finding_info.src_url", body.take_text("SourceUrl"));
    let first = take_time(body, "FirstObservedAt");
    let last = take_time(body, "LastObservedAt");
    event.integer("finding_info.first_seen_time_dt", first);
    event.integer("finding_info.last_seen_time_dt", last);
    related(body, &mut event);
    event.integer("confidence_score", int(body, "Confidence"));
    event.text("message", body.take_text("Note.Text"));
    (event, modified.or(last).or(created))
}

/// Sets how to mend it.
pub(super) fn remediation(body: Item<'_>, event: &mut Object) {
    if let Some(text) = body.take_text("Remediation.Recommendation.Text") {
        event.text("remediation.desc", Some(text));
        let url = body.take_text("Remediation.Recommendation.Url");
        event.texts("remediation.references", url.map(Cow::into_owned).into_iter().collect());
    }
}

/// Returns a value of `ProductFields`, which stays there.
pub(super) fn product_field<'d>(body: Item<'d>, name: &str) -> Option<Cow<'d, str>> {
    body.get("ProductFields")?.member(name)?.text().filter(|text| !text.is_empty())
}

/// Returns the name of the product that found it.
pub(super) fn product(body: Item<'_>) -> Cow<'_, str> {
    let named = body.take_text("ProductName");
    let named = named.or_else(|| product_field(body, "aws/securityhub/ProductName"));
    named.or_else(|| of_product_arn(body, 1)).unwrap_or(Cow::Borrowed("Security Hub"))
}

/// Returns the Region of a finding that names none: that of the hub, or of the resource.
pub(super) fn region(body: Item<'_>) -> Option<String> {
    let hub = body.get("ProductArn").and_then(Item::text).and_then(|arn| of_arn(&arn).0);
    hub.or_else(|| {
        let mut resources = body.get("Resources").into_iter().flat_map(Item::elements);
        resources.find_map(|resource| resource.get("Region")?.text().map(Cow::into_owned))
    })
}

fn metadata(record: Record<'_>, event: &mut Object) {
    let body = record.body;
    let maker = body.take_text("CompanyName");
    let maker = maker.or_else(|| product_field(body, "aws/securityhub/CompanyName"));
    let maker = maker.or_else(|| of_product_arn(body, 0)).unwrap_or(Cow::Borrowed("AWS"));
    event.text("metadata.product.vendor_name", Some(maker));
    event.text("metadata.product.uid", body.take_text("ProductArn"));
    event.text("metadata.product.version", product_field(body, "aws/inspector/ProductVersion"));
    event.text("metadata.product.feature.uid", body.take_text("GeneratorId"));
    event.text("metadata.product.feature.name", product_field(body, "aws/guardduty/service/featureName"));
    event.text("metadata.log_version", body.take_text("SchemaVersion"));
    event.integer("metadata.processed_time_dt", take_time(body, "ProcessedAt"));
    event.text("metadata.event_code", record.whole.take_text("detail-type"));
}

/// The id that Access Analyzer gives its finding. `Id` is the analyzer and the resource here, one for all findings
/// of a resource, so that a resolved one would hide another that is active; the page of the finding names its id.
fn analyzer_uid(body: Item<'_>) -> Option<Cow<'_, str>> {
    body.get("ProductArn").and_then(Item::text).filter(|arn| arn.ends_with("/aws/access-analyzer"))?;
    let page = body.get("SourceUrl").and_then(Item::text)?;
    let (_, id) = page.rsplit_once("/findings/details/")?;
    let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_id.then(|| Cow::Owned(id.to_owned()))
}

/// The uid of a rule's finding about a resource, as `config` gives it.
fn rule_uid(body: Item<'_>) -> Option<Cow<'_, str>> {
    let rule = product_field(body, "aws/config/ConfigRuleArn")?;
    let resource = body.get("Resources")?.elements().next()?;
    let (kind, id) = (resource.get("Type").and_then(Item::text), resource.get("Id")?.text()?);
    Some(Cow::Owned(finding_uid(&rule, kind.as_deref(), &id)))
}

/// Returns the company or the product in the product's ARN.
fn of_product_arn(body: Item<'_>, part: usize) -> Option<Cow<'_, str>> {
    let arn = body.get("ProductArn")?.text()?;
    let found = arn.rsplit_once("product/")?.1.split('/').nth(part)?.to_owned();
    (!found.is_empty()).then_some(Cow::Owned(found))
}

fn severity(body: Item<'_>) -> Severity {
    let labels = ["Severity.Label", "FindingProviderFields.Severity.Label"];
    let label = labels.into_iter().find_map(|path| body.get(path)?.text());
    let of_number = || {
        let number: f64 = body.get("Severity.Normalized")?.json().parse().ok()?;
        // AWS's own bounds.
        Some(match number {
            number if number < 1.0 => Severity::Informational,
            number if number < 40.0 => Severity::Low,
            number if number < 70.0 => Severity::Medium,
            number if number < 90.0 => Severity::High,
            _ => Severity::Critical,
        })
    };
    match label.as_deref() {
        Some("INFORMATIONAL") => Severity::Informational,
        Some("LOW") => Severity::Low,
        Some("MEDIUM") => Severity::Medium,
        Some("HIGH") => Severity::High,
        Some("CRITICAL") => Severity::Critical,
        Some(_) => Severity::Other,
        None => of_number().unwrap_or(Severity::Unknown),
    }
}

/// Says what is being done about it. What a person decided goes before what the product says.
fn status(body: Item<'_>) -> Option<Status> {
    let text = |path: &str| body.get(path).and_then(Item::text);
    let workflow = text("Workflow.Status").or_else(|| text("WorkflowState"));
    let is_closed =
        product_field(body, "aws/inspector/FindingStatus").is_some_and(|status| status == "CLOSED");
    let record = text("RecordState");
    match (workflow.as_deref(), record.as_deref()) {
        (Some("SUPPRESSED"), _) => Some(Status::Suppressed),
        (Some("RESOLVED"), _) => Some(Status::Resolved),
        _ if is_closed => Some(Status::Resolved),
        (_, Some("ARCHIVED")) => Some(Status::Archived),
        (Some("NOTIFIED" | "ASSIGNED" | "IN_PROGRESS" | "DEFERRED"), _) => Some(Status::InProgress),
        (Some("NEW"), _) | (None, Some("ACTIVE")) => Some(Status::New),
        _ => None,
    }
}

fn related(body: Item<'_>, event: &mut Object) {
    let list = body.get("RelatedFindings").into_iter().flat_map(Item::elements);
    let findings = list.map(|finding| {
        let mut related = Object::default();
        if let Some(id) = finding.take_text("Id") {
            related.text("uid", Some(id));
            related.text("product_uid", finding.take_text("ProductArn"));
        }
        related
    });
    event.objects("finding_info.related_events", findings.collect());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_of_access_analyzer_has_the_id_it_has_there() {
        let check = |product: &str, page: &str, expected: Option<&str>| {
            let arn = format!("arn:aws:securityhub:eu-west-1::product/{product}");
            let text = serde_json::json!({"ProductArn": arn, "SourceUrl": page}).to_string();
            let document = Document::read(&text, 0).unwrap();
            assert_eq!(analyzer_uid(document.root()).as_deref(), expected, "{text}");
        };
        let page = "https://console.aws.amazon.com/access-analyzer/home?region=eu-west-1#/findings/details/6d18fa0c-1e46";
        check("aws/access-analyzer", page, Some("6d18fa0c-1e46"));
        check("aws/guardduty", page, None);
        check("aws/access-analyzer", "https://example.com/findings/details/<b>", None);
    }
    use crate::ingest::json::Document;

    fn check(text: &str, expected: Option<Status>) {
        assert_eq!(status(Document::read(text, 0).unwrap().root()), expected, "{text}");
    }

    #[test]
    fn what_is_new_is_there_now() {
        check(r#"{"Workflow":{"Status":"NEW"},"RecordState":"ACTIVE"}"#, Some(Status::New));
        check(r#"{"Workflow":{"Status":"NEW"},"RecordState":"ARCHIVED"}"#, Some(Status::Archived));
        check(r#"{"Workflow":{"Status":"SUPPRESSED"},"RecordState":"ARCHIVED"}"#, Some(Status::Suppressed));
        check(r#"{"WorkflowState":"IN_PROGRESS"}"#, Some(Status::InProgress));
        check(
            r#"{"Workflow":{"Status":"NEW"},"ProductFields":{"aws/inspector/FindingStatus":"CLOSED"}}"#,
            Some(Status::Resolved),
        );
        check(r#"{"Workflow":"NEW"}"#, None);
    }
}
