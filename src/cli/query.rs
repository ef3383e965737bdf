//! `ashiato query`: SQL over the lake, once or at a prompt.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

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
pub struct QueryArgs {
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
    /// Memory all queries of this process may take, in MiB, before they go to the disk.
    #[arg(long, value_name = "MIB", default_value_t = 512)]
    pub memory_mib: usize,
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
pub async fn run(
    args: QueryArgs,
    (catalog, lake): (Catalog, Lake),
    out: Writer<'_>,
    err: Writer<'_>,
    interactive: bool,
) -> anyhow::Result<()> {
    let limits = QueryLimits {
        memory_bytes: args.memory_mib << 20,
        spill_dir: args.spill_dir.clone(),
        ..QueryLimits::default()
    };
    let engine = Engine::new(catalog, &lake, limits)?;
    let screen = screen(interactive);
    let Some(sql) = statement(&args)? else {
        if !interactive {
            bail!("no statement: give one, or - to read standard input");
        }
        return prompt::run(&engine, &args, screen, out).await;
    };
    let pairs = args.params.iter().chain(args.named.iter().skip(1));
    let params = Params::read(pairs.map(String::as_str))?;
    let answer = answer(&engine, (&sql, &params), &args, screen, out).await;
    match answer {
        Ok(stats) => report(&args, stats, err),
        Err(error) if is_broken_pipe(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What became of a query.
#[derive(Debug, Clone, Copy)]
struct Answer {
    stats: QueryStats,
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
    let Some(path) = &args.output else {
        if format == Format::Parquet {
            bail!("parquet is no text: name a file with --output");
        }
        let writer = RowWriter::text(format, &rows.schema(), screen, &mut *out)?;
        let answer = carry(&mut rows, writer, args.max_rows).await?;
        out.flush().map_err(QueryError::Write)?;
        return Ok(answer);
    };
    write_file(&mut rows, path, format, args.max_rows)
        .await
        .with_context(|| format!("write {}", path.display()))
}

/// Writes beside the file and renames, so that a broken query leaves no half answer.
async fn write_file(
    rows: &mut Rows,
    path: &Path,
    format: Format,
    max_rows: Option<usize>,
) -> anyhow::Result<Answer> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let file = File::create(&partial)?;
    let answer = write_partial(rows, file, format, max_rows).await;
    match answer {
        Ok(answer) => {
            std::fs::rename(&partial, path)?;
            Ok(answer)
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
) -> anyhow::Result<Answer> {
    if format == Format::Parquet {
        let writer = RowWriter::parquet(&rows.schema(), file)?;
        return carry(rows, writer, max_rows).await;
    }
    let mut file = std::io::BufWriter::new(file);
    let writer = RowWriter::text(format, &rows.schema(), Screen::None, &mut file)?;
    let answer = carry(rows, writer, max_rows).await?;
    file.flush()?;
    Ok(answer)
}

/// Carries rows to the writer, up to a number of them.
async fn carry(
    rows: &mut Rows,
    mut writer: RowWriter<'_>,
    max_rows: Option<usize>,
) -> anyhow::Result<Answer> {
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
    let stats = rows.stats();
    Ok(Answer { stats, cut })
}

fn report(args: &QueryArgs, answer: Answer, err: Writer<'_>) -> anyhow::Result<()> {
    if let (true, Some(max_rows)) = (answer.cut, args.max_rows) {
        writeln!(err, "stopped after {max_rows} rows, there are more")?;
    }
    if args.stats {
        let QueryStats {
            rows,
            files_opened,
            files_visible,
            bytes_read,
        } = answer.stats;
        writeln!(
            err,
            "{rows} rows, {files_opened} of {files_visible} files opened, {bytes_read} bytes read"
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
        (_, Some(path)) if path != stdin => std::fs::read_to_string(path)
            .with_context(|| format!("read {}", path.display()))
            .map(Some),
        (None, None) => Ok(None),
        _ => {
            let mut sql = String::new();
            std::io::stdin()
                .read_to_string(&mut sql)
                .context("read standard input")?;
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
fn screen(interactive: bool) -> Screen {
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
            .downcast_ref::<QueryError>()
            .is_some_and(QueryError::is_broken_pipe)
    })
}
