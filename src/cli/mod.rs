//! The verbs a person types.
//!
//! Parses the command line, reads the configuration, opens lake and catalog, and
//! hands a writer down: no module below prints by itself. The only place that asks
//! the clock.

mod ingest;
mod worker;
#[cfg(feature = "lambda")]
mod lambda;
mod preflight;
mod health;
mod metrics;
mod dlq;
mod settle;
mod derive;
mod status;
mod quarantine;
mod query;
mod queries;
mod investigate;
mod evidence;
mod detect;
mod demo;
mod org;
mod table;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};

use crate::aws::Aws;
use crate::config::Config;
use crate::ingest::IngestError;
use crate::ingest::archive::ArchiveError;
use crate::intel::Intel;
use crate::lake::catalog::CatalogPlace;
use crate::lake::store::Place;
use crate::lake::{Catalog, Lake};

/// How a verb ended, beyond failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Everything was done.
    Done,
    /// Done, but some objects could not be read, fetched or verified.
    Incomplete,
    /// Stopped by Ctrl-C; the next run goes on.
    Interrupted,
    /// Done, and something was found that somebody must look at.
    Found,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done; `worker` was asked to stop by SIGTERM or Ctrl-C
  1    failed; the message says what and what to do. Of `detect`: it has found something, and 2 is failed
  2    the command line is wrong
  3    done, but some objects could not be read, fetched or verified
  130  stopped by Ctrl-C; what was committed stays, the next run goes on";

/// `detect` ends with this when it has found something, as `grep` and `diff` turned round: findings are news.
const FOUND: u8 = 1;
/// And with this when it failed.
const FAILED_TO_DETECT: u8 = 2;

const LAMBDA_NOTES: &str = "\
Runs inside Lambda only, as the function of an SQS event source with ReportBatchItemFailures; deploy/ashiato.yaml has one. The
catalog must be PostgreSQL. Only in binaries built with `--features lambda`.

Example:
  ashiato lambda   (the command of the function's image, with ASHIATO_CATALOG=postgres://… and ASHIATO_LAKE=s3://…)";

const SETTLE_EXAMPLES: &str = "\
What was settled stays when a run is stopped; the next one goes on.

Examples:
  ashiato settle --lake /var/lake
  ASHIATO_SETTLE_HOT_GRACE=0s ashiato settle --lake /var/lake   (when nobody queries: delete merged files now)";

/// Who did what, when, from where: the log archive of an AWS organisation as a lake you can ask.
#[derive(Debug, Parser)]
#[command(name = "ashiato", version, after_help = EXIT_CODES, max_term_width = 110)]
struct Cli {
    /// The lake: a folder, or s3://bucket/prefix.
    #[arg(long, global = true, value_name = "FOLDER | s3://…")]
    lake: Option<String>,
    /// The catalog: a SQLite file (beside the lake when that is a folder), or postgres://host/database.
    #[arg(long, global = true, value_name = "FILE")]
    catalog: Option<String>,
    /// The configuration; ashiato.toml in this folder when it is there.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Reads log objects into the lake, each once.
    Ingest(ingest::IngestArgs),
    /// Reads what a queue announces, day and night, until it is stopped.
    Worker(worker::WorkerArgs),
    /// Reads what a Lambda event source hands over.
    #[command(after_help = LAMBDA_NOTES)]
    Lambda,
    /// Makes the calls a worker makes and says which right is missing, on what.
    Preflight(preflight::PreflightArgs),
    /// Asks a worker on this machine whether it is alive.
    Health(health::HealthArgs),
    /// Lists and retries messages that a worker could make nothing of.
    #[command(subcommand)]
    Dlq(dlq::DlqVerb),
    /// Merges recent files into the Security Lake layout and removes duplicates.
    #[command(after_help = SETTLE_EXAMPLES)]
    Settle,
    /// Keeps footprints and the other derived tables, from which answers are made.
    Derive(derive::DeriveArgs),
    /// Asks the lake with SQL, once or at a prompt.
    Query(query::QueryArgs),
    /// Says who, when, what, from where, behind a finding, a key, a resource, with evidence.
    Investigate(investigate::InvestigateArgs),
    /// Lists and shows the questions that `query --named` asks.
    #[command(subcommand)]
    Queries(queries::QueriesVerb),
    /// Judges what was committed since the last run, and tells what is suspicious.
    Detect(detect::DetectArgs),
    /// Proves that objects of the archive are what CloudTrail wrote.
    #[command(subcommand)]
    Evidence(evidence::EvidenceVerb),
    /// Shows what is in the lake, how fresh it is, and what was set aside.
    Status(status::StatusArgs),
    /// Lists, shows and retries what was set aside.
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineVerb),
    /// Lists the accounts of the organisation, so that answers can name them.
    #[command(subcommand, after_help = org::EXAMPLES)]
    Org(org::OrgVerb),
    /// Makes a small organisation's archive with an incident in it, reads it and asks it a question.
    Demo(demo::DemoArgs),
    /// Prints a completion script for a shell.
    #[command(after_help = "Example:\n  ashiato completions bash > /etc/bash_completion.d/ashiato")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// How long closing the catalog may take: orchestrators kill what does not end.
const CLOSING_MAX: Duration = Duration::from_secs(2);

/// What verbs work with.
pub(crate) struct Session<'a> {
    pub(crate) config: Config,
    /// AWS, where the verb needs it.
    pub(crate) aws: Arc<Aws>,
    pub(crate) catalog: Catalog,
    pub(crate) lake: Lake,
    /// What was asked for.
    pub(crate) out: &'a mut (dyn Write + Send),
    /// What is said beside it.
    pub(crate) err: &'a mut (dyn Write + Send),
    /// Somebody watches.
    pub(crate) is_watched: bool,
}

