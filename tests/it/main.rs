//! Promises of ashiato, proved on the real binary: real bytes in, rows out.
//!
//! `archive` builds records, files and lakes; the other modules each prove one kind of promise.
//! No test needs the network, and each works in a temporary folder of its own.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "the helpers of a test fail by panicking"
)]

mod archive;
mod backfill;
mod bad_input;
mod cli;
mod crash;
mod declared;
mod deploy;
mod derived;
mod detect;
mod evidence;
mod folder;
mod forms;
mod faults;
mod from_s3;
mod golden;
mod investigate;
#[cfg(feature = "lambda")]
mod lambda;
mod lake_s3;
mod plans;
mod poison;
mod odd_stores;
mod org;
mod preflight;
mod quarantine;
mod round_trip;
mod s3;
mod scenarios;
mod settling;
mod sources;
mod sqs;
mod wrong_types;
mod tidy;
mod worker;
