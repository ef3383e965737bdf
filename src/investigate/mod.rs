//! Answers about one finding, key, principal or resource.
//!
//! `evidence` proves what answers rest on, and takes it out of the lake.

pub mod evidence;
