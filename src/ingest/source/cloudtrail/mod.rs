//! CloudTrail: records of every category become API Activity, Account Change and Authentication events.
//!
//! `parse` finds the fields of a record in its text, `classify` says what kind
//! of event it is, `normalize` fills the row, `by_class` what
//! only one class of event has.

pub mod record;
pub mod parse;
pub mod classify;
pub mod normalize;
mod by_class;

pub use normalize::normalize;
pub use parse::parse;
