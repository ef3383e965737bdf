//! The reading trail: SQL over the lake, for a person or a rule.
//!
//! ```text
//! catalog ─ visible files ─→ table ─→ views ─→ session ─→ run ─→ format
//!               prune, needle: which   names    limits,    rows,    table, json, jsonl,
//!               files a query can need          dialect    stats    csv, markdown, parquet
//! ```
//!
//! Takes one statement and its parameters and gives record batches. Promises:
//! - a query reads what the catalog shows at one moment: hot and settled rows, each once;
//! - nothing is written, whatever the statement says;
//! - a parameter is a value and never becomes part of the statement;
//! - memory has a limit, past which sorts, joins and groups go to the disk;
//! - text of a log never reaches a terminal as control codes.
//!
//! `library` holds the questions that come with the program. Not here: what a
//! person types around a query (`cli`), and the writing trail, which this one
//! meets in the lake only.

pub mod error;
pub mod event_day;
pub mod prune;
mod needle;
mod element;
pub mod scan;
mod shared;
mod reader;
mod long_scan;
mod files;
pub mod table;
pub mod views;
pub mod news;
mod function;
pub mod derived;
mod athena;
mod intel;
pub mod session;
pub mod param;
pub mod run;
pub mod format;
pub mod library;

pub use error::QueryError;
pub use format::{Format, RowWriter, Screen};
pub use param::Params;
pub use run::{QueryStats, Rows, run};
pub use session::{Engine, QueryLimits};

#[cfg(test)]
mod tests;
