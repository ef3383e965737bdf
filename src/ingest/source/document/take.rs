//! Takes values of the types that OCSF has.
//!
//! A value that is none of its type is not taken: it stays where it is and ends in
//! `unmapped`. Attackers write some of these texts, so nothing is assumed of them.

use std::borrow::Cow;
use std::net::IpAddr;

use super::record::Record;
use crate::ingest::json::{Item, compact};
use crate::lake::path::{AccountId, Region};

/// Host names are no longer than this (RFC 1035).
const HOSTNAME_BYTES_MAX: usize = 253;

/// Takes a text that says something.
pub fn text<'d>(item: Item<'d>, path: &str) -> Option<Cow<'d, str>> {
    text_that(item, path, |text| !text.is_empty())
}

/// Returns a text that says something, and leaves it where it is: another column tells it back, or something is
/// only made of it.
pub fn filled<'d>(item: Item<'d>, path: &str) -> Option<Cow<'d, str>> {
    item.get(path)?.text().filter(|text| !text.is_empty())
}

/// Takes an IP address.
pub fn ip<'d>(item: Item<'d>, path: &str) -> Option<Cow<'d, str>> {
    text_that(item, path, |text| text.parse::<IpAddr>().is_ok())
}

/// Takes a host name as OCSF allows it: letters, digits and hyphens between dots.
pub fn hostname<'d>(item: Item<'d>, path: &str) -> Option<Cow<'d, str>> {
    text_that(item, path, is_hostname)
}

/// Takes a number that 32 bits hold.
pub fn int(item: Item<'_>, path: &str) -> Option<i64> {
    number_in(item, path, i64::from(i32::MIN)..=i64::from(i32::MAX))
}

/// Takes a port.
pub fn port(item: Item<'_>, path: &str) -> Option<i64> {
    number_in(item, path, 0..=65_535)
}

/// Takes a value with all that is in it, as JSON text without white space.
pub fn json<'d>(item: Item<'d>) -> Cow<'d, str> {
    item.take();
    compact(item.json())
}

/// Takes the account a record pertains to: its own, or the one its envelope names. Both are told back by one
/// column when they are the same.
pub fn account(record: Record<'_>, body: Item<'_>, path: &str) -> Option<String> {
    same_in_envelope(record, (body, path), "account", |text| AccountId::read(text).is_some())
}

/// Takes the Region a record pertains to, as [`account`] does.
pub fn region(record: Record<'_>, body: Item<'_>, path: &str) -> Option<String> {
    same_in_envelope(record, (body, path), "region", |text| Region::read(text).is_some())
}

fn same_in_envelope(
    record: Record<'_>,
    (body, path): (Item<'_>, &str),
    name: &str,
    is_one: fn(&str) -> bool,
) -> Option<String> {
    let places = [(body, path), (record.whole, name)];
    let read = |(item, path): &(Item<'_>, &str)| {
        item.get(path).and_then(Item::text).filter(|text| is_one(text)).map(Cow::into_owned)
    };
    let found = places.iter().find_map(read)?;
    for (item, path) in places {
        text_that(item, path, |text| text == found);
    }
    Some(found)
}

fn text_that<'d>(item: Item<'d>, path: &str, fits: impl Fn(&str) -> bool) -> Option<Cow<'d, str>> {
    item.get(path)?.text().filter(|text| fits(text))?;
    item.take_text(path)
}

fn number_in(item: Item<'_>, path: &str, range: std::ops::RangeInclusive<i64>) -> Option<i64> {
    let number: i64 = item.get(path)?.json().parse().ok()?;
    if range.contains(&number) { item.take_integer(path) } else { None }
}

/// Says whether a text is a host name in the sense of OCSF 1.1.0.
pub fn is_hostname(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= HOSTNAME_BYTES_MAX && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::json::Document;

    #[test]
    fn what_is_none_of_its_type_stays() {
        let text = r#"{"ip":"192.0.2.1 or 1=1","port":70000,"pid":4294967296,"name":"_dmarc.example.com","empty":""}"#;
        let document = Document::read(text, 0).unwrap();
        let root = document.root();
        assert_eq!(ip(root, "ip"), None);
        assert_eq!(port(root, "port"), None);
        assert_eq!(int(root, "pid"), None);
        assert_eq!(hostname(root, "name"), None);
        assert_eq!(super::text(root, "empty"), None);
        assert!(!root.is_touched());
    }

    #[test]
    fn takes_the_account_of_the_envelope_when_it_is_the_same() {
        for (account_of_envelope, is_taken) in [("111122223333", true), ("444455556666", false)] {
            let text = format!(
                r#"{{"detail-type":"x","account":"{account_of_envelope}","detail":{{"accountId":"111122223333"}}}}"#
            );
            let document = Document::read(&text, 0).unwrap();
            let record = Record::all(document.root()).unwrap().remove(0);
            assert_eq!(account(record, record.body, "accountId").as_deref(), Some("111122223333"));
            assert_eq!(record.whole.member("account").map(Item::is_taken), Some(is_taken));
        }
    }
}