/// The clock: nothing else asks it.
#[expect(clippy::disallowed_methods, reason = "the one place that asks the clock")]
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Runs the command line and returns its exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let out = Output { stdout: std::io::stdout(), is_closed: false };
    let (mut out, mut err) = (std::io::BufWriter::new(out), std::io::stderr());
    let failed = if matches!(cli.verb, Verb::Detect(_)) {
        ExitCode::from(FAILED_TO_DETECT)
    } else {
        ExitCode::FAILURE
    };
    let ended = start(cli, &mut out).and_then(|ending| out.flush().map(|()| ending).map_err(Into::into));
    match ended {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Incomplete) => ExitCode::from(3),
        Ok(Ending::Interrupted) => ExitCode::from(130),
        Ok(Ending::Found) => ExitCode::from(FOUND),
        Err(_) if out.get_ref().is_closed => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing can be done about a closed stderr.
            drop(writeln!(err, "ashiato: {}", shown(&error)));
            failed
        }
    }
}

/// Says an error so that it is safe on a terminal. What goes wrong on the writing trail names objects, whose names
/// strangers choose: it is one line, so that no part of a name can look like a line of ours.
fn shown(error: &anyhow::Error) -> String {
    let names_objects = error.chain().any(|cause| cause.is::<IngestError>() || cause.is::<ArchiveError>());
    if names_objects { table::name(&told(error)) } else { table::printable(&told(error)) }
}

/// Says an error and its causes, each once: some repeat the text of their cause in their own.
fn told(error: &anyhow::Error) -> String {
    let mut told = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.is_empty() {
            told = cause;
        } else if !told.contains(&cause) {
            told.push_str(": ");
            told.push_str(&cause);
        }
    }
    told
}

/// Standard output, which its reader may close when it has seen enough: no failure of ours. A connection to S3 or
/// a database that breaks has the same error, and is one.
struct Output {
    stdout: std::io::Stdout,
    is_closed: bool,
}

impl Output {
    fn noting<T>(&mut self, written: std::io::Result<T>) -> std::io::Result<T> {
        self.is_closed |= written.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe);
        written
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.stdout.write(bytes);
        self.noting(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let flushed = self.stdout.flush();
        self.noting(flushed)
    }
}

fn start(cli: Cli, out: &mut (dyn Write + Send)) -> anyhow::Result<Ending> {
    if let Verb::Completions { shell } = cli.verb {
        // The generator panics when its reader goes away, so it writes to memory.
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "ashiato", &mut script);
        out.write_all(&script)?;
        return Ok(Ending::Done);
    }
    let config = Config::load(cli.config.as_deref()).context("configuration")?;
    // Nobody watches a worker: its log says that it lives.
    let directives = if matches!(cli.verb, Verb::Worker(_) | Verb::Lambda) {
        "warn,aws_config::imds=error,sqlx::pool=error,ashiato=info"
    } else {
        "warn,aws_config::imds=error,sqlx::pool=error"
    };
    start_tracing(config.log.as_deref().unwrap_or(directives))?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    runtime.block_on(run(cli, config, out))
}

fn start_tracing(directives: &str) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(directives).context("log directives")?;
    let is_terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if is_terminal { lines.compact().try_init() } else { lines.json().try_init() };
    started.map_err(|error| anyhow::anyhow!("start logging: {error}"))
}

