//! Names the values of an event that people search for, whichever attribute holds them.
//!
//! Takes an event that is complete otherwise and adds its observables: addresses,
//! host names, user names, resources, hashes. Their types are OCSF 1.1.0's, and each has the path
//! of the attribute it is the value of, as `evidences[].src_endpoint.ip`.

use std::collections::BTreeSet;

use crate::ocsf::event::{Object, Value};

/// What is observable: the end of an attribute's path, what OCSF calls its type, and the number of that.
const KINDS: [(&str, &str, i64); 7] = [
    ("endpoint.ip", "IP Address", 2),
    ("hostname", "Hostname", 1),
    ("user.name", "User Name", 4),
    ("resources[].uid", "Resource UID", 10),
    ("resource.uid", "Resource UID", 10),
    ("process.name", "Process Name", 9),
    ("hashes[].value", "Hash", 8),
];

/// Adds the observables of an event, each once.
pub fn add_observables(event: &mut Object) {
    let mut found = Found::default();
    found.object(event);
    for (path, value, (_, kind, kind_id)) in found.values {
        event.observable(&path, &value, (kind, kind_id));
    }
}

/// Values in the order in which the event has them.
#[derive(Default)]
struct Found {
    path: String,
    seen: BTreeSet<(String, String)>,
    values: Vec<(String, String, (&'static str, &'static str, i64))>,
}

impl Found {
    fn object(&mut self, object: &Object) {
        for (name, value) in object.attributes() {
            let length = self.path.len();
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(name);
            self.value(value);
            self.path.truncate(length);
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Object(object) => self.object(object),
            Value::List(values) => {
                let length = self.path.len();
                self.path.push_str("[]");
                values.iter().for_each(|value| self.value(value));
                self.path.truncate(length);
            }
            Value::Text(text) => self.text(text),
            Value::Integer(_) | Value::Flag(_) => {}
        }
    }

    fn text(&mut self, text: &str) {
        let Some(kind) = KINDS.into_iter().find(|(end, _, _)| self.path.ends_with(end)) else { return };
        if self.seen.insert((self.path.clone(), text.to_owned())) {
            self.values.push((self.path.clone(), text.to_owned(), kind));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_value_once_wherever_it_stands() {
        let endpoint = |ip: &str| {
            let mut evidence = Object::default();
            evidence.constant("src_endpoint.ip", ip);
            evidence.integer("src_endpoint.port", 22);
            evidence
        };
        let mut event = Object::default();
        event.constant("finding_info.uid", "not this one");
        event.objects("evidences", vec![endpoint("192.0.2.1"), endpoint("192.0.2.2"), endpoint("192.0.2.1")]);
        add_observables(&mut event);
        let Some(Value::List(observables)) = event.get("observables") else { panic!("{event:?}") };
        assert_eq!(observables.len(), 2);
        let Some(Value::Object(first)) = observables.first() else { panic!("{observables:?}") };
        assert_eq!(first.get("name"), Some(&Value::Text("evidences[].src_endpoint.ip".to_owned())));
        assert_eq!(first.get("value"), Some(&Value::Text("192.0.2.1".to_owned())));
    }
}
