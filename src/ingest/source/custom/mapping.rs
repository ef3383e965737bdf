//! How records of another kind become OCSF: which of their fields is which attribute.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use crate::ingest::json::{Item, Kind};
use crate::ingest::source::time::time_of;
use crate::lake::table::Table;
use crate::ocsf::schema::LeafType;

/// A mapping, checked against the columns of its table.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    table: Table,
    constants: Vec<(String, Value)>,
    fields: Vec<Field>,
    time: Time,
}

/// An attribute and the field it is read from.
#[derive(Debug, Clone, PartialEq)]
struct Field {
    path: String,
    field: String,
    leaf_type: LeafType,
    /// What stands for a value of the field, where that is not the value itself.
    values: BTreeMap<String, Value>,
}

/// The field that says when, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Time {
    field: String,
    format: String,
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    class_uid: i32,
    time: Time,
    #[serde(default)]
    constants: BTreeMap<String, Value>,
    fields: BTreeMap<String, String>,
    #[serde(default)]
    values: BTreeMap<String, BTreeMap<String, Value>>,
}

/// What is wrong with a mapping file.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// It is no TOML, or has other keys.
    #[error("read the mapping")]
    Toml(#[from] toml::de::Error),
    /// There is no table for its class.
    #[error("class_uid {0} has no table; there are 2002, 2003, 2004, 2006, 3001, 3002, 4001, 6003")]
    Class(i32),
    /// A path is no column of the table.
    #[error("{path} is no column of {table}; schemas/ lists them")]
    Path {
        /// The path.
        path: String,
        /// The table.
        table: Table,
    },
    /// The time's format is none.
    #[error(
        "{0} is no format of a time; there are rfc3339, epoch_seconds, epoch_millis, and patterns such as %Y-%m-%d %H:%M:%S"
    )]
    Time(String),
}

const TABLES: [Table; 8] = [
    Table::Vulnerability,
    Table::Compliance,
    Table::Detection,
    Table::DataSecurity,
    Table::OcsfAccountChange,
    Table::OcsfAuthentication,
    Table::OcsfNetwork,
    Table::OcsfApiActivity,
];

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// It says something that cannot be.
    pub fn read(text: &str) -> Result<Self, MappingError> {
        let Written { class_uid, time, constants, fields, mut values } = toml::from_str(text)?;
        let is_of = |table: &Table| table.class().is_some_and(|class| class.uid() == class_uid);
        let table = TABLES.into_iter().find(is_of).ok_or(MappingError::Class(class_uid))?;
        if !["rfc3339", "epoch_seconds", "epoch_millis"].contains(&time.format.as_str())
            && !time.format.contains('%')
        {
            return Err(MappingError::Time(time.format));
        }
        let leaf_type = |path: &str| {
            let leaf = table.schema().leaves.iter().find(|leaf| leaf.path.trim_end_matches("[]") == path);
            let single = leaf.filter(|leaf| !leaf.path.trim_end_matches("[]").contains("[]"));
            single
                .map(|leaf| leaf.leaf_type)
                .ok_or_else(|| MappingError::Path { path: path.to_owned(), table })
        };
        for path in constants.keys().chain(values.keys()) {
            leaf_type(path)?;
        }
        let fields = fields
            .into_iter()
            .map(|(path, field)| {
                let leaf_type = leaf_type(&path)?;
                let values = values.remove(&path).unwrap_or_default();
                Ok(Field { path, field, leaf_type, values })
            })
            .collect::<Result<_, MappingError>>()?;
        Ok(Self { table, constants: constants.into_iter().collect(), fields, time })
    }

    /// Writes a record as the OCSF event it is, in JSON.
    ///
    /// # Errors
    /// The record has no time.
    pub(super) fn event(&self, record: Item<'_>) -> Result<String, &'static str> {
        let mut event = Value::Object(serde_json::Map::new());
        let class = self.table.class().map(|class| class.uid());
        put(&mut event, "class_uid", Value::from(class));
        let (time, _) = self.time(record).ok_or("a record without the time that its mapping names")?;
        put(&mut event, "time", Value::from(time));
        for (path, value) in &self.constants {
            put(&mut event, path, value.clone());
        }
        for field in &self.fields {
            if let Some(value) = record.get(&field.field).and_then(|item| field.value(item)) {
                put(&mut event, &field.path, value);
            }
        }
        Ok(event.to_string())
    }

    /// Marks the fields that attributes of the event tell back, which was read from what [`Self::event`] wrote.
    pub(super) fn take(&self, record: Item<'_>, event: Item<'_>) {
        for field in self.fields.iter().filter(|field| field.values.is_empty()) {
            let told = event.get(&field.path).is_some_and(Item::is_taken);
            if let Some(item) = record.get(&field.field).filter(|item| told && field.tells_back(*item)) {
                item.take();
            }
        }
        if let (Some(item), Some((_, true))) = (record.get(&self.time.field), self.time(record)) {
            item.take();
        }
    }

    /// Reads when a record happened, and whether the milliseconds tell what is written.
    fn time(&self, record: Item<'_>) -> Option<(i64, bool)> {
        let item = record.get(&self.time.field)?;
        let text = item.text().unwrap_or_else(|| item.json().into());
        match self.time.format.as_str() {
            "rfc3339" => time_of(item),
            "epoch_seconds" => text.parse::<i64>().ok()?.checked_mul(1000).map(|time| (time, true)),
            "epoch_millis" => text.parse().ok().map(|time| (time, true)),
            pattern => {
                let parsed = jiff::fmt::strtime::parse(pattern, text.as_bytes()).ok()?;
                let zoned = parsed.to_timestamp().ok();
                let civil = || TimeZone::UTC.to_timestamp(parsed.to_datetime().ok()?).ok();
                // Its own way of writing is not told back.
                zoned.or_else(civil).map(|time| (time.as_millisecond(), false))
            }
        }
    }
}

