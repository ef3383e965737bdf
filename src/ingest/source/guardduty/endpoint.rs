//! The two ends of what a finding saw: one of ours, and the other.
//!
//! OCSF wants of an endpoint something to know it by. Without that it is not made, and the values stay where they are.

use std::borrow::Cow;

use super::resource::Owner;
use crate::ingest::json::{Item, Kind};
use crate::ingest::source::document::take;
use crate::ocsf::event;
use crate::ocsf::event::{Object, Value};

/// The other end: an address somewhere, and where that is said to be.
pub(super) fn remote(action: Item<'_>) -> Object {
    let mut endpoint = Object::default();
    let Some(details) = action.get("remoteIpDetails") else { return endpoint };
    let Some(ip) = ip(details) else { return endpoint };
    endpoint.text("ip", Some(ip));
    endpoint.integer("port", take::port(action, "remotePortDetails.port"));
    endpoint.text("location.country", take::text(details, "country.countryName"));
    endpoint.text("location.city", take::text(details, "city.cityName"));
    endpoint.text("location.isp", take::text(details, "organization.isp"));
    if let Some(place) = details.get("geoLocation") {
        coordinates(&mut endpoint, place);
    }
    endpoint
}

/// Our end: the address, and the instance or interface that has it.
pub(super) fn local(owner: Owner<'_>, action: Item<'_>) -> Object {
    let mut endpoint = Object::default();
    let told = action.get("localIpDetails").and_then(ip);
    let resource = owner.finding.get("resource");
    let instance = resource.and_then(|resource| resource.get("instanceDetails"));
    if let Some(instance) = instance {
        of_instance(&mut endpoint, instance, told.as_deref());
    }
    endpoint.text("ip", told);
    endpoint.text("interface_uid", take::text(action, "localNetworkInterface"));
    if endpoint.is_empty() {
        // Functions and tasks have no address of their own that a finding knows.
        let function = resource.and_then(|resource| take::filled(resource, "lambdaDetails.functionArn"));
        let task =
            || resource.and_then(|resource| take::filled(resource, "ecsClusterDetails.taskDetails.arn"));
        endpoint.text("uid", function.or_else(task));
    }
    if !endpoint.is_empty() {
        endpoint.integer("port", take::port(action, "localPortDetails.port"));
    }
    endpoint
}

/// What an instance says of the address it was seen at; of the only address it has, if none was told.
fn of_instance(endpoint: &mut Object, instance: Item<'_>, told: Option<&str>) {
    endpoint.text("instance_uid", take::filled(instance, "instanceId"));
    let interfaces: Vec<Item<'_>> =
        instance.get("networkInterfaces").into_iter().flat_map(Item::elements).collect();
    let has = |interface: &&Item<'_>| {
        told.is_some_and(|told| {
            ["privateIpAddress", "publicIp"]
                .iter()
                .any(|path| take::filled(**interface, path).as_deref() == Some(told))
        })
    };
    let only = || interfaces.first().filter(|_| interfaces.len() == 1);
    let Some(interface) = interfaces.iter().find(has).or_else(only).filter(|_| !endpoint.is_empty()) else {
        return;
    };
    let is_address = |text: &Cow<'_, str>| text.parse::<std::net::IpAddr>().is_ok();
    endpoint.text("ip", take::filled(*interface, "privateIpAddress").filter(is_address));
    endpoint.text("interface_uid", take::filled(*interface, "networkInterfaceId"));
    endpoint.text("vpc_uid", take::filled(*interface, "vpcId"));
    endpoint.text("subnet_uid", take::filled(*interface, "subnetId"));
}

/// Takes an address of either version.
fn ip(details: Item<'_>) -> Option<Cow<'_, str>> {
    take::ip(details, "ipAddressV4").or_else(|| take::ip(details, "ipAddressV6"))
}

/// Longitude and latitude, if both are numbers that their column tells back.
pub(super) fn coordinates(endpoint: &mut Object, place: Item<'_>) {
    let number = |name| {
        let number = place.get(name).filter(|item| item.kind() == Kind::Number)?;
        event::decimal(number.json(), 9, 6).map(|_| number)
    };
    if let (Some(longitude), Some(latitude)) = (number("lon"), number("lat")) {
        let both = [longitude, latitude];
        let texts = both.map(|number| Value::Text(number.json().to_owned()));
        both.iter().for_each(|number| number.take());
        endpoint.set("location.coordinates", Value::List(texts.to_vec()));
    }
}
