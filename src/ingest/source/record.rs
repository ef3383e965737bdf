//! What parsing leaves of a record of any source: what decides its place in the lake, and where its body is.

use std::ops::Range;
use std::sync::Arc;

use super::cloudtrail::record::Bodies as CloudTrailBodies;
use super::custom::mapping::Mapping;
use super::log_source::LogSource;
use super::vpc_flow::record::Bodies as FlowBodies;
use crate::lake::path::{AccountId, Region};
use crate::lake::table::Table;

/// The head of one record.
#[derive(Debug, Clone)]
pub struct RecordHead {
    /// The source it is of, which says where its body is.
    pub source: LogSource,
    /// The object in the segment it came from.
    pub object: u32,
    /// Its index in that object.
    pub index: u64,
    /// Where it stands in the text.
    pub range: Range<u32>,
    /// Its time in epoch milliseconds.
    pub time: i64,
    /// The table it belongs to.
    pub table: Table,
    /// The account it pertains to.
    pub account: AccountId,
    /// The number of its Region in [`Records::regions`]; 0 is `unknown`.
    pub region: u32,
    /// The number of its body among those of its source; of a document, which of its events it is.
    pub body: u32,
}

/// A finding that cannot be an event, in a message with others that can.
#[derive(Debug, Clone)]
pub struct BadPart {
    /// Its index in the object.
    pub index: u64,
    /// Where it stands in the text.
    pub range: Range<u32>,
    /// Why.
    pub reason: &'static str,
}

/// Where the values of a record come from, beside the record itself.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The text its spans point into.
    pub text: &'a str,
    /// The object it lies in, as evidence names it.
    pub object: &'a str,
}

/// The records of a segment.
#[derive(Debug, Default)]
pub struct Records {
    /// Their heads.
    pub heads: Vec<RecordHead>,
    /// The Regions met so far.
    pub regions: Regions,
    /// What CloudTrail records hold.
    pub cloudtrail: CloudTrailBodies,
    /// What flow records hold.
    pub vpc_flow: FlowBodies,
    /// Findings of messages that had good ones, too, until they are set aside.
    pub bad_parts: Vec<BadPart>,
    /// The mappings of records from elsewhere.
    pub mappings: Vec<Arc<Mapping>>,
}

impl Records {
    /// Forgets all records, keeping the space they took.
    pub fn clear(&mut self) {
        self.heads.clear();
        self.regions.clear();
        self.cloudtrail.clear();
        self.vpc_flow.clear();
        self.mappings.clear();
        self.bad_parts.clear();
    }

    /// Returns the number of a mapping, which the records of an object share.
    pub fn mapping_number(&mut self, mapping: &Arc<Mapping>) -> u32 {
        if !self.mappings.last().is_some_and(|last| Arc::ptr_eq(last, mapping)) {
            self.mappings.push(Arc::clone(mapping));
        }
        narrow(self.mappings.len() - 1)
    }

    /// Returns the id by which a second copy of an event is known, if its source gives one.
    pub fn event_id<'t>(&self, head: &RecordHead, text: &'t str) -> Option<&'t str> {
        match head.source {
            LogSource::CloudTrail => self.cloudtrail.event_id(head.body, text),
            _ => None,
        }
    }
}

/// Regions by number, so that a head is small and Regions compare fast.
#[derive(Debug)]
pub struct Regions {
    regions: Vec<Region>,
    last: usize,
}

impl Default for Regions {
    fn default() -> Self {
        Self { regions: vec![Region::unknown()], last: 0 }
    }
}

impl Regions {
    /// Returns the number of a Region, 0 for a text that is none.
    pub fn number(&mut self, text: &str) -> u32 {
        let is = |region: &Region| region.as_str() == text;
        if !self.regions.get(self.last).is_some_and(is) {
            let found = self.regions.iter().position(is).or_else(|| {
                self.regions.push(Region::read(text)?);
                Some(self.regions.len() - 1)
            });
            self.last = found.unwrap_or(0);
        }
        narrow(self.last)
    }

    /// Returns a Region by its number.
    pub fn get(&self, number: u32) -> Option<&Region> {
        self.regions.get(number as usize)
    }

    /// Returns of each number its place in the order of names.
    pub fn ranks(&self) -> Vec<u32> {
        let mut by_name: Vec<usize> = (0..self.regions.len()).collect();
        by_name.sort_by_key(|number| self.regions.get(*number));
        let mut ranks = vec![0; by_name.len()];
        for (rank, number) in (0_u32..).zip(by_name) {
            if let Some(slot) = ranks.get_mut(number) {
                *slot = rank;
            }
        }
        ranks
    }

    fn clear(&mut self) {
        self.regions.truncate(1);
        self.last = 0;
    }
}

/// A segment stays under 4 GiB, and so do the places in it.
pub fn narrow(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