impl Field {
    /// Returns the attribute's value, in the type of its column.
    fn value(&self, item: Item<'_>) -> Option<Value> {
        let text = item.text().map_or_else(|| item.json().to_owned(), std::borrow::Cow::into_owned);
        if let Some(value) = self.values.get(&text) {
            return Some(value.clone());
        }
        match (self.leaf_type, item.kind()) {
            (_, Kind::Null) => None,
            (LeafType::Int | LeafType::Long, _) => text.parse::<i64>().ok().map(Value::from),
            (LeafType::Flag, _) => text.parse::<bool>().ok().map(Value::from),
            (_, Kind::Array | Kind::Object) => serde_json::from_str(&text).ok(),
            _ => Some(Value::from(text)),
        }
    }

    /// Says whether the column gives back what the field says: a number may be written in more ways than one.
    fn tells_back(&self, item: Item<'_>) -> bool {
        match self.leaf_type {
            LeafType::Int | LeafType::Long => {
                let text = item.text().unwrap_or_else(|| item.json().into());
                text.parse::<i64>().is_ok_and(|number| number.to_string() == *text)
            }
            _ => true,
        }
    }
}

/// Puts a value at a dotted path, making the objects on the way.
fn put(event: &mut Value, path: &str, value: Value) {
    let mut at = event;
    for name in path.split('.') {
        if !at.is_object() {
            *at = Value::Object(serde_json::Map::new());
        }
        let Some(object) = at.as_object_mut() else { return };
        at = object.entry(name).or_insert(Value::Null);
    }
    *at = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_checked_against_the_columns() {
        let time = "time = { field = \"ts\", format = \"epoch_seconds\" }\n";
        let check = |rest: &str, expected: &str| {
            let error = Mapping::read(&format!("{time}{rest}")).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("class_uid = 4002\nfields = {}", "class_uid 4002 has no table");
        check(
            "class_uid = 4001\n[fields]\n\"src_endpoint.address\" = \"a\"",
            "src_endpoint.address is no column",
        );
        check("class_uid = 4001\nfields = {}\nfeilds = {}", "read the mapping");
        let error =
            Mapping::read("class_uid = 4001\nfields = {}\ntime = { field = \"t\", format = \"iso\" }");
        assert!(error.unwrap_err().to_string().starts_with("iso is no format"));
    }
}
