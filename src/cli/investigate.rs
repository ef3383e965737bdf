//! `ashiato investigate`: who, when, what, from where, behind a finding, a key, a resource.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};

use super::{Ending, Session, now};
use crate::ingest::archive::Archive;
use crate::intel::Intel;
use crate::investigate::answer::Line;
use crate::investigate::evidence::{
    Evidence as Record, Folder, Parts, PublicKeys, QueryText, RowSet, Verifier, export,
};
use crate::investigate::form::{Lang, html, markdown};
use crate::investigate::terminal::{self, Look};
use crate::investigate::{Answer, Inquiry, Moment, SubjectKind, investigate};
use crate::query::{Engine, library};

const EXAMPLES: &str = "\
The subject is a finding (uid, ARN, or `latest`), an access key, a user or role, a session, an address, a resource (ARN, id or name)
or an event id, told apart by its shape and by looking; --as says which.

Examples:
  ashiato investigate latest --severity high
  ashiato investigate AKIAIOSFODNN7EXAMPLE
  ashiato investigate arn:aws:s3:::customer-exports --from 2026-02-01
  ashiato investigate sg-0123456789abcdef0
  ashiato investigate latest --format html > answer.html
  ashiato investigate 192.0.2.146 --format markdown --lang ja
  ashiato investigate latest --verify --public-keys eu-west-1.json --export case-42";

/// Investigates a finding, a key, a principal, an address, a resource or an event.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InvestigateArgs {
    /// What to investigate; `latest` is the newest finding.
    subject: String,
    /// What the subject is, where its shape shall not decide.
    #[arg(long = "as", value_enum, value_name = "KIND")]
    kind: Option<SubjectKind>,
    /// From when on, e.g. 2026-02-04T02:00Z [default: by the subject].
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until when [default: by the subject].
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// How severe the `latest` finding is at least.
    #[arg(long, value_enum, default_value = "low")]
    severity: Severity,
    /// Check the objects that the answer rests on against CloudTrail's signed digests.
    #[arg(long)]
    verify: bool,
    /// What `aws cloudtrail list-public-keys` printed, for --verify; again for each Region [default:
    /// investigate.public_keys].
    #[arg(long, value_name = "FILE")]
    public_keys: Vec<PathBuf>,
    /// Take the evidence along: rows, raw records, digests and queries, with a manifest of hashes, in a new folder.
    #[arg(long, value_name = "FOLDER")]
    export: Option<PathBuf>,
    /// The form of the answer [default: terminal].
    #[arg(long, value_enum, default_value = "terminal")]
    format: AnswerFormat,
    /// The language of labels and of the answer's sentences; what the logs say stays as it is.
    #[arg(long, value_enum, default_value = "en")]
    lang: Lang,
}

/// How severe a finding is at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Severity {
    Informational,
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// OCSF's number.
    const fn id(self) -> u8 {
        match self {
            Self::Informational => 1,
            Self::Low => 2,
            Self::Medium => 3,
            Self::High => 4,
            Self::Critical => 5,
        }
    }
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum AnswerFormat {
    /// Sections for the eye; colours on a terminal only.
    Terminal,
    /// For a ticket; text of logs is never markup.
    Markdown,
    /// One page that needs nothing else, with the chain and the timeline drawn.
    Html,
    /// One JSON object, documented in docs/investigate.md.
    Json,
}

