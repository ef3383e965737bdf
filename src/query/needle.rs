//! Reads from a query's filters what can be looked up in derived tables.
//!
//! Takes filters on events and gives one on derived rows: an event that passes the first
//! was derived into a row that passes the second. Nested columns have no statistics that
//! DataFusion would use, and an organisation's days have thousands of files: a key, an
//! address or a resource is looked up, and only the files that hold it are opened.
//! Promises: too wide at worst, as `prune`.

use datafusion::logical_expr::expr::{HigherOrderFunction, InList};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, ident, lit};

use super::derived::canonical;
use super::prune::{literal, path};
use crate::lake::derived::Derived;

/// Returns what every derived row must pass of which an event passes the filters; nothing when they say nothing worth
/// looking up.
pub(super) fn lookup(derived: Derived, filters: &[Expr]) -> Option<Expr> {
    let found = filters.iter().filter_map(|filter| translate(derived, filter)).reduce(Expr::and)?;
    says(derived, &found).then_some(found)
}

fn says(derived: Derived, condition: &Expr) -> bool {
    condition.column_refs().iter().any(|column| is_needle(derived, &column.name))
}

/// Says whether few events share a value. Most have the same service or identity, and then it is not worth asking.
/// Touches are of calls that name a resource, and so they are asked for one alone.
fn is_needle(derived: Derived, column: &str) -> bool {
    match derived {
        Derived::Touches => column == "resource",
        _ => !matches!(column, "service" | "error" | "identity" | "is_read"),
    }
}

fn translate(derived: Derived, filter: &Expr) -> Option<Expr> {
    match filter {
        Expr::Alias(alias) => translate(derived, &alias.expr),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            match (translate(derived, left), translate(derived, right)) {
                (Some(left), Some(right)) => Some(left.and(right)),
                (one, other) => one.or(other),
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let (left, right) = (translate(derived, left)?, translate(derived, right)?);
            // A call that names no resource has no touches: either side must ask for one. Of other tables, a needle or
            // what most events are leaves most files.
            let (one, other) = (says(derived, &left), says(derived, &right));
            let is_narrow = one == other && (one || derived != Derived::Touches);
            is_narrow.then(|| left.or(right))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            let (name, value) = match (text(left), text(right)) {
                (None, Some(value)) => (path(left)?, value),
                (Some(value), None) => (path(right)?, value),
                _ => return None,
            };
            if name == READ_ONLY {
                // What is neither true nor missing was derived into false.
                return has_read_only(derived).then(|| ident("is_read").eq(lit(value == "true")));
            }
            Some(ident(column(derived, &name)?).eq(lit(value)))
        }
        Expr::IsNull(expr) => Some(ident(column_kept_as_null(derived, &path(expr)?)?).is_null()),
        Expr::IsNotNull(expr) => Some(ident(column_kept_as_null(derived, &path(expr)?)?).is_not_null()),
        Expr::InList(InList { expr, list, negated: false }) => {
            let column = column(derived, &path(expr)?)?;
            let values = list.iter().map(|item| text(item).map(lit)).collect::<Option<Vec<_>>>()?;
            Some(ident(column).in_list(values, false))
        }
        Expr::HigherOrderFunction(call) if derived == Derived::Touches => any_resource(call),
        _ => None,
    }
}

/// `any_match(resources, r -> r.uid = 'x')`: the resource under its one name.
fn any_resource(call: &HigherOrderFunction) -> Option<Expr> {
    let [list, Expr::Lambda(lambda)] = call.args.as_slice() else { return None };
    if call.func.name() != "array_any_match" || path(list)? != "resources" {
        return None;
    }
    of_resource(&lambda.body)
}

fn of_resource(condition: &Expr) -> Option<Expr> {
    let named = |member: &Expr| match member {
        Expr::ScalarFunction(call) if call.name() == "get_field" => match call.args.as_slice() {
            [Expr::LambdaVariable(_), name] => text(name).is_some_and(|name| name == "uid"),
            _ => false,
        },
        _ => false,
    };
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
            let value =
                text(right).filter(|_| named(left)).or_else(|| text(left).filter(|_| named(right)))?;
            Some(ident("resource").eq(lit(canonical(value))))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
            of_resource(left).or_else(|| of_resource(right))
        }
        Expr::InList(InList { expr, list, negated: false }) if named(expr) => {
            let values = list.iter().map(|item| text(item).map(|text| lit(canonical(text))));
            Some(ident("resource").in_list(values.collect::<Option<Vec<_>>>()?, false))
        }
        _ => None,
    }
}

