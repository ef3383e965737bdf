//! x
#![expect(clippy::unwrap_used, reason = "x")]
mod archive;
mod round_trip;
