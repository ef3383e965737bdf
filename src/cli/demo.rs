//! `ashiato demo`: an organisation with an incident in it, from archive to answer.
//!
//! Writes an archive, reads it on the very path the worker will use (a queue in
//! memory in place of SQS, SQLite, local folders), settles it, asks who used
//! the key that leaked, and explains the finding that came of it.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use tokio::sync::watch;

use super::{Ending, derive, ingest, now, settle};
use crate::config::Config;
use crate::demo::{ArchiveSpec, ArchiveSummary, write_archive, write_companions};
use crate::ingest::archive::Archive;
use crate::ingest::list::{Lister, read_places};
use crate::ingest::progress::Progress;
use crate::ingest::{EmbeddedQueue, IngestLimits, Trail};
use crate::investigate::form::Lang;
use crate::investigate::terminal::{self, Look};
use crate::investigate::{Inquiry, Moment, investigate};
use crate::lake::store::Place;
use crate::lake::{Catalog, Lake};
use crate::query::{Engine, Format, Params, QueryLimits, RowWriter, Screen, run as run_query};

/// Who used the key, from where, with what.
const WHO_USED_THE_KEY: &str = "\
select src_endpoint.ip as from_ip,
  http_request.user_agent as agent,
  min(time_dt) as first_seen,
  max(time_dt) as last_seen,
  count(*) as calls,
  sum(status_id - 1) as failed
from cloudtrail
where actor.user.credential_uid = $key
group by from_ip, agent
order by first_seen";

/// What was done from the address that came last, with whatever credential.
const WHAT_ELSE_CAME_FROM_THERE: &str = "\
select accountid,
  actor.user.credential_uid as credential,
  api.operation as operation,
  status,
  min(time_dt) as first_seen,
  count(*) as calls
from cloudtrail
where src_endpoint.ip = $ip
group by accountid, credential, operation, status
order by first_seen";

/// What is severe, as it is now.
const WHAT_WAS_FOUND: &str = "\
select time_dt as last_change,
  severity,
  metadata.product.name as product,
  accountid,
  finding_info.title as finding
from findings
where severity_id >= 3 and status_id = 1
order by last_change";

/// The finding about an opened bucket.
const THE_FINDING: &str = "\
select finding_info.uid
from findings
where metadata.product.name = 'Security Hub' and resource.uid = $bucket
order by time desc
limit 1";

/// Flows of an address: with whom, through which port, and whether they were let through.
const WHO_SAW_THE_ADDRESS: &str = "\
select accountid,
  coalesce(dst_endpoint.instance_uid, src_endpoint.instance_uid) as instance,
  least(src_endpoint.port, dst_endpoint.port) as service_port,
  action,
  min(time_dt) as first_seen,
  count(*) as flows,
  sum(traffic.bytes) as bytes
from vpc_flow
where src_endpoint.ip = $ip or dst_endpoint.ip = $ip
group by accountid, instance, service_port, action
order by first_seen, service_port";

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  ashiato demo
  ashiato demo /tmp/ashiato-demo
  ashiato query --lake ashiato-demo/lake")]
pub(crate) struct DemoArgs {
    /// The folder everything is written to: a new one, or that of an earlier demo.
    #[arg(default_value = "ashiato-demo", value_name = "FOLDER")]
    folder: PathBuf,
}

pub(crate) async fn run(
    args: DemoArgs,
    config: Config,
    out: &mut (dyn Write + Send),
    err: &mut (dyn Write + Send),
) -> anyhow::Result<Ending> {
    let (archive_folder, lake_folder) = (args.folder.join("archive"), args.folder.join("lake"));
    let summary = prepare(&args.folder, &archive_folder, err)?;
    let incident = summary.incident.as_ref().context("the demo's archive has an incident")?;
    let lake = Lake::in_folder(std::path::absolute(&lake_folder)?)?;
    let catalog = Catalog::open(&lake_folder.join("catalog.sqlite")).await?;

    writeln!(out, "\n$ ashiato ingest {} --lake {}", archive_folder.display(), lake_folder.display())?;
    ingest_archive(&archive_folder, (&catalog, &lake), config.ingest, out).await?;
    writeln!(out, "\n$ ashiato settle --lake {}", lake_folder.display())?;
    let started = Instant::now();
    let settled =
        crate::lake::settle::settle(
            &catalog,
            &lake,
            &config.settle,
            now,
            |_, _, _| ControlFlow::Continue(()),
        )
        .await?;
    settle::print(out, settled, started.elapsed())?;
    derive::keep(&config, (&catalog, &lake), out, None).await?;

    let engine = Engine::new(catalog.clone(), &lake, QueryLimits::default())?;
    writeln!(out, "\nWho used the access key {}, from where?\n", summary.key_of_interest)?;
    ask(&engine, (WHO_USED_THE_KEY, &format!("key={}", summary.key_of_interest)), out).await?;
    writeln!(out, "\nWhat else came from {}?\n", incident.attacker_ip)?;
    ask(&engine, (WHAT_ELSE_CAME_FROM_THERE, &format!("ip={}", incident.attacker_ip)), out).await?;
    writeln!(out, "\nWhat did the security services say, and who else saw the address?\n")?;
    ask(&engine, (WHAT_WAS_FOUND, ""), out).await?;
    ask(&engine, (WHO_SAW_THE_ADDRESS, &format!("ip={}", incident.attacker_ip)), out).await?;
    explain(&engine, (&incident.bucket, &lake_folder), out).await?;
    catalog.close().await;

    writeln!(
        out,
        "\nThe archive lies in {}, the lake in {}.",
        archive_folder.display(),
        lake_folder.display()
    )?;
    writeln!(out, "Ask it yourself:  ashiato query --lake {}", lake_folder.display())?;
    Ok(Ending::Done)
}

