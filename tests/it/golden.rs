//! What an event looks like: records in `tests/fixtures/<source>`, and beside each file the OCSF events that
//! come of it, to be read by eye. `UPDATE_EXPECT=1 cargo test` writes them anew.

use expect_test::expect_file;
use serde_json::Value;

use crate::archive::Site;

/// Takes out what is not there, as a reader would.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

#[track_caller]
fn check(source: &str, case: &str) {
    let folder = format!("{}/tests/fixtures/{source}", env!("CARGO_MANIFEST_DIR"));
    let site = Site::new();
    site.put(&format!("{case}.json"), &std::fs::read(format!("{folder}/{case}.json")).unwrap());
    site.ingest().ended(0);
    let view = match (source, case) {
        ("cloudtrail", _) => "cloudtrail",
        ("config", "items") => "configuration_item",
        ("ocsf", "sign_in") => "ocsf_authentication",
        ("ocsf", "api_call") => "ocsf_api_activity",
        ("ocsf", "account_changed") => "ocsf_account_change",
        ("ocsf", "connection") => "ocsf_network",
        _ => "finding_history",
    };
    let mut rows = site.query(&format!("select * from {view} order by metadata.sequence"));
    for row in &mut rows {
        // The folder of the test is another each time.
        row["metadata"]["log_name"] = "the object".into();
        // The virtual columns of a table are no attributes of the event.
        for column in ["accountid", "region", "eventday"] {
            row.as_object_mut().unwrap().remove(column);
        }
    }
    let events: Vec<Value> = rows.into_iter().map(without_nulls).collect();
    let text = format!("{}\n", serde_json::to_string_pretty(&events).unwrap());
    expect_file![format!("{folder}/{case}.ocsf.json")].assert_eq(&text);
}

#[test]
fn a_sign_in() {
    check("cloudtrail", "sign_in");
}

#[test]
fn a_role_assumed_by_a_person_and_by_a_service() {
    check("cloudtrail", "role_assumed");
}

#[test]
fn a_user_changed() {
    check("cloudtrail", "user_changed");
}

#[test]
fn an_object_read_through_an_endpoint() {
    check("cloudtrail", "object_read");
}

#[test]
fn a_function_updated_under_a_versioned_name() {
    check("cloudtrail", "function_updated");
}

#[test]
fn a_connection_from_outside() {
    check("guardduty", "connection");
}

#[test]
fn a_stolen_key_and_the_calls_it_made() {
    check("guardduty", "access_key");
}

#[test]
fn what_a_machine_did() {
    check("guardduty", "runtime");
}

#[test]
fn an_attack_sequence() {
    check("guardduty", "attack_sequence");
}

#[test]
fn clusters_databases_functions_and_volumes() {
    check("guardduty", "others");
}

#[test]
fn an_insight_that_starts_and_ends() {
    check("insight", "call_rate");
}

#[test]
fn an_insight_over_an_event_bus() {
    check("insight", "error_rate");
}

#[test]
fn access_from_outside() {
    check("access_analyzer", "external");
}

#[test]
fn access_inside_and_access_nobody_uses() {
    check("access_analyzer", "unused");
}

#[test]
fn sensitive_data_and_changed_settings() {
    check("macie", "findings");
}

#[test]
fn compliance_with_a_control() {
    check("security_hub", "control");
}

#[test]
fn vulnerabilities_in_the_security_finding_format() {
    check("security_hub", "vulnerability");
}

#[test]
fn threats_in_the_security_finding_format() {
    check("security_hub", "threat");
}

#[test]
fn a_vulnerability_as_inspector_sends_it() {
    check("inspector", "on_the_bus");
}

#[test]
fn an_open_port_and_a_weakness_in_code() {
    check("inspector", "answer");
}

#[test]
fn compliance_with_a_rule_in_every_wrapping() {
    check("config", "compliance");
}

#[test]
fn states_of_a_resource_in_every_wrapping() {
    check("config", "items");
}

#[test]
fn findings_that_are_ocsf_already() {
    check("ocsf", "security_hub_v2");
}

#[test]
fn a_sign_in_elsewhere() {
    check("ocsf", "sign_in");
}

#[test]
fn a_call_elsewhere() {
    check("ocsf", "api_call");
}

#[test]
fn an_account_changed_elsewhere() {
    check("ocsf", "account_changed");
}

#[test]
fn a_connection_elsewhere() {
    check("ocsf", "connection");
}
