//! Which OCSF class a finding is of.
//!
//! AWS says it for its own products (Inspector finds vulnerabilities, GuardDuty and Macie threats, Security Hub
//! compliance) and publishes no list for others, so what is in the finding decides: vulnerabilities before
//! compliance. What AWS says gives way where the class could not hold the finding: a vulnerability needs
//! a name, so Inspector's findings about open ports are detections.

use crate::ingest::json::Item;
use crate::lake::table::Table;

/// Returns the table of a finding.
pub(super) fn of(body: Item<'_>) -> Table {
    let product = body.get("ProductArn").and_then(Item::text).unwrap_or_default();
    let product = product.rsplit_once("product/").map_or("", |(_, product)| product);
    let has_compliance = body.get("Compliance.Status").and_then(Item::text).is_some();
    let named = || body.get("Vulnerabilities").into_iter().flat_map(Item::elements).any(has_name);
    match product {
        "aws/guardduty" | "aws/macie" => Table::Detection,
        "aws/securityhub" if has_compliance => Table::Compliance,
        _ if named() => Table::Vulnerability,
        _ if has_compliance => Table::Compliance,
        _ => Table::Detection,
    }
}

/// Says whether a vulnerability has a name or a weakness, one of which OCSF wants.
pub(super) fn has_name(vulnerability: Item<'_>) -> bool {
    vulnerability.get("Id").and_then(Item::text).is_some_and(|id| !id.is_empty())
        || weaknesses(vulnerability).next().is_some()
}

/// Returns the weaknesses (CWE) in code that a vulnerability names.
pub(super) fn weaknesses(vulnerability: Item<'_>) -> impl Iterator<Item = Item<'_>> {
    let codes = vulnerability.get("CodeVulnerabilities").into_iter().flat_map(Item::elements);
    codes.filter_map(|code| code.get("Cwes")).flat_map(Item::elements).filter(|cwe| cwe.text().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::json::Document;

    fn check(product: &str, rest: &str, expected: Table) {
        let text = format!(r#"{{"ProductArn":"arn:aws:securityhub:us-east-1::product/{product}"{rest}}}"#);
        assert_eq!(of(Document::read(&text, 0).unwrap().root()), expected, "{text}");
    }

    #[test]
    fn asks_the_product_and_then_what_is_in_the_finding() {
        let (compliance, vulnerability) =
            (r#","Compliance":{"Status":"FAILED"}"#, r#","Vulnerabilities":[{"Id":"CVE-2024-0001"}]"#);
        check("aws/guardduty", compliance, Table::Detection);
        check("aws/securityhub", &format!("{compliance}{vulnerability}"), Table::Compliance);
        check("aws/inspector", vulnerability, Table::Vulnerability);
        check("aws/inspector", r#","Vulnerabilities":[{"Id":""},7]"#, Table::Detection);
        check("aws/config", compliance, Table::Compliance);
        check("111122223333/default", &format!("{compliance}{vulnerability}"), Table::Vulnerability);
        check(
            "111122223333/default",
            r#","Vulnerabilities":[{"CodeVulnerabilities":[{"Cwes":["CWE-89"]}]}]"#,
            Table::Vulnerability,
        );
        check("111122223333/default", r#","Compliance":7,"Vulnerabilities":"x""#, Table::Detection);
    }
}
