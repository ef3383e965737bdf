//! Spellings of Athena that parse but that DataFusion does not plan.
//!
//! Takes a parsed statement and rewrites its expressions in place. Values are
//! not touched, and nothing becomes more than it said.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{AccessExpr, Expr, Ident, Subscript, Value, visit_expressions_mut};

/// Rewrites a statement.
pub(super) fn rewrite(statement: &mut Statement) {
    match statement {
        Statement::Explain(explain) => rewrite(&mut explain.statement),
        Statement::Statement(statement) => {
            let flow = visit_expressions_mut(statement.as_mut(), rewrite_expr);
            debug_assert!(flow.is_continue(), "every expression is visited");
        }
        Statement::CreateExternalTable(_) | Statement::CopyTo(_) | Statement::Reset(_) => {}
    }
}

fn rewrite_expr(expr: &mut Expr) -> ControlFlow<()> {
    match expr {
        // The dots before the first bracket are names, which DataFusion reads itself.
        Expr::CompoundFieldAccess { access_chain, .. } => access_chain
            .iter_mut()
            .skip_while(|access| matches!(access, AccessExpr::Dot(_)))
            .for_each(name_member),
        Expr::Lambda(lambda) => {
            let params: Vec<_> = lambda.params.iter().map(|param| param.name.clone()).collect();
            return visit_expressions_mut(lambda.body.as_mut(), |expr| {
                name_variable(expr, &params);
                ControlFlow::Continue(())
            });
        }
        _ => {}
    }
    ControlFlow::Continue(())
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

fn member(name: &Ident) -> AccessExpr {
    let text = match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    };
    AccessExpr::Subscript(Subscript::Index { index: Expr::Value(Value::SingleQuotedString(text).into()) })
}
