//! The accounts of the organisation: a CSV with a header, as a spreadsheet or an export of AWS Organizations gives it.
//!
//! Columns by name, in any order: `id` (or `account_id`), `name`, `ou_path` (or `ou`), `owner` (or
//! `team`), `email`, `status`. Whatever else stands there is a tag.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use super::IntelError;

/// An account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Its id, 12 digits.
    pub uid: String,
    /// Its name.
    pub name: Option<String>,
    /// Where it is in the organisation.
    pub ou_path: Option<String>,
    /// The team it belongs to.
    pub owner: Option<String>,
    /// Its address.
    pub email: Option<String>,
    /// `ACTIVE`, `SUSPENDED`, …
    pub status: Option<String>,
    /// All else, by the column's name.
    pub tags: Vec<(String, String)>,
}

pub(super) fn read(path: &Path) -> Result<Vec<Account>, IntelError> {
    let wrong = |what: String| IntelError::of(path, what);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|error| wrong(error.to_string()))?;
    let headers = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
    let (mut accounts, mut lines) = (Vec::new(), HashMap::new());
    for (number, row) in reader.records().enumerate() {
        let row = row.map_err(|error| wrong(error.to_string()))?;
        let mut account = Account::default();
        for (header, value) in headers.iter().zip(&row).filter(|(_, value)| !value.is_empty()) {
            put(&mut account, header, value);
        }
        if account.uid.len() != 12 || !account.uid.bytes().all(|byte| byte.is_ascii_digit()) {
            // A guess would name another account.
            let what = format!(
                "line {}: '{}' is no account id of 12 digits in a column id or account_id; spreadsheets take leading \
                 zeros away, and a column is found by its name between commas",
                number + 2,
                account.uid.escape_debug()
            );
            return Err(wrong(what));
        }
        // Every row of a log would be there twice where it is joined.
        if let Some(first) = lines.insert(account.uid.clone(), number + 2) {
            return Err(wrong(format!(
                "line {}: account {} stands in line {first} already",
                number + 2,
                account.uid
            )));
        }
        accounts.push(account);
    }
    Ok(accounts)
}

pub(super) fn put(account: &mut Account, header: &str, value: &str) {
    let value = value.to_owned();
    match header.to_lowercase().replace(' ', "_").as_str() {
        "id" | "account_id" | "accountid" | "uid" => account.uid = value,
        "name" | "account_name" => account.name = Some(value),
        "ou_path" | "ou" | "organizational_unit" => account.ou_path = Some(value),
        "owner" | "team" => account.owner = Some(value),
        "email" => account.email = Some(value),
        "status" | "state" => account.status = Some(value),
        _ => account.tags.push((header.to_owned(), value)),
    }
}

/// Columns that a tag of the same name must not become when the list is read.
const COLUMNS: [&str; 6] = ["id", "name", "ou_path", "owner", "email", "status"];

/// Returns a list of accounts as a CSV that `[intel] accounts` reads.
///
/// # Errors
/// Never for text in memory; the CSV writer's, if it had any.
pub fn write(accounts: &[Account]) -> Result<Vec<u8>, csv::Error> {
    let names: BTreeSet<&str> =
        accounts.iter().flat_map(|account| account.tags.iter().map(|(name, _)| name.as_str())).collect();
    let heading = |name: &&str| {
        let mut known = Account::default();
        put(&mut known, name, "x");
        // Only a tag's own name may become a tag again.
        if known.tags.is_empty() { format!("tag_{name}") } else { (*name).to_owned() }
    };
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS.map(str::to_owned).into_iter().chain(names.iter().map(heading)))?;
    for account in accounts {
        let Account { uid, name, ou_path, owner, email, status, tags } = account;
        let columns =
            [Some(uid), name.as_ref(), ou_path.as_ref(), owner.as_ref(), email.as_ref(), status.as_ref()];
        let columns = columns.map(|value| value.map(String::as_str).unwrap_or_default());
        let tags = names.iter().map(|wanted| {
            tags.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str()).unwrap_or_default()
        });
        writer.write_record(columns.into_iter().chain(tags))?;
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Account>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.csv");
        std::fs::write(&path, text).unwrap();
        read(&path).map_err(|error| error.to_string())
    }

    #[test]
    fn columns_are_found_by_name_and_the_rest_are_tags() {
        let accounts = read_text(
            "Name,Account ID,team,env\nprod,012345678901,payments,production\nx, 111122223333 ,,\n",
        )
        .unwrap();
        assert_eq!(
            accounts[0],
            Account {
                uid: "012345678901".to_owned(),
                name: Some("prod".to_owned()),
                owner: Some("payments".to_owned()),
                tags: vec![("env".to_owned(), "production".to_owned())],
                ..Account::default()
            }
        );
        assert_eq!(accounts[1].uid, "111122223333");
    }

    #[test]
    fn an_account_that_stands_twice_is_said_with_both_lines() {
        let error = read_text("id,name\n111122223333,a\n444455556666,b\n111122223333,c\n").unwrap_err();
        assert!(error.contains("line 4: account 111122223333 stands in line 2 already"), "{error}");
    }

    #[test]
    fn an_id_that_lost_its_zero_is_said_with_its_line() {
        let error = read_text("id,name\n111122223333,a\n12345678901,b\n").unwrap_err();
        assert!(error.contains("line 3: '12345678901' is no account id"), "{error}");
    }
}
