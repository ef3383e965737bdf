//! `ashiato queries`: the questions that `query --named` asks.

use std::io::Write;

use anyhow::Context;

use super::{Ending, table};
use crate::query::library::{question, questions};

#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
Examples:
  ashiato queries list
  ashiato queries show key_activity
  ashiato query --named key_activity key=AKIAIOSFODNN7EXAMPLE window_start=2026-01-01 window_end=2026-01-02")]
pub(crate) enum QueriesVerb {
    /// Lists them.
    List,
    /// Prints the SQL of one.
    Show {
        /// Its id.
        id: String,
    },
}

pub(crate) fn run(verb: &QueriesVerb, out: &mut dyn Write) -> anyhow::Result<Ending> {
    match verb {
        QueriesVerb::List => {
            let cells = |question: crate::query::library::Question| {
                let params: Vec<&str> = question.params.iter().map(|(name, _)| *name).collect();
                vec![question.id.to_owned(), question.title.to_owned(), params.join(" ")]
            };
            table::print(
                out,
                &["id", "question", "parameters"],
                &questions().map(cells).collect::<Vec<_>>(),
            )?;
        }
        QueriesVerb::Show { id } => {
            write!(out, "{}", question(id).context("ashiato queries list tells them all")?.sql)?
        }
    }
    Ok(Ending::Done)
}
