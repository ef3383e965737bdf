//! Reads the attributes of an event for which its table has columns.
//!
//! A draft is a part of the document as it will stand in the row: values whose types fit, in objects that have
//! what OCSF demands of them. Only what stays in it is taken from the document.

use std::borrow::Cow;
use std::net::IpAddr;

use arrow::datatypes::{DataType, Fields};

use super::class;
use super::rules::{OTHER, caption, demands, enumerations, is_string};
use crate::ingest::json::{Item, Kind, compact};
use crate::ingest::source::document::labels::labels_of;
use crate::ingest::source::document::take::is_hostname;
use crate::ingest::source::time::time_of;
use crate::lake::table::Table;
use crate::ocsf::event::{Object, Value, decimal};

/// OCSF's longest hash.
const HASH_BYTES_MAX: usize = 64;

/// Attributes that are filled by what we know, whatever the event says of them; the verdict gets the native table's
/// words; of users' numbers the profile that has them is not ours.
const FILLED: [&str; 6] = [
    "metadata.version",
    "metadata.profiles",
    "metadata.log_name",
    "metadata.sequence",
    "compliance.status",
    "euid",
];

/// An object under way.
#[derive(Debug, Default)]
pub(super) struct Draft<'d> {
    members: Vec<(String, Part<'d>)>,
}

/// A member of an object.
#[derive(Debug)]
enum Part<'d> {
    /// A value, and the items it tells back.
    Value(Value, Vec<Item<'d>>),
    Object(Draft<'d>),
    List(Vec<Draft<'d>>),
}

impl<'d> Draft<'d> {
    /// Reads an event for the columns of a table.
    pub(super) fn read(body: Item<'d>, table: Table) -> Self {
        let schema = table.schema();
        let mut draft = Self::default();
        for field in schema.arrow.fields() {
            if class::has(table, field.name()) {
                draft.member(body, field.name(), field.data_type());
            }
        }
        draft.settle_enumerations("", schema.arrow.fields());
        if class::has(table, "resource") && !draft.has("resource") {
            draft.first_resource(body, schema.arrow.fields());
        }
        if class::is_finding(table) {
            draft.remove_in("metadata", "uid");
        }
        draft
    }

    /// Says whether there is a member of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(other, _)| other == name)
    }

    /// Takes what is in the draft from the document.
    pub(super) fn take(self) -> Object {
        let mut object = Object::default();
        for (name, part) in self.members {
            let value = match part {
                Part::Value(value, items) => {
                    items.into_iter().for_each(Item::take);
                    value
                }
                Part::Object(draft) => Value::Object(draft.take()),
                Part::List(drafts) => {
                    Value::List(drafts.into_iter().map(|draft| Value::Object(draft.take())).collect())
                }
            };
            object.put(Cow::Owned(name), value);
        }
        object
    }

    fn object(name: &str, item: Item<'d>, fields: &Fields) -> Option<Self> {
        if item.kind() != Kind::Object {
            return None;
        }
        let mut draft = Self::default();
        for field in fields {
            let path = format!("{name}.{}", field.name());
            if !FILLED.contains(&path.as_str()) && !FILLED.contains(&field.name().as_str()) {
                draft.member(item, field.name(), field.data_type());
            }
        }
        if draft.members.is_empty() {
            return None;
        }
        draft.settle_enumerations(name, fields);
        let (all, any) = demands(name);
        let is_whole = all.iter().all(|name| draft.has(name))
            && (any.is_empty() || any.iter().any(|name| draft.has(name)));
        is_whole.then_some(draft)
    }

    fn member(&mut self, parent: Item<'d>, name: &str, data_type: &DataType) {
        let part = match (data_type, parent.member(name)) {
            (DataType::Timestamp(..), _) => time(parent, name),
            (DataType::List(_), None) if name == "labels" => parent.member("tags").and_then(labels),
            (DataType::List(_), Some(item)) if name == "labels" && item.children().next().is_none() => {
                parent.member("tags").and_then(labels)
            }
            (DataType::Struct(fields), Some(item)) => Self::object(name, item, fields).map(Part::Object),
            (DataType::List(field), Some(item)) => list(name, item, field.data_type()),
            (_, Some(item)) => leaf(name, item, data_type).map(|value| Part::Value(value, vec![item])),
            (_, None) => None,
        };
        if let Some(part) = part {
            self.members.push((name.to_owned(), part));
        }
    }

    /// From OCSF 1.3 on all findings have lists of resources; ours have one.
    fn first_resource(&mut self, body: Item<'d>, fields: &Fields) {
        let fields = fields.iter().find(|field| field.name() == "resource");
        let Some(DataType::Struct(fields)) = fields.map(|field| field.data_type()) else { return };
        let mut resources = body.member("resources").into_iter().flat_map(Item::elements);
        if let Some(draft) = resources.find_map(|item| Self::object("resource", item, fields)) {
            self.members.push(("resource".to_owned(), Part::Object(draft)));
        }
    }

    /// Gives each known number its caption; a number that our version does not know is another.
    fn settle_enumerations(&mut self, object: &str, fields: &Fields) {
        for (id, captions, is_needed) in enumerations(object) {
            let sibling = id.trim_end_matches("_id");
            let number = self.number(id);
            match number.and_then(|number| caption(captions, number)) {
                Some(caption) if fields.iter().any(|field| field.name() == sibling) => {
                    self.set_caption(sibling, caption);
                }
                Some(_) => {}
                None if number == Some(OTHER) => {}
                None => self.members.retain(|(name, _)| name != id),
            }
            if *is_needed && self.number(id).is_none() {
                let is_other = number.is_some() || self.has(sibling);
                let part = Part::Value(Value::Integer(if is_other { OTHER } else { 0 }), Vec::new());
                self.members.push(((*id).to_owned(), part));
            }
        }
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.members.iter().find_map(|(other, part)| match part {
            Part::Value(Value::Integer(number), _) if other == name => Some(*number),
            _ => None,
        })
    }

    fn set_caption(&mut self, name: &str, caption: &str) {
        let is_same = |part: &Part<'_>| matches!(part, Part::Value(Value::Text(text), _) if text == caption);
        if self.members.iter().any(|(other, part)| other == name && is_same(part)) {
            return;
        }
        self.members.retain(|(other, _)| other != name);
        let part = Part::Value(Value::Text(caption.to_owned()), Vec::new());
        self.members.push((name.to_owned(), part));
    }

    fn remove_in(&mut self, object: &str, member: &str) {
        for (name, part) in &mut self.members {
            if let (true, Part::Object(draft)) = (name == object, part) {
                draft.members.retain(|(name, _)| name != member);
            }
        }
    }
}

/// Reads `x_dt`, or `x` where that is all there is. Both are told back when they say the same.
fn time<'d>(parent: Item<'d>, name: &str) -> Option<Part<'d>> {
    let items = [parent.member(name), parent.member(name.trim_end_matches("_dt"))];
    let found: Vec<(Item<'_>, i64, bool)> = items
        .into_iter()
        .flatten()
        .filter_map(|item| time_of(item).map(|(time, is_exact)| (item, time, is_exact)))
        .collect();
    let (_, first, _) = found.first()?;
    let told =
        found.iter().filter(|(_, time, is_exact)| time == first && *is_exact).map(|(item, _, _)| *item);
    Some(Part::Value(Value::Integer(*first), told.collect()))
}

