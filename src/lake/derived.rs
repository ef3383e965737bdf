//! The derived tables: small ones that say of the large ones who, where and how often.
//!
//! What is in them can be computed anew from the files of the lake at any time (`derive`);
//! kept, they make answers fast. A **derivation** is one run over files of one source and
//! day: it numbers them, and each of its rows says by that number (`part`) which file it
//! was derived from. A row counts while that file is visible, so what settling replaces
//! takes its derived rows with it, in the same moment.

use std::sync::{Arc, LazyLock};

use super::path::EventDay;
use super::table::Table;
use crate::ocsf::schema::TableSchema;

/// One derived table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Derived {
    /// Who did what, from where, how often.
    Footprints,
    /// Which call changed or named which resource.
    Touches,
    /// How one credential came from another.
    SessionEdge,
    /// Which interface held an address.
    IpLease,
    /// Who talked to whom.
    Flows,
    /// What findings are about and how they stand.
    FindingStates,
}

/// What derived tables are derived from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// The tables of CloudTrail.
    CloudTrail,
    /// VPC Flow Logs.
    VpcFlow,
    /// The tables of findings.
    Findings,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::CloudTrail, Self::VpcFlow, Self::Findings];

    /// Returns its word in the catalog.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CloudTrail => "cloudtrail",
            Self::VpcFlow => "vpc_flow",
            Self::Findings => "findings",
        }
    }

    /// Returns the tables whose files are read.
    pub const fn tables(self) -> &'static [Table] {
        match self {
            Self::CloudTrail => {
                &[Table::ApiActivity, Table::DataActivity, Table::AccountChange, Table::Authentication]
            }
            Self::VpcFlow => &[Table::VpcFlow],
            Self::Findings => {
                &[Table::Vulnerability, Table::Compliance, Table::Detection, Table::DataSecurity]
            }
        }
    }

    /// Returns what is derived from it.
    pub const fn derived(self) -> &'static [Derived] {
        match self {
            Self::CloudTrail => {
                &[Derived::Footprints, Derived::Touches, Derived::SessionEdge, Derived::IpLease]
            }
            Self::VpcFlow => &[Derived::Flows, Derived::IpLease],
            Self::Findings => &[Derived::FindingStates],
        }
    }

    /// Finds an origin by its word.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.name() == name)
    }
}

impl Derived {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Footprints, Self::Touches, Self::SessionEdge, Self::IpLease, Self::Flows, Self::FindingStates];

    /// Returns the name, in SQL and in keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Footprints => "footprints",
            Self::Touches => "touches",
            Self::SessionEdge => "session_edge",
            Self::IpLease => "ip_lease",
            Self::Flows => "flows",
            Self::FindingStates => "finding_states",
        }
    }

    /// Returns the columns in which its rows are sorted: what is asked for most comes first.
    pub const fn order(self) -> &'static [&'static str] {
        match self {
            Self::Footprints => &["credential", "actor", "source", "service", "operation", "part"],
            Self::Touches => &["resource", "operation", "actor", "part"],
            Self::SessionEdge => &["child_credential", "issued_at"],
            Self::IpLease => &["ip", "interface", "part"],
            Self::Flows => &["interface", "src_ip", "dst_ip", "port", "part"],
            Self::FindingStates => &["uid", "time_dt", "part"],
        }
    }

    /// Returns the columns that say when the events of a row were, the first and the last of them.
    pub const fn times(self) -> (&'static str, &'static str) {
        match self {
            Self::Footprints | Self::Touches | Self::IpLease | Self::Flows => ("first_seen", "last_seen"),
            Self::SessionEdge => ("issued_at", "issued_at"),
            Self::FindingStates => ("time_dt", "time_dt"),
        }
    }

    /// Returns the columns.
    pub fn schema(self) -> &'static Arc<TableSchema> {
        static SCHEMAS: LazyLock<[Arc<TableSchema>; 6]> = LazyLock::new(|| Derived::ALL.map(columns));
        let [footprints, touches, session_edge, ip_lease, flows, finding_states] = &*SCHEMAS;
        match self {
            Self::Footprints => footprints,
            Self::Touches => touches,
            Self::SessionEdge => session_edge,
            Self::IpLease => ip_lease,
            Self::Flows => flows,
            Self::FindingStates => finding_states,
        }
    }

    /// Returns the key of one of its files.
    pub fn key(self, day: EventDay, name: &str) -> String {
        format!("own/{}/eventDay={day}/{name}.parquet", self.name())
    }

    /// Finds a table by its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|derived| derived.name() == name)
    }
}

#[expect(clippy::expect_used, reason = "the lists are part of the binary; a unit test reads them")]
fn columns(derived: Derived) -> Arc<TableSchema> {
    let list = match derived {
        Derived::Footprints => include_str!("../../schemas/footprints.txt"),
        Derived::Touches => include_str!("../../schemas/touches.txt"),
        Derived::SessionEdge => include_str!("../../schemas/session_edge.txt"),
        Derived::IpLease => include_str!("../../schemas/ip_lease.txt"),
        Derived::Flows => include_str!("../../schemas/flows.txt"),
        Derived::FindingStates => include_str!("../../schemas/finding_states.txt"),
    };
    Arc::new(TableSchema::read(list).expect("the list is well formed"))
}

impl std::fmt::Display for Derived {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_is_well_formed_and_has_what_it_is_sorted_by() {
        for derived in Derived::ALL {
            let columns: Vec<_> = derived.schema().leaves.iter().map(|leaf| leaf.path.as_str()).collect();
            for column in derived.order().iter().chain(&["eventday", "accountid", "region", "part"]) {
                assert!(columns.contains(column), "{derived}: {column}");
            }
            for column in [derived.times().0, derived.times().1] {
                assert!(columns.contains(&column), "{derived}: {column}");
            }
            assert_eq!(Derived::from_name(derived.name()), Some(derived));
            assert!(Origin::ALL.iter().any(|origin| origin.derived().contains(&derived)), "{derived}");
        }
        assert_eq!(Origin::from_name("vpc_flow"), Some(Origin::VpcFlow));
    }
}
