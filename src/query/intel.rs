//! What is known beside the logs, in SQL: `ip_info(ip)` and the tables `accounts` and `indicators`.
//!
//! `select ip_info(src_endpoint.ip).country, count(*) from cloudtrail group by 1`. What is
//! not known is null.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Builder, MapBuilder, RecordBatch, StringArray, StringBuilder, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Schema};
use arrow::error::ArrowError;
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::common::{Result, exec_datafusion_err};
use datafusion::logical_expr::ScalarUDF;

use super::function::by_column;
use crate::intel::{Intel, Known};

/// The function.
const IP_INFO: &str = "ip_info";
/// The table of accounts.
pub(super) const ACCOUNTS: &str = "accounts";
/// The table of indicators.
pub(super) const INDICATORS: &str = "indicators";

static INFO: LazyLock<Fields> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    Fields::from(vec![
        text("kind"),
        text("country"),
        text("country_basis"),
        text("city"),
        Field::new("asn", DataType::Int64, true),
        text("as_name"),
        text("aws_service"),
        text("aws_region"),
        text("indicator"),
        text("indicator_list"),
        text("indicator_label"),
    ])
});

/// Returns `ip_info`.
pub(super) fn ip_info(intel: Arc<Intel>) -> ScalarUDF {
    by_column(IP_INFO, 1, DataType::Struct(INFO.clone()), move |args| {
        let texts = args.first().ok_or_else(|| exec_datafusion_err!("an address is missing"))?;
        let texts = cast(texts, &DataType::Utf8)?;
        Ok(Arc::new(describe(&intel, texts.as_string::<i32>())?))
    })
}

fn describe(intel: &Intel, texts: &StringArray) -> Result<StructArray, ArrowError> {
    // The same few addresses call again and again.
    let mut known: HashMap<&str, Known<'_>> = HashMap::new();
    for text in texts.iter().flatten() {
        known.entry(text).or_insert_with(|| intel.address(text));
    }
    let of = |number: usize| texts.is_valid(number).then(|| known.get(texts.value(number))).flatten();
    let column = |read: for<'a> fn(&'a Known<'a>) -> Option<&'a str>| -> ArrayRef {
        let mut builder = StringBuilder::new();
        (0..texts.len()).for_each(|number| builder.append_option(of(number).and_then(read)));
        Arc::new(builder.finish())
    };
    let mut asn = Int64Builder::new();
    (0..texts.len())
        .for_each(|number| asn.append_option(of(number).and_then(|known| known.asn).map(i64::from)));
    let columns = vec![
        column(|known| Some(known.kind.name())),
        column(|known| known.country.as_deref()),
        column(|known| known.country_basis.as_deref()),
        column(|known| known.city.as_deref()),
        Arc::new(asn.finish()),
        column(|known| known.as_name.as_deref()),
        column(|known| known.aws_service),
        column(|known| known.aws_region),
        column(|known| Some(known.indicator?.value.as_str())),
        column(|known| Some(known.indicator?.list.as_ref())),
        column(|known| known.indicator?.label.as_deref()),
    ];
    StructArray::try_new(INFO.clone(), columns, texts.nulls().cloned())
}

/// Returns a table of what is known, by its name.
pub(super) fn table(intel: &Intel, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
    let rows = match name {
        ACCOUNTS => accounts(intel)?,
        INDICATORS => indicators(intel)?,
        _ => return Ok(None),
    };
    Ok(Some(Arc::new(MemTable::try_new(rows.schema(), vec![vec![rows]])?)))
}

fn texts<'a, T>(items: &'a [T], read: fn(&'a T) -> Option<&'a str>) -> ArrayRef {
    Arc::new(items.iter().map(read).collect::<StringArray>())
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, ArrowError> {
    let fields = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, array)| array).collect())
}

fn accounts(intel: &Intel) -> Result<RecordBatch, ArrowError> {
    let accounts = intel.accounts();
    let mut tags = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for account in accounts {
        for (name, value) in &account.tags {
            tags.keys().append_value(name);
            tags.values().append_value(value);
        }
        tags.append(true)?;
    }
    batch(vec![
        ("uid", texts(accounts, |account| Some(&account.uid))),
        ("name", texts(accounts, |account| account.name.as_deref())),
        ("ou_path", texts(accounts, |account| account.ou_path.as_deref())),
        ("owner", texts(accounts, |account| account.owner.as_deref())),
        ("email", texts(accounts, |account| account.email.as_deref())),
        ("status", texts(accounts, |account| account.status.as_deref())),
        ("tags", Arc::new(tags.finish())),
    ])
}

fn indicators(intel: &Intel) -> Result<RecordBatch, ArrowError> {
    let indicators = intel.indicators();
    batch(vec![
        ("kind", texts(indicators, |indicator| Some(indicator.kind.name()))),
        ("value", texts(indicators, |indicator| Some(&indicator.value))),
        ("label", texts(indicators, |indicator| indicator.label.as_deref())),
        ("list", texts(indicators, |indicator| Some(&indicator.list))),
    ])
}
