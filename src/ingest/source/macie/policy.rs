//! Who changed a bucket's settings, by which call, from where.

use std::borrow::Cow;

use crate::ingest::json::{Item, Kind};
use crate::ingest::source::document::take;
use crate::ingest::source::time::take_time;
use crate::ocsf::event::Object;

/// OCSF's profile of events that have an actor.
const PROFILE: &str = "host";

/// Adds the call and its caller to an event.
pub(super) fn add(event: &mut Object, finding: Item<'_>) {
    let Some(details) = finding.get("policyDetails") else { return };
    if let Some(call) = details.get("action.apiCallDetails") {
        if let Some(operation) = take::text(call, "api") {
            event.text("api.operation", Some(operation));
            event.text("api.service.name", take::text(call, "apiServiceName"));
        }
        event.integer("finding_info.first_seen_time_dt", take_time(call, "firstSeen"));
        event.integer("finding_info.last_seen_time_dt", take_time(call, "lastSeen"));
    }
    let Some(actor) = details.get("actor") else { return };
    source(event, actor);
    if let Some(identity) = actor.get("userIdentity") {
        user(event, identity);
    }
}

fn source(event: &mut Object, actor: Item<'_>) {
    if let Some(address) = actor.get("ipAddressDetails")
        && let Some(ip) = take::ip(address, "ipAddressV4")
    {
        event.text("src_endpoint.ip", Some(ip));
        event.text("src_endpoint.location.country", take::text(address, "ipCountry.name"));
        event.text("src_endpoint.location.city", take::text(address, "ipCity.name"));
    }
    if let Some(service) = take::text(actor, "domainDetails.domainName") {
        // The caller is a service of AWS. OCSF 1.3.0 does not know an endpoint by its domain alone.
        event.text("src_endpoint.domain", Some(service.clone()));
        event.text("src_endpoint.svc_name", Some(service));
    }
}

/// An identity stands under the name of its kind.
fn user(event: &mut Object, identity: Item<'_>) {
    let kinds = ["assumedRole", "iamUser", "federatedUser", "root", "awsAccount", "awsService"];
    let mut found = kinds.into_iter().filter_map(|kind| identity.get(kind));
    let Some(found) = found.find(|item| item.kind() == Kind::Object) else { return };
    event.text("actor.invoked_by", take::text(found, "invokedBy"));
    if ["arn", "accountId", "userName"].into_iter().any(|path| take::filled(found, path).is_some()) {
        event.text("actor.user.uid", take::text(found, "arn"));
        event.text("actor.user.uid_alt", take::text(found, "principalId"));
        event.text("actor.user.account.uid", take::text(found, "accountId"));
        event.text("actor.user.name", name(found));
        event.text("actor.user.credential_uid", take::text(found, "accessKeyId"));
        event.text("actor.user.type", take::text(identity, "type"));
        event.text("actor.session.issuer", take::text(found, "sessionContext.sessionIssuer.arn"));
    }
    if event.get("actor").is_some() {
        let profiles = ["cloud", "datetime", PROFILE];
        event.texts("metadata.profiles", profiles.map(str::to_owned).to_vec());
    }
}

/// The name of a user, or of the role whose session this is.
fn name(identity: Item<'_>) -> Option<Cow<'_, str>> {
    take::text(identity, "userName").or_else(|| take::text(identity, "sessionContext.sessionIssuer.userName"))
}
