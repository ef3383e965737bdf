//! What a detection rests on: the call, the connection, the process.
//!
//! Products say it in one of three ways: `Action`, as GuardDuty does today; `Network` and `Process`; or as
//! GuardDuty did, in `ProductFields`. A port or an address that OCSF does not take for one stays where it is.

use std::borrow::Cow;
use std::net::IpAddr;

use super::frame::product_field;
use crate::ingest::json::Item;
use crate::ingest::source::document::number::take_decimal;
use crate::ingest::source::document::take::{hostname, int, ip, is_hostname, port};
use crate::ingest::source::time::{plain_number, take_time};
use crate::ocsf::event::decimal;
use crate::ocsf::event::{Object, Value};

/// Sets `evidences`.
pub(super) fn set(body: Item<'_>, event: &mut Object) {
    let mut evidences = body.get("Action").map(actions).unwrap_or_default();
    if evidences.is_empty() {
        evidences.extend(of_product_fields(body));
    }
    evidences.extend(body.get("Network").map(network));
    evidences.extend(body.get("Process").map(process));
    let mut intelligence = Object::default();
    if body.get("ThreatIntelIndicators").is_some_and(|list| list.elements().next().is_some()) {
        intelligence.text("data", body.take_json("ThreatIntelIndicators"));
    }
    evidences.push(intelligence);
    event.objects("evidences", evidences);
}

/// Reads `Action`: one of four kinds.
fn actions(action: Item<'_>) -> Vec<Object> {
    let mut evidences = Vec::new();
    evidences.extend(action.get("NetworkConnectionAction").map(connection));
    evidences.extend(action.get("AwsApiCallAction").map(call));
    evidences.extend(action.get("DnsRequestAction").map(question));
    let probes = action.get("PortProbeAction.PortProbeDetails").into_iter().flat_map(Item::elements);
    evidences.extend(probes.map(probe));
    evidences.retain(|evidence| !evidence.is_empty());
    evidences
}

fn connection(item: Item<'_>) -> Object {
    let mut evidence = Object::default();
    let is_outbound = item.get("ConnectionDirection").and_then(Item::text).as_deref() == Some("OUTBOUND");
    direction(item, "ConnectionDirection", &mut evidence);
    evidence.text("connection_info.protocol_name", protocol(item, &evidence));
    let mut remote = item.get("RemoteIpDetails").map(remote).unwrap_or_default();
    remote.integer("port", port_of(&remote, item, "RemotePortDetails.Port"));
    let mut local = Object::default();
    address(item, "LocalIpDetails.IpAddressV4", &mut local);
    local.integer("port", port_of(&local, item, "LocalPortDetails.Port"));
    let (source, target) = if is_outbound { (local, remote) } else { (remote, local) };
    put(&mut evidence, "src_endpoint", source);
    put(&mut evidence, "dst_endpoint", target);
    evidence
}

fn call(item: Item<'_>) -> Object {
    let mut evidence = Object::default();
    if let Some(operation) = item.take_text("Api") {
        evidence.text("api.operation", Some(operation));
        evidence.text("api.service.name", item.take_text("ServiceName"));
    }
    put(&mut evidence, "src_endpoint", item.get("RemoteIpDetails").map(remote).unwrap_or_default());
    evidence
}

fn question(item: Item<'_>) -> Object {
    let mut evidence = Object::default();
    evidence.text("query.hostname", hostname(item, "Domain"));
    evidence
}

fn probe(item: Item<'_>) -> Object {
    let mut evidence = Object::default();
    put(&mut evidence, "src_endpoint", item.get("RemoteIpDetails").map(remote).unwrap_or_default());
    let mut local = Object::default();
    address(item, "LocalIpDetails.IpAddressV4", &mut local);
    local.integer("port", port_of(&local, item, "LocalPortDetails.Port"));
    put(&mut evidence, "dst_endpoint", local);
    evidence
}

fn remote(item: Item<'_>) -> Object {
    let mut remote = Object::default();
    address(item, "IpAddressV4", &mut remote);
    if remote.is_empty() {
        return remote;
    }
    remote.text("location.country", item.take_text("Country.CountryName"));
    remote.text("location.city", item.take_text("City.CityName"));
    let place = ["Lon", "Lat"]
        .map(|name| item.get("GeoLocation").and_then(|place| take_decimal(place, name, (9, 6))));
    if let [Some(longitude), Some(latitude)] = place {
        remote.texts("location.coordinates", vec![longitude, latitude]);
    }
    remote
}

/// Reads `Network`, the connection of other products.
fn network(item: Item<'_>) -> Object {
    let mut evidence = Object::default();
    direction(item, "Direction", &mut evidence);
    evidence.text("connection_info.protocol_name", protocol(item, &evidence));
    for (path, names) in [
        ("src_endpoint", ["SourceIpV4", "SourceIpV6", "SourcePort", "SourceDomain"]),
        ("dst_endpoint", ["DestinationIpV4", "DestinationIpV6", "DestinationPort", "DestinationDomain"]),
    ] {
        let [v4, v6, number, domain] = names;
        let mut endpoint = Object::default();
        address(item, v4, &mut endpoint);
        if endpoint.is_empty() {
            address(item, v6, &mut endpoint);
        }
        // An endpoint needs an address: OCSF 1.1.0 knows none by its domain or port alone.
        if !endpoint.is_empty() {
            endpoint.integer("port", port(item, number));
            endpoint.text("domain", item.take_text(domain));
        }
        put(&mut evidence, path, endpoint);
    }
    evidence
}

