//! Reads years of an archive on the path that a worker uses.
//!
//! ```text
//! walk of prefixes ─┐
//!                   ├─ selection ─ pace ─ queue in memory ─ lanes …
//! S3 Inventory ─────┘                                        └─ ledger: parts that were read to their end
//! ```
//!
//! A bucket is walked by account, Region and month, many parts at once; what nobody asked for is
//! never listed. Promises: a run that was stopped goes on without listing again what it had
//! read; an object is read once however often it is found, which the catalog sees to.

mod selection;
mod step;
mod pace;
mod survey;
mod ledger;
mod announce;
mod walk;
mod inventory;

pub use announce::{Announcer, Of};
pub use inventory::read_inventory;
pub use ledger::Ledger;
pub use pace::Pace;
pub use selection::Selection;
pub use survey::{Survey, SurveyCount, SurveyPlace};
pub use walk::walk;
