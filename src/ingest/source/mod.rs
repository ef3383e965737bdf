//! Log sources: which there are, and how their records become events.
//!
//! `key` tells the source from an object's key, `content` where the key is
//! silent; `walk` finds the records of an object, as JSON (`records`) or line by
//! line (`lines`); `record` is what parsing leaves of any of them; `parse` and
//! `normalize` ask the record's source. Then a folder a source; `document` has what
//! the sources of few and varied records share.

pub mod log_source;
pub mod key;
pub mod content;
pub mod offset;
pub mod records;
pub mod lines;
pub mod place;
pub mod walk;
pub mod time;
pub mod unmapped;
pub mod record;
pub mod parse;
pub mod normalize;
pub mod cloudtrail;
pub mod vpc_flow;
pub mod document;
pub mod guardduty;
pub mod security_hub;
pub mod inspector;
pub mod access_analyzer;
pub mod macie;
pub mod config;
pub mod insight;
pub mod ocsf;
pub mod custom;
pub mod declared;

pub use log_source::LogSource;