/// Where CloudTrail's `readOnly` lies.
const READ_ONLY: &str = "unmapped.readOnly";

fn has_read_only(derived: Derived) -> bool {
    matches!(derived, Derived::Footprints | Derived::Touches)
}

/// What a derived table calls a column that is null in a row where it is null in the events.
fn column_kept_as_null(derived: Derived, path: &str) -> Option<&'static str> {
    match path {
        _ if !has_read_only(derived) => None,
        READ_ONLY => Some("is_read"),
        "api.response.error" => Some("error"),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<&str> {
    literal(expr)?.try_as_str()?
}

/// What a derived table calls a column of events, where it has its values as they are.
fn column(derived: Derived, path: &str) -> Option<&'static str> {
    Some(match (derived, path) {
        (Derived::Footprints, "actor.user.credential_uid") => "credential",
        (Derived::Footprints, "actor.user.uid") => "actor",
        (Derived::Footprints, "actor.session.issuer") => "principal",
        (Derived::Footprints, "actor.user.type") => "identity",
        // One of them is there, never both.
        (Derived::Footprints, "src_endpoint.ip" | "src_endpoint.domain") => "source",
        (Derived::Footprints | Derived::Touches, "api.operation") => "operation",
        (Derived::Footprints | Derived::Touches, "api.service.name") => "service",
        (Derived::Footprints | Derived::Touches, "api.response.error") => "error",
        (Derived::Flows, "src_endpoint.ip") => "src_ip",
        (Derived::Flows, "dst_endpoint.ip") => "dst_ip",
        (Derived::Flows, "src_endpoint.interface_uid") => "interface",
        (Derived::Flows, "src_endpoint.instance_uid") => "instance",
        (Derived::FindingStates, "finding_info.uid") => "uid",
        (Derived::FindingStates, "metadata.uid") => "event_id",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use datafusion::functions::core::expr_fn::get_field;
    use datafusion::logical_expr::col;

    use super::*;

    fn key() -> Expr {
        get_field(get_field(col("actor"), "user"), "credential_uid")
    }

    fn operation() -> Expr {
        get_field(col("api"), "operation")
    }

    #[test]
    fn what_an_event_must_be_its_footprint_must_be() {
        let check = |filters: &[Expr], expected: Option<&str>| {
            let found = lookup(Derived::Footprints, filters).map(|found| found.to_string());
            assert_eq!(found.as_deref(), expected);
        };
        check(&[key().eq(lit("AKIA1"))], Some(r#"credential = Utf8("AKIA1")"#));
        check(
            &[lit("AKIA1").eq(key()), col("eventday").eq(lit("20260101"))],
            Some(r#"credential = Utf8("AKIA1")"#),
        );
        check(
            &[key().eq(lit("A")).or(operation().in_list(vec![lit("B")], false))],
            Some(r#"credential = Utf8("A") OR operation IN ([Utf8("B")])"#),
        );
        // One side could be anything.
        check(&[key().eq(lit("A")).or(col("time").gt(lit(1_i64)))], None);
        check(&[key().not_eq(lit("A"))], None);
        check(&[key().in_list(vec![lit("A")], true)], None);
        check(&[key().eq(operation())], None);
        // What changed something, or was refused.
        let read_only = || get_field(col("unmapped"), "readOnly");
        let error = get_field(get_field(col("api"), "response"), "error");
        let deed = read_only().is_null().or(read_only().eq(lit("false"))).or(error.is_not_null());
        check(
            &[key().eq(lit("A")), deed.clone()],
            Some(
                r#"credential = Utf8("A") AND (is_read IS NULL OR is_read = Boolean(false) OR error IS NOT NULL)"#,
            ),
        );
        check(std::slice::from_ref(&deed), None);
        check(&[key().eq(lit("A")).or(deed)], None);
        // Nearly every file has it.
        check(&[get_field(get_field(col("api"), "service"), "name").eq(lit("s3.amazonaws.com"))], None);
    }
}