/// Reads `Process`, which OCSF wants with its number.
fn process(item: Item<'_>) -> Object {
    let mut evidence = Object::default();
    if let Some(pid) = int(item, "Pid") {
        evidence.integer("process.pid", pid);
        evidence.text("process.name", item.take_text("Name"));
        evidence.integer("process.created_time_dt", take_time(item, "LaunchedAt"));
        evidence.integer("process.parent_process.pid", int(item, "ParentPid"));
        if let Some(path) = item.take_text("Path") {
            let name = path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
            evidence.text("process.file.path", Some(path));
            evidence.constant("process.file.name", &name);
            evidence.integer("process.file.type_id", 1);
        }
    }
    evidence
}

/// Reads what GuardDuty put into `ProductFields`, where it stays.
fn of_product_fields(body: Item<'_>) -> Option<Object> {
    let field = |name: &str| product_field(body, &format!("aws/guardduty/service/action/{name}"));
    let kinds =
        ["networkConnectionAction", "awsApiCallAction", "dnsRequestAction", "kubernetesApiCallAction"];
    let kind = kinds.into_iter().find(|kind| {
        ["remoteIpDetails/ipAddressV4", "api", "domain", "verb"]
            .into_iter()
            .any(|name| field(&format!("{kind}/{name}")).is_some())
    })?;
    let field = |name: &str| field(&format!("{kind}/{name}"));
    let number = |name: &str| plain_number(&field(name)?).filter(|port| u16::try_from(*port).is_ok());
    let mut evidence = Object::default();
    evidence.text("api.operation", field("api").or_else(|| field("verb")));
    if evidence.get("api.operation").is_some() {
        evidence.text("api.service.name", field("serviceName"));
        evidence.text("api.response.error", field("errorCode"));
    }
    evidence.text("query.hostname", field("domain").filter(|domain| is_hostname(domain)));
    let way = field("connectionDirection");
    set_direction(way.as_deref(), &mut evidence);
    if evidence.get("connection_info").is_some() {
        evidence.text("connection_info.protocol_name", field("protocol"));
    }
    let mut remote = Object::default();
    if let Some(ip) = field("remoteIpDetails/ipAddressV4").filter(|ip| is_ip(ip)) {
        remote.text("ip", Some(ip));
        remote.integer("port", number("remotePortDetails/port"));
        remote.text("location.country", field("remoteIpDetails/country/countryName"));
        remote.text("location.city", field("remoteIpDetails/city/cityName"));
        let place = ["lon", "lat"].map(|name| {
            let digits = field(&format!("remoteIpDetails/geoLocation/{name}"))?;
            decimal(&digits, 9, 6).is_some().then(|| digits.into_owned())
        });
        if let [Some(longitude), Some(latitude)] = place {
            remote.texts("location.coordinates", vec![longitude, latitude]);
        }
    }
    let mut local = Object::default();
    if let Some(ip) = field("localIpDetails/ipAddressV4").filter(|ip| is_ip(ip)) {
        local.text("ip", Some(ip));
        local.integer("port", number("localPortDetails/port"));
    }
    let is_outbound = way.as_deref() == Some("OUTBOUND");
    let (source, target) = if is_outbound { (local, remote) } else { (remote, local) };
    put(&mut evidence, "src_endpoint", source);
    put(&mut evidence, "dst_endpoint", target);
    Some(evidence)
}

/// Sets the direction, without which OCSF has no `connection_info`. Its text stays where it is.
fn direction(item: Item<'_>, path: &str, evidence: &mut Object) {
    set_direction(item.get(path).and_then(Item::text).as_deref(), evidence);
}

fn set_direction(direction: Option<&str>, evidence: &mut Object) {
    let (id, caption) = match direction {
        Some("IN" | "INBOUND") => (1, "Inbound"),
        Some("OUT" | "OUTBOUND") => (2, "Outbound"),
        Some(_) => (0, "Unknown"),
        None => return,
    };
    evidence.integer("connection_info.direction_id", id);
    evidence.constant("connection_info.direction", caption);
}

/// Takes the protocol, if there is a connection to say it of.
fn protocol<'d>(item: Item<'d>, evidence: &Object) -> Option<Cow<'d, str>> {
    evidence.get("connection_info").and_then(|_| item.take_text("Protocol"))
}

/// Takes an address as the first attribute of an endpoint.
fn address(item: Item<'_>, path: &str, endpoint: &mut Object) {
    endpoint.text("ip", ip(item, path));
}

/// Takes a port, if there is an address to say it of.
fn port_of(endpoint: &Object, item: Item<'_>, path: &str) -> Option<i64> {
    endpoint.get("ip").and_then(|_| port(item, path))
}

fn put(evidence: &mut Object, path: &'static str, endpoint: Object) {
    if !endpoint.is_empty() {
        evidence.set(path, Value::Object(endpoint));
    }
}

fn is_ip(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}
