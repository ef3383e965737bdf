//! `ashiato query`: SQL over the lake, once or at a prompt.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::intel::Intel;
use crate::lake::{Catalog, Lake};
use crate::query::{Engine, Format, Params, QueryError, QueryLimits, QueryStats, RowWriter, Rows, Screen};
use crate::query::{library, run as run_query};

mod prompt;

const EXAMPLES: &str = "\
Examples:
  ashiato query \"select api.operation, count(*) from cloudtrail where eventday = '20250101' group by 1\"
  ashiato query \"select * from cloudtrail where actor.user.credential_uid = \\$key\" --param key=AKIAIOSFODNN7EXAMPLE
  ashiato query --named key_activity key=AKIAIOSFODNN7EXAMPLE window_start=2025-01-01 window_end=2025-01-02
  ashiato query -f hunt.sql --format csv --output hunt.csv
  echo 'show tables' | ashiato query -
  ashiato query                         (a prompt; \\d lists tables, \\q ends it)";

/// Asks the lake with SQL.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct QueryArgs {
    /// The statement; `-` reads it from standard input. Without one, a prompt.
    #[arg(conflicts_with_all = ["file", "named"])]
    pub sql: Option<String>,
    /// Read the statement from a file; `-` is standard input.
    #[arg(short, long, value_name = "FILE", conflicts_with = "named")]
    pub file: Option<PathBuf>,
    /// Ask a question of the library, with its parameters.
    #[arg(long, num_args = 1.., value_names = ["ID", "NAME=VALUE"])]
    pub named: Vec<String>,
    /// A value for `$name` in the statement. A moment such as 2025-01-01T08:00Z fits OCSF's `time`.
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// The form of the answer [default: table on a terminal, jsonl elsewhere; by the ending of --output].
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Write to a file instead, which appears once it is complete.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Stop after this many rows.
    #[arg(long, value_name = "ROWS")]
    pub max_rows: Option<usize>,
    /// Say at the end how many rows, files and bytes it took.
    #[arg(long)]
    pub stats: bool,
    /// Memory all queries of this process may take, in MiB, before they go to the disk [default: 512].
    #[arg(long, value_name = "MIB")]
    pub memory_mib: Option<usize>,
    /// Where queries go when memory is full.
    #[arg(long, value_name = "FOLDER")]
    pub spill_dir: Option<PathBuf>,
    /// Where the prompt keeps its history; set by the program.
    #[arg(skip)]
    pub history: Option<PathBuf>,
}

/// What a person sees of a query besides its rows.
type Writer<'w> = &'w mut (dyn Write + Send);

/// Runs the verb. `interactive` says that both ends are a terminal.
///
/// # Errors
/// The statement, its parameters or the output; a reader that goes away is none.
pub(crate) async fn run(
    args: QueryArgs,
    (catalog, lake, intel): (Catalog, Lake, Intel),
    out: Writer<'_>,
    err: Writer<'_>,
    interactive: bool,
) -> anyhow::Result<()> {
    let mut limits = QueryLimits { spill_dir: args.spill_dir.clone(), ..QueryLimits::default() };
    if let Some(mib) = args.memory_mib {
        limits.memory_bytes = mib << 20;
    }
    let engine = Engine::new(catalog, &lake, limits)?.with_intel(intel);
    let screen = screen(interactive);
    let ended = match statement(&args)? {
        Some(sql) => once(&engine, &sql, &args, screen, (out, err)).await,
        None if interactive => prompt::run(&engine, &args, screen, out).await,
        None => bail!("no statement: give one, or - to read standard input"),
    };
    match ended {
        Err(error) if is_broken_pipe(&error) => Ok(()),
        ended => ended,
    }
}

async fn once(
    engine: &Engine,
    sql: &str,
    args: &QueryArgs,
    screen: Screen,
    (out, err): (Writer<'_>, Writer<'_>),
) -> anyhow::Result<()> {
    let pairs = args.params.iter().chain(args.named.iter().skip(1));
    let params = Params::read(pairs.map(String::as_str))?;
    let answer = answer(engine, (sql, &params), args, screen, out).await?;
    report(args, answer, err)
}