fn labels(tags: Item<'_>) -> Option<Part<'_>> {
    let labels = labels_of(tags);
    let values = labels.into_iter().map(Value::Text).collect::<Vec<_>>();
    (!values.is_empty()).then(|| Part::Value(Value::List(values), vec![tags]))
}

fn list<'d>(name: &str, item: Item<'d>, data_type: &DataType) -> Option<Part<'d>> {
    if let DataType::Struct(fields) = data_type {
        let drafts: Vec<Draft<'_>> =
            item.elements().filter_map(|item| Draft::object(name, item, fields)).collect();
        return (!drafts.is_empty()).then_some(Part::List(drafts));
    }
    let values: Option<Vec<Value>> = item.elements().map(|item| leaf(name, item, data_type)).collect();
    values.filter(|values| !values.is_empty()).map(|values| Part::Value(Value::List(values), vec![item]))
}

/// Reads one value of a column's type.
fn leaf(name: &str, item: Item<'_>, data_type: &DataType) -> Option<Value> {
    match (data_type, item.kind()) {
        (DataType::Utf8, Kind::Plain | Kind::Escaped) => {
            item.text().filter(|text| is_fit(name, text)).map(|text| Value::Text(text.into_owned()))
        }
        // JSON in OCSF is text in our columns.
        (DataType::Utf8, kind) if name == "data" && kind != Kind::Null => {
            Some(Value::Text(compact(item.json()).into_owned()))
        }
        (DataType::Int32, Kind::Number) => {
            let number: i32 = item.json().parse().ok()?;
            (name != "port" || u16::try_from(number).is_ok()).then(|| Value::Integer(i64::from(number)))
        }
        (DataType::Int64, Kind::Number) => item.json().parse().ok().map(Value::Integer),
        (DataType::Boolean, Kind::Boolean) => Some(Value::Flag(item.json() == "true")),
        (DataType::Decimal128(precision, scale), Kind::Number) => {
            decimal(item.json(), *precision, *scale).map(|_| Value::Text(item.json().to_owned()))
        }
        _ => None,
    }
}

/// Says whether a text is what OCSF takes for the value of an attribute of this name.
fn is_fit(name: &str, text: &str) -> bool {
    let is_own = match name {
        "ip" | "intermediate_ips" => text.parse::<IpAddr>().is_ok(),
        "hostname" => is_hostname(text),
        "value" => text.len() <= HASH_BYTES_MAX,
        _ => true,
    };
    is_own && is_string(text)
}

/// Takes the values that an event has under the same path, whoever set them there.
pub(super) fn take_equal(item: Item<'_>, object: &Object) {
    for (name, value) in object.attributes() {
        let Some(found) = item.member(name) else { continue };
        let is_equal = match value {
            Value::Text(text) => found.text().is_some_and(|found| found == text.as_str()),
            Value::Integer(number) => found.kind() == Kind::Number && found.json() == number.to_string(),
            Value::Flag(flag) => found.kind() == Kind::Boolean && found.json() == flag.to_string(),
            Value::List(values) => {
                let is_text = |(item, value): (Item<'_>, &Value)| matches!(value, Value::Text(text) if item.text().is_some_and(|found| found == text.as_str()));
                found.elements().count() == values.len() && found.elements().zip(values).all(is_text)
            }
            Value::Object(object) => {
                take_equal(found, object);
                false
            }
        };
        if is_equal {
            found.take();
        }
    }
}
