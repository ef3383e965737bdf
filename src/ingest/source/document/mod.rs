//! What the sources of few and varied records share: findings, configuration, events that are OCSF already.
//!
//! A record of theirs is a JSON document of which each source knows its own by
//! its content. `parse` finds the documents and what is in them, `map` asks the
//! sources. `take` reads values of the types OCSF has, `number`, `labels`, `place` and
//! `vulnerability` those that need a second look; `finding` has what findings of every
//! source have, `observables` names what people search for; `normalize` fills the row. A
//! source gives an OCSF event and takes from the document what columns tell back; what
//! nobody took goes into `unmapped`, so nothing can be forgotten.
//!
//! A document is read twice: to find its place when it is parsed, and again when its row
//! is filled, so that memory holds the text alone.

pub mod record;
pub mod take;
pub mod finding;
pub mod observables;
pub mod place;
pub mod number;
pub mod labels;
pub mod vulnerability;
mod map;
mod parse;
mod normalize;

pub use normalize::{normalize, write_row};
pub use parse::parse;
