//! Spellings of Athena that parse but that DataFusion does not plan.
//!
//! Takes a parsed statement and rewrites its expressions in place. Values are
//! not touched, and nothing becomes more than it said.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{AccessExpr, Expr, Subscript, Value, visit_expressions_mut};

/// Rewrites a statement.
pub(super) fn rewrite(statement: &mut Statement) {
    match statement {
        Statement::Explain(explain) => rewrite(&mut explain.statement),
        Statement::Statement(statement) => {
            let _: ControlFlow<()> = visit_expressions_mut(statement.as_mut(), |expr| {
                if let Expr::CompoundFieldAccess { access_chain, .. } = expr {
                    // The dots before the first bracket are names, which DataFusion reads itself.
                    access_chain
                        .iter_mut()
                        .skip_while(|access| matches!(access, AccessExpr::Dot(_)))
                        .for_each(name_member);
                }
                ControlFlow::Continue(())
            });
        }
        Statement::CreateExternalTable(_) | Statement::CopyTo(_) | Statement::Reset(_) => {}
    }
}

/// `resources[1].uid` becomes `resources[1]['uid']`.
fn name_member(access: &mut AccessExpr) {
    let AccessExpr::Dot(Expr::Identifier(member)) = access else {
        return;
    };
    let name = match member.quote_style {
        Some(_) => member.value.clone(),
        None => member.value.to_lowercase(),
    };
    *access = AccessExpr::Subscript(Subscript::Index {
        index: Expr::Value(Value::SingleQuotedString(name).into()),
    });
}
