//! `ashiato detect`: judges what was committed since the last run.

use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;

use super::{Ending, Session, now, table};
use crate::detect::{Detected, Finding, Step, detect};
use crate::intel::Intel;
use crate::lake::Catalog;
use crate::lake::catalog::{BatchId, CatalogError, Duty};
use crate::query::{Engine, QueryLimits};

const EXAMPLES: &str = "\
Each record is judged once, whenever it came; run it as often as findings are wanted. They are rows of find-detection, too:
`select finding_info.title, finding_info.desc from findings where metadata.product.name = 'ashiato'`.

Exit codes:
  0  nothing was found
  1  findings were told
  2  failed, or the command line is wrong: nothing was told, the next run judges the same

Examples:
  ashiato detect --lake /var/lake
  ashiato detect --json | jq -r .finding_info.uid
  */5 * * * *  ashiato detect --lake /var/lake   (in a crontab: mails what is found)";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DetectArgs {
    /// Print JSON lines.
    #[arg(long)]
    json: bool,
}

/// New objects whose events take more than some seconds to count.
const MANY_OBJECTS: usize = 10_000;

pub(crate) async fn run(args: DetectArgs, session: Session<'_>) -> anyhow::Result<Ending> {
    let Session { config, catalog, lake, out, err, .. } = session;
    let limits = config.detect;
    let holder = BatchId(uuid::Uuid::now_v7().simple().to_string());
    if !take_on(&catalog, &holder, limits.lease).await? {
        writeln!(err, "another `ashiato detect` is at it; it tells what it finds")?;
        return Ok(Ending::Done);
    }
    let memory = config.query_memory_bytes;
    let mut query = QueryLimits { spill_dir: config.query_spill_folder, ..QueryLimits::default() };
    query.memory_bytes = memory.unwrap_or(query.memory_bytes);
    let intel = Intel::read(&config.intel).context("intel")?;
    let engine = Engine::new(catalog.clone(), &lake, query)?.with_intel(intel);
    let mut judged = 0;
    let told = |step: Step| match step {
        // Of few it takes no time.
        Step::Counting(Some(objects)) if objects < MANY_OBJECTS => {}
        Step::Counting(objects) => {
            let count = objects
                .map_or_else(|| format!("more than {}", limits.objects_max), |count| count.to_string());
            drop(writeln!(err, "{count} new objects: counting their events"));
        }
        Step::Judged(stretch, count) => {
            judged += 1;
            // Of one there is nothing to tell before its findings.
            if count > 1 {
                let (first, last) = (moment(stretch.window.first), moment(stretch.window.last));
                let events = stretch.events;
                drop(writeln!(err, "{judged} of {count}: {events} events judged, {first} to {last}"));
            }
        }
    };
    let judging = Box::pin(detect((&engine, &catalog, &lake), limits, now, told));
    // Not cancel-safe and need not be: what a run has written and not committed is swept.
    let detected = tokio::select! {
        detected = judging => detected.map_err(anyhow::Error::from),
        () = hold(&catalog, &holder, limits.lease) => Err(anyhow::anyhow!("another `ashiato detect` took over")),
    };
    // The lease ends by itself where this fails.
    if let Err(error) = catalog.end_duty(Duty::Detect, &holder, now()).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "the duty's lease ends by itself");
    }
    let detected = detected?;
    for finding in &detected.findings {
        print(out, finding, args.json)?;
    }
    say(err, &detected)?;
    Ok(if detected.findings.is_empty() { Ending::Done } else { Ending::Found })
}

/// Takes the duty on. One who died at it is waited for: its lease ends; one who lives renews it.
async fn take_on(catalog: &Catalog, holder: &BatchId, lease: Duration) -> Result<bool, CatalogError> {
    const LOOK_EVERY: Duration = Duration::from_millis(500);
    let began = tokio::time::Instant::now();
    loop {
        if catalog.begin_duty(Duty::Detect, holder, now(), (Duration::ZERO, lease)).await? {
            return Ok(true);
        }
        if began.elapsed() > lease + LOOK_EVERY * 2 {
            return Ok(false);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Extends the lease; ends when somebody else has taken the duty over.
async fn hold(catalog: &Catalog, holder: &BatchId, lease: Duration) {
    loop {
        tokio::time::sleep(lease / 3).await;
        match catalog.renew_duty(Duty::Detect, holder, now(), lease).await {
            Ok(()) => {}
            Err(CatalogError::Fenced { .. }) => return,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the duty's lease not renewed");
            }
        }
    }
}

fn print(out: &mut dyn std::io::Write, finding: &Finding, json: bool) -> anyhow::Result<()> {
    let Finding { uid, rule, found } = finding;
    let (_, severity) = rule.severity.id_and_caption();
    if json {
        let line = serde_json::json!({
            "finding_info": {"uid": uid, "title": rule.title, "desc": finding.line()},
            "severity": severity, "rule": rule.id, "technique": rule.technique.0,
            "account": found.account, "region": found.region,
            "first_seen": moment(found.first_seen), "last_seen": moment(found.last_seen), "events": found.events,
            "principal": found.principal, "actor": found.actor, "credential": found.credential,
            "source": found.source, "event_ids": found.event_ids,
        });
        // Text of a log may act on who looks at it.
        writeln!(out, "{}", crate::query::format::text::visible_json(&line.to_string()))?;
        return Ok(());
    }
    let name = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), table::name);
    writeln!(out, "{}  {severity:<8}  {}", moment(found.first_seen), rule.title)?;
    writeln!(out, "  {}", table::name(&finding.line()))?;
    writeln!(
        out,
        "  account {}  principal {}  key {}  from {}",
        name(&found.account),
        name(&found.principal),
        name(&found.credential),
        name(&found.source)
    )?;
    writeln!(out, "  {uid}")?;
    Ok(())
}

fn moment(time: Timestamp) -> String {
    table::moment(time.as_millisecond())
}

fn say(err: &mut dyn std::io::Write, detected: &Detected) -> std::io::Result<()> {
    let Detected { events, findings, known, dropped } = detected;
    let known = if *known > 0 { format!(", {known} told before") } else { String::new() };
    writeln!(err, "{events} events judged, {} findings{known}", findings.len())?;
    if *dropped > 0 {
        writeln!(err, "{dropped} more findings are not told: a rule gave too many in one run")?;
    }
    Ok(())
}
