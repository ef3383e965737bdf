//! `ashiato settle`.

use std::ops::ControlFlow;

use super::{Ending, Session, now, table};
use crate::lake::settle::{SettleSummary, settle};

pub(crate) async fn run(session: Session<'_>) -> anyhow::Result<Ending> {
    let Session { config, catalog, lake, out, err, is_watched, .. } = session;
    let started = std::time::Instant::now();
    let summary = settle(&catalog, &lake, &config.settle, now, |table, day, done| {
        if is_watched {
            // A closed stderr is no reason to stop settling.
            drop(writeln!(err, "{table} {day}: {} files into {}", done.files_in, done.files_out));
        }
        ControlFlow::Continue(())
    })
    .await?;
    print(out, summary, started.elapsed())?;
    super::derive::keep(&config, (&catalog, &lake), out, is_watched.then_some(err)).await?;
    Ok(Ending::Done)
}

pub(super) fn print(
    out: &mut dyn std::io::Write,
    summary: SettleSummary,
    elapsed: std::time::Duration,
) -> std::io::Result<()> {
    let SettleSummary { files_in, files_out, rows_in, rows_out, duplicates, bytes_out, swept } = summary;
    writeln!(
        out,
        "{files_in} files merged into {files_out}, {}; {rows_in} rows in, {rows_out} out, {duplicates} duplicates \
         removed; {swept} old files deleted; {:.1} s",
        table::bytes(bytes_out),
        elapsed.as_secs_f64()
    )
}
