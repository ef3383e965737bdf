//! The prompt: statements until `\q`.
//!
//! A statement may take many lines and ends with `;`. An error ends the
//! statement, not the prompt; Ctrl-C drops what was typed, or stops what runs.

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::{QueryArgs, Screen, Writer, answer, is_broken_pipe, report};
use crate::query::format::text::visible;
use crate::query::{Engine, Params};

/// The tables and views of the lake, without the engine's own.
const TABLES: &str = "\
select table_name, lower(table_type) as kind
from information_schema.tables
where table_schema = 'public'";

const HELP: &str = "\
  select …;   ends with a semicolon and may take many lines
  \\d          lists the tables
  \\d NAME     lists the columns of a table
  \\q          ends the prompt, as Ctrl-D does";

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// More lines are needed.
    More,
    /// A statement is complete.
    Run(String),
    Help,
    Quit,
    /// A command that does not exist.
    Unknown(String),
}

/// The lines of a statement that is not complete.
#[derive(Debug, Default)]
struct Draft(String);

/// Runs the prompt.
///
/// # Errors
/// The terminal cannot be read or written.
pub(super) async fn run(
    engine: &Engine,
    args: &QueryArgs,
    screen: Screen,
    out: Writer<'_>,
) -> anyhow::Result<()> {
    let mut editor = DefaultEditor::new()?;
    if let Some(history) = &args.history
        && history.exists()
    {
        editor.load_history(history)?;
    }
    writeln!(out, "\\? for help")?;
    let mut draft = Draft::default();
    loop {
        let prompt = if draft.0.is_empty() { "ashiato> " } else { "      -> " };
        let line = match editor.readline(prompt) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                draft.0.clear();
                continue;
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        };
        match draft.take(&line) {
            Step::More => {}
            Step::Help => writeln!(out, "{HELP}")?,
            Step::Quit => break,
            Step::Unknown(command) => writeln!(out, "no command {}, \\? for help", visible(&command))?,
            Step::Run(sql) => {
                editor.add_history_entry(sql.as_str())?;
                ask(engine, &sql, args, screen, &mut *out).await?;
            }
        }
    }
    if let Some(history) = &args.history {
        editor.save_history(history)?;
    }
    Ok(())
}

/// Runs one statement. Cancel-safe: both branches end the query, and dropping it stops it.
async fn ask(
    engine: &Engine,
    sql: &str,
    args: &QueryArgs,
    screen: Screen,
    out: Writer<'_>,
) -> anyhow::Result<()> {
    let params = Params::default();
    let answered = tokio::select! {
        answered = answer(engine, (sql, &params), args, screen, &mut *out) => Some(answered),
        _ = tokio::signal::ctrl_c() => None,
    };
    match answered {
        None => writeln!(out, "stopped")?,
        Some(Ok(answered)) => report(args, answered, out)?,
        Some(Err(error)) if is_broken_pipe(&error) => return Err(error),
        Some(Err(error)) => {
            let causes: Vec<_> = error.chain().map(ToString::to_string).collect();
            writeln!(out, "error: {}", causes.join(": "))?;
        }
    }
    Ok(())
}

impl Draft {
    fn take(&mut self, line: &str) -> Step {
        if self.0.is_empty()
            && let Some(command) = line.trim().strip_prefix('\\')
        {
            return read_command(command);
        }
        if !(self.0.is_empty() && line.trim().is_empty()) {
            self.0.push_str(line);
            self.0.push('\n');
        }
        if !is_complete(&self.0) {
            return Step::More;
        }
        let sql = std::mem::take(&mut self.0);
        Step::Run(sql.trim().to_owned())
    }
}

fn read_command(command: &str) -> Step {
    match command.split_once(' ').unwrap_or((command, "")) {
        ("d", "") => Step::Run(TABLES.to_owned()),
        ("d", name) if is_name(name.trim()) => Step::Run(format!("describe {}", name.trim())),
        ("q", "") => Step::Quit,
        ("?" | "h" | "help", _) => Step::Help,
        _ => Step::Unknown(format!("\\{command}")),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "_.\"".contains(c))
}

/// Says whether a semicolon outside of quotes and comments ends the text.
fn is_complete(text: &str) -> bool {
    let mut rest = text.chars().peekable();
    let mut complete = false;
    while let Some(c) = rest.next() {
        match c {
            ';' => complete = true,
            '\'' | '"' => {
                complete = false;
                if !rest.by_ref().any(|end| end == c) {
                    return false;
                }
            }
            '-' if rest.peek() == Some(&'-') => {
                rest.by_ref().find(|end| *end == '\n');
            }
            c if c.is_whitespace() => {}
            _ => complete = false,
        }
    }
    complete
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_ends_at_its_semicolon() {
        let mut draft = Draft::default();
        assert_eq!(draft.take(""), Step::More);
        assert_eq!(draft.take("select ';' -- not; here"), Step::More);
        assert_eq!(draft.take(" as \"a;b\";"), Step::Run("select ';' -- not; here\n as \"a;b\";".to_owned()));
        assert_eq!(draft.0, "");
    }

    #[test]
    fn commands_are_read_at_the_start_of_a_statement_only() {
        let mut draft = Draft::default();
        assert_eq!(draft.take("\\d"), Step::Run(TABLES.to_owned()));
        assert_eq!(draft.take("\\d cloudtrail"), Step::Run("describe cloudtrail".to_owned()));
        assert_eq!(draft.take("\\q"), Step::Quit);
        assert_eq!(draft.take("\\d a; drop"), Step::Unknown("\\d a; drop".to_owned()));
        assert_eq!(draft.take("select"), Step::More);
        assert_eq!(draft.take("\\q"), Step::More);
    }
}
