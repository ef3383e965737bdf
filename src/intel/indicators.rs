//! Lists of indicators: addresses, networks and domains that somebody warns of.
//!
//! A list is plain (one a line, `#` starts a comment), CSV with a header, a STIX 2
//! bundle, or a MISP event or warning list; its content says which. What is no address,
//! network or domain in it (hashes, URLs) is kept as text for joins and matches no address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;

use super::IntelError;
use super::networks::{Network, Networks};

/// What an indicator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndicatorKind {
    /// An address or a network.
    Address,
    /// A domain.
    Domain,
    /// Anything else: a hash, a URL.
    Other,
}

impl IndicatorKind {
    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Domain => "domain",
            Self::Other => "other",
        }
    }

    fn of(value: &str) -> Self {
        let is_domain = value.contains('.')
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
            && value.rsplit('.').next().is_some_and(|end| end.bytes().all(|byte| byte.is_ascii_alphabetic()));
        if Network::read(value).is_some() {
            Self::Address
        } else if is_domain {
            Self::Domain
        } else {
            Self::Other
        }
    }
}

/// One indicator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indicator {
    /// What it is.
    pub kind: IndicatorKind,
    /// The address, network, domain or text.
    pub value: String,
    /// What the list says of it.
    pub label: Option<String>,
    /// The list's file name.
    pub list: Arc<str>,
}

/// All indicators, found by address and by domain.
#[derive(Debug, Default)]
pub(super) struct Indicators {
    all: Vec<Indicator>,
    addresses: Networks<usize>,
    domains: HashMap<String, usize>,
}

impl Indicators {
    pub(super) fn read(paths: &[std::path::PathBuf]) -> Result<Self, IntelError> {
        let mut indicators = Self::default();
        for path in paths {
            let text = std::fs::read_to_string(path).map_err(|error| IntelError::of(path, error))?;
            let list: Arc<str> =
                path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()).into();
            let found = read_list(&text).map_err(|what| IntelError::of(path, what))?;
            for (value, label) in found {
                if is_wrong_network(&value) {
                    let what = format!("'{}' is no network such as 203.0.113.0/24", value.escape_debug());
                    return Err(IntelError::of(path, what));
                }
                indicators.insert(Indicator {
                    kind: IndicatorKind::of(&value),
                    value,
                    label,
                    list: Arc::clone(&list),
                });
            }
        }
        Ok(indicators)
    }

    fn insert(&mut self, indicator: Indicator) {
        let number = self.all.len();
        if let Some(network) = Network::read(&indicator.value) {
            self.addresses.insert(network, number);
        } else if indicator.kind == IndicatorKind::Domain {
            self.domains.insert(indicator.value.to_lowercase(), number);
        }
        self.all.push(indicator);
    }

    pub(super) fn all(&self) -> &[Indicator] {
        &self.all
    }

    pub(super) fn address(&self, address: IpAddr) -> Option<&Indicator> {
        self.all.get(*self.addresses.find(address)?)
    }

    /// Finds a domain, or one above it.
    pub(super) fn domain(&self, name: &str) -> Option<&Indicator> {
        let name = name.to_lowercase();
        let above = std::iter::successors(Some(name.as_str()), |name| Some(name.split_once('.')?.1));
        let number = above.take_while(|name| name.contains('.')).find_map(|name| self.domains.get(name))?;
        self.all.get(*number)
    }
}

/// Says whether a value was to be a network and is none: taken for a text, it would warn of nothing.
fn is_wrong_network(value: &str) -> bool {
    let address = value.split('/').next().unwrap_or(value);
    address.parse::<IpAddr>().is_ok() && Network::read(value).is_none()
}

type Found = Vec<(String, Option<String>)>;