/// Runs the verb.
///
/// # Errors
/// A time is none, a file of public keys cannot be read, the export's folder is taken, or the output does not take it.
pub(crate) async fn run(args: InvestigateArgs, session: Session<'_>) -> anyhow::Result<Ending> {
    let Session { config, aws, catalog, lake, out, err, .. } = session;
    let inquiry = inquiry(&args)?;
    let keys = if args.public_keys.is_empty() { &config.public_keys } else { &args.public_keys };
    let keys = PublicKeys::read(keys.iter().map(PathBuf::as_path))?;
    // A folder that is taken is told before the work.
    let folder = args.export.as_deref().map(Folder::make).transpose()?;
    let limits = config.query_limits();
    let intel = Intel::read(&config.intel).context("intel")?;
    let engine = Engine::new(catalog, &lake, limits)?.with_intel(intel);
    let mut answer = Box::pin(investigate(&engine, &inquiry)).await;
    let archive = Arc::new(Archive::new(config.declarations, aws));
    let mut verifier = Verifier::new(Arc::clone(&archive), keys);
    if args.verify {
        let objects: BTreeSet<String> =
            answer.evidence().into_iter().filter_map(|evidence| evidence.object.clone()).collect();
        answer.verified = verifier.judge(&objects.into_iter().collect::<Vec<_>>()).await;
    }
    if let Some(folder) = folder {
        let path = folder.path().display();
        let exported = export(&archive, &mut verifier, folder, &parts(&answer, now())?).await?;
        writeln!(
            err,
            "{} files written to {path}, {} records of the archive among them",
            exported.files, exported.records
        )?;
        for (evidence, why) in &exported.lost {
            writeln!(
                err,
                "not read again: {}: {}",
                super::table::name(&evidence.object),
                super::table::name(why)
            )?;
        }
    }
    match args.format {
        AnswerFormat::Terminal => {
            let screen = super::query::screen(std::io::stdout().is_terminal());
            let look = Look { screen, is_coloured: crate::config::wants_colours(), lang: args.lang };
            terminal::write(&answer, look, out)?;
        }
        AnswerFormat::Markdown => markdown::write(&answer, args.lang, out)?,
        AnswerFormat::Html => html::write(&answer, args.lang, out)?,
        AnswerFormat::Json => json(&answer, out)?,
    }
    out.flush()?;
    Ok(Ending::Done)
}

fn inquiry(args: &InvestigateArgs) -> anyhow::Result<Inquiry> {
    let time = |text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => match Moment::read(text) {
            Some(moment) => Ok(Some(moment)),
            None => bail!("{} is no time, want 2026-02-04 or 2026-02-04T02:00Z", super::table::name(text)),
        },
    };
    let (from, to) = (time(&args.from)?, time(&args.to)?);
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        bail!("--from {from} is not before --to {to}");
    }
    let subject = args.subject.trim().to_owned();
    if subject.is_empty() {
        bail!("an empty subject: name a finding, a key, a user, a role, an address, a resource or an event");
    }
    let now = now();
    let now = Moment(jiff::Timestamp::from_second(now.as_second()).unwrap_or(now));
    Ok(Inquiry { subject, kind: args.kind, from, to, severity_id: args.severity.id(), now })
}

/// What an export takes along: the answer as it is, its lines, the questions, the records.
fn parts(answer: &Answer, made_at: jiff::Timestamp) -> anyhow::Result<Parts> {
    let set =
        |name: &str, lines: Vec<String>| RowSet { name: name.to_owned(), lines: lines.join("\n") + "\n" };
    let lines = |values: &[Line]| values.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
    let findings = answer.finding.iter().chain(&answer.findings).map(serde_json::to_string);
    let rows = vec![
        set("answer", vec![serde_json::to_string(answer)?]),
        set("timeline", lines(&answer.timeline)?),
        set("denied", lines(&answer.denied)?),
        set("findings", findings.collect::<Result<Vec<_>, _>>()?),
    ];
    // The same question may have been asked of several values.
    let queries = answer.asked.iter().enumerate().filter_map(|(number, asked)| {
        let sql = library::question(&asked.question).ok()?.sql.to_owned();
        let id = format!("{:03}_{}", number + 1, asked.question);
        Some(QueryText { id, sql, params: asked.params.clone() })
    });
    let records = answer.evidence().into_iter().filter_map(|evidence| {
        let index = u64::try_from(evidence.index?).ok()?;
        Some(Record { object: evidence.object.clone()?, index, event_id: evidence.event_id.clone() })
    });
    Ok(Parts {
        subject: format!("{:?} {}", answer.subject.kind, answer.subject.id),
        rows,
        queries: queries.collect(),
        evidence: records.collect(),
        made_at,
    })
}

/// Writes JSON in which every character that could act on a terminal is escaped.
fn json(answer: &crate::investigate::Answer, out: &mut dyn Write) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(answer)?;
    let lines = text.split('\n').map(crate::query::format::text::visible_json);
    for line in lines {
        writeln!(out, "{line}")?;
    }
    Ok(())
}
