//! Reads from a query's filters which files it can need.
//!
//! Takes filter expressions and gives a `Scope`: accounts, Regions, days and
//! times outside of which no row can pass. Promises: a scope may be too wide,
//! never too narrow; what is not understood leaves everything in. The filters
//! themselves still run on every row that is read.

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use crate::lake::catalog::FileFilter;
use crate::lake::path::{AccountId, EventDay, Region};
use crate::lake::table::Table;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What rows of a query's answer have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    accounts: Option<BTreeSet<String>>,
    regions: Option<BTreeSet<String>>,
    days: Span<EventDay>,
    times: Span<i64>,
}

/// First and last, both inside; `None` is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span<T> {
    first: Option<T>,
    last: Option<T>,
}

/// What a literal stands for, and its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds<T> {
    before: T,
    low: T,
    high: T,
    after: T,
}

impl Bounds<i64> {
    fn of(low: i64, high: i64) -> Self {
        Self { before: low.saturating_sub(1), low, high, after: high.saturating_add(1) }
    }
}

impl Bounds<EventDay> {
    /// The numbers beside a day need not be days: as bounds they do.
    fn of(number: i64) -> Option<Self> {
        let day = |number: i64| EventDay::read(&format!("{number:08}"));
        Some(Self {
            before: day(number.checked_sub(1)?)?,
            low: day(number)?,
            high: day(number)?,
            after: day(number.checked_add(1)?)?,
        })
    }
}

/// What a filter can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Account,
    Region,
    Day,
    Time,
    Moment,
}

impl<T: Copy + Ord> Span<T> {
    const ALL: Self = Self { first: None, last: None };

    fn and(self, other: Self) -> Self {
        Self { first: self.first.max(other.first), last: [self.last, other.last].into_iter().flatten().min() }
    }

    /// The span that holds both; an open end stays open.
    fn or(self, other: Self) -> Self {
        Self {
            first: self.first.zip(other.first).map(|(a, b)| a.min(b)),
            last: self.last.zip(other.last).map(|(a, b)| a.max(b)),
        }
    }

    fn is_empty(self) -> bool {
        matches!((self.first, self.last), (Some(first), Some(last)) if first > last)
    }

    /// What `x <operator> literal` leaves, where the literal stands for `low..=high`, and
    /// what comes before and after that is known. A window that ends at midnight must not
    /// open the next day.
    fn of(operator: Operator, Bounds { before, low, high, after }: Bounds<T>) -> Self {
        let (first, last) = match operator {
            Operator::Eq => (Some(low), Some(high)),
            Operator::GtEq => (Some(low), None),
            Operator::Gt => (Some(after), None),
            Operator::LtEq => (None, Some(high)),
            Operator::Lt => (None, Some(before)),
            _ => (None, None),
        };
        Self { first, last }
    }
}

impl Scope {
    /// Everything.
    pub(super) const ALL: Self = Self { accounts: None, regions: None, days: Span::ALL, times: Span::ALL };

    /// Reads filters of which every row has to pass all.
    pub(super) fn of_all(filters: &[Expr]) -> Self {
        filters.iter().map(Self::of).fold(Self::ALL, |scope, next| scope.and(&next))
    }

