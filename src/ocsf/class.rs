//! The OCSF classes we write, with the numbers and captions OCSF 1.1.0 gives them.
//!
//! Not here: which record belongs to which class (`ingest::source`).

/// An OCSF event class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// API Activity, 6003.
    ApiActivity,
    /// Account Change, 3001.
    AccountChange,
    /// Authentication, 3002.
    Authentication,
    /// Network Activity, 4001.
    NetworkActivity,
    /// Vulnerability Finding, 2002.
    VulnerabilityFinding,
    /// Compliance Finding, 2003.
    ComplianceFinding,
    /// Detection Finding, 2004.
    DetectionFinding,
    /// Data Security Finding, 2006, which is younger than OCSF 1.1.0.
    DataSecurityFinding,
}

impl Class {
    /// Returns `class_uid`.
    pub const fn uid(self) -> i32 {
        match self {
            Self::ApiActivity => 6003,
            Self::AccountChange => 3001,
            Self::Authentication => 3002,
            Self::NetworkActivity => 4001,
            Self::VulnerabilityFinding => 2002,
            Self::ComplianceFinding => 2003,
            Self::DetectionFinding => 2004,
            Self::DataSecurityFinding => 2006,
        }
    }

    /// Returns the OCSF version its events say they have: the native Security Lake tables' where it has the class.
    pub const fn version(self) -> &'static str {
        match self {
            Self::DataSecurityFinding => "1.3.0",
            _ => "1.1.0",
        }
    }

    /// Returns `class_name`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiActivity => "API Activity",
            Self::AccountChange => "Account Change",
            Self::Authentication => "Authentication",
            Self::NetworkActivity => "Network Activity",
            Self::VulnerabilityFinding => "Vulnerability Finding",
            Self::ComplianceFinding => "Compliance Finding",
            Self::DetectionFinding => "Detection Finding",
            Self::DataSecurityFinding => "Data Security Finding",
        }
    }

    /// Returns `category_uid` and `category_name`.
    pub const fn category(self) -> (i32, &'static str) {
        match self {
            Self::ApiActivity => (6, "Application Activity"),
            Self::AccountChange | Self::Authentication => (3, "Identity & Access Management"),
            Self::NetworkActivity => (4, "Network Activity"),
            Self::VulnerabilityFinding
            | Self::ComplianceFinding
            | Self::DetectionFinding
            | Self::DataSecurityFinding => (2, "Findings"),
        }
    }

    /// Says whether its events are findings.
    pub const fn is_finding(self) -> bool {
        self.category().0 == 2
    }

    /// Returns the caption of an `activity_id` of this class; `None` for 99 and unknown ids,
    /// whose caption is the source's own word.
    pub const fn activity(self, activity_id: i32) -> Option<&'static str> {
        Some(match (self, activity_id) {
            (_, 0) => "Unknown",
            (Self::ApiActivity | Self::AccountChange, 1) => "Create",
            (Self::ApiActivity, 2) => "Read",
            (Self::ApiActivity, 3) => "Update",
            (Self::ApiActivity, 4) => "Delete",
            (Self::AccountChange, 2) => "Enable",
            (Self::AccountChange, 3) => "Password Change",
            (Self::AccountChange, 4) => "Password Reset",
            (Self::AccountChange, 5) => "Disable",
            (Self::AccountChange, 6) => "Delete",
            (Self::AccountChange, 7) => "Attach Policy",
            (Self::AccountChange, 8) => "Detach Policy",
            (Self::AccountChange, 10) => "MFA Factor Enable",
            (Self::AccountChange, 11) => "MFA Factor Disable",
            (Self::Authentication, 1) => "Logon",
            (Self::Authentication, 2) => "Logoff",
            (Self::NetworkActivity, 1) => "Open",
            (Self::NetworkActivity, 2) => "Close",
            (Self::NetworkActivity, 3) => "Reset",
            (Self::NetworkActivity, 4) => "Fail",
            (Self::NetworkActivity, 5) => "Refuse",
            (Self::NetworkActivity, 6) => "Traffic",
            (_, 1) if self.is_finding() => "Create",
            (_, 2) if self.is_finding() => "Update",
            (_, 3) if self.is_finding() => "Close",
            (Self::DataSecurityFinding, 4) => "Suppressed",
            _ => return None,
        })
    }

    /// Returns `type_name`: class and activity in one caption, "Other" for 99.
    pub const fn type_name(self, activity_id: i32) -> &'static str {
        match (self, activity_id) {
            (Self::ApiActivity, 0) => "API Activity: Unknown",
            (Self::ApiActivity, 1) => "API Activity: Create",
            (Self::ApiActivity, 2) => "API Activity: Read",
            (Self::ApiActivity, 3) => "API Activity: Update",
            (Self::ApiActivity, 4) => "API Activity: Delete",
            (Self::ApiActivity, _) => "API Activity: Other",
            (Self::AccountChange, 0) => "Account Change: Unknown",
            (Self::AccountChange, 1) => "Account Change: Create",
            (Self::AccountChange, 2) => "Account Change: Enable",
            (Self::AccountChange, 3) => "Account Change: Password Change",
            (Self::AccountChange, 4) => "Account Change: Password Reset",
            (Self::AccountChange, 5) => "Account Change: Disable",
            (Self::AccountChange, 6) => "Account Change: Delete",
            (Self::AccountChange, 7) => "Account Change: Attach Policy",
            (Self::AccountChange, 8) => "Account Change: Detach Policy",
            (Self::AccountChange, 10) => "Account Change: MFA Factor Enable",
            (Self::AccountChange, 11) => "Account Change: MFA Factor Disable",
            (Self::AccountChange, _) => "Account Change: Other",
            (Self::Authentication, 0) => "Authentication: Unknown",
            (Self::Authentication, 1) => "Authentication: Logon",
            (Self::Authentication, 2) => "Authentication: Logoff",
            (Self::Authentication, _) => "Authentication: Other",
            (Self::NetworkActivity, 0) => "Network Activity: Unknown",
            (Self::NetworkActivity, 1) => "Network Activity: Open",
            (Self::NetworkActivity, 2) => "Network Activity: Close",
            (Self::NetworkActivity, 3) => "Network Activity: Reset",
            (Self::NetworkActivity, 4) => "Network Activity: Fail",
            (Self::NetworkActivity, 5) => "Network Activity: Refuse",
            (Self::NetworkActivity, 6) => "Network Activity: Traffic",
            (Self::NetworkActivity, _) => "Network Activity: Other",
            (Self::VulnerabilityFinding, 0) => "Vulnerability Finding: Unknown",
            (Self::VulnerabilityFinding, 1) => "Vulnerability Finding: Create",
            (Self::VulnerabilityFinding, 2) => "Vulnerability Finding: Update",
            (Self::VulnerabilityFinding, 3) => "Vulnerability Finding: Close",
            (Self::VulnerabilityFinding, _) => "Vulnerability Finding: Other",
            (Self::ComplianceFinding, 0) => "Compliance Finding: Unknown",
            (Self::ComplianceFinding, 1) => "Compliance Finding: Create",
            (Self::ComplianceFinding, 2) => "Compliance Finding: Update",
            (Self::ComplianceFinding, 3) => "Compliance Finding: Close",
            (Self::ComplianceFinding, _) => "Compliance Finding: Other",
            (Self::DetectionFinding, 0) => "Detection Finding: Unknown",
            (Self::DetectionFinding, 1) => "Detection Finding: Create",
            (Self::DetectionFinding, 2) => "Detection Finding: Update",
            (Self::DetectionFinding, 3) => "Detection Finding: Close",
            (Self::DetectionFinding, _) => "Detection Finding: Other",
            (Self::DataSecurityFinding, 0) => "Data Security Finding: Unknown",
            (Self::DataSecurityFinding, 1) => "Data Security Finding: Create",
            (Self::DataSecurityFinding, 2) => "Data Security Finding: Update",
            (Self::DataSecurityFinding, 3) => "Data Security Finding: Close",
            (Self::DataSecurityFinding, 4) => "Data Security Finding: Suppressed",
            (Self::DataSecurityFinding, _) => "Data Security Finding: Other",
        }
    }

    /// Returns `type_uid` for an activity.
    pub const fn type_uid(self, activity_id: i32) -> i64 {
        self.uid() as i64 * 100 + activity_id as i64
    }
}
