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
}

impl Class {
    /// Returns `class_uid`.
    pub const fn uid(self) -> i32 {
        match self {
            Self::ApiActivity => 6003,
            Self::AccountChange => 3001,
            Self::Authentication => 3002,
        }
    }

    /// Returns `class_name`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApiActivity => "API Activity",
            Self::AccountChange => "Account Change",
            Self::Authentication => "Authentication",
        }
    }

    /// Returns `category_uid` and `category_name`.
    pub const fn category(self) -> (i32, &'static str) {
        match self {
            Self::ApiActivity => (6, "Application Activity"),
            Self::AccountChange | Self::Authentication => (3, "Identity & Access Management"),
        }
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
        }
    }

    /// Returns `type_uid` for an activity.
    pub const fn type_uid(self, activity_id: i32) -> i64 {
        self.uid() as i64 * 100 + activity_id as i64
    }
}
