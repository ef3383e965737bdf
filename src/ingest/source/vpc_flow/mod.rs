//! VPC Flow Logs and Transit Gateway Flow Logs: a line becomes a Network Activity event.
//!
//! The header line binds the fields, in whatever order and of whatever version;
//! `record` names them, `parse` finds them in a line, `normalize` fills the row.
//! Field names, values and versions are AWS's ("Flow log records", Amazon VPC User
//! Guide; "Transit Gateway Flow Log records").

pub mod record;
pub mod parse;
pub mod normalize;

pub use normalize::normalize;
pub use parse::FlowReader;
