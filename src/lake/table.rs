//! The tables of the lake: one OCSF class of one source family each, which is
//! one Security Lake custom source; and one table of our own.

use std::sync::{Arc, LazyLock};

use crate::ocsf::class::Class;
use crate::ocsf::schema::{CLOUD_TRAIL, CONFIGURATION_ITEM, FINDINGS, TableSchema, VPC_FLOW};

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
    /// Network flows.
    VpcFlow,
    /// Findings about vulnerabilities.
    Vulnerability,
    /// Findings about compliance with controls and rules.
    Compliance,
    /// Findings about activity and access.
    Detection,
    /// Findings about sensitive data.
    DataSecurity,
    /// States of resources as AWS Config recorded them.
    ConfigurationItem,
    /// API activity that came as OCSF.
    OcsfApiActivity,
    /// Account changes that came as OCSF.
    OcsfAccountChange,
    /// Sign-ins that came as OCSF.
    OcsfAuthentication,
    /// Network activity that came as OCSF.
    OcsfNetwork,
}

type Lazy = LazyLock<Arc<TableSchema>>;
static CLOUD_TRAIL_COLUMNS: Lazy = LazyLock::new(|| columns(CLOUD_TRAIL));
static VPC_FLOW_COLUMNS: Lazy = LazyLock::new(|| columns(VPC_FLOW));
static FINDINGS_COLUMNS: Lazy = LazyLock::new(|| columns(FINDINGS));
static CONFIGURATION_ITEM_COLUMNS: Lazy = LazyLock::new(|| columns(CONFIGURATION_ITEM));

#[expect(clippy::expect_used, reason = "the lists are part of the binary; a unit test reads them")]
fn columns(list: &str) -> Arc<TableSchema> {
    Arc::new(TableSchema::read(list).expect("the list is well formed"))
}

impl Table {
    /// Every table, in the order reports list them.
    pub const ALL: [Self; 14] = [
        Self::ApiActivity,
        Self::DataActivity,
        Self::AccountChange,
        Self::Authentication,
        Self::VpcFlow,
        Self::Vulnerability,
        Self::Compliance,
        Self::Detection,
        Self::DataSecurity,
        Self::ConfigurationItem,
        Self::OcsfApiActivity,
        Self::OcsfAccountChange,
        Self::OcsfAuthentication,
        Self::OcsfNetwork,
    ];

    /// Returns the Security Lake source name: at most 20 characters, since AWS puts it in a role name.
    pub const fn source_name(self) -> &'static str {
        match self {
            Self::ApiActivity => "ct-api-activity",
            Self::DataActivity => "ct-data-activity",
            Self::AccountChange => "ct-account-change",
            Self::Authentication => "ct-authentication",
            Self::VpcFlow => "vpc-flow",
            Self::Vulnerability => "find-vulnerability",
            Self::Compliance => "find-compliance",
            Self::Detection => "find-detection",
            Self::DataSecurity => "find-data-security",
            Self::ConfigurationItem => "configuration-item",
            Self::OcsfApiActivity => "ocsf-api-activity",
            Self::OcsfAccountChange => "ocsf-account-change",
            Self::OcsfAuthentication => "ocsf-authentication",
            Self::OcsfNetwork => "ocsf-network",
        }
    }

    /// Returns the name in SQL.
    pub const fn sql_name(self) -> &'static str {
        match self {
            Self::ApiActivity => "api_activity",
            Self::DataActivity => "data_activity",
            Self::AccountChange => "account_change",
            Self::Authentication => "authentication",
            Self::VpcFlow => "vpc_flow",
            Self::Vulnerability => "vulnerability_finding",
            Self::Compliance => "compliance_finding",
            Self::Detection => "detection_finding",
            Self::DataSecurity => "data_security_finding",
            Self::ConfigurationItem => "configuration_item",
            Self::OcsfApiActivity => "ocsf_api_activity",
            Self::OcsfAccountChange => "ocsf_account_change",
            Self::OcsfAuthentication => "ocsf_authentication",
            Self::OcsfNetwork => "ocsf_network",
        }
    }

    /// Returns the OCSF class of every event in the table; a table of our own has none.
    pub const fn class(self) -> Option<Class> {
        Some(match self {
            Self::ApiActivity | Self::DataActivity | Self::OcsfApiActivity => Class::ApiActivity,
            Self::AccountChange | Self::OcsfAccountChange => Class::AccountChange,
            Self::Authentication | Self::OcsfAuthentication => Class::Authentication,
            Self::VpcFlow | Self::OcsfNetwork => Class::NetworkActivity,
            Self::Vulnerability => Class::VulnerabilityFinding,
            Self::Compliance => Class::ComplianceFinding,
            Self::Detection => Class::DetectionFinding,
            Self::DataSecurity => Class::DataSecurityFinding,
            Self::ConfigurationItem => return None,
        })
    }

    /// Returns the columns of the table.
    pub fn schema(self) -> &'static Arc<TableSchema> {
        match self {
            Self::ApiActivity
            | Self::DataActivity
            | Self::AccountChange
            | Self::Authentication
            | Self::OcsfApiActivity
            | Self::OcsfAccountChange
            | Self::OcsfAuthentication => &CLOUD_TRAIL_COLUMNS,
            Self::VpcFlow | Self::OcsfNetwork => &VPC_FLOW_COLUMNS,
            Self::Vulnerability | Self::Compliance | Self::Detection | Self::DataSecurity => {
                &FINDINGS_COLUMNS
            }
            Self::ConfigurationItem => &CONFIGURATION_ITEM_COLUMNS,
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
