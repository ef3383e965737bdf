//! Athena's names of what DataFusion calls otherwise, and members where it does not read them.
//!
//! Takes one expression, whose parts are rewritten already, and rewrites it in place.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, CaseWhen, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgOperator, FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident,
    NullTreatment, ObjectName, OrderByExpr, OrderByOptions, SelectItem, Subscript, UnaryOperator, Value,
    visit_expressions_mut,
};

/// Functions that only have another name.
const NAMES: [(&str, &str); 4] = [
    ("every", "bool_and"),
    ("transform", "array_transform"),
    ("filter", "array_filter"),
    ("codepoint", "ascii"),
];

/// Rewrites an expression.
pub(super) fn rewrite(expr: &mut Expr) {
    match expr {
        Expr::CompoundFieldAccess { root, access_chain } => {
            // Behind a name, the dots before the first bracket are names too, which DataFusion reads itself.
            let is_named = matches!(root.as_ref(), Expr::Identifier(_) | Expr::CompoundIdentifier(_));
            access_chain
                .iter_mut()
                .skip_while(|access| is_named && matches!(access, AccessExpr::Dot(_)))
                .for_each(name_member);
        }
        Expr::Lambda(lambda) => {
            let params: Vec<_> = lambda.params.iter().map(|param| param.name.clone()).collect();
            let flow = visit_expressions_mut(lambda.body.as_mut(), |expr| {
                name_variable(expr, &params);
                ControlFlow::<()>::Continue(())
            });
            debug_assert!(flow.is_continue(), "every expression is visited");
        }
        // An address stays the text it is: what compares addresses reads it.
        Expr::Cast { kind: CastKind::Cast | CastKind::TryCast, expr: inner, data_type, .. }
            if is_address(data_type) =>
        {
            let inner = std::mem::replace(inner.as_mut(), Expr::value(Value::Null));
            *expr = call("ip_address", [inner]);
        }
        // Addresses are texts here; which comes first, their texts do not say.
        Expr::BinaryOp { left, op, right } if is_order(op) && (is_ip(left) || is_ip(right)) => {
            [left, right].into_iter().for_each(order_as_address);
        }
        Expr::Between { expr: inner, low, high, .. } if is_ip(inner) || is_ip(low) || is_ip(high) => {
            [inner, low, high].into_iter().for_each(order_as_address);
        }
        Expr::Function(function) => {
            compare(function);
            if let Some(other) = respell(function) {
                *expr = other;
            }
        }
        _ => {}
    }
}

fn is_order(op: &BinaryOperator) -> bool {
    matches!(op, BinaryOperator::Lt | BinaryOperator::LtEq | BinaryOperator::Gt | BinaryOperator::GtEq)
}

fn order_as_address(expr: &mut Box<Expr>) {
    let address = std::mem::replace(expr.as_mut(), Expr::value(Value::Null));
    **expr = call("ip_order", [address]);
}

fn is_address(data_type: &DataType) -> bool {
    let name = data_type.to_string();
    ["ipaddress", "ipprefix"].iter().any(|address| name.eq_ignore_ascii_case(address))
}

/// Renames a function in place, or returns what to put in its stead.
fn respell(function: &mut Function) -> Option<Expr> {
    let name = function.name.to_string().to_lowercase();
    if let Some((_, other)) = NAMES.iter().find(|(athena, _)| *athena == name) {
        function.name = ObjectName::from(vec![Ident::new(*other)]);
        return None;
    }
    let args = arguments(function)?;
    match (name.as_str(), args.as_slice()) {
        ("try", [tried]) => Some(tried.clone()),
        ("json_parse" | "json_format", [text]) => Some(text.clone()),
        ("if", [condition, then]) => Some(case(condition, then, None)),
        ("if", [condition, then, otherwise]) => Some(case(condition, then, Some(otherwise))),
        ("element_at", [container, place]) => Some(Expr::CompoundFieldAccess {
            root: Box::new(container.clone()),
            access_chain: vec![AccessExpr::Subscript(Subscript::Index { index: place.clone() })],
        }),
        ("none_match", [list, predicate]) => {
            Some(not(call("array_any_match", [list.clone(), predicate.clone()])))
        }
        ("listagg", _) => {
            // What is in `WITHIN GROUP` is the order of the list.
            let order = std::mem::take(&mut function.within_group);
            function.name = ObjectName::from(vec![Ident::new("string_agg")]);
            if let (FunctionArguments::List(list), false) = (&mut function.args, order.is_empty()) {
                list.clauses.push(FunctionArgumentClause::OrderBy(order));
            }
            None
        }
        ("count_if", [condition]) => {
            function.name = ObjectName::from(vec![Ident::new("count")]);
            *arguments_mut(function)? = vec![argument(case(condition, &number("1"), None))];
            None
        }
        ("arbitrary" | "any_value", [_]) => {
            function.name = ObjectName::from(vec![Ident::new("first_value")]);
            function.null_treatment = Some(NullTreatment::IgnoreNulls);
            None
        }
        ("max_by" | "min_by", [value, by]) => {
            function.name = ObjectName::from(vec![Ident::new("last_value")]);
            // Rows without a place in the order do not count.
            let placed = Expr::IsNotNull(Box::new(by.clone()));
            let filter = function.filter.take().map_or(placed.clone(), |filter| Expr::BinaryOp {
                left: Box::new(Expr::Nested(filter)),
                op: BinaryOperator::And,
                right: Box::new(placed),
            });
            function.filter = Some(Box::new(filter));
            *arguments_mut(function)? = vec![argument(value.clone())];
            order_by(function, by.clone(), name == "max_by");
            None
        }
        // In Athena `contains('10.0.0.0/8', ip)` asks of a network, and else of a list.
        ("contains", [network, address]) if is_ip(address) => {
            Some(call("ip_in_network", [address.clone(), network.clone()]))
        }
        _ => None,
    }
}

