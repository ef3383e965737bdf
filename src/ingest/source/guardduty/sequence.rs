//! What an attack sequence adds to a finding: those who acted, from where, on what, and the signals it is made of.

use super::action::{with_actor, with_endpoint};
use super::endpoint::coordinates;
use super::malware;
use crate::ingest::json::Item;
use crate::ingest::source::document::labels::take_labels;
use crate::ingest::source::document::take;
use crate::ocsf::event::{Object, Value};

/// The members of a list of the sequence.
fn list<'d>(finding: Item<'d>, name: &str) -> impl Iterator<Item = Item<'d>> {
    finding
        .get("service.detection.sequence")
        .and_then(|sequence| sequence.get(name))
        .into_iter()
        .flat_map(Item::elements)
}

/// Returns the resources of a sequence.
pub(super) fn resources(finding: Item<'_>) -> Vec<Object> {
    let resource = |item: Item<'_>| {
        let (uid, name) = (take::filled(item, "uid"), take::filled(item, "name"));
        if uid.is_none() && name.is_none() {
            return None;
        }
        let mut resource = Object::default();
        resource.text("uid", uid);
        resource.text("name", name);
        resource.text("type", take::filled(item, "resourceType").map(|kind| type_of(&kind).into()));
        resource.text("region", take::filled(item, "region"));
        resource.text("cloud_partition", take::filled(item, "cloudPartition"));
        resource.text("owner.account.uid", take::filled(item, "accountId"));
        resource.texts("labels", take_labels(item, "tags"));
        resource.text("data", Some(take::json(item)));
        Some(resource)
    };
    list(finding, "resources").filter_map(resource).collect()
}

/// The words of a type in the order and case that Security Hub writes them in: `S3_BUCKET` is `AwsS3Bucket`.
fn type_of(kind: &str) -> String {
    let words = kind.split('_').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters.map(|letter| letter.to_ascii_lowercase())).collect::<String>()
    });
    let name: String = words.collect();
    match kind {
        "ACCESS_KEY" => "AwsIamAccessKey".to_owned(),
        "CONTAINER" | "KUBERNETES_WORKLOAD" => name,
        _ => format!("Aws{name}"),
    }
}

/// Returns an evidence for each actor and each endpoint.
pub(super) fn evidences(finding: Item<'_>) -> Vec<Object> {
    let actors = list(finding, "actors").map(actor);
    actors.chain(list(finding, "endpoints").map(endpoint)).collect()
}

fn actor(item: Item<'_>) -> Object {
    let mut user = Object::default();
    for (path, from) in [
        ("name", "user.name"),
        ("uid", "user.uid"),
        ("type", "user.type"),
        ("credential_uid", "user.credentialUid"),
        ("account.uid", "user.account.uid"),
    ] {
        user.text(path, take::filled(item, from));
    }
    let mut evidence = with_actor(Object::default(), user);
    let (uid, issuer) = (take::filled(item, "session.uid"), take::filled(item, "session.issuer"));
    evidence.text("actor.session.uid", uid);
    evidence.text("actor.session.issuer", issuer);
    // OCSF knows a process by its number, which is not told. Its file is.
    if let Some(file) = item.get("process").and_then(|process| malware::file(process, "path", "sha256")) {
        evidence.set("file", Value::Object(file));
    }
    evidence.text("data", Some(take::json(item)));
    evidence
}

fn endpoint(item: Item<'_>) -> Object {
    let mut endpoint = Object::default();
    let is_ip = |text: &std::borrow::Cow<'_, str>| text.parse::<std::net::IpAddr>().is_ok();
    let ip = take::filled(item, "ip").filter(is_ip);
    let hostname = take::filled(item, "domain").filter(|domain| take::is_hostname(domain));
    if ip.is_some() || hostname.is_some() {
        endpoint.text("ip", ip);
        endpoint.text("hostname", hostname);
        endpoint.integer("port", take::port(item, "port"));
        endpoint.text("location.country", take::filled(item, "location.country"));
        endpoint.text("location.city", take::filled(item, "location.city"));
        if let Some(location) = item.get("location") {
            coordinates(&mut endpoint, location);
        }
    }
    let mut evidence = Object::default();
    let (path, direction) = match take::filled(item, "connection.direction").as_deref() {
        Some("OUTBOUND") => ("dst_endpoint", Some((2, "Outbound"))),
        Some("INBOUND") => ("src_endpoint", Some((1, "Inbound"))),
        _ => ("src_endpoint", None),
    };
    with_endpoint(&mut evidence, path, endpoint);
    if let Some((id, caption)) = direction {
        evidence.integer("connection_info.direction_id", id);
        evidence.constant("connection_info.direction", caption);
    }
    evidence.text("data", Some(take::json(item)));
    evidence
}

/// Returns the signals a sequence is made of, and the sequence a finding is part of. The signals say more, and stay.
pub(super) fn related_events(finding: Item<'_>) -> Vec<Object> {
    let signal = |signal: Item<'_>| {
        let mut event = Object::default();
        event.set("uid", Value::Text(take::filled(signal, "uid")?.into_owned()));
        event.text("type", take::filled(signal, "type"));
        Some(event)
    };
    let mut all: Vec<Object> = list(finding, "signals").filter_map(signal).collect();
    if let Some(sequence) = take::text(finding, "associatedAttackSequenceArn") {
        let mut event = Object::default();
        event.text("uid", Some(sequence));
        event.constant("type", "Attack Sequence");
        all.push(event);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_in_the_words_of_security_hub() {
        for (theirs, expected) in [
            ("EC2_INSTANCE", "AwsEc2Instance"),
            ("S3_BUCKET", "AwsS3Bucket"),
            ("ACCESS_KEY", "AwsIamAccessKey"),
            ("KUBERNETES_WORKLOAD", "KubernetesWorkload"),
            ("É_", "AwsÉ"),
        ] {
            assert_eq!(type_of(theirs), expected);
        }
    }
}