async fn run(cli: Cli, config: Config, out: &mut (dyn Write + Send)) -> anyhow::Result<Ending> {
    let mut err = std::io::stderr();
    let is_watched = err.is_terminal();
    let verb = match cli.verb {
        Verb::Queries(verb) => return queries::run(&verb, out),
        Verb::Evidence(verb) => return Box::pin(evidence::run(verb, config, out)).await,
        Verb::Dlq(verb) => return dlq::run(verb, &config.worker, out).await,
        Verb::Health(args) => return health::ask(args, &config.worker, out).await,
        Verb::Ingest(args) if args.is_dry_run() => {
            return ingest::survey(args, config, out, is_watched).await;
        }
        Verb::Demo(args) => return demo::run(args, config, out, &mut err).await,
        Verb::Org(verb) => return org::run(verb, &Aws::new(config.buckets.clone()), out).await,
        verb => verb,
    };
    let place = cli.lake.as_deref().map(Place::read).transpose()?.or_else(|| config.lake.clone());
    if let Verb::Preflight(args) = verb {
        let named = cli.catalog.as_deref().map(CatalogPlace::read).or_else(|| config.catalog.clone());
        let catalog = place.as_ref().and_then(|place| catalog_place(named.clone(), place).ok()).or(named);
        let places = preflight::Places { lake: place, catalog };
        return Box::pin(preflight::run(args, (config, places), out)).await;
    }
    let place =
        place.context("which lake? give --lake FOLDER, or set lake in ashiato.toml or ASHIATO_LAKE")?;
    let named = cli.catalog.as_deref().map(CatalogPlace::read).or_else(|| config.catalog.clone());
    let catalog_place = catalog_place(named, &place)?;
    refuse_no_lake(&verb, (&place, &catalog_place))?;
    match &verb {
        Verb::Ingest(args) => args.check()?,
        Verb::Worker(args) => args.check(&config.worker)?,
        #[cfg(feature = "lambda")]
        Verb::Lambda => lambda::check(&catalog_place)?,
        #[cfg(not(feature = "lambda"))]
        Verb::Lambda => {
            anyhow::bail!("this binary was built without `lambda`; build it with `--features lambda`")
        }
        _ => {}
    }
    let aws = Arc::new(Aws::new(config.buckets.clone()));
    let lake = Lake::open(place, &aws, config.lake_writes.clone()).await?;
    let catalog = Catalog::open_with(&catalog_place, config.catalog_limits).await?;
    let session = Session { config, aws, catalog: catalog.clone(), lake, out, err: &mut err, is_watched };
    let ending = with_lake(verb, session).await;
    // A statement that was given up may still wait for a lock in the database, and its connection with it.
    if tokio::time::timeout(CLOSING_MAX, catalog.close()).await.is_err() {
        tracing::debug!("the catalog did not let go in time");
    }
    ending
}

/// Runs a verb that works on a lake.
async fn with_lake(verb: Verb, session: Session<'_>) -> anyhow::Result<Ending> {
    match verb {
        Verb::Ingest(args) => ingest::run(args, session).await,
        Verb::Worker(args) => Box::pin(worker::run(args, session)).await,
        #[cfg(feature = "lambda")]
        Verb::Lambda => Box::pin(lambda::run(session)).await,
        #[cfg(not(feature = "lambda"))]
        Verb::Lambda => Ok(Ending::Done),
        Verb::Settle => settle::run(session).await,
        Verb::Derive(args) => derive::run(&args, session).await,
        Verb::Query(args) => ask(args, session).await,
        Verb::Investigate(args) => Box::pin(investigate::run(args, session)).await,
        Verb::Detect(args) => Box::pin(detect::run(args, session)).await,
        Verb::Status(args) => status::run(args, session).await,
        Verb::Quarantine(verb) => quarantine::run(verb, session).await,
        Verb::Queries(_)
        | Verb::Evidence(_)
        | Verb::Health(_)
        | Verb::Preflight(_)
        | Verb::Dlq(_)
        | Verb::Demo(_)
        | Verb::Org(_)
        | Verb::Completions { .. } => Ok(Ending::Done),
    }
}

/// Only what reads logs makes a lake; everything else asks one that is there.
fn refuse_no_lake(verb: &Verb, (place, catalog): (&Place, &CatalogPlace)) -> anyhow::Result<()> {
    if let (false, CatalogPlace::File(file)) =
        (matches!(verb, Verb::Ingest(_) | Verb::Worker(_) | Verb::Lambda), catalog)
        && !file.exists()
    {
        anyhow::bail!("no lake in {place}: {} is not there; `ashiato ingest` makes one", file.display());
    }
    Ok(())
}

/// Runs `query` with what the configuration says of it.
async fn ask(mut args: query::QueryArgs, session: Session<'_>) -> anyhow::Result<Ending> {
    let Session { config, catalog, lake, out, err, .. } = session;
    args.memory_mib = args.memory_mib.or(config.query_memory_bytes.map(|bytes| bytes >> 20));
    args.spill_dir = args.spill_dir.or(config.query_spill_folder);
    args.history = history_file();
    let is_interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let intel = Intel::read(&config.intel).context("intel")?;
    query::run(args, (catalog, lake, intel), out, err, is_interactive).await?;
    Ok(Ending::Done)
}

/// Where the prompt keeps its history.
fn history_file() -> Option<PathBuf> {
    Some(std::env::home_dir()?.join(".ashiato_history"))
}

fn catalog_place(named: Option<CatalogPlace>, place: &Place) -> anyhow::Result<CatalogPlace> {
    match (named, place) {
        (Some(named), _) => Ok(named),
        (None, Place::Folder(folder)) => Ok(CatalogPlace::File(folder.join("catalog.sqlite"))),
        (None, Place::Bucket { .. }) => anyhow::bail!(
            "a lake in {place} needs a catalog of its own: give --catalog FILE or --catalog postgres://host/database, \
             or set catalog in ashiato.toml"
        ),
    }
}
