//! Investigations: one question now, for a person, answered with evidence.
//!
//! ```text
//! subject ─ resolve ─ cause (control, sign, undo, rank) ─ walk (chain) ─ root ─ around, lines ─ say ─→ Answer ─ form, terminal, JSON
//!                └──────────── ask: queries/investigations/*.sql, through `query` ───────┘
//! ```
//!
//! Takes a subject (a finding, a key, a principal, a session, an address, a resource, an event) and gives an
//! [`Answer`]. Promises:
//! - each question is a file of the library that a person can ask alone;
//! - a claim has its evidence and how sure it is; what the logs cannot tell is said with its reason;
//! - a lake in which a table is missing or empty is answered from the rest, and what was missing is noted.
//!
//! `evidence` proves what answers rest on, and takes it out of the lake; `form` is how they look.
//!
//! Not here: SQL.

pub mod answer;
pub mod evidence;
mod surroundings;
pub mod moment;
mod subject;
mod ask;
mod rows;
mod resolve;
mod resource;
mod control;
mod sign;
mod undo;
mod state;
mod rank;
mod cause;
mod chain;
mod stack;
mod walk;
mod root;
mod lines;
mod deed;
mod around;
mod say;
mod story;
pub mod form;
pub mod terminal;

pub use answer::{Answer, SubjectKind};
pub use moment::Moment;
pub use story::investigate;
pub use subject::{account_of_key, kinds};

/// The word for the newest finding.
pub const LATEST: &str = "latest";

/// What a person asks.
#[derive(Debug, Clone)]
pub struct Inquiry {
    /// The subject as it was typed, or [`LATEST`].
    pub subject: String,
    /// What it is, where its shape shall not decide.
    pub kind: Option<SubjectKind>,
    /// From when on; without it the subject decides.
    pub from: Option<Moment>,
    /// Until when.
    pub to: Option<Moment>,
    /// How severe the newest finding is at least, in OCSF's numbers.
    pub severity_id: u8,
    /// The time it is asked.
    pub now: Moment,
}
