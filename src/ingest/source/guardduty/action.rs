//! What was done: the action of a finding as evidences.

use std::borrow::Cow;

use super::endpoint::{local, remote};
use super::resource::Owner;
use crate::ingest::json::Item;
use crate::ingest::source::document::take;
use crate::ocsf::event::{Object, Value};

/// Returns the evidences of a finding's action: mostly one, of probes one each.
pub(super) fn evidences(owner: Owner<'_>) -> Vec<Object> {
    let action = |name: &str| owner.finding.get("service.action").and_then(|action| action.get(name));
    let mut all = Vec::new();
    all.extend(action("awsApiCallAction").map(|call| api_call(owner, call)));
    all.extend(action("kubernetesApiCallAction").map(|call| kubernetes_call(owner, call)));
    all.extend(action("networkConnectionAction").map(|connection| network_connection(owner, connection)));
    all.extend(action("dnsRequestAction").map(|request| dns_request(owner, request)));
    all.extend(action("portProbeAction").into_iter().flat_map(|probe| port_probes(owner, probe)));
    all.extend(action("rdsLoginAttemptAction").into_iter().flat_map(|attempt| logins(owner, attempt)));
    all.retain(|evidence| !evidence.is_empty());
    if all.is_empty() {
        // What is known of the caller stays evidence where GuardDuty tells of no action.
        let caller = with_actor(Object::default(), key_holder(owner));
        all.extend(Some(caller).filter(|caller| !caller.is_empty()));
    }
    all
}

fn api_call(owner: Owner<'_>, call: Item<'_>) -> Object {
    let mut evidence = with_actor(Object::default(), key_holder(owner));
    if let Some(operation) = take::text(call, "api") {
        evidence.text("api.operation", Some(operation));
        evidence.text("api.service.name", take::text(call, "serviceName"));
        evidence.text("api.response.error", take::text(call, "errorCode"));
    }
    let mut source = remote(call);
    if let Some(service) = take::text(call, "domainDetails.domain") {
        // The caller is a service of AWS. OCSF 1.1.0 does not know an endpoint by its domain alone.
        source.text("domain", Some(service.clone()));
        source.text("svc_name", Some(service));
    }
    with_endpoint(&mut evidence, "src_endpoint", source);
    evidence
}

fn kubernetes_call(owner: Owner<'_>, call: Item<'_>) -> Object {
    let user = owner.finding.get("resource.kubernetesDetails.kubernetesUserDetails");
    let mut actor = Object::default();
    if let Some(user) = user {
        actor.text("name", take::text(user, "username"));
        actor.text("uid", take::text(user, "uid"));
    }
    let mut evidence = with_actor(Object::default(), actor);
    if let Some(verb) = take::text(call, "verb") {
        evidence.text("api.operation", Some(verb));
        evidence.integer("api.response.code", take::int(call, "statusCode"));
    }
    with_endpoint(&mut evidence, "src_endpoint", remote(call));
    evidence
}

fn network_connection(owner: Owner<'_>, connection: Item<'_>) -> Object {
    let mut evidence = Object::default();
    let direction = take::filled(connection, "connectionDirection");
    let (id, caption, ours, theirs) = match direction.as_deref() {
        Some("OUTBOUND") => (2, "Outbound", "src_endpoint", "dst_endpoint"),
        Some("INBOUND") => (1, "Inbound", "dst_endpoint", "src_endpoint"),
        _ => (0, "Unknown", "dst_endpoint", "src_endpoint"),
    };
    connection_info(&mut evidence, connection, (id, caption));
    with_endpoint(&mut evidence, theirs, remote(connection));
    with_endpoint(&mut evidence, ours, local(owner, connection));
    evidence
}

/// A question for a name goes out from us.
fn dns_request(owner: Owner<'_>, request: Item<'_>) -> Object {
    let mut evidence = Object::default();
    evidence.text("query.hostname", take::hostname(request, "domain"));
    connection_info(&mut evidence, request, (2, "Outbound"));
    with_endpoint(&mut evidence, "src_endpoint", local(owner, request));
    evidence
}

fn port_probes<'d>(owner: Owner<'d>, probe: Item<'d>) -> impl Iterator<Item = Object> {
    let details = probe.get("portProbeDetails").into_iter().flat_map(Item::elements);
    details.map(move |detail| {
        let mut evidence = Object::default();
        connection_info(&mut evidence, detail, (1, "Inbound"));
        with_endpoint(&mut evidence, "src_endpoint", remote(detail));
        with_endpoint(&mut evidence, "dst_endpoint", local(owner, detail));
        evidence
    })
}

/// An evidence for each user somebody tried to be.
fn logins(owner: Owner<'_>, attempt: Item<'_>) -> Vec<Object> {
    let mut first = Object::default();
    with_endpoint(&mut first, "src_endpoint", remote(attempt));
    let attributes = attempt.get("loginAttributes").into_iter().flat_map(Item::elements);
    let mut all: Vec<Object> = attributes
        .map(|attributes| {
            let mut user = Object::default();
            user.text("name", take::filled(attributes, "user"));
            let mut evidence = with_actor(first.clone(), user);
            evidence.text("data", Some(take::json(attributes)));
            evidence
        })
        .collect();
    if all.is_empty() {
        let mut user = Object::default();
        user.text("name", take::filled(owner.finding, "resource.rdsDbUserDetails.user"));
        all.push(with_actor(first, user));
    }
    all
}

/// The one whose access key was used. Its principal stands where Detection Findings of Security Hub have it, and
/// where CloudTrail's events do.
fn key_holder(owner: Owner<'_>) -> Object {
    let mut user = Object::default();
    let Some(key) = owner.finding.get("resource.accessKeyDetails") else { return user };
    let principal = take::filled(key, "principalId");
    user.text("name", take::filled(key, "userName"));
    user.text("uid", principal.clone());
    user.text("uid_alt", principal);
    user.text("type", take::filled(key, "userType"));
    user.text("credential_uid", take::filled(key, "accessKeyId"));
    if !user.is_empty() {
        user.text("account.uid", owner.account.map(Cow::Borrowed));
    }
    user
}

/// Adds the user of an evidence, if OCSF has something to know it by.
pub(super) fn with_actor(mut evidence: Object, user: Object) -> Object {
    if ["name", "uid", "account"].iter().any(|name| user.get(name).is_some()) {
        evidence.set("actor.user", Value::Object(user));
    }
    evidence
}

pub(super) fn with_endpoint(evidence: &mut Object, path: &'static str, endpoint: Object) {
    if !endpoint.is_empty() {
        evidence.set(path, Value::Object(endpoint));
    }
}

fn connection_info(evidence: &mut Object, connection: Item<'_>, (id, caption): (i64, &str)) {
    evidence.integer("connection_info.direction_id", id);
    evidence.constant("connection_info.direction", caption);
    evidence.text("connection_info.protocol_name", take::text(connection, "protocol"));
}
