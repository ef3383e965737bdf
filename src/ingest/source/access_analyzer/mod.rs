//! IAM Access Analyzer findings: over EventBridge or as its API answers.
//!
//! They become Detection Findings: of access from outside, of access inside an organization, and of access nobody
//! uses. Access Analyzer does not weigh them; public access is high, access of other accounts medium, the rest low.
//!
//! A finding's name, `finding_info.uid`, is its id, the only name that EventBridge and the API share. Security Hub's
//! `Id` is the analyzer's ARN, a slash and the resource: one for all findings of a resource, of which one may be
//! resolved while another is not. So it is no name of a finding; it stands in `finding_info.related_events`, by
//! which the two can be joined.
//!
//! Access previews tell what would be if a policy were changed. A finding of one is informational and has no status, so
//! that it is not taken for access that exists; that a preview was started or ended is no finding at all.
//!
//! `normalize` has the frame, `access` who may do what.

mod normalize;
mod access;

pub use normalize::{normalize, recognizes};
