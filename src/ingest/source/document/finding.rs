//! What findings of every source have: class, severity, status, history.

use crate::lake::table::Table;
use crate::ocsf::class::Class;
use crate::ocsf::event::Object;

/// How severe a finding is, as OCSF counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The source does not say.
    Unknown,
    /// Nothing to do.
    Informational,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
    /// Another word of the source.
    Other,
}

impl Severity {
    fn id_and_caption(self) -> (i64, &'static str) {
        match self {
            Self::Unknown => (0, "Unknown"),
            Self::Informational => (1, "Informational"),
            Self::Low => (2, "Low"),
            Self::Medium => (3, "Medium"),
            Self::High => (4, "High"),
            Self::Critical => (5, "Critical"),
            Self::Other => (99, "Other"),
        }
    }
}

/// What is being done about a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nobody has looked at it.
    New,
    /// Somebody works on it.
    InProgress,
    /// It was put away.
    Suppressed,
    /// It is no more.
    Resolved,
    /// Its source no longer stands by it. OCSF has a number for this from 1.4 on.
    Archived,
}

impl Status {
    fn id_and_caption(self) -> (i64, &'static str) {
        match self {
            Self::New => (1, "New"),
            Self::InProgress => (2, "In Progress"),
            Self::Suppressed => (3, "Suppressed"),
            Self::Resolved => (4, "Resolved"),
            Self::Archived => (99, "Archived"),
        }
    }
}

/// The frame of a finding.
#[derive(Debug, Clone, Copy)]
pub struct Finding {
    /// The table, which says the class.
    pub table: Table,
    /// When it was made, if the source says so.
    pub created: Option<i64>,
    /// When it got the state it has.
    pub modified: Option<i64>,
    /// How severe it is.
    pub severity: Severity,
    /// What is being done about it, if the source says so.
    pub status: Option<Status>,
}

impl Finding {
    /// Starts an event with what all findings have. A finding is created when it has not changed since, closed
    /// when it is resolved or archived, and updated otherwise.
    pub fn event(self, product: &str) -> Object {
        let mut event = Object::default();
        let class = self.table.class().unwrap_or(Class::DetectionFinding);
        let activity = match self.status {
            Some(Status::Resolved | Status::Archived) => 3,
            _ if self.created.is_some() && self.created == self.modified => 1,
            _ => 2,
        };
        event.class(class, activity, "Other");
        event.constant("metadata.version", class.version());
        event.texts("metadata.profiles", vec!["cloud".to_owned(), "datetime".to_owned()]);
        event.constant("metadata.product.name", product);
        event.constant("metadata.product.vendor_name", "AWS");
        event.constant("cloud.provider", "AWS");
        let (severity_id, severity) = self.severity.id_and_caption();
        event.integer("severity_id", severity_id);
        event.constant("severity", severity);
        if let Some((status_id, status)) = self.status.map(Status::id_and_caption) {
            event.integer("status_id", status_id);
            event.constant("status", status);
        }
        event.integer("finding_info.created_time_dt", self.created);
        event.integer("finding_info.modified_time_dt", self.modified);
        event
    }
}