/// What became of a query.
#[derive(Debug, Clone, Copy)]
struct Answer {
    stats: Option<QueryStats>,
    cut: bool,
}

async fn answer(
    engine: &Engine,
    (sql, params): (&str, &Params),
    args: &QueryArgs,
    screen: Screen,
    out: Writer<'_>,
) -> anyhow::Result<Answer> {
    let format = format(args, screen);
    let mut rows = run_query(engine, sql, params).await?;
    let cut = match &args.output {
        Some(path) => write_file(&mut rows, path, format, args.max_rows)
            .await
            .with_context(|| format!("write {}", path.display()))?,
        None if format == Format::Parquet => bail!("parquet is no text: name a file with --output"),
        None => {
            let writer = RowWriter::text(format, &rows.schema(), screen, &mut *out)?;
            let cut = carry(&mut rows, writer, args.max_rows).await?;
            out.flush().map_err(QueryError::Write)?;
            cut
        }
    };
    let mut stats = None;
    if args.stats {
        let mut counted = rows.stats().await?;
        if let (true, Some(max_rows)) = (cut, args.max_rows) {
            counted.rows = u64::try_from(max_rows).unwrap_or(u64::MAX);
        }
        stats = Some(counted);
    }
    Ok(Answer { stats, cut })
}

/// Writes beside the file and renames, so that a broken query leaves no half answer.
async fn write_file(
    rows: &mut Rows,
    path: &Path,
    format: Format,
    max_rows: Option<usize>,
) -> anyhow::Result<bool> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let file = File::create(&partial)?;
    match write_partial(rows, file, format, max_rows).await {
        Ok(cut) => {
            std::fs::rename(&partial, path)?;
            Ok(cut)
        }
        Err(error) => {
            std::fs::remove_file(&partial)?;
            Err(error)
        }
    }
}

async fn write_partial(
    rows: &mut Rows,
    file: File,
    format: Format,
    max_rows: Option<usize>,
) -> anyhow::Result<bool> {
    if format == Format::Parquet {
        let writer = RowWriter::parquet(&rows.schema(), file)?;
        return carry(rows, writer, max_rows).await;
    }
    let mut file = std::io::BufWriter::new(file);
    let writer = RowWriter::text(format, &rows.schema(), Screen::None, &mut file)?;
    let cut = carry(rows, writer, max_rows).await?;
    file.flush()?;
    Ok(cut)
}

/// Carries rows to the writer, up to a number of them; says whether there are more.
async fn carry(rows: &mut Rows, mut writer: RowWriter<'_>, max_rows: Option<usize>) -> anyhow::Result<bool> {
    let mut left = max_rows.unwrap_or(usize::MAX);
    let mut cut = false;
    while let Some(batch) = rows.next().await? {
        let batch = if batch.num_rows() > left {
            cut = true;
            batch.slice(0, left)
        } else {
            batch
        };
        left -= batch.num_rows();
        writer.write(&batch)?;
        if cut {
            break;
        }
    }
    writer.finish()?;
    Ok(cut)
}

fn report(args: &QueryArgs, answer: Answer, err: Writer<'_>) -> anyhow::Result<()> {
    if let (true, Some(max_rows)) = (answer.cut, args.max_rows) {
        writeln!(err, "stopped after {max_rows} rows, there are more")?;
    }
    if let Some(stats) = answer.stats {
        let QueryStats { rows, files_opened, files_visible, bytes_read, bytes_visible } = stats;
        writeln!(
            err,
            "{rows} rows, {files_opened} of {files_visible} files opened, {bytes_read} of {bytes_visible} bytes read"
        )?;
    }
    Ok(())
}

