//! A document on its way to an event.

use std::borrow::Cow;

use crate::ingest::json::{Item, Kind};
use crate::lake::table::Table;
use crate::ocsf::event::Object;

/// One record: a document, or one finding of several in a message.
#[derive(Debug, Clone, Copy)]
pub struct Record<'d> {
    /// The whole document: an EventBridge envelope, or the record itself.
    pub whole: Item<'d>,
    /// The finding or configuration item.
    pub body: Item<'d>,
}

/// What a source makes of a record.
#[derive(Debug)]
pub struct Mapped {
    /// The table its event belongs to.
    pub table: Table,
    /// When it happened, epoch milliseconds.
    pub time: Option<i64>,
    /// The account it pertains to, as the record has it.
    pub account: Option<String>,
    /// The Region it pertains to.
    pub region: Option<String>,
    /// The event, all but what every event has: time, place, evidence.
    pub event: Object,
}

/// Findings in one message: Security Hub sends at most a hundred. The message is read again for each of them, so a
/// larger one would cost the square of its size.
const PARTS_MAX: usize = 100;

impl<'d> Record<'d> {
    /// Returns the records of a message.
    ///
    /// # Errors
    /// There are more than a message has.
    pub fn all(whole: Item<'d>) -> Result<Vec<Self>, &'static str> {
        let bodies = bodies(whole);
        if bodies.len() > PARTS_MAX {
            return Err("more than 100 findings in one message");
        }
        Ok(bodies.into_iter().map(|body| Self { whole, body }).collect())
    }

    /// Says whether the record lies in an EventBridge envelope.
    pub fn is_enveloped(self) -> bool {
        self.whole.member("detail-type").is_some() && self.whole.member("detail").is_some()
    }

    /// Returns `detail-type` of the envelope.
    pub fn detail_type(self) -> Option<Cow<'d, str>> {
        self.whole.member("detail-type").and_then(Item::text)
    }

    /// Says whether a member of the body has this text.
    pub fn is(self, path: &str, text: &str) -> bool {
        self.body.get(path).and_then(Item::text).is_some_and(|found| found == text)
    }

    /// Says whether the body has all these members.
    pub fn has(self, paths: &[&str]) -> bool {
        paths.iter().all(|path| self.body.get(path).is_some())
    }
}

/// The findings in a message, or what is in an envelope, or the document itself.
fn bodies(whole: Item<'_>) -> Vec<Item<'_>> {
    let detail = whole.member("detail").filter(|detail| detail.kind() == Kind::Object);
    let Some(detail) = detail.filter(|_| whole.member("detail-type").is_some()) else {
        return vec![whole];
    };
    let findings: Vec<Item<'_>> = detail.member("findings").into_iter().flat_map(Item::elements).collect();
    if findings.is_empty() { vec![detail] } else { findings }
}