fn read_list(text: &str) -> Result<Found, String> {
    if text.trim_start().starts_with(['{', '[']) {
        let value: Value = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
        return read_json(&value);
    }
    let is_header =
        |line: &str| line.contains(',') && Network::read(line.split(',').next().unwrap_or("")).is_none();
    match text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        Some(line) if is_header(line) => read_csv(text),
        _ => Ok(text.lines().filter_map(plain).collect()),
    }
}

/// A line of a plain list; what stands behind the value is its label.
fn plain(line: &str) -> Option<(String, Option<String>)> {
    let (line, comment) = line.split_once('#').map_or((line, None), |(line, comment)| (line, Some(comment)));
    let value = line.trim().trim_matches(['"', ',', ';']).split([' ', '\t', ',', ';']).next()?;
    let label = comment.map(|comment| comment.trim().to_owned()).filter(|comment| !comment.is_empty());
    (!value.is_empty()).then(|| (refang(value), label))
}

/// `evil[.]example` and `hxxp://` are written so that nobody clicks on them.
fn refang(value: &str) -> String {
    value.replace("[.]", ".").replace("(.)", ".").replace("hxxp", "http")
}

fn read_csv(text: &str) -> Result<Found, String> {
    const VALUES: [&str; 8] =
        ["value", "indicator", "ip", "ip_address", "address", "domain", "network", "ioc"];
    const LABELS: [&str; 6] = ["label", "description", "comment", "category", "threat", "type"];
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).comment(Some(b'#')).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|error| error.to_string())?.clone();
    let find = |names: &[&str]| {
        let is = |header: &str, name: &str| header.trim().eq_ignore_ascii_case(name);
        names.iter().find_map(|name| headers.iter().position(|header| is(header, name)))
    };
    let value = find(&VALUES)
        .ok_or_else(|| format!("a CSV without a column of values; one of {} is needed", VALUES.join(", ")))?;
    let label = find(&LABELS);
    let mut found = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        let text = row.get(value).map(str::trim).filter(|text| !text.is_empty());
        let label = label.and_then(|label| row.get(label)).map(|label| label.trim().to_owned());
        found.extend(text.map(|text| (refang(text), label.filter(|label| !label.is_empty()))));
    }
    Ok(found)
}

fn read_json(value: &Value) -> Result<Found, String> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    if value.get("type").and_then(Value::as_str) == Some("bundle") {
        let objects = value.get("objects").and_then(Value::as_array).into_iter().flatten();
        let indicators =
            objects.filter(|object| object.get("type").and_then(Value::as_str) == Some("indicator"));
        return Ok(indicators
            .flat_map(|indicator| {
                let label = text(indicator, "name");
                let values = stix_values(indicator.get("pattern").and_then(Value::as_str).unwrap_or(""));
                values.into_iter().map(move |value| (value, label.clone())).collect::<Vec<_>>()
            })
            .collect());
    }
    // A MISP warning list.
    if let Some(list) = value.get("list").and_then(Value::as_array) {
        let name = text(value, "name");
        return Ok(list
            .iter()
            .filter_map(Value::as_str)
            .map(|value| (value.to_owned(), name.clone()))
            .collect());
    }
    // A MISP event, or what its search answers.
    let mut found = Vec::new();
    gather_attributes(value, &mut found);
    if found.is_empty() {
        return Err("a JSON of no form that is known: STIX 2 bundle, MISP event or warning list".to_owned());
    }
    Ok(found)
}

/// Reads the values of a STIX pattern: `[ipv4-addr:value = '198.51.100.1' OR domain-name:value = 'x.example']`.
fn stix_values(pattern: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut rest = pattern;
    while let Some((_, behind)) = rest.split_once('\'') {
        let Some((value, behind)) = behind.split_once('\'') else { break };
        values.push(value.to_owned());
        rest = behind;
    }
    values
}

