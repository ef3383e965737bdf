//! Tries transactions again that the database gave up for another's sake.
//!
//! PostgreSQL may end one of two transactions that wait for each other; databases
//! that only check conflicts at the commit (Aurora DSQL) end any that touched what
//! another one wrote. Neither has done anything then, so it is simply done again.

use std::time::Duration;

use super::CatalogError;

/// Attempts at one transaction.
const ATTEMPTS: u32 = 8;

/// Runs a transaction until it is through.
///
/// # Errors
/// The last attempt's.
pub(super) async fn retrying<T, Attempt, Answer>(mut attempt: Attempt) -> Result<T, CatalogError>
where
    Attempt: FnMut() -> Answer,
    Answer: Future<Output = Result<T, CatalogError>>,
{
    let mut wait = Duration::from_millis(10);
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(error) if is_conflict(&error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "transaction tried again");
                // Uneven, so that two do not meet again.
                tokio::time::sleep(wait.mul_f64(0.5 + fastrand::f64())).await;
                wait *= 2;
            }
            ended => return ended,
        }
    }
    attempt().await
}

impl CatalogError {
    /// Says whether the database refused what it was given, as it will each time: it is there, and the data is
    /// what is wrong. SQLSTATE's classes for data, integrity and limits; SQLite's `TOOBIG`, `CONSTRAINT`, `MISMATCH`.
    pub fn is_refusal(&self) -> bool {
        const SQLSTATE_DIGITS: usize = 5;
        let Self::Statement { source, .. } = self else { return false };
        let Some(code) = source.as_database_error().and_then(sqlx::error::DatabaseError::code) else {
            return false;
        };
        if code.len() == SQLSTATE_DIGITS {
            return ["22", "23", "54"].iter().any(|class| code.starts_with(class));
        }
        // The low byte of an extended code is the code.
        code.parse().is_ok_and(|code: u32| matches!(code & 0xff, 18..=20))
    }
}

/// `serialization_failure`, `deadlock_detected`, and DSQL's own words for the first.
fn is_conflict(error: &CatalogError) -> bool {
    let CatalogError::Statement { source, .. } = error else { return false };
    let code = source.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("40001" | "40P01" | "OC000" | "OC001"))
}
