//! `ashiato org import`: the accounts of the organisation, as a file that answers read.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Ending;
use crate::aws::Aws;
use crate::intel::{organization, write_accounts};

pub(super) const EXAMPLES: &str = "\
Credentials and Region come from the environment, as for every AWS tool: those of the management account or of a
delegated administrator, with organizations:ListRoots, ListOrganizationalUnitsForParent, ListAccountsForParent and
ListTagsForResource. A tag `owner` or `team` says whom an account belongs to. A CSV you have already does as well; see
docs/tables.md for its columns.

Example:
  ashiato org import --output accounts.csv     (then, in ashiato.toml: [intel] accounts = \"accounts.csv\")";

#[derive(Debug, clap::Subcommand)]
pub(crate) enum OrgVerb {
    /// Lists the organisation's accounts from AWS Organizations into a CSV.
    #[command(after_help = EXAMPLES)]
    Import {
        /// The file; an old one is replaced once the new one is complete.
        #[arg(short, long, value_name = "FILE", default_value = "accounts.csv")]
        output: PathBuf,
    },
}

pub(crate) async fn run(verb: OrgVerb, aws: &Aws, out: &mut (dyn Write + Send)) -> anyhow::Result<Ending> {
    let OrgVerb::Import { output } = verb;
    let mut err = std::io::stderr();
    let is_watched = err.is_terminal();
    let accounts = organization::accounts(aws.shared().await, |count| {
        if is_watched {
            // A closed stderr is no reason to stop.
            drop(writeln!(err, "{count} accounts"));
        }
    })
    .await?;
    let text = write_accounts(&accounts).context("write the accounts as CSV")?;
    replace(&output, &text).with_context(|| format!("write {}", output.display()))?;
    writeln!(out, "{} accounts written to {}", accounts.len(), output.display())?;
    Ok(Ending::Done)
}

/// Writes a file beside its place first, so that there is never half of one.
fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, path)
}