fn statement(args: &QueryArgs) -> anyhow::Result<Option<String>> {
    if let Some(id) = args.named.first() {
        return Ok(Some(library::question(id)?.sql.to_owned()));
    }
    let stdin = Path::new("-");
    match (&args.sql, &args.file) {
        (Some(sql), _) if Path::new(sql) != stdin => Ok(Some(sql.clone())),
        (_, Some(path)) if path != stdin => {
            std::fs::read_to_string(path).with_context(|| format!("read {}", path.display())).map(Some)
        }
        (None, None) => Ok(None),
        _ => {
            let mut sql = String::new();
            std::io::stdin().read_to_string(&mut sql).context("read standard input")?;
            Ok(Some(sql))
        }
    }
}

fn format(args: &QueryArgs, screen: Screen) -> Format {
    let by_ending = || {
        let ending = args.output.as_ref()?.extension()?.to_str()?;
        let ending = if ending == "md" { "markdown" } else { ending };
        clap::ValueEnum::from_str(ending, true).ok()
    };
    let by_place = match screen {
        Screen::Terminal { .. } => Format::Table,
        Screen::None => Format::Jsonl,
    };
    args.format.or_else(by_ending).unwrap_or(by_place)
}

/// Eighty columns when the terminal does not say.
pub(crate) fn screen(interactive: bool) -> Screen {
    if !interactive {
        return Screen::None;
    }
    let width = rustyline::DefaultEditor::new()
        .ok()
        .and_then(|mut editor| editor.dimensions())
        .map_or(80, |(columns, _)| usize::from(columns));
    Screen::Terminal { width }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        query: QueryArgs,
    }

    /// A reader that goes away at once.
    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    async fn ask(words: &[&str], out: Writer<'_>) -> anyhow::Result<String> {
        let folder = tempfile::tempdir()?;
        let catalog = Catalog::open(&folder.path().join("catalog.db")).await?;
        let lake = Lake::in_folder(folder.path().join("lake"))?;
        let args = Cli::try_parse_from([&["query"], words].concat())?.query;
        let mut err = Vec::new();
        run(args, (catalog, lake, Intel::default()), out, &mut err, false).await?;
        Ok(String::from_utf8(err)?)
    }

    async fn check(words: &[&str], expected_out: &str, expected_err: &str) {
        let mut out = Vec::new();
        let err = ask(words, &mut out).await.unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected_out, "{words:?}");
        assert_eq!(err, expected_err, "{words:?}");
    }

    const THREE: &str = "select * from (values (1), (2), (3)) as t(a) where a <> $x order by a";

    #[tokio::test]
    async fn a_statement_answers_in_the_form_of_its_place() {
        check(&["select 1 as a"], "{\"a\":1}\n", "").await;
        check(&["select 1 as a", "--format", "csv"], "a\r\n1\r\n", "").await;
        let words = [THREE, "-p", "x=2", "--max-rows", "1", "--stats"];
        let err = "stopped after 1 rows, there are more\n1 rows, 0 of 0 files opened, 0 of 0 bytes read\n";
        check(&words, "{\"a\":1}\n", err).await;
        let named = ["--named", "sign_ins", "window_start=2025-01-01", "window_end=2025-01-02"];
        check(&named, "", "").await;
    }

    #[tokio::test]
    async fn a_file_appears_once_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answer.parquet");
        let output = path.to_str().unwrap();
        check(&["select 1 as a", "-o", output], "", "").await;
        assert!(std::fs::read(&path).unwrap().starts_with(b"PAR1"));
        let path = folder.path().join("broken.md");
        let words = ["select cast('x' as bigint)", "-o", path.to_str().unwrap()];
        assert!(ask(&words, &mut Vec::new()).await.is_err());
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[tokio::test]
    async fn a_reader_that_goes_away_is_no_error() {
        assert_eq!(ask(&["select 1"], &mut Gone).await.unwrap(), "");
    }

    #[tokio::test]
    async fn words_that_do_not_fit_are_refused() {
        for words in [
            &["select 1", "--format", "parquet"][..],
            &["select 1", "--param", "x"],
            &["select 1", "-f", "x.sql"],
            &["--named", "no_such_question"],
            &[],
        ] {
            assert!(ask(words, &mut Vec::new()).await.is_err(), "{words:?}");
        }
    }
}
