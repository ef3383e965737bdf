//! Statements whose text depends on what is asked, or on how many rows they speak of.
//!
//! Values stay apart from the text: what a key or a record says never becomes SQL.

use sqlx::Arguments as _;
use sqlx::any::{AnyArguments, AnyQueryResult, AnyRow};
use sqlx::{Any, AssertSqlSafe, Transaction};

/// Rows in one statement. A batch has up to thousands; a round trip each would make a database that is a
/// millisecond away the slowest part of a worker, and more in one make statements that are slow to prepare.
pub(super) const ROWS_AT_ONCE: usize = 64;

/// Text that both databases keep. What a log says may stand in a reason, and PostgreSQL keeps no U+0000.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A statement under way.
pub(super) struct Statement {
    sql: String,
    arguments: AnyArguments,
}

impl Statement {
    pub(super) fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), arguments: AnyArguments::default() }
    }

    pub(super) fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    pub(super) fn text(&mut self, value: &str) -> &mut Self {
        self.value(value.to_owned())
    }

    pub(super) fn number(&mut self, value: i64) -> &mut Self {
        self.value(value)
    }

    /// Numbers the value as both databases read it.
    pub(super) fn value<'q, T>(&mut self, value: T) -> &mut Self
    where
        T: sqlx::Encode<'q, Any> + sqlx::Type<Any>,
    {
        // Text and numbers can always be encoded; a value that could not would leave a statement the database
        // refuses.
        if self.arguments.add(value).is_ok() {
            self.sql.push_str(&format!("${}", self.arguments.len()));
        }
        self
    }

    /// Pushes `($1, $2)`; the list with nothing in it is `(null)`, which no value is in.
    pub(super) fn list(&mut self, values: &[String]) {
        for (number, value) in values.iter().enumerate() {
            self.push(if number == 0 { "(" } else { ", " }).text(value);
        }
        self.push(if values.is_empty() { "(null)" } else { ")" });
    }

    /// Pushes `values ($1, $2), ($3, $4)`: a row an item, whose values `write` pushes, commas between them by
    /// [`Statement::and`].
    pub(super) fn rows<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.push("values ");
        for (number, item) in items.into_iter().enumerate() {
            self.push(if number == 0 { "(" } else { ", (" });
            write(self, item);
            self.push(")");
        }
        self
    }

    /// Pushes a comma and a value.
    pub(super) fn and<'q, T>(&mut self, value: T) -> &mut Self
    where
        T: sqlx::Encode<'q, Any> + sqlx::Type<Any>,
    {
        self.push(", ").value(value)
    }

    pub(super) async fn execute(
        self,
        transaction: &mut Transaction<'_, Any>,
    ) -> Result<AnyQueryResult, sqlx::Error> {
        let Self { sql, arguments } = self;
        sqlx::query_with(AssertSqlSafe(sql), arguments).execute(&mut **transaction).await
    }

    pub(super) async fn fetch_all(
        self,
        transaction: &mut Transaction<'_, Any>,
    ) -> Result<Vec<AnyRow>, sqlx::Error> {
        let Self { sql, arguments } = self;
        sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(&mut **transaction).await
    }
}
