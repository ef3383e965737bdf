//! The closed set of log sources.

/// A log source that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogSource {
    /// CloudTrail management, data, network-activity and aggregated events.
    CloudTrail,
    /// VPC and Transit Gateway Flow Logs.
    VpcFlow,
    /// GuardDuty findings: exported to S3, over EventBridge, or as its API answers.
    GuardDuty,
    /// Security Hub findings in ASFF: over EventBridge, as its API answers, or in files.
    SecurityHub,
    /// Inspector findings: over EventBridge or as its API answers.
    Inspector,
    /// IAM Access Analyzer findings: over EventBridge or as its API answers.
    AccessAnalyzer,
    /// Macie findings: over EventBridge or as its API answers.
    Macie,
    /// AWS Config: compliance with rules, and configuration items.
    Config,
    /// CloudTrail Insights: unusual rates of calls and errors.
    Insight,
    /// Events that are OCSF already, Security Hub v2 findings above all.
    Ocsf,
    /// Logs from elsewhere, which the configuration declares.
    Custom,
}

impl LogSource {
    /// Every source that is known by its keys or its content.
    pub const ALL: [Self; 10] = [
        Self::CloudTrail,
        Self::VpcFlow,
        Self::GuardDuty,
        Self::SecurityHub,
        Self::Inspector,
        Self::AccessAnalyzer,
        Self::Macie,
        Self::Config,
        Self::Insight,
        Self::Ocsf,
    ];

    /// Returns the name in reports and in the catalog.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CloudTrail => "cloudtrail",
            Self::VpcFlow => "vpc_flow",
            Self::GuardDuty => "guardduty",
            Self::SecurityHub => "security_hub",
            Self::Inspector => "inspector",
            Self::AccessAnalyzer => "access_analyzer",
            Self::Macie => "macie",
            Self::Config => "config",
            Self::Insight => "insight",
            Self::Ocsf => "ocsf",
            Self::Custom => "custom",
        }
    }

    /// Finds a source by its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}
