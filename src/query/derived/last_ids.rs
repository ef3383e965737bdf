//! `last_ids(uid, time)`: the ids of the last few events of a group.
//!
//! A group may have millions; three are held.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::{Accumulator, AggregateUDF, Volatility, create_udaf};

/// How many are held.
const IDS_MAX: usize = 3;

/// Returns the function.
pub(super) fn last_ids() -> AggregateUDF {
    let list = |item| DataType::List(Arc::new(Field::new("item", item, true)));
    create_udaf(
        "last_ids",
        vec![DataType::Utf8, DataType::Int64],
        Arc::new(list(DataType::Utf8)),
        Volatility::Immutable,
        Arc::new(|_| Ok(Box::<Last>::default())),
        Arc::new(vec![list(DataType::Int64), list(DataType::Utf8)]),
    )
}

/// The newest, by time; ties by id, so that the same events give the same answer.
#[derive(Debug, Default)]
struct Last(BTreeSet<(i64, String)>);

impl Last {
    fn add(&mut self, times: &ArrayRef, uids: &ArrayRef) -> Result<()> {
        let (times, uids) = (cast(times, &DataType::Int64)?, cast(uids, &DataType::Utf8)?);
        for (time, uid) in times.as_primitive::<Int64Type>().iter().zip(uids.as_string::<i32>()) {
            let (Some(time), Some(uid)) = (time, uid) else { continue };
            if self.0.len() == IDS_MAX && self.0.first().is_some_and(|(first, _)| time < *first) {
                continue;
            }
            self.0.insert((time, uid.to_owned()));
            if self.0.len() > IDS_MAX {
                self.0.pop_first();
            }
        }
        Ok(())
    }

    fn uids(&self) -> ScalarValue {
        let uids: Vec<_> = self.0.iter().map(|(_, uid)| ScalarValue::from(uid.as_str())).collect();
        ScalarValue::List(ScalarValue::new_list(&uids, &DataType::Utf8, true))
    }
}

impl Accumulator for Last {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [uids, times] = values else { return Err(exec_datafusion_err!("wants an id and a time")) };
        self.add(times, uids)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [times, uids] = states else { return Err(exec_datafusion_err!("wants ids and times")) };
        let (times, uids): (&ListArray, &ListArray) = (times.as_list(), uids.as_list());
        for row in 0..times.len() {
            self.add(&times.value(row), &uids.value(row))?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let times: Vec<_> = self.0.iter().map(|(time, _)| ScalarValue::from(*time)).collect();
        let times = ScalarValue::List(ScalarValue::new_list(&times, &DataType::Int64, true));
        Ok(vec![times, self.uids()])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.uids())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.0.iter().map(|(_, uid)| uid.capacity() + 64).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};

    use super::*;

    #[test]
    fn the_newest_are_held_however_they_come() {
        let mut halves: Vec<Last> = vec![Last::default(), Last::default()];
        for time in [5_i64, 1, 9, 3, 7, 8] {
            let uids: ArrayRef = Arc::new(StringArray::from(vec![format!("id-{time}")]));
            let times: ArrayRef = Arc::new(Int64Array::from(vec![time]));
            let half = usize::from(time % 2 == 0);
            halves[half].update_batch(&[uids, times]).unwrap();
        }
        let mut whole = Last::default();
        for half in &mut halves {
            let state = half.state().unwrap();
            let arrays: Vec<_> = state.iter().map(|value| value.to_array_of_size(1).unwrap()).collect();
            whole.merge_batch(&arrays).unwrap();
        }
        let ids: Vec<_> = whole.0.iter().map(|(_, uid)| uid.as_str()).collect();
        assert_eq!(ids, ["id-7", "id-8", "id-9"]);
    }
}
