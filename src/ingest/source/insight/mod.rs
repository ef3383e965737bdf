//! CloudTrail Insights: unusual rates of calls and errors.
//!
//! They become Detection Findings, since they tell of no call but of what is unusual about many. One record comes
//! when it starts and one when it ends; both carry `sharedEventID`, which names the finding, `finding_info.uid`.
//! CloudTrail does not weigh them, so their severity is unknown. Security Hub does not take them in.

mod normalize;
mod evidence;

pub use normalize::{normalize, recognizes};
