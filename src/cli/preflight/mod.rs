//! `ashiato preflight`: makes the calls a worker makes, and says which right is missing, on what.
//!
//! Takes the configuration and gives a verdict a call: fine, missing (action, resource
//! and whose policy to look at), failed for another reason, or not asked. What is written is
//! a probe of its own and deleted again; no message is taken from a worker. `--policy`
//! prints the least privilege for the present configuration and asks nobody.

mod denial;
mod check;
mod policy;
mod queue;
mod archive;
mod lake;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::aws::Aws;
use crate::config::Config;
use crate::lake::Catalog;
use crate::lake::catalog::{BatchId, CatalogPlace};
use crate::lake::store::Place;

use super::{Ending, table};
use check::{Check, Verdict};

/// How long a call may take, attempts included. What does not answer by then is not reached at all.
const PATIENCE: Duration = Duration::from_secs(40);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Checks what the configuration has: credentials, queue, dead letters, roles and places of [[buckets]], lake, catalog. A
message that is met when the queue is asked is shown again at once; that delivery counts. Sending a dead letter is probed
with one that cannot be sent. Exit code 0 when nothing is missing, else 1.

Examples:
  ashiato preflight --archive s3://aws-controltower-logs-111122223333-eu-west-1
  ashiato preflight --object s3://bucket/AWSLogs/…/a.json.gz --json | jq '.checks[] | select(.verdict != \"ok\")'
  ashiato preflight --policy --archive s3://bucket > policy.json")]
pub(crate) struct PreflightArgs {
    /// The queue's URL.
    #[arg(long, value_name = "URL")]
    queue: Option<String>,
    /// The URL of the queue for dead letters.
    #[arg(long, value_name = "URL")]
    dead_letter_queue: Option<String>,
    /// A place of the archive to list, and to read the newest of the first objects found there. May be repeated.
    #[arg(long, value_name = "s3://…")]
    archive: Vec<String>,
    /// An object to read. May be repeated.
    #[arg(long, value_name = "s3://…")]
    object: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Print the IAM policy that the configuration needs at least, and check nothing.
    #[arg(long)]
    policy: bool,
}

/// Where lake and catalog are, as far as that is configured.
pub(super) struct Places {
    pub(super) lake: Option<Place>,
    pub(super) catalog: Option<CatalogPlace>,
}

pub(super) async fn run(
    args: PreflightArgs,
    (mut config, places): (Config, Places),
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Ending> {
    config.worker.queue = args.queue.or(config.worker.queue);
    config.worker.dead_letter_queue = args.dead_letter_queue.or(config.worker.dead_letter_queue);
    let archives = args.archive.iter().map(|text| Place::read(text)).collect::<Result<Vec<_>, _>>()?;
    let objects = args.object.iter().map(|text| Place::read(text)).collect::<Result<Vec<_>, _>>()?;
    let aws = Arc::new(Aws::new(config.buckets.clone()));
    if args.policy {
        let region = aws.shared().await.region().map(ToString::to_string);
        let policy = policy::policy(&config, places.lake.as_ref(), &archives, region.as_deref());
        writeln!(out, "{policy:#}")?;
        return Ok(Ending::Done);
    }
    let mut checks = Vec::new();
    let needs_aws = config.worker.queue.is_some() || !archives.is_empty() || !objects.is_empty();
    if needs_aws || matches!(places.lake, Some(Place::Bucket { .. })) {
        checks.push(credentials(&aws).await);
    }
    checks.extend(queue::checks(&config, &aws).await);
    checks.extend(archive::checks(&aws, &archives, &objects).await);
    match &places.lake {
        Some(place) => checks.extend(lake::checks(place, &config, &aws).await),
        None => checks.push(Check::not_asked("lake", "no lake is configured: give --lake, or set lake")),
    }
    match &places.catalog {
        Some(place) => checks.extend(catalog(place, &config).await),
        None => checks
            .push(Check::not_asked("catalog", "no catalog is configured: give --catalog, or set catalog")),
    }
    tell(&checks, args.json, out)?;
    // A deployment that lost its settings must not look like one that has all its rights.
    let is_idle = checks.iter().all(|check| matches!(check.verdict, Verdict::NotAsked(_)));
    anyhow::ensure!(
        !is_idle,
        "nothing is configured, so nothing was checked: give --queue, --archive, --lake or --config"
    );
    Ok(Ending::Done)
}

/// Prints what was found. What is missing makes it fail.
fn tell(checks: &[Check], json: bool, out: &mut (dyn Write + Send)) -> anyhow::Result<Ending> {
    let bad = checks.iter().filter(|check| check.is_bad()).count();
    if json {
        let checks: Vec<_> = checks.iter().map(Check::json).collect();
        writeln!(out, "{:#}", serde_json::json!({"checks": checks, "failed": bad}))?;
    } else {
        for check in checks {
            for line in check.lines() {
                writeln!(out, "{}", table::printable(&line))?;
            }
        }
    }
    out.flush()?;
    anyhow::ensure!(bad == 0, "{bad} of {} checks failed", checks.len());
    Ok(Ending::Done)
}

async fn credentials(aws: &Aws) -> Check {
    let client = aws_sdk_sts::Client::new(aws.shared().await);
    let asked = Box::pin(client.get_caller_identity().send());
    let what = ("credentials", "sts:GetCallerIdentity", "");
    match check::in_time(asked).await {
        Ok(caller) => Check::ok(what, caller.arn().unwrap_or("an identity without a name")),
        Err(error) => Check::of_error(what, &error),
    }
}

async fn catalog(place: &CatalogPlace, config: &Config) -> Vec<Check> {
    let shown = place.to_string();
    let what = ("catalog: connect, bring its tables to this version", "", shown.as_str());
    let opened = Box::pin(Catalog::open_with(place, config.catalog_limits));
    let catalog = match check::in_time(opened).await {
        Ok(catalog) => catalog,
        Err(error) => return vec![Check::of_error(what, &error)],
    };
    let mut checks = vec![Check::ok(what, &shown)];
    // A batch of this name holds nothing: the statement is real, and changes no row.
    let what = ("catalog: write", "", shown.as_str());
    checks.push(match check::in_time(catalog.release(&BatchId("preflight".to_owned()))).await {
        Ok(()) => Check::ok(what, ""),
        Err(error) => Check::of_error(what, &error),
    });
    if matches!(place, CatalogPlace::File(_)) && config.worker.queue.is_some() {
        let note =
            "a file serves the workers of one machine only; several machines share a PostgreSQL database";
        checks.push(Check::of(("catalog", "", ""), Verdict::Noted(note.to_owned())));
    }
    catalog.close().await;
    checks
}
