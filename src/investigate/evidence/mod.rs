//! Proves what an answer rests on, and takes it along.
//!
//! ```text
//! object URIs ─ key ─ digests of its day ─ signature, hash, chain ─→ verified / altered / missing / no digest
//! rows, queries, object URIs ─ raw records, digests ─────────────────→ a folder with a manifest of hashes
//! ```
//!
//! [`Verifier`] checks CloudTrail's signed digests as AWS documents it; [`export`] writes the folder.
//! Promises:
//! - an object is verified only when a digest signed with a key of the user's own list has its hash;
//! - what cannot be proved is never called altered, and what is altered never anything else;
//! - an export overwrites nothing, and no name in it comes from a log.
//!
//! Not here: who asks, and for what (`cli`).

mod place;
mod public_key;
mod content;
mod digest;
mod shelf;
mod verdict;
mod verify;
mod export;

pub use export::{Evidence, ExportError, Exported, Folder, Parts, QueryText, RowSet, export};
pub use place::ObjectPlace;
pub use public_key::{KeyError, PublicKey, PublicKeys};
pub use verdict::{Chain, Judged, Verdict};
pub use verify::Verifier;
