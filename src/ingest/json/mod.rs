//! Walks JSON text.
//!
//! Takes bytes and a place in them and gives the spans of values, checked
//! against the whole JSON grammar, so that a span can be kept as JSON text as it
//! is. One pass over the bytes serves finding a record's end, its fields and
//! their raw text; no library does all three at once (`benches/results/parse`).
//! Promises:
//! - what it accepts, `serde_json` accepts too, and the other way round, up to
//!   the depth limit (a property test);
//! - it never reads past the bytes, and tells "ended too early" from "broken";
//! - numbers stay text, however long.
//!
//! Not here: what the fields mean (`source`).
//!
//! `scan` walks, `text` has what is done with the text of a value, `document` builds the tree that sources of
//! few and varied records want.

mod scan;
mod text;
mod document;

pub use document::{Document, Item};
pub use scan::{DEPTH_MAX, Kind, Scanner, Span, Stop};
pub use text::{compact, find, is_json, unescape};
