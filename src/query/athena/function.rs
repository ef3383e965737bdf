//! Functions of Athena that DataFusion has not.
//!
//! Each takes columns of any type that can be read as what it wants. A value that
//! cannot be read as a time, an address or JSON gives no value, since logs hold all
//! sorts of text; a unit, format or path that is none ends the query and says so.

use std::net::IpAddr;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Int64Array, Scalar, StringArray,
    TimestampMillisecondArray,
};
use arrow::compute::cast;
use arrow::compute::kernels::cmp::eq;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMillisecondType};
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::logical_expr::ScalarUDF;

use super::json_path::JsonPath;
use super::time;
use crate::intel::Network;
use crate::query::function::by_column;

/// All of them.
pub(super) fn all() -> Vec<ScalarUDF> {
    let time = || DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    vec![
        by_column("date_add", 3, time(), date_add),
        by_column("date_diff", 3, DataType::Int64, date_diff),
        by_column("date_format", 2, DataType::Utf8, date_format),
        by_column("date_parse", 2, time(), date_parse),
        by_column("from_iso8601_timestamp", 1, time(), from_iso8601_timestamp),
        by_column("from_iso8601_date", 1, DataType::Date32, from_iso8601_date),
        by_column("to_iso8601", 1, DataType::Utf8, to_iso8601),
        by_column("from_unixtime", 1, time(), from_unixtime),
        by_column("json_extract", 2, DataType::Utf8, json_extract),
        by_column("json_extract_scalar", 2, DataType::Utf8, json_extract_scalar),
        by_column("contains", 2, DataType::Boolean, contains),
        by_column("ip_address", 1, DataType::Utf8, ip_address),
        by_column("ip_order", 1, DataType::Utf8, ip_order),
        by_column("ip_in_network", 2, DataType::Boolean, ip_in_network),
    ]
}

/// The arguments of a call, read as what a function wants.
struct Args<'a>(&'a [ArrayRef]);

