//! The closed set of log sources.

/// A log source that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogSource {
    /// CloudTrail management, data, network-activity and aggregated events.
    CloudTrail,
    /// VPC and Transit Gateway Flow Logs.
    VpcFlow,
}

impl LogSource {
    /// Every source.
    pub const ALL: [Self; 2] = [Self::CloudTrail, Self::VpcFlow];

    /// Finds a source by its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }

    /// Returns the name in reports and in the catalog.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CloudTrail => "cloudtrail",
            Self::VpcFlow => "vpc_flow",
        }
    }
}
