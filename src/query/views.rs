//! The names a query can use.
//!
//! Takes a name and gives a table or view: the tables of the lake, `cloudtrail`
//! over those of CloudTrail, `findings` and `finding_history` over those of
//! findings, and the names Amazon Security Lake gives its own tables, of
//! whatever Region, with or without database and catalog, so that a query
//! written for Athena finds its tables. Native names are found but not listed.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{ExprFunctionExt, JoinType, LogicalPlanBuilder, col, lit};

use super::derived::table::DerivedTable;
use super::intel;
use super::news::{self, News};
use super::shared::Scans;
use super::table::LakeTable;
use crate::intel::Intel;
use crate::lake::catalog::Catalog;
use crate::lake::derived::Derived;
use crate::lake::table::Table;

/// The catalog of names that need no qualifier.
pub(super) const CATALOG: &str = "lake";
/// The schema of names that need no qualifier.
pub(super) const SCHEMA: &str = "public";
/// How Athena calls its catalog; quoted it keeps its capitals.
pub(super) const ATHENA_CATALOGS: [&str; 2] = ["awsdatacatalog", "AwsDataCatalog"];

/// A view over tables of one list of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    /// All CloudTrail events.
    CloudTrail,
    /// Each finding as it is now.
    Findings,
    /// Each finding in all its states.
    FindingHistory,
}

impl View {
    const ALL: [Self; 3] = [Self::CloudTrail, Self::Findings, Self::FindingHistory];

    const fn name(self) -> &'static str {
        match self {
            Self::CloudTrail => "cloudtrail",
            Self::Findings => "findings",
            Self::FindingHistory => "finding_history",
        }
    }
}

const CLOUD_TRAIL_TABLES: [Table; 4] =
    [Table::ApiActivity, Table::DataActivity, Table::AccountChange, Table::Authentication];
const FINDING_TABLES: [Table; 4] =
    [Table::Detection, Table::Compliance, Table::Vulnerability, Table::DataSecurity];

const NATIVE_DATABASE: &str = "amazon_security_lake_glue_db_";
const NATIVE_TABLE: &str = "amazon_security_lake_table_";

/// A native table, over ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Native {
    Management,
    S3Data,
    LambdaExecution,
    VpcFlow,
    Findings,
}

impl Native {
    /// Reads `amazon_security_lake_table_<region>_<source>_2_0`.
    fn read(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(NATIVE_TABLE)?;
        let (region, native) = [
            ("_cloud_trail_mgmt_2_0", Self::Management),
            ("_s3_data_2_0", Self::S3Data),
            ("_lambda_execution_2_0", Self::LambdaExecution),
            ("_vpc_flow_2_0", Self::VpcFlow),
            ("_sh_findings_2_0", Self::Findings),
        ]
        .into_iter()
        .find_map(|(suffix, native)| Some((rest.strip_suffix(suffix)?, native)))?;
        is_region(region).then_some(native)
    }
}