impl Args<'_> {
    fn column(&self, at: usize, wanted: &DataType) -> Result<ArrayRef> {
        let array = self.0.get(at).ok_or_else(|| exec_datafusion_err!("argument {} is missing", at + 1))?;
        if array.data_type() == wanted {
            return Ok(Arc::clone(array));
        }
        cast(array, wanted).map_err(DataFusionError::from)
    }

    fn texts(&self, at: usize) -> Result<StringArray> {
        Ok(self.column(at, &DataType::Utf8)?.as_string::<i32>().clone())
    }

    fn numbers(&self, at: usize) -> Result<Int64Array> {
        Ok(self.column(at, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
    }

    fn times(&self, at: usize) -> Result<TimestampMillisecondArray> {
        let wanted = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        // Text is read as Athena reads it, whatever the engine's own cast takes.
        if matches!(
            self.0.get(at).map(Array::data_type),
            Some(DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8)
        ) {
            return Ok(utc(self.texts(at)?.iter().map(|text| time::iso8601(text?)).collect()));
        }
        Ok(self.column(at, &wanted)?.as_primitive::<TimestampMillisecondType>().clone())
    }

    /// Reads a text that is mostly the same in every row: `read` is called when it changes.
    fn settings<T: Clone>(
        &self,
        at: usize,
        what: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<Option<T>>> {
        let texts = self.texts(at)?;
        let mut last: Option<(&str, T)> = None;
        let mut settings = Vec::with_capacity(texts.len());
        for text in &texts {
            let Some(text) = text else {
                settings.push(None);
                continue;
            };
            let setting = match &last {
                Some((known, setting)) if *known == text => setting.clone(),
                _ => read(text)
                    .ok_or_else(|| exec_datafusion_err!("'{}' is no {what}", text.escape_debug()))?,
            };
            last = Some((text, setting.clone()));
            settings.push(Some(setting));
        }
        Ok(settings)
    }
}

fn utc(times: TimestampMillisecondArray) -> TimestampMillisecondArray {
    times.with_timezone("UTC")
}

const UNIT: &str = "unit of time such as 'day', 'hour' or 'month'";
const FORMAT: &str = "format such as '%Y-%m-%d %H:%i:%s'";
const PATH: &str = "JSON path such as '$.userName' or '$.items[0].name'";

fn date_add(args: &[ArrayRef]) -> Result<ArrayRef> {
    let args = Args(args);
    let (units, counts, times) = (args.settings(0, UNIT, time::unit)?, args.numbers(1)?, args.times(2)?);
    let added = units.into_iter().zip(&counts).zip(&times);
    let added = added.map(|((unit, count), millis)| time::add(unit?, count?, millis?));
    Ok(Arc::new(utc(added.collect())))
}

fn date_diff(args: &[ArrayRef]) -> Result<ArrayRef> {
    let args = Args(args);
    let (units, from, to) = (args.settings(0, UNIT, time::unit)?, args.times(1)?, args.times(2)?);
    let apart = units.into_iter().zip(&from).zip(&to);
    let apart = apart.map(|((unit, from), to)| time::difference(unit?, from?, to?));
    Ok(Arc::new(apart.collect::<Int64Array>()))
}

fn date_format(args: &[ArrayRef]) -> Result<ArrayRef> {
    let args = Args(args);
    let (times, formats) = (args.times(0)?, args.settings(1, FORMAT, time::strftime)?);
    let texts = times.iter().zip(formats).map(|(millis, format)| time::format(&format?, millis?));
    Ok(Arc::new(texts.collect::<StringArray>()))
}

fn date_parse(args: &[ArrayRef]) -> Result<ArrayRef> {
    let args = Args(args);
    let (texts, formats) = (args.texts(0)?, args.settings(1, FORMAT, time::strftime)?);
    let times = texts.iter().zip(formats).map(|(text, format)| time::parse(&format?, text?));
    Ok(Arc::new(utc(times.collect())))
}

fn from_iso8601_timestamp(args: &[ArrayRef]) -> Result<ArrayRef> {
    let texts = Args(args).texts(0)?;
    Ok(Arc::new(utc(texts.iter().map(|text| time::iso8601(text?)).collect())))
}

fn from_iso8601_date(args: &[ArrayRef]) -> Result<ArrayRef> {
    const DAY: i64 = 86_400_000;
    let texts = Args(args).texts(0)?;
    let day = |text| i32::try_from(time::iso8601(text)?.div_euclid(DAY)).ok();
    Ok(Arc::new(texts.iter().map(|text| day(text?)).collect::<Date32Array>()))
}

fn to_iso8601(args: &[ArrayRef]) -> Result<ArrayRef> {
    let times = Args(args).times(0)?;
    let text = |millis| Some(jiff::Timestamp::from_millisecond(millis).ok()?.to_string());
    Ok(Arc::new(times.iter().map(|millis| text(millis?)).collect::<StringArray>()))
}

fn from_unixtime(args: &[ArrayRef]) -> Result<ArrayRef> {
    use arrow::datatypes::Float64Type;
    let args = Args(args);
    // Whole seconds stay exact; fractions are read to the millisecond.
    if args.0.first().is_some_and(|seconds| seconds.data_type().is_integer()) {
        let seconds = args.numbers(0)?;
        return Ok(Arc::new(utc(seconds.iter().map(|seconds| seconds?.checked_mul(1000)).collect())));
    }
    let seconds = args.column(0, &DataType::Float64)?;
    let millis = cast(
        &arrow::compute::unary::<_, _, Float64Type>(seconds.as_primitive::<Float64Type>(), |seconds| {
            (seconds * 1000.0).round()
        }),
        &DataType::Int64,
    )?;
    Ok(Arc::new(utc(millis.as_primitive::<Int64Type>().iter().collect())))
}

fn json_extract(args: &[ArrayRef]) -> Result<ArrayRef> {
    extract(args, |value| Some(value.to_string()))
}

fn json_extract_scalar(args: &[ArrayRef]) -> Result<ArrayRef> {
    use serde_json::Value;
    extract(args, |value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    })
}

fn extract(args: &[ArrayRef], write: fn(&serde_json::Value) -> Option<String>) -> Result<ArrayRef> {
    let args = Args(args);
    let (texts, paths) = (args.texts(0)?, args.settings(1, PATH, JsonPath::read)?);
    let found = texts.iter().zip(paths).map(|(text, path)| {
        let value: serde_json::Value = serde_json::from_str(text?).ok()?;
        write(path?.find(&value)?)
    });
    Ok(Arc::new(found.collect::<StringArray>()))
}

/// Athena asks it of a list and an element; of two texts it is what it is elsewhere, but for a network.
fn contains(args: &[ArrayRef]) -> Result<ArrayRef> {
    let args = Args(args);
    let Some(DataType::List(element)) = args.0.first().map(Array::data_type) else {
        let (texts, parts) = (args.texts(0)?, args.texts(1)?);
        // A network and an address, without the cast: nobody who asks that means the texts.
        let has = texts.iter().zip(&parts).map(|(text, part)| {
            let (text, part) = (text?, part?);
            let network = Network::read(text).filter(|_| text.contains('/'));
            let address = part.parse::<IpAddr>().map(|address| address.to_canonical());
            Some(match (network, address) {
                (Some(network), Ok(address)) => network.holds(address),
                _ => text.contains(part),
            })
        });
        return Ok(Arc::new(has.collect::<BooleanArray>()));
    };
    let wanted = args.column(1, element.data_type())?;
    let lists = args.column(0, &DataType::List(Arc::clone(element)))?;
    let lists = lists.as_list::<i32>();
    let one = |row| Scalar::new(wanted.slice(row, 1));
    let is_one = !wanted.is_empty() && eq(&wanted, &one(0))?.true_count() == wanted.len();
    let has: BooleanArray = if is_one {
        // All elements are compared at once: of many short lists, a comparison each took a fifth of a question's CPU.
        let start = lists.value_offsets().first().and_then(|start| usize::try_from(*start).ok());
        let elements = lists.values().slice(start.unwrap_or_default(), lists.offsets().lengths().sum());
        let same = eq(&elements, &one(0))?;
        let mut same = same.iter();
        let lengths = lists.offsets().lengths().enumerate();
        let has = lengths.map(|(row, length)| {
            let found = same.by_ref().take(length).filter(|same| *same == Some(true)).count() > 0;
            lists.is_valid(row).then_some(found)
        });
        has.collect()
    } else {
        let has = (0..lists.len()).map(|row| {
            let is_known = lists.is_valid(row) && wanted.is_valid(row);
            is_known.then(|| Ok(eq(&lists.value(row), &one(row))?.true_count() > 0)).transpose()
        });
        has.collect::<Result<_>>()?
    };
    Ok(Arc::new(has))
}

/// What `CAST(… AS IPADDRESS)` is here: the address as it is written in one way only, so that equal ones are equal
/// texts; a network stays as it is.
fn ip_address(args: &[ArrayRef]) -> Result<ArrayRef> {
    let texts = Args(args).texts(0)?;
    let one = |text: &str| match text.parse::<IpAddr>() {
        Ok(address) => Some(address.to_canonical().to_string()),
        Err(_none) => Network::read(text).map(|_| text.to_owned()),
    };
    Ok(Arc::new(texts.iter().map(|text| one(text?)).collect::<StringArray>()))
}

/// A text that is ordered as the address is: as Athena orders them, IPv4 as a part of IPv6.
fn ip_order(args: &[ArrayRef]) -> Result<ArrayRef> {
    let texts = Args(args).texts(0)?;
    let order = |text: &str| {
        let address = match text.parse().ok()? {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        Some(format!("{:032x}", address.to_bits()))
    };
    Ok(Arc::new(texts.iter().map(|text| order(text?)).collect::<StringArray>()))
}

fn ip_in_network(args: &[ArrayRef]) -> Result<ArrayRef> {
    let args = Args(args);
    let (addresses, networks) =
        (args.texts(0)?, args.settings(1, "network such as '10.0.0.0/8'", Network::read)?);
    let inside =
        addresses.iter().zip(networks).map(|(address, network)| Some(network?.holds(address?.parse().ok()?)));
    Ok(Arc::new(inside.collect::<BooleanArray>()))
}

#[cfg(test)]
mod tests {
    use arrow::array::ListBuilder;
    use arrow::array::builder::StringBuilder;

    use super::*;

    #[test]
    fn of_a_slice_of_lists_each_is_asked_for_its_own_elements() {
        let mut lists = ListBuilder::new(StringBuilder::new());
        lists.append_value([Some("a"), Some("b")]);
        lists.append_value([Some("b"), None]);
        lists.append_null();
        lists.append_value([Some("b"), Some("c"), Some("a")]);
        lists.append_value::<[Option<&str>; 0], &str>([]);
        let lists = lists.finish();
        let wanted: StringArray = ["a", "a", "a", "a", "a"].into_iter().map(Some).collect();
        let other: StringArray = ["x", "b", "a", "c", "a"].into_iter().map(Some).collect();
        let check = |wanted: &StringArray, (from, count): (usize, usize), expected: &[Option<bool>]| {
            let args: [ArrayRef; 2] =
                [Arc::new(lists.slice(from, count)), Arc::new(wanted.slice(from, count))];
            assert_eq!(contains(&args).unwrap().as_boolean().iter().collect::<Vec<_>>(), expected);
        };
        let (yes, no) = (Some(true), Some(false));
        check(&wanted, (0, 5), &[yes, no, None, yes, no]);
        check(&wanted, (1, 3), &[no, None, yes]);
        check(&other, (1, 4), &[yes, None, yes, no]);
        check(&wanted, (0, 0), &[]);
    }
}
