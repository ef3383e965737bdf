//! What is judged together: new events of a day at most, and not too many.
//!
//! Takes how many new events each ten minutes have and gives stretches of time that follow each other. A run a day
//! would have found the same: a key that was used in January and in April was asleep in between, which a look at all
//! four months at once would not see.

use jiff::{SignedDuration, Timestamp};

use super::error::DetectError;
use super::finding::Row;
use crate::query::{Engine, Params, run};

/// The stretch of time of new events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
}

/// New events that are judged together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// When they were.
    pub window: Window,
    /// How many there are.
    pub events: u64,
}

/// The longest stretch.
const SPAN_MAX: SignedDuration = SignedDuration::from_hours(24);

/// Returns the stretches of what is new, of about `events_max` events at most.
///
/// # Errors
/// New events cannot be read.
pub async fn stretches(engine: &Engine, events_max: u64) -> Result<Vec<Stretch>, DetectError> {
    const TIMES: &str =
        "select min(time_dt) as first, max(time_dt) as last, count(*) as events from new_cloudtrail
        group by date_bin(interval '10 minutes', time_dt) order by 1";
    let wrong = |source| DetectError::News { source };
    let mut rows = run(engine, TIMES, &Params::default()).await.map_err(wrong)?;
    let mut parts = Vec::new();
    while let Some(batch) = rows.next().await.map_err(wrong)? {
        parts.extend((0..batch.num_rows()).filter_map(|number| {
            let row = Row::new(&batch, number);
            let window = Window { first: row.time("first")?, last: row.time("last")? };
            Some(Stretch { window, events: row.number("events")? })
        }));
    }
    Ok(joined(&parts, events_max))
}

/// Joins parts that follow each other while they are within the bounds.
fn joined(parts: &[Stretch], events_max: u64) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for part in parts {
        match stretches.last_mut() {
            Some(last) if fits(last, part, events_max) => {
                last.window.last = part.window.last;
                last.events += part.events;
            }
            _ => stretches.push(*part),
        }
    }
    stretches
}

fn fits(stretch: &Stretch, part: &Stretch, events_max: u64) -> bool {
    let span: fn(Timestamp, Timestamp) -> SignedDuration = Timestamp::duration_until;
    stretch.events + part.events <= events_max && span(stretch.window.first, part.window.last) < SPAN_MAX
}

impl Window {
    /// Asks about all of it, or where that is too much about its halves, in the order of time.
    pub(super) async fn in_parts<T, E>(
        self,
        ask: impl AsyncFn(Self) -> Result<Vec<T>, E>,
        is_too_much: fn(&E) -> bool,
    ) -> Result<Vec<T>, E> {
        let (mut left, mut found) = (vec![self], Vec::new());
        while let Some(window) = left.pop() {
            match ask(window).await {
                Ok(more) => found.extend(more),
                Err(error) => match window.halves().filter(|_| is_too_much(&error)) {
                    Some((one, other)) => left.extend([other, one]),
                    None => return Err(error),
                },
            }
        }
        Ok(found)
    }

    /// A moment is not halved: times are of milliseconds.
    fn halves(self) -> Option<(Self, Self)> {
        let (first, last) = (self.first.as_millisecond(), self.last.as_millisecond());
        let middle = first + (last - first) / 2;
        let [middle, after] = [middle, middle + 1].map(Timestamp::from_millisecond);
        let halves = (Self { last: middle.ok()?, ..self }, Self { first: after.ok()?, ..self });
        (first < last).then_some(halves)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_too_much_is_asked_in_parts_each_moment_once() {
        let at = |millis: i64| Timestamp::from_millisecond(millis).unwrap();
        let window = |first, last| Window { first: at(first), last: at(last) };
        let ask = async |window: Window| {
            let moments = window.first.as_millisecond()..=window.last.as_millisecond();
            // Of the last moment even one is too much.
            if moments.clone().count() > 3 || moments.contains(&17) {
                Err("much")
            } else {
                Ok(moments.collect())
            }
        };
        assert_eq!(
            window(0, 16).in_parts(ask, |error| *error == "much").await,
            Ok((0..=16).collect::<Vec<i64>>())
        );
        assert_eq!(window(0, 17).in_parts(ask, |error| *error == "much").await, Err("much"));
        assert_eq!(window(0, 16).in_parts(ask, |error| *error == "other").await, Err("much"));
    }

    #[test]
    fn a_stretch_is_a_day_at_most_and_not_too_many() {
        let at = |minutes: i64| Timestamp::from_second(minutes * 60).unwrap();
        let part = |first: i64, last: i64, events| Stretch {
            window: Window { first: at(first), last: at(last) },
            events,
        };
        let day = 24 * 60;
        let parts =
            [part(0, 9, 10), part(600, 601, 80), part(day, day + 5, 10), part(day + 10, day + 15, 200)];
        let expected = [part(0, 601, 90), part(day, day + 5, 10), part(day + 10, day + 15, 200)];
        assert_eq!(joined(&parts, 100), expected);
        assert_eq!(joined(&parts, 1000), [part(0, 601, 90), part(day, day + 15, 210)]);
        assert_eq!(joined(&[], 100), []);
    }
}
