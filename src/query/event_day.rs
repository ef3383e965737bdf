//! `event_day(time)`: the UTC day of an event as `YYYYMMDD`.
//!
//! Agrees with [`EventDay`] by using it, so a row's day in SQL is the day its
//! file lies under. A time that is in no calendar has no day, and costs only itself.

use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::lake::path::EventDay;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The function. It is not registered: only the column `eventday` uses it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct EventDayOf {
    signature: Signature,
}

/// Returns the day of `time`, which is epoch milliseconds.
pub(super) fn event_day(time: Expr) -> Expr {
    let signature = Signature::exact(vec![DataType::Int64], Volatility::Immutable);
    ScalarUDF::new_from_impl(EventDayOf { signature }).call(vec![time])
}

impl ScalarUDFImpl for EventDayOf {
    fn name(&self) -> &'static str {
        "event_day"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(times) = arrays.first().and_then(|array| array.as_primitive_opt::<Int64Type>()) else {
            return exec_err!("event_day takes epoch milliseconds");
        };
        Ok(ColumnarValue::Array(Arc::new(days(times))))
    }
}

/// Neighbouring rows mostly share their day, so the last one is kept.
fn days(times: &Int64Array) -> StringArray {
    let mut days = StringBuilder::with_capacity(times.len(), times.len() * 8);
    let mut last: Option<(i64, Option<String>)> = None;
    for time in times {
        let Some(time) = time else {
            days.append_null();
            continue;
        };
        let ordinal = time.div_euclid(DAY_MS);
        if last.as_ref().is_none_or(|(known, _)| *known != ordinal) {
            last = Some((ordinal, EventDay::of(time).map(|day| day.to_string())));
        }
        days.append_option(last.as_ref().and_then(|(_, text)| text.as_deref()));
    }
    days.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_change_at_utc_midnight_and_absurd_times_have_none() {
        let midnight = 1_735_689_600_000; // 2025-01-01T00:00:00Z
        let times = Int64Array::from(vec![
            Some(midnight - 1),
            Some(midnight),
            Some(-1),
            Some(i64::MAX),
            Some(i64::MIN),
            None,
        ]);
        let days = days(&times);
        let days: Vec<_> = days.iter().collect();
        assert_eq!(days, [Some("20241231"), Some("20250101"), Some("19691231"), None, None, None]);
    }
}