/// A Region as databases spell it: `eu_west_1`. One that does not exist yet is taken too.
fn is_region(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The names, for one query.
pub(super) struct Names {
    catalog: Catalog,
    intel: Arc<Intel>,
    news: Option<Arc<News>>,
    counts: Arc<Scans>,
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

impl Names {
    /// Returns the names; scans of what they find add to `counts`.
    pub(super) fn new(
        catalog: Catalog,
        (intel, news): (Arc<Intel>, Option<Arc<News>>),
        counts: Arc<Scans>,
    ) -> Arc<Self> {
        Arc::new(Self { catalog, intel, news, counts })
    }

    fn find(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(table) = Table::ALL.into_iter().find(|table| table.sql_name() == name) {
            return Ok(Some(self.tables(&[table])));
        }
        if let Some(view) = View::ALL.into_iter().find(|view| view.name() == name) {
            return self.view(view).map(Some);
        }
        if let Some(derived) = Derived::from_name(name) {
            return Ok(Some(self.derived(derived)));
        }
        if let Some((news, name)) = self.news.as_ref().zip(name.strip_prefix(news::PREFIX)) {
            return self.new_rows(news, name);
        }
        let service = |name| self.data_of_service(name).map(Some);
        match Native::read(name) {
            Some(Native::Management) => {
                Ok(Some(self.tables(&[Table::ApiActivity, Table::AccountChange, Table::Authentication])))
            }
            Some(Native::S3Data) => service("s3.amazonaws.com"),
            Some(Native::LambdaExecution) => service("lambda.amazonaws.com"),
            Some(Native::VpcFlow) => Ok(Some(self.tables(&[Table::VpcFlow]))),
            // Security Hub's classes; the native table has no data security findings.
            Some(Native::Findings) => {
                Ok(Some(self.tables(&[Table::Detection, Table::Compliance, Table::Vulnerability])))
            }
            None => intel::table(&self.intel, name),
        }
    }

    /// Tables of the same columns, as one.
    fn tables(&self, tables: &[Table]) -> Arc<dyn TableProvider> {
        Arc::new(LakeTable::new(tables, self.catalog.clone(), Arc::clone(&self.counts)))
    }

    fn derived(&self, derived: Derived) -> Arc<dyn TableProvider> {
        Arc::new(DerivedTable::new(derived, self.catalog.clone(), Arc::clone(&self.counts)))
    }

    fn scan(&self, name: &str, tables: &[Table]) -> Result<LogicalPlanBuilder> {
        LogicalPlanBuilder::scan(name, provider_as_source(self.tables(tables)), None)
    }

    fn view(&self, view: View) -> Result<Arc<dyn TableProvider>> {
        match view {
            View::CloudTrail => Ok(self.tables(&CLOUD_TRAIL_TABLES)),
            View::FindingHistory => Ok(self.tables(&FINDING_TABLES)),
            View::Findings => self.newest(),
        }
    }

    /// Of each finding the newest state. Which that is, the derived table says; the wide rows are then looked up by
    /// their evidence, so that no sort holds them.
    fn newest(&self) -> Result<Arc<dyn TableProvider>> {
        let metadata = |name: &str| get_field(col("metadata"), name);
        let newest_first = vec![
            col("time_dt").sort(false, false),
            col("logged_time_dt").sort(false, false),
            col("processed_time_dt").sort(false, false),
            col("event_id").sort(true, false),
        ];
        let age = row_number().partition_by(vec![col("uid")]).order_by(newest_first).build()?.alias("age");
        let states = self.derived(Derived::FindingStates);
        let newest =
            LogicalPlanBuilder::scan(Derived::FindingStates.name(), provider_as_source(states), None)?
                .window(vec![age])?
                .filter(col("age").eq(lit(1_u64)))?
                .project(vec![col("object").alias("newest_log"), col("index").alias("newest_sequence")])?
                .build()?;
        let is_it =
            [metadata("log_name").eq(col("newest_log")), metadata("sequence").eq(col("newest_sequence"))];
        let plan = self
            .scan(View::FindingHistory.name(), &FINDING_TABLES)?
            .join_on(newest, JoinType::LeftSemi, is_it)?
            .build()?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }

    /// The rows of a table, or of all CloudTrail tables, that are to be judged.
    fn new_rows(&self, news: &News, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let one = Table::ALL.into_iter().find(|table| table.sql_name() == name);
        let tables: &[Table] = match &one {
            Some(table) => std::slice::from_ref(table),
            None if name == View::CloudTrail.name() => &CLOUD_TRAIL_TABLES,
            None => return Ok(None),
        };
        let (catalog, counts) = (self.catalog.clone(), Arc::clone(&self.counts));
        let new = LakeTable::new_since(tables, (catalog, news.done), counts);
        let plan = LogicalPlanBuilder::scan(name, provider_as_source(Arc::new(new)), None)?.build()?;
        Ok(Some(Arc::new(ViewTable::new(news::of_new_objects(plan, news)?, None))))
    }

    fn data_of_service(&self, service: &str) -> Result<Arc<dyn TableProvider>> {
        let name = get_field(get_field(col("api"), "service"), "name");
        let plan = self
            .scan(Table::DataActivity.sql_name(), &[Table::DataActivity])?
            .filter(name.eq(lit(service)))?;
        Ok(Arc::new(ViewTable::new(plan.build()?, None)))
    }
}

/// Returns the names that reports and errors list.
pub(super) fn listed() -> impl Iterator<Item = &'static str> {
    let tables = Table::ALL.into_iter().map(Table::sql_name);
    let derived = Derived::ALL.map(Derived::name);
    tables.chain(View::ALL.map(View::name)).chain(derived).chain([intel::ACCOUNTS, intel::INDICATORS])
}

type Found<'a> =
    Pin<Box<dyn Future<Output = Result<Option<Arc<dyn TableProvider>>, DataFusionError>> + Send + 'a>>;

impl SchemaProvider for Names {
    fn table_names(&self) -> Vec<String> {
        listed().map(str::to_owned).collect()
    }

    fn table<'s, 'name, 'a>(&'s self, name: &'name str) -> Found<'a>
    where
        's: 'a,
        'name: 'a,
        Self: 'a,
    {
        Box::pin(std::future::ready(self.find(name)))
    }

    fn table_exist(&self, name: &str) -> bool {
        Native::read(name).is_some() || listed().any(|listed| listed == name)
    }
}

/// A catalog of which every database has the same names.
#[derive(Debug)]
pub(super) struct Databases(pub(super) Arc<Names>);

impl CatalogProvider for Databases {
    fn schema_names(&self) -> Vec<String> {
        vec![SCHEMA.to_owned()]
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let native = name.strip_prefix(NATIVE_DATABASE).is_some_and(is_region);
        (native || name == SCHEMA).then(|| Arc::clone(&self.0) as Arc<dyn SchemaProvider>)
    }
}

/// Athena's catalog: the same again, listing nothing.
#[derive(Debug)]
pub(super) struct Unlisted(pub(super) Databases);

impl CatalogProvider for Unlisted {
    fn schema_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        self.0.schema(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_native_names_of_any_region() {
        let check = |name: &str, expected| assert_eq!(Native::read(name), expected, "{name}");
        check("amazon_security_lake_table_us_east_1_cloud_trail_mgmt_2_0", Some(Native::Management));
        check("amazon_security_lake_table_xx_new_9_s3_data_2_0", Some(Native::S3Data));
        check("amazon_security_lake_table_eu_west_1_lambda_execution_2_0", Some(Native::LambdaExecution));
        check("amazon_security_lake_table_eu_west_1_cloud_trail_mgmt_1_0", None);
        check("amazon_security_lake_table__s3_data_2_0", None);
        check("cloudtrail", None);
    }
}