fn gather_attributes(value: &Value, found: &mut Found) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| gather_attributes(value, found)),
        Value::Object(object) => {
            let attributes = object.get("Attribute").and_then(Value::as_array).into_iter().flatten();
            for attribute in attributes {
                let text = |key: &str| attribute.get(key).and_then(Value::as_str).map(str::to_owned);
                // `ip-src|port` and the like: the first part is the address.
                let value = text("value").map(|value| value.split('|').next().unwrap_or_default().to_owned());
                let label =
                    text("comment").filter(|comment| !comment.is_empty()).or_else(|| text("category"));
                found.extend(value.map(|value| (value, label)));
            }
            for key in ["Event", "response", "Object"] {
                object.get(key).into_iter().for_each(|value| gather_attributes(value, found));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<(String, Option<String>)> {
        read_list(text).unwrap()
    }

    fn pair(value: &str, label: Option<&str>) -> (String, Option<String>) {
        (value.to_owned(), label.map(str::to_owned))
    }

    #[test]
    fn every_form_of_list_is_read() {
        let plain = "# bad hosts\n198.51.100.1\n203.0.113.0/24 # scanner\nevil[.]example\n\n";
        let expected =
            [pair("198.51.100.1", None), pair("203.0.113.0/24", Some("scanner")), pair("evil.example", None)];
        assert_eq!(list(plain), expected);
        let csv = "indicator,type\n198.51.100.1,\"c2, active\"\nevil.example,\n";
        assert_eq!(list(csv), [pair("198.51.100.1", Some("c2, active")), pair("evil.example", None)]);
        let stix = r#"{"type":"bundle","objects":[{"type":"identity"},{"type":"indicator","name":"c2",
            "pattern":"[ipv4-addr:value = '198.51.100.1' OR domain-name:value = 'evil.example']"}]}"#;
        assert_eq!(list(stix), [pair("198.51.100.1", Some("c2")), pair("evil.example", Some("c2"))]);
        let misp = r#"{"response":[{"Event":{"Attribute":[{"type":"ip-dst|port","value":"198.51.100.1|443","category":"Network activity"}]}}]}"#;
        assert_eq!(list(misp), [pair("198.51.100.1", Some("Network activity"))]);
        let warning = r#"{"name":"resolvers","list":["198.51.100.1"]}"#;
        assert_eq!(list(warning), [pair("198.51.100.1", Some("resolvers"))]);
    }

    #[test]
    fn what_is_no_list_is_said() {
        assert!(read_list("{}").unwrap_err().contains("STIX 2 bundle"));
        assert!(read_list("{").unwrap_err().contains("no JSON"));
        assert!(read_list("name,colour\nx,y\n").unwrap_err().contains("column of values"));
    }

    #[test]
    fn a_network_that_is_none_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.txt");
        std::fs::write(&path, "198.51.100.0/99\n").unwrap();
        let error = Indicators::read(&[path]).unwrap_err().to_string();
        assert!(error.contains("bad.txt: '198.51.100.0/99' is no network"), "{error}");
    }

    #[test]
    fn a_domain_is_found_below_itself_only() {
        let mut indicators = Indicators::default();
        let list: Arc<str> = "l".into();
        for value in ["evil.example", "198.51.100.0/24", "d41d8cd98f00b204e9800998ecf8427e"] {
            indicators.insert(Indicator {
                kind: IndicatorKind::of(value),
                value: value.to_owned(),
                label: None,
                list: Arc::clone(&list),
            });
        }
        let value = |found: Option<&Indicator>| found.map(|found| found.value.clone());
        assert_eq!(value(indicators.domain("C2.Evil.example")).as_deref(), Some("evil.example"));
        assert_eq!(value(indicators.domain("notevil.example")), None);
        assert_eq!(value(indicators.domain("example")), None);
        assert_eq!(
            value(indicators.address("198.51.100.7".parse().unwrap())).as_deref(),
            Some("198.51.100.0/24")
        );
        let kinds: Vec<_> = indicators.all().iter().map(|indicator| indicator.kind.name()).collect();
        assert_eq!(kinds, ["domain", "address", "other"]);
    }
}
