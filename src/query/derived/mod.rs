//! The derived tables as queries see them.
//!
//! ```text
//! derived files, of which the rows count that were derived from visible files ─┐
//! files without derived rows ─→ queries/derived/*.sql, on the fly ─────────────┴─→ footprints, touches, …
//! ```
//!
//! Takes the name of a derived table and gives all its rows. Promises:
//! - an answer is as complete as one from the events themselves, to the last committed file;
//! - both halves are of one moment, so that nothing is missing and nothing counted twice;
//! - one text says what is derived, whether it is kept or computed on the fly.
//!
//! `plan` is the computation; `keep` runs it for who keeps the rows; `lookup` asks them which
//! files hold a key, an address or a resource.

mod agent;
pub mod function;
pub mod keep;
mod last_ids;
mod lease;
pub mod lookup;
pub mod plan;
mod resource;
pub mod table;

pub(in crate::query) use resource::canonical;
