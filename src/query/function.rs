//! Functions that are computed a column at a time, from columns of any type.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature, SimpleScalarUDF, Volatility};

/// Returns a function of so many arguments, whose `body` reads them as what it wants; an error names the function.
pub(super) fn by_column(
    name: &'static str,
    arity: usize,
    gives: DataType,
    body: impl Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    let run = move |args: &[ColumnarValue]| {
        let is_column = args.iter().any(|arg| matches!(arg, ColumnarValue::Array(_)));
        let arrays = ColumnarValue::values_to_arrays(args)?;
        let array = body(&arrays).map_err(|error| error.context(name))?;
        // Of constants, one row was computed and stands for all.
        if is_column {
            Ok(ColumnarValue::Array(array))
        } else {
            ScalarValue::try_from_array(&array, 0).map(ColumnarValue::Scalar)
        }
    };
    let signature = Signature::any(arity, Volatility::Immutable);
    ScalarUDF::from(SimpleScalarUDF::new_with_signature(name, signature, gives, Arc::new(run)))
}