    fn of(filter: &Expr) -> Self {
        match filter {
            Expr::Alias(alias) => Self::of(&alias.expr),
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
                Operator::And => Self::of(left).and(&Self::of(right)),
                Operator::Or => Self::of(left).or(&Self::of(right)),
                _ => Self::compared(left, *op, right)
                    .or_else(|| Self::compared(right, op.swap()?, left))
                    .unwrap_or(Self::ALL),
            },
            Expr::Between(Between { expr, negated: false, low, high }) => {
                Self::compared(expr, Operator::GtEq, low)
                    .unwrap_or(Self::ALL)
                    .and(&Self::compared(expr, Operator::LtEq, high).unwrap_or(Self::ALL))
            }
            Expr::InList(InList { expr, list, negated: false }) => list
                .iter()
                .map(|item| Self::compared(expr, Operator::Eq, item).unwrap_or(Self::ALL))
                .reduce(|scope, next| scope.or(&next))
                .unwrap_or(Self::ALL),
            _ => Self::ALL,
        }
    }

    fn compared(subject: &Expr, operator: Operator, value: &Expr) -> Option<Self> {
        let value = literal(value)?;
        let mut scope = Self::ALL;
        match Subject::of(subject)? {
            Subject::Account if operator == Operator::Eq => {
                scope.accounts = Some(BTreeSet::from([account(value.try_as_str()??)]));
            }
            Subject::Region if operator == Operator::Eq => {
                scope.regions = Some(BTreeSet::from([region(value.try_as_str()??)]));
            }
            Subject::Account | Subject::Region => return None,
            Subject::Day => {
                scope.days = Span::of(operator, Bounds::<EventDay>::of(day(value)?)?);
            }
            Subject::Time => {
                let time = integer(value)?;
                scope.times = Span::of(operator, Bounds::<i64>::of(time, time));
            }
            Subject::Moment => {
                let (low, high) = moment(value)?;
                scope.times = Span::of(operator, Bounds::<i64>::of(low, high));
            }
        }
        Some(scope)
    }

    fn and(&self, other: &Self) -> Self {
        Self {
            accounts: both(self.accounts.as_ref(), other.accounts.as_ref()),
            regions: both(self.regions.as_ref(), other.regions.as_ref()),
            days: self.days.and(other.days),
            times: self.times.and(other.times),
        }
    }

    fn or(&self, other: &Self) -> Self {
        if self.is_nothing() {
            return other.clone();
        }
        if other.is_nothing() {
            return self.clone();
        }
        Self {
            accounts: either(self.accounts.as_ref(), other.accounts.as_ref()),
            regions: either(self.regions.as_ref(), other.regions.as_ref()),
            days: self.days.or(other.days),
            times: self.times.or(other.times),
        }
    }

    /// Says whether no row can pass, so that the catalog need not be asked.
    pub(super) fn is_nothing(&self) -> bool {
        let none = |values: &Option<BTreeSet<String>>| values.as_ref().is_some_and(BTreeSet::is_empty);
        none(&self.accounts) || none(&self.regions) || self.days.is_empty() || self.times.is_empty()
    }

    /// Returns the catalog's filter for one table. Times narrow the days too, since
    /// the catalog has an index of days.
    pub(super) fn file_filter(&self, table: Table) -> FileFilter {
        let by_time = Span {
            first: self.times.first.and_then(EventDay::of),
            last: self.times.last.and_then(EventDay::of),
        };
        let days = self.days.and(by_time);
        let list =
            |values: &Option<BTreeSet<String>>| values.as_ref().map(|set| set.iter().cloned().collect());
        FileFilter {
            table: Some(table),
            days: (days != Span::ALL).then(|| {
                let (earliest, latest) = EventDay::BOUNDS;
                (days.first.unwrap_or(earliest), days.last.unwrap_or(latest))
            }),
            accounts: list(&self.accounts),
            regions: list(&self.regions),
            times: (self.times != Span::ALL)
                .then(|| (self.times.first.unwrap_or(i64::MIN), self.times.last.unwrap_or(i64::MAX))),
            judged_after: None,
            limit: None,
        }
    }

    /// The filter for derived tables: their rows are of a day, so that times choose days alone.
    pub(super) fn derived_filter(&self) -> FileFilter {
        FileFilter { table: None, times: None, ..self.file_filter(Table::ApiActivity) }
    }
}

fn both(a: Option<&BTreeSet<String>>, b: Option<&BTreeSet<String>>) -> Option<BTreeSet<String>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a & b),
        (one, other) => one.or(other).cloned(),
    }
}

fn either(a: Option<&BTreeSet<String>>, b: Option<&BTreeSet<String>>) -> Option<BTreeSet<String>> {
    a.zip(b).map(|(a, b)| a | b)
}

impl Subject {
    fn of(expr: &Expr) -> Option<Self> {
        if let Some(inner) = cast_inner(expr) {
            // A cast keeps the order of days (text and number) and of moments (coarser and finer).
            // Two of them may change the time zone in between, so `path` reads no cast.
            return Self::named(&path(inner)?).filter(|subject| matches!(subject, Self::Day | Self::Moment));
        }
        Self::named(&path(expr)?)
    }

    fn named(path: &str) -> Option<Self> {
        Some(match path {
            "accountid" | "cloud.account.uid" => Self::Account,
            "region" | "cloud.region" => Self::Region,
            "eventday" => Self::Day,
            "time" => Self::Time,
            // A derived row is of the day of its first event, so that what is asked of that finds its file.
            "time_dt" | "first_seen" | "issued_at" => Self::Moment,
            _ => return None,
        })
    }
}

fn cast_inner(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Cast(cast) => Some(&cast.expr),
        Expr::TryCast(cast) => Some(&cast.expr),
        _ => None,
    }
}

/// The dotted path of a column or of a member of one.
pub(super) fn path(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Column(column) => Some(column.name.clone()),
        Expr::Alias(alias) => path(&alias.expr),
        Expr::ScalarFunction(call) if call.name() == "get_field" => {
            let (base, members) = call.args.split_first()?;
            members.iter().try_fold(path(base)?, |path, member| {
                Some(format!("{path}.{}", literal(member)?.try_as_str()??))
            })
        }
        _ => None,
    }
}

pub(super) fn literal(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}

/// The account as the catalog names it: what is no account id lies under `external`.
fn account(text: &str) -> String {
    AccountId::read(text).unwrap_or(AccountId::EXTERNAL).to_string()
}

/// The Region as the catalog names it.
fn region(text: &str) -> String {
    Region::read(text).unwrap_or_else(Region::unknown).to_string()
}

/// A day as text, or as a number, which sorts alike.
fn day(value: &ScalarValue) -> Option<i64> {
    match value.try_as_str() {
        Some(text) => EventDay::read(text?).map(|day| i64::from(day.number())),
        None => integer(value),
    }
}

fn integer(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int64(value) => *value,
        ScalarValue::Int32(value) => value.map(i64::from),
        ScalarValue::UInt32(value) => value.map(i64::from),
        ScalarValue::UInt64(value) => value.and_then(|value| i64::try_from(value).ok()),
        _ => None,
    }
}

