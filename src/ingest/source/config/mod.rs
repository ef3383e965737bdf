//! AWS Config: compliance with rules, and configuration items.

use crate::ingest::source::document::record::{Mapped, Record};

/// Says whether a record is one of these.
pub fn recognizes(_record: Record<'_>) -> bool {
    false
}

/// Makes an event of a record.
///
/// # Errors
/// Why it cannot be one.
pub fn normalize(_record: Record<'_>) -> Result<Mapped, &'static str> {
    Err("not built yet")
}
