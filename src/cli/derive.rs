//! `ashiato derive`, and the deriving that follows each settling.

use std::ops::ControlFlow;
use std::time::Instant;

use super::{Ending, Session, now, table};
use crate::config::Config;
use crate::derive::{DeriveLimits, DeriveSummary, derive};
use crate::lake::catalog::Due;
use crate::lake::path::EventDay;
use crate::lake::settle::SettleLimits;
use crate::lake::{Catalog, Lake};
use crate::query::Engine;

const EXAMPLES: &str = "\
`settle` and `worker` do this by themselves. What is not derived yet is computed when it is asked for, so answers are
complete without it, and slower.

Examples:
  ashiato derive --lake /var/lake             (what nothing is derived of yet)
  ashiato derive --rebuild --lake /var/lake   (all, anew)";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DeriveArgs {
    /// Forget what was derived, and derive all of it anew.
    #[arg(long)]
    rebuild: bool,
}

pub(crate) async fn run(args: &DeriveArgs, session: Session<'_>) -> anyhow::Result<Ending> {
    let Session { config, catalog, lake, out, err, is_watched, .. } = session;
    if args.rebuild {
        catalog.forget_derivations(now()).await?;
    }
    let told = is_watched.then_some(err);
    keep(&config, (&catalog, &lake), out, told).await?;
    Ok(Ending::Done)
}

/// The bounds of deriving, of which settling has some.
pub(super) fn limits(settle: &SettleLimits) -> DeriveLimits {
    DeriveLimits { grace: settle.hot_grace, orphan_age: settle.orphan_age, ..DeriveLimits::default() }
}

/// Derives what is due and says how much it was.
pub(super) async fn keep(
    config: &Config,
    (catalog, lake): (&Catalog, &Lake),
    out: &mut (dyn std::io::Write + Send),
    mut told: Option<&mut (dyn std::io::Write + Send)>,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let engine = Engine::new(catalog.clone(), lake, config.query_limits())?;
    let mut summary = DeriveSummary::default();
    for due in [Due::Settled, Due::HotSince(EventDay::BOUNDS.0)] {
        let limits = (due, limits(&config.settle));
        let one = derive((&engine, catalog, lake), limits, now, |origin, day, done| {
            if let Some(err) = &mut told {
                // A closed stderr is no reason to stop.
                drop(writeln!(
                    err,
                    "{} {day}: {} rows of {} files",
                    origin.name(),
                    done.rows,
                    done.files_read
                ));
            }
            ControlFlow::Continue(())
        });
        summary = summary.and(one.await?);
    }
    let DeriveSummary { files_read, rows_read, rows, bytes, swept, .. } = summary;
    writeln!(
        out,
        "{rows} rows derived from {rows_read} in {files_read} files, {}; {swept} old files deleted; {:.1} s",
        table::bytes(bytes),
        started.elapsed().as_secs_f64()
    )?;
    Ok(())
}
