//! The tables of the lake: one OCSF class of one source family each, which is
//! one Security Lake custom source.

use std::sync::{Arc, LazyLock};

use crate::ocsf::class::Class;
use crate::ocsf::schema::{CLOUD_TRAIL, TableSchema};

/// One table of the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// CloudTrail management events that change no account and are no sign-in.
    ApiActivity,
    /// CloudTrail data and network-activity events.
    DataActivity,
    /// CloudTrail events that change users, roles, keys and policies.
    AccountChange,
    /// CloudTrail sign-ins and role assumptions.
    Authentication,
}

#[expect(clippy::expect_used, reason = "the list is part of the binary; a unit test reads it")]
static CLOUD_TRAIL_SCHEMA: LazyLock<Arc<TableSchema>> = LazyLock::new(|| {
    Arc::new(TableSchema::read(CLOUD_TRAIL).expect("schemas/cloud_trail.txt is well formed"))
});

impl Table {
    /// Every table, in the order reports list them.
    pub const ALL: [Self; 4] =
        [Self::ApiActivity, Self::DataActivity, Self::AccountChange, Self::Authentication];

    /// Returns the Security Lake source name: at most 20 characters, since AWS puts it in a role name.
    pub const fn source_name(self) -> &'static str {
        match self {
            Self::ApiActivity => "ct-api-activity",
            Self::DataActivity => "ct-data-activity",
            Self::AccountChange => "ct-account-change",
            Self::Authentication => "ct-authentication",
        }
    }

    /// Returns the name in SQL.
    pub const fn sql_name(self) -> &'static str {
        match self {
            Self::ApiActivity => "api_activity",
            Self::DataActivity => "data_activity",
            Self::AccountChange => "account_change",
            Self::Authentication => "authentication",
        }
    }

    /// Returns the OCSF class of every event in the table.
    pub const fn class(self) -> Class {
        match self {
            Self::ApiActivity | Self::DataActivity => Class::ApiActivity,
            Self::AccountChange => Class::AccountChange,
            Self::Authentication => Class::Authentication,
        }
    }

    /// Returns the columns of the table.
    pub fn schema(self) -> &'static Arc<TableSchema> {
        match self {
            Self::ApiActivity | Self::DataActivity | Self::AccountChange | Self::Authentication => {
                &CLOUD_TRAIL_SCHEMA
            }
        }
    }

    /// Finds a table by its source name.
    pub fn from_source_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.source_name() == name)
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.source_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_names_fit_into_a_role_name() {
        for table in Table::ALL {
            assert!(table.source_name().len() <= 20);
            assert_eq!(Table::from_source_name(table.source_name()), Some(table));
            assert!(!table.schema().leaves.is_empty());
        }
    }
}
