//! `ashiato evidence`: are objects of the archive what CloudTrail wrote?

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Ending, table};
use crate::aws::Aws;
use crate::config::Config;
use crate::ingest::archive::Archive;
use crate::investigate::evidence::{Chain, Judged, PublicKeys, Verdict, Verifier};
use crate::lake::store::Place;

const EXAMPLES: &str = "\
Objects are those that rows name in metadata.log_name. Each Region signs with keys of its own; their public halves come from AWS:
  aws cloudtrail list-public-keys --region eu-west-1 --start-time 2026-01-01 --end-time 2026-02-01 > eu-west-1.json

Examples:
  ashiato evidence verify s3://logs/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/05/… --public-keys eu-west-1.json
  ashiato evidence verify copy/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/01/05/*.json.gz --json";

#[derive(Debug, clap::Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum EvidenceVerb {
    /// Checks objects against CloudTrail's signed digests: verified, altered, missing, or no digest.
    #[command(after_help = EXAMPLES)]
    Verify {
        /// The objects: s3://bucket/key, or files.
        #[arg(required = true, value_name = "OBJECT")]
        objects: Vec<String>,
        /// What `aws cloudtrail list-public-keys` printed; again for each Region [default: investigate.public_keys].
        #[arg(long, value_name = "FILE")]
        public_keys: Vec<PathBuf>,
        /// Print JSON lines.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(
    verb: EvidenceVerb,
    config: Config,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<Ending> {
    let EvidenceVerb::Verify { objects, public_keys, json } = verb;
    let paths = if public_keys.is_empty() { config.public_keys } else { public_keys };
    let keys = PublicKeys::read(paths.iter().map(PathBuf::as_path))?;
    let archive = Arc::new(Archive::new(config.declarations, Arc::new(Aws::new(config.buckets))));
    let objects = objects.iter().map(|object| uri(object)).collect::<Result<Vec<_>, _>>()?;
    let judged = Verifier::new(archive, keys).judge(&objects).await;
    for one in &judged {
        if json {
            writeln!(out, "{}", serde_json::to_string(one)?)?;
        } else {
            print(out, one)?;
        }
    }
    if !json {
        let mut counts = BTreeMap::new();
        judged.iter().for_each(|one| *counts.entry(one.verdict.word()).or_insert(0_usize) += 1);
        let counts: Vec<_> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
        writeln!(out, "{}", counts.join(", "))?;
    }
    let is_whole =
        |one: &Judged| one.verdict == Verdict::Verified && !matches!(one.chain, Some(Chain::Broken { .. }));
    Ok(if judged.iter().all(is_whole) { Ending::Done } else { Ending::Incomplete })
}

/// A file is named as its rows name it: by its one absolute path.
fn uri(object: &str) -> anyhow::Result<String> {
    match Place::read(object) {
        Ok(Place::Folder(path)) => Ok(format!("file://{}", path.display())),
        _ if object.contains("://") => Ok(object.to_owned()),
        place => place.map(|place| place.to_string()).map_err(Into::into),
    }
}

fn print(out: &mut dyn Write, judged: &Judged) -> std::io::Result<()> {
    let Judged { object, verdict, digest, signed_for, chain } = judged;
    writeln!(out, "{:<9}  {}", verdict.word(), table::name(object))?;
    let mut note = |name: &str, text: &str| writeln!(out, "{:<9}  {name}: {}", "", table::name(text));
    if let Some(reason) = verdict.reason() {
        note("why", reason)?;
    }
    match (digest, signed_for) {
        (Some(digest), Some(bucket)) => {
            note("digest", &format!("{digest} (a copy, signed for the bucket {bucket})"))?
        }
        (Some(digest), None) => note("digest", digest)?,
        (None, _) => {}
    }
    match chain {
        Some(Chain::Broken { reason }) => note("chain broken", reason),
        Some(Chain::Unknown { reason }) => note("chain not known", reason),
        Some(Chain::Whole) | None => Ok(()),
    }
}
