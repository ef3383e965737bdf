//! What an account owns in one Region: buckets, functions, instances and the rest.
//!
//! Takes their names, gives the one that a record speaks of. Promises that this depends on the record's chance
//! alone, and that some are spoken of far more often than others, as in life.
//!
//! Not here: how they come by their names (`resource`).

use super::chance::mix;

/// The resources of one account in one Region.
#[derive(Clone, Debug, Default)]
pub(super) struct Inventory {
    names: Vec<Vec<String>>,
}

impl Inventory {
    /// Takes the names, a list for each kind.
    pub(super) fn new(names: Vec<Vec<String>>) -> Self {
        Self { names }
    }

    /// Returns the resource of a kind that a record speaks of.
    pub(super) fn pick(&self, kind: u16, token: u64) -> &str {
        let Some(names) = self.names.get(usize::from(kind)) else {
            return "";
        };
        let length = u64::try_from(names.len()).unwrap_or(1).max(1);
        let chance = mix(token, 100 + u64::from(kind));
        // The smaller of two throws: the first names of a kind are the busy ones.
        let at = (chance % length).min((chance >> 32) % length);
        usize::try_from(at).ok().and_then(|at| names.get(at)).map_or("", String::as_str)
    }

    /// Returns every resource of a kind.
    pub(super) fn all(&self, kind: usize) -> &[String] {
        self.names.get(kind).map_or(&[], Vec::as_slice)
    }
}
