//! Macie findings: over EventBridge or as its API answers.
//!
//! They become Data Security Findings, a class of OCSF 1.3.0. Some tell of sensitive data in an object, others of a
//! bucket's settings and of who changed them. A finding has no ARN. Its name, `finding_info.uid`, is its id, which is
//! also Security Hub's `Id` of the same finding.
//!
//! `normalize` has the frame, `bucket` where the data lies, `data` what was found, `policy` who changed a setting.

mod normalize;
mod bucket;
mod data;
mod policy;

pub use normalize::{normalize, recognizes};