/// Explains the finding that Security Hub made of the opened bucket: who, when, which change.
async fn explain(
    engine: &Engine,
    (bucket, lake): (&str, &Path),
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let params = Params::read([format!("bucket=arn:aws:s3:::{bucket}").as_str()])?;
    let mut rows = run_query(engine, THE_FINDING, &params).await?;
    let batch = rows.next().await?.context("the demo's archive has a finding of Security Hub")?;
    let uid = batch.columns().first().context("the finding has a uid")?;
    let uid = arrow::util::display::array_value_to_string(uid, 0)?;
    writeln!(out, "\nWho opened the bucket? Ask the finding:\n")?;
    writeln!(out, "$ ashiato investigate --lake {} {uid}\n", lake.display())?;
    let now = now();
    let inquiry = Inquiry {
        subject: uid,
        kind: None,
        from: None,
        to: None,
        severity_id: 0,
        now: Moment(jiff::Timestamp::from_second(now.as_second()).unwrap_or(now)),
    };
    let answer = Box::pin(investigate(engine, &inquiry)).await;
    let look = Look { screen: Screen::None, is_coloured: false, lang: Lang::En };
    terminal::write_beginning(&answer, look, out)?;
    writeln!(
        out,
        "\nThe timeline, what else was done, created and refused, and the evidence: the same again; with --format html > answer.html as a page."
    )?;
    Ok(())
}

/// Writes the archive, or finds that of an earlier demo: the generator writes the same one each time.
fn prepare(folder: &Path, archive: &Path, err: &mut (dyn Write + Send)) -> anyhow::Result<ArchiveSummary> {
    let (mark, spec) = (folder.join("archive.complete"), ArchiveSpec::demo());
    if mark.exists() {
        // Its facts are those of the same spec, written again to where nobody looks.
        let scratch = folder.join("archive.again");
        let summary = write_archive(&scratch, &spec, |_| {}).context("write the demo's archive")?;
        std::fs::remove_dir_all(&scratch).with_context(|| format!("remove {}", scratch.display()))?;
        return Ok(summary);
    }
    let is_new = std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if !is_new {
        bail!("{} has something else in it: name a new folder for the demo", folder.display());
    }
    let summary = write_archive(archive, &spec, |summary| {
        if summary.objects % 500 == 0 {
            // A closed stderr is no reason to stop.
            drop(writeln!(err, "{} objects written", summary.objects));
        }
    })
    .context("write the demo's archive")?;
    write_companions(archive, &spec, &summary).context("write the demo's flow logs and findings")?;
    std::fs::write(&mark, "").with_context(|| format!("write {}", mark.display()))?;
    Ok(summary)
}

async fn ingest_archive(
    archive_folder: &Path,
    (catalog, lake): (&Catalog, &Lake),
    limits: IngestLimits,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let started = Instant::now();
    let (progress, archive) = (Arc::new(Progress::default()), Arc::new(Archive::default()));
    let queue = Arc::new(EmbeddedQueue::new(limits.lease, 10_000));
    let lister = Lister::new(Arc::clone(&queue), Arc::clone(&archive), Arc::clone(&progress));
    let (catalog, lake, progress) = (catalog.clone(), lake.clone(), Arc::clone(&progress));
    let trail = Trail { queue, archive, catalog, lake, limits, progress: Arc::clone(&progress), clock: now };
    let place = Place::read(&archive_folder.display().to_string())?;
    let (_interrupt, interrupted) = watch::channel(false);
    read_places(trail, &lister, &[place], interrupted).await?;
    ingest::summary(out, &progress.snapshot(), started.elapsed())?;
    Ok(())
}

async fn ask(
    engine: &Engine,
    (sql, param): (&str, &str),
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let params = Params::read(Some(param).filter(|param| !param.is_empty()))?;
    let mut rows = run_query(engine, sql, &params).await?;
    let mut writer = RowWriter::text(Format::Table, &rows.schema(), Screen::None, out)?;
    while let Some(batch) = rows.next().await? {
        writer.write(&batch)?;
    }
    writer.finish()?;
    Ok(())
}
