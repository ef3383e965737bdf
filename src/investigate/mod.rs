//! Investigations: one question now, for a person, answered with evidence.
//!
//! Takes a subject (a finding, a key, a principal, a session, an address, a resource, an event) and gives an [`Answer`].
//!
//! Not here: SQL (`queries/investigations/`), and how an answer looks to a browser.

pub mod answer;
pub mod moment;
mod subject;
mod control;
mod sign;

pub use answer::Answer;
pub use moment::Moment;
pub use subject::{account_of_key, kinds};

/// The word for the newest finding.
pub const LATEST: &str = "latest";