/// The dialect reads `count_if(status_id = 2)` as an argument called `status_id`; Athena, as a comparison.
fn compare(function: &mut Function) {
    for arg in arguments_mut(function).into_iter().flatten() {
        if let FunctionArg::Named {
            name,
            arg: FunctionArgExpr::Expr(right),
            operator: FunctionArgOperator::Equals,
        } = arg
        {
            *arg = argument(equals(name, right.clone()));
        }
    }
}

/// Compares a name with what stands to the right of its `=`. All that was read behind that is there: of
/// `false and status_id = 2`, only `false` is compared.
fn equals(name: &Ident, behind: Expr) -> Expr {
    let inside = |inner: Box<Expr>| Box::new(equals(name, *inner));
    match behind {
        Expr::BinaryOp {
            left,
            op: op @ (BinaryOperator::And | BinaryOperator::Or | BinaryOperator::Xor),
            right,
        } => Expr::BinaryOp { left: inside(left), op, right },
        Expr::IsNull(inner) => Expr::IsNull(inside(inner)),
        Expr::IsNotNull(inner) => Expr::IsNotNull(inside(inner)),
        Expr::IsTrue(inner) => Expr::IsTrue(inside(inner)),
        Expr::IsNotTrue(inner) => Expr::IsNotTrue(inside(inner)),
        Expr::IsFalse(inner) => Expr::IsFalse(inside(inner)),
        Expr::IsNotFalse(inner) => Expr::IsNotFalse(inside(inner)),
        operand => Expr::BinaryOp {
            left: Box::new(Expr::Identifier(name.clone())),
            op: BinaryOperator::Eq,
            right: Box::new(operand),
        },
    }
}

/// Names the members a subquery selects as Athena does: `select api.operation` gives `operation`. At the top, the
/// names of the columns are made when they are shown; in a subquery, the query around it asks by them.
pub(super) fn name_columns(items: &mut [SelectItem]) {
    let names: Vec<Option<Ident>> = items.iter().map(name_of).collect();
    // Beside a wildcard, nobody here knows which names are taken.
    if names.iter().any(Option::is_none) && items.iter().any(is_wildcard) {
        return;
    }
    for (item, name) in items.iter_mut().zip(&names) {
        let is_same =
            |other: &Ident| name.as_ref().is_some_and(|name| other.value.eq_ignore_ascii_case(&name.value));
        let is_alone = names.iter().flatten().filter(|other| is_same(other)).count() == 1;
        if let (SelectItem::UnnamedExpr(expr @ Expr::CompoundIdentifier(_)), Some(alias), true) =
            (&*item, name, is_alone)
        {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: alias.clone() };
        }
    }
}

fn is_wildcard(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
}

fn name_of(item: &SelectItem) -> Option<Ident> {
    match item {
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().cloned(),
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        _ => None,
    }
}

/// The plain arguments of a function.
fn arguments(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let plain = list.args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    plain.collect()
}

fn arguments_mut(function: &mut Function) -> Option<&mut Vec<FunctionArg>> {
    match &mut function.args {
        FunctionArguments::List(list) => Some(&mut list.args),
        _ => None,
    }
}

fn order_by(function: &mut Function, by: Expr, ascending: bool) {
    let FunctionArguments::List(list) = &mut function.args else { return };
    // Nulls come first: what has no place in the order is never the last.
    let options = OrderByOptions { asc: Some(ascending), nulls_first: Some(true) };
    let by = OrderByExpr { expr: by, options, with_fill: None };
    list.clauses.push(FunctionArgumentClause::OrderBy(vec![by]));
}

fn is_ip(expr: &Expr) -> bool {
    matches!(expr, Expr::Function(function) if function.name.to_string() == "ip_address")
}

fn case(condition: &Expr, then: &Expr, otherwise: Option<&Expr>) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition: condition.clone(), result: then.clone() }],
        else_result: otherwise.cloned().map(Box::new),
    }
}

fn not(expr: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(expr) }
}

pub(super) fn number(text: &str) -> Expr {
    Expr::value(Value::Number(text.to_owned(), false))
}

fn argument(expr: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))
}

/// Calls a function.
pub(super) fn call<const N: usize>(name: &str, args: [Expr; N]) -> Expr {
    let args = args.into_iter().map(argument).collect();
    let list = FunctionArgumentList { duplicate_treatment: None, args, clauses: Vec::new() };
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(list),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// In `any_match(resources, r -> r.uid = 'x')`, `r.uid` becomes `r['uid']`.
fn name_variable(expr: &mut Expr, params: &[Ident]) {
    let Expr::CompoundIdentifier(names) = expr else {
        return;
    };
    let Some((first, members)) = names.split_first().filter(|(first, _)| params.contains(first)) else {
        return;
    };
    *expr = Expr::CompoundFieldAccess {
        root: Box::new(Expr::Identifier(first.clone())),
        access_chain: members.iter().map(member).collect(),
    };
}

/// `resources[1].uid` becomes `resources[1]['uid']`.
fn name_member(access: &mut AccessExpr) {
    if let AccessExpr::Dot(Expr::Identifier(name)) = access {
        *access = member(name);
    }
}

/// Reaches into a struct, as names do: without quotes, in small letters.
pub(super) fn member(name: &Ident) -> AccessExpr {
    let text = match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    };
    AccessExpr::Subscript(Subscript::Index { index: Expr::Value(Value::SingleQuotedString(text).into()) })
}