/// The milliseconds a moment stands for, first and last: a second is a thousand of them, a date
/// a day. One between two milliseconds is none: its first is after it, its last before it.
fn moment(value: &ScalarValue) -> Option<(i64, i64)> {
    let wide = |value: i64, size: i64| {
        let low = value.checked_mul(size)?;
        Some((low, low.checked_add(size - 1)?))
    };
    let narrow = |value: i64, size: i64| {
        let floor = value.div_euclid(size);
        Some((floor + i64::from(value.rem_euclid(size) != 0), floor))
    };
    match value {
        ScalarValue::TimestampSecond(value, _) => wide((*value)?, 1000),
        ScalarValue::TimestampMillisecond(value, _) => wide((*value)?, 1),
        ScalarValue::TimestampMicrosecond(value, _) => narrow((*value)?, 1000),
        ScalarValue::TimestampNanosecond(value, _) => narrow((*value)?, 1_000_000),
        ScalarValue::Date32(value) => wide(i64::from((*value)?), DAY_MS),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::functions::core::expr_fn::get_field;
    use datafusion::logical_expr::{col, lit};

    use super::*;

    fn check(filter: &Expr, expected: &FileFilter) {
        let found = Scope::of_all(std::slice::from_ref(filter)).file_filter(Table::ApiActivity);
        let expected = FileFilter { table: Some(Table::ApiActivity), ..expected.clone() };
        assert_eq!(found, expected, "{filter}");
    }

    fn days(first: &str, last: &str) -> Option<(EventDay, EventDay)> {
        Some((EventDay::read(first).unwrap(), EventDay::read(last).unwrap()))
    }

    #[test]
    fn reads_accounts_and_regions_as_the_catalog_names_them() {
        let one = |accounts: &[&str]| FileFilter {
            accounts: Some(accounts.iter().map(|&text| text.to_owned()).collect()),
            ..FileFilter::default()
        };
        let uid = get_field(get_field(col("cloud"), "account"), "uid");
        check(&col("accountid").eq(lit("111122223333")), &one(&["111122223333"]));
        check(&lit("111122223333").eq(uid), &one(&["111122223333"]));
        check(&col("accountid").eq(lit("no account")), &one(&["external"]));
        check(
            &col("accountid").in_list(vec![lit("111122223333"), lit("444455556666")], false),
            &one(&["111122223333", "444455556666"]),
        );
        check(
            &col("accountid").eq(lit("111122223333")).or(col("region").eq(lit("x"))),
            &FileFilter::default(),
        );
        check(&col("accountid").not_eq(lit("1")), &FileFilter::default());
        check(&col("accountid").in_list(vec![lit("1")], true), &FileFilter::default());
    }

    #[test]
    fn reads_days_and_times_never_too_narrow() {
        let by_day = |days| FileFilter { days, ..FileFilter::default() };
        check(
            &col("eventday").between(lit("20250101"), lit("20250103")),
            &by_day(days("20250101", "20250103")),
        );
        check(
            &col("eventday").eq(lit("20250101")).or(col("eventday").eq(lit("20250105"))),
            &by_day(days("20250101", "20250105")),
        );
        check(&col("eventday").gt_eq(lit("2025")), &by_day(None));
        let noon = 1_735_732_800_000_i64;
        check(
            &col("time").gt_eq(lit(noon)).and(col("time").lt(lit(noon + 1))),
            &FileFilter {
                days: days("20250101", "20250101"),
                times: Some((noon, noon)),
                ..FileFilter::default()
            },
        );
        check(
            &col("time_dt").eq(lit(ScalarValue::TimestampSecond(Some(noon / 1000), None))),
            &FileFilter {
                days: days("20250101", "20250101"),
                times: Some((noon, noon + 999)),
                ..FileFilter::default()
            },
        );
    }

    #[test]
    fn a_moment_between_two_milliseconds_bounds_the_right_ones() {
        let between = lit(ScalarValue::TimestampNanosecond(Some(1_500_000), None));
        let check = |filter: Expr, first, last| {
            assert_eq!(Scope::of(&filter).times, Span { first, last }, "{filter}");
        };
        check(col("time_dt").lt(between.clone()), None, Some(1));
        check(col("time_dt").lt_eq(between.clone()), None, Some(1));
        check(col("time_dt").gt(between.clone()), Some(2), None);
        check(col("time_dt").gt_eq(between), Some(2), None);
    }

    #[test]
    fn a_contradiction_needs_no_file() {
        let never = col("accountid").eq(lit("1".repeat(12))).and(col("accountid").eq(lit("2".repeat(12))));
        assert!(Scope::of(&never).is_nothing());
        let backwards = col("time").gt(lit(5_i64)).and(col("time").lt(lit(3_i64)));
        assert!(Scope::of(&backwards).is_nothing());
        let or = never.or(col("region").eq(lit("eu-west-1")));
        assert_eq!(
            Scope::of(&or).file_filter(Table::ApiActivity).regions,
            Some(vec!["eu-west-1".to_owned()])
        );
    }
}
