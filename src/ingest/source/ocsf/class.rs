//! Which table an event belongs to, and what its class has.

use crate::ingest::json::Item;
use crate::lake::table::Table;

/// Attributes of every event that are read; the others are filled.
const OF_ALL: [&str; 8] =
    ["metadata", "cloud", "count", "message", "status_code", "status_detail", "start_time_dt", "end_time_dt"];

/// Returns the table of an event.
///
/// # Errors
/// There is none for its class.
pub(super) fn table(body: Item<'_>) -> Result<Table, &'static str> {
    let class = body.get("class_uid").map(Item::json).unwrap_or_default();
    Ok(match class {
        "2002" => Table::Vulnerability,
        "2003" => Table::Compliance,
        "2004" => Table::Detection,
        "2006" => Table::DataSecurity,
        "3001" => Table::OcsfAccountChange,
        "3002" => Table::OcsfAuthentication,
        "4001" => Table::OcsfNetwork,
        "6003" => Table::OcsfApiActivity,
        // Before 1.0 this was the number of API Activity, as Security Lake's first tables have it.
        "3005" if is_draft(body) => {
            return Err("an OCSF event of a class without a table: API Activity (3005)");
        }
        _ => return Err(without_table(class)),
    })
}

/// Says whether an attribute of the table's columns belongs to the class of the table.
pub(super) fn has(table: Table, attribute: &str) -> bool {
    let own: &[&str] = match table {
        Table::Vulnerability => &["resource", "vulnerabilities"],
        Table::Compliance => &["resource", "compliance", "remediation"],
        Table::Detection => &["resources", "remediation", "vulnerabilities", "evidences"],
        Table::DataSecurity => &["resources", "data_security", "databucket", "api"],
        Table::OcsfAccountChange => &["user", "policy", "actor", "http_request", "src_endpoint", "api"],
        Table::OcsfAuthentication => {
            &["user", "session", "service", "dst_endpoint", "is_mfa", "actor", "http_request", "src_endpoint"]
        }
        Table::OcsfNetwork => &[
            "src_endpoint",
            "dst_endpoint",
            "connection_info",
            "traffic",
            "action",
            "action_id",
            "disposition",
            "disposition_id",
        ],
        Table::OcsfApiActivity => {
            &["api", "actor", "src_endpoint", "dst_endpoint", "http_request", "resources"]
        }
        _ => &[],
    };
    let of_findings = ["finding_info", "confidence", "confidence_id", "confidence_score", "comment"];
    OF_ALL.contains(&attribute)
        || own.contains(&attribute)
        || (is_finding(table) && of_findings.contains(&attribute))
}

/// Says whether the events of a table are findings.
pub(super) fn is_finding(table: Table) -> bool {
    table.class().is_some_and(|class| class.is_finding())
}

/// Says whether an event is of OCSF before 1.0.
fn is_draft(body: Item<'_>) -> bool {
    body.get("metadata.version").and_then(Item::text).is_some_and(|version| version.starts_with("1.0.0-rc"))
}

/// Names the class of an event that is set aside.
fn without_table(class: &str) -> &'static str {
    match class {
        "1001" => "an OCSF event of a class without a table: File System Activity (1001)",
        "1007" => "an OCSF event of a class without a table: Process Activity (1007)",
        "2001" => "an OCSF event of a class without a table: Security Finding (2001)",
        "2005" => "an OCSF event of a class without a table: Incident Finding (2005)",
        "2007" => "an OCSF event of a class without a table: Application Security Posture Finding (2007)",
        "2008" => "an OCSF event of a class without a table: IAM Analysis Finding (2008)",
        "3003" => "an OCSF event of a class without a table: Authorize Session (3003)",
        "3004" => "an OCSF event of a class without a table: Entity Management (3004)",
        "3005" => "an OCSF event of a class without a table: User Access Management (3005)",
        "3006" => "an OCSF event of a class without a table: Group Management (3006)",
        "4002" => "an OCSF event of a class without a table: HTTP Activity (4002)",
        "4003" => "an OCSF event of a class without a table: DNS Activity (4003)",
        "6001" => "an OCSF event of a class without a table: Web Resources Activity (6001)",
        "6002" => "an OCSF event of a class without a table: Application Lifecycle (6002)",
        "6005" => "an OCSF event of a class without a table: Datastore Activity (6005)",
        _ => "an OCSF event of a class without a table",
    }
}
