//! Compliance with a control of a standard.

use std::borrow::Cow;

use super::frame::{product, product_field};
use crate::ingest::json::Item;
use crate::ocsf::event::Object;

/// Sets `compliance`.
pub(super) fn set(body: Item<'_>, event: &mut Object) {
    event.texts("compliance.standards", standards(body));
    event.text("compliance.control", control(body));
    event.text("compliance.status", body.take_text("Compliance.Status"));
    event.texts("compliance.requirements", body.take_texts("Compliance.RelatedRequirements"));
    let reason = body.get("Compliance.StatusReasons").and_then(|reasons| reasons.elements().next());
    if let Some(reason) = reason {
        event.text("compliance.status_code", reason.take_text("ReasonCode"));
        event.text("compliance.status_detail", reason.take_text("Description"));
    }
}

fn control(body: Item<'_>) -> Option<Cow<'_, str>> {
    let fields = ["ControlId", "RuleId", "aws/config/ConfigRuleName"];
    let named = body.take_text("Compliance.SecurityControlId");
    named.or_else(|| fields.into_iter().find_map(|name| product_field(body, name)))
}

/// Returns the standards, of which OCSF 1.1.0 wants one. Where the finding names none in their place, they are
/// in the fields of the standard's subscription, or in the id of the generator; a product that has no
/// standards is its own.
fn standards(body: Item<'_>) -> Vec<String> {
    let listed = body.get("Compliance.AssociatedStandards").into_iter().flat_map(Item::elements);
    let named: Vec<String> = listed
        .filter_map(|item| item.take_text("StandardsId").or_else(|| item.text()).map(Cow::into_owned))
        .collect();
    if !named.is_empty() {
        return named;
    }
    let fields = ["StandardsArn", "StandardsGuideArn"];
    let of_fields = fields.into_iter().find_map(|name| product_field(body, name));
    let of_fields = of_fields.map(|arn| after_colons(&arn).to_owned());
    let generator = || body.get("GeneratorId").and_then(Item::text).and_then(|id| of_generator(&id));
    let own = || match product(body).as_ref() {
        "Config" => "AWS Config".to_owned(),
        product => product.to_owned(),
    };
    vec![of_fields.or_else(generator).unwrap_or_else(own)]
}

/// Cuts `ruleset/cis-aws-foundations-benchmark/v/1.2.0/rule/2.5` behind the version.
fn of_generator(id: &str) -> Option<String> {
    let id = after_colons(id);
    let (name, rest) = id.split_once("/v/")?;
    let version = rest.split('/').next()?;
    Some(format!("{name}/v/{version}"))
}

fn after_colons(arn: &str) -> &str {
    arn.rsplit_once(":::").map_or(arn, |(_, id)| id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::json::Document;

    fn check(text: &str, expected: &str) {
        assert_eq!(standards(Document::read(text, 0).unwrap().root()), [expected], "{text}");
    }

    #[test]
    fn finds_the_standard_wherever_it_is_named() {
        let standard = "standards/pci-dss/v/3.2.1";
        check(
            r#"{"Compliance":{"AssociatedStandards":[{"StandardsId":"standards/pci-dss/v/3.2.1"}]}}"#,
            standard,
        );
        check(r#"{"Compliance":{"AssociatedStandards":["standards/pci-dss/v/3.2.1"]}}"#, standard);
        check(
            r#"{"ProductFields":{"StandardsArn":"arn:aws:securityhub:::standards/pci-dss/v/3.2.1"}}"#,
            standard,
        );
        check(r#"{"GeneratorId":"pci-dss/v/3.2.1/PCI.S3.1"}"#, "pci-dss/v/3.2.1");
        check(r#"{"GeneratorId":"x","ProductName":"Config"}"#, "AWS Config");
        check(r#"{"ProductArn":"arn:aws:securityhub:us-east-1::product/a/b"}"#, "b");
    }
}
