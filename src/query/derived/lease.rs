//! Which interface and instance held an address, as requests and answers of EC2 tell it.

use serde_json::Value;

/// One address of one interface.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lease {
    pub(super) ip: String,
    pub(super) is_public: bool,
    pub(super) vpc: Option<String>,
    pub(super) interface: Option<String>,
    pub(super) instance: Option<String>,
}

/// What the objects around an address say of it.
#[derive(Debug, Clone, Default)]
struct Around {
    vpc: Option<String>,
    interface: Option<String>,
    instance: Option<String>,
}

/// Returns the addresses that a call gave or moved: the members `privateIpAddress` and `publicIp` of the request and
/// the answer, with what the objects around them name.
pub(super) fn leases(request: Option<&str>, response: Option<&str>) -> Vec<Lease> {
    let read = |json: Option<&str>| json.and_then(|json| serde_json::from_str::<Value>(json).ok());
    let mut found = Vec::new();
    let request = read(request).unwrap_or(Value::Null);
    // `AssociateAddress` names in the request what its answer leaves out.
    let around = if request.get("instancesSet").is_none() {
        Around::default().within(&request)
    } else {
        Around::default()
    };
    for document in [Some(&request), read(response).as_ref()].into_iter().flatten() {
        collect(document, &around, &mut found);
    }
    found.sort();
    found.dedup();
    // One address without an interface beside the same with one says nothing more.
    let told: Vec<String> = found
        .iter()
        .filter(|lease| lease.interface.is_some() || lease.instance.is_some())
        .map(|lease| lease.ip.clone())
        .collect();
    found.retain(|lease| lease.interface.is_some() || lease.instance.is_some() || !told.contains(&lease.ip));
    found
}

impl Around {
    fn within(&self, object: &Value) -> Self {
        let text = |key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
        Self {
            vpc: text("vpcId").or_else(|| self.vpc.clone()),
            interface: text("networkInterfaceId").or_else(|| self.interface.clone()),
            instance: text("instanceId").or_else(|| self.instance.clone()),
        }
    }
}

fn collect(value: &Value, around: &Around, found: &mut Vec<Lease>) {
    match value {
        Value::Object(members) => {
            let around = around.within(value);
            for (key, member) in members {
                let is_public = match key.as_str() {
                    "privateIpAddress" => false,
                    "publicIp" | "publicIpAddress" => true,
                    _ => {
                        collect(member, &around, found);
                        continue;
                    }
                };
                let ip = member.as_str().filter(|ip| ip.parse::<std::net::IpAddr>().is_ok());
                found.extend(ip.map(|ip| Lease {
                    ip: ip.to_owned(),
                    is_public,
                    vpc: around.vpc.clone(),
                    interface: around.interface.clone(),
                    instance: around.instance.clone(),
                }));
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, around, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_that_starts_holds_the_addresses_of_its_interfaces() {
        let response = r#"{"instancesSet":{"items":[{"instanceId":"i-1","vpcId":"vpc-1","privateIpAddress":"10.0.0.9",
            "networkInterfaceSet":{"items":[{"networkInterfaceId":"eni-1","vpcId":"vpc-1","privateIpAddress":"10.0.0.9"}]}}]}}"#;
        let found = leases(Some(r#"{"instancesSet":{"items":[{"imageId":"ami-1"}]}}"#), Some(response));
        let expected = Lease {
            ip: "10.0.0.9".into(),
            is_public: false,
            vpc: Some("vpc-1".into()),
            interface: Some("eni-1".into()),
            instance: Some("i-1".into()),
        };
        assert!(found.contains(&expected), "{found:?}");
        assert!(found.iter().all(|lease| lease.instance.is_some()), "{found:?}");
    }

    #[test]
    fn an_elastic_address_belongs_to_what_the_request_names() {
        let found =
            leases(Some(r#"{"publicIp":"198.51.100.7","instanceId":"i-2"}"#), Some(r#"{"return":true}"#));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].instance.as_deref(), Some("i-2"));
        assert!(found[0].is_public);
    }

    #[test]
    fn what_is_no_address_is_none() {
        assert_eq!(leases(Some(r#"{"publicIp":"<b>"}"#), None), []);
        assert_eq!(leases(Some("{"), None), []);
    }
}
