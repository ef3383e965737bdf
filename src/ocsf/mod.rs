//! The vocabulary: OCSF classes, the columns of each table family, and the
//! builders that turn values into Arrow columns.
//!
//! Nothing here knows where data comes from or where it lies.

pub mod class;
pub mod event;
pub mod schema;
mod packed;
pub mod columns;
mod event_row;
