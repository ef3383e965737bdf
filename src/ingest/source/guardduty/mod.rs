//! GuardDuty findings: exported to S3, over EventBridge, or as its API answers, whose names are capitalized.
//!
//! They become Detection Findings. A finding's name is its ARN, `finding_info.uid`: Security Hub's `Id` of the
//! same finding is the same ARN, so that the two are one finding whichever way it comes. A state is
//! named by its text, not by the finding's id: settling must not take two that differ for one.
//!
//! `resource` has what it is about, `action` what was done, between which `endpoint`s and by which `process`,
//! `malware` the files a scan found, `sequence` what an attack sequence adds, `attack` the words of MITRE ATT&CK.

mod normalize;
mod resource;
mod action;
mod endpoint;
mod process;
mod malware;
mod sequence;
mod attack;

pub use normalize::{normalize, recognizes};
