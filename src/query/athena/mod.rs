//! What Athena says and DataFusion does not: queries written for Security Lake run as they are.
//!
//! Takes a parsed statement and rewrites it in place: other names of the same
//! functions, members behind brackets (`spelling`), `UNNEST(…) AS t(x)` (`unnest`). Functions
//! that DataFusion has not are added to the session (`function`), and so is the rule that
//! plans an `UNNEST` of a column of the tables before it. Values are not touched, and
//! nothing becomes more than it said.

mod function;
mod json_path;
mod spelling;
mod time;
mod unnest;

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{Expr, Query, Select, VisitMut, VisitorMut};

/// Rewrites a statement.
pub(super) fn rewrite(statement: &mut Statement) {
    match statement {
        Statement::Explain(explain) => rewrite(&mut explain.statement),
        Statement::Statement(statement) => {
            let flow = statement.visit(&mut Spellings::default());
            debug_assert!(flow.is_continue(), "all of it is visited");
        }
        Statement::CreateExternalTable(_) | Statement::CopyTo(_) | Statement::Reset(_) => {}
    }
}

/// Adds to a session what rewritten statements rely on.
pub(super) fn register(context: &SessionContext) {
    context.add_analyzer_rule(Arc::new(unnest::UnnestColumns));
    function::all().into_iter().for_each(|function| context.register_udf(function));
}

#[derive(Default)]
struct Spellings {
    /// How many queries the present one is in.
    depth: usize,
}

impl VisitorMut for Spellings {
    type Break = ();

    fn pre_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        unnest::rewrite(select);
        if self.depth > 1 {
            spelling::name_columns(&mut select.projection);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        spelling::rewrite(expr);
        ControlFlow::Continue(())
    }
}
