//! Macie findings: over EventBridge or as its API answers.
//!
//! They become Data Security Findings, a class of OCSF 1.3.0. Some tell of sensitive data in an object, others of a
//! bucket's settings and of who changed them. A finding has no ARN, so its name, `finding_info.uid`, is its id. Macie has
//! nothing else to give Security Hub as an `Id`, but no public sample shows what it gives.
//!
//! `normalize` has the frame, `bucket` where the data lies, `data` what was found, `policy` who changed a setting.

mod normalize;
mod bucket;
mod data;
mod policy;

pub use normalize::{normalize, recognizes};
