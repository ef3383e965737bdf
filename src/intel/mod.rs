//! What is known of addresses, accounts and indicators beside the logs.
//!
//! Takes the files a person has (MaxMind databases, AWS's address ranges, lists of
//! indicators, a list of accounts) and the networks they say are theirs, and says of an
//! address what kind it is, where it is registered and whose it is. Without any file the
//! kind and the country of registration are known all the same. Promises:
//! - what is not known is left open and never guessed; what a country rests on is said with it;
//! - text that is no address (`AWS Internal`, a service's name) gets the kind it has, never an error;
//! - a file that cannot be read is told with its name and line.
//!
//! `organization` lists the accounts from AWS, for who has no file of them yet.
//! Not here: columns of the lake; nothing known here is written into it.

mod accounts;
mod address;
mod aws_ranges;
mod indicators;
mod mmdb;
mod networks;
pub mod organization;

use std::path::PathBuf;

pub use accounts::{Account, write as write_accounts};
pub use address::{AddressKind, Known};
pub use indicators::{Indicator, IndicatorKind};
pub use networks::Network;

/// Which files and networks there are.
#[derive(Debug, Clone, Default)]
pub struct IntelPlaces {
    /// MaxMind databases (`.mmdb`): country, city, network owner. Of several that know, the first counts.
    pub mmdb: Vec<PathBuf>,
    /// AWS's `ip-ranges.json`.
    pub aws_ip_ranges: Option<PathBuf>,
    /// Networks of the company.
    pub corporate: Vec<Network>,
    /// Lists of indicators.
    pub indicators: Vec<PathBuf>,
    /// The accounts of the organisation, as CSV.
    pub accounts: Option<PathBuf>,
}

/// What is known beside the logs.
#[derive(Debug, Default)]
pub struct Intel {
    databases: Vec<mmdb::Database>,
    aws: aws_ranges::AwsRanges,
    corporate: networks::Networks<()>,
    indicators: indicators::Indicators,
    accounts: Vec<Account>,
}

/// Why something known cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("read {path}: {what}")]
pub struct IntelError {
    /// The file.
    path: String,
    /// What is wrong, and where.
    what: String,
}

impl IntelError {
    fn of(path: &std::path::Path, what: impl std::fmt::Display) -> Self {
        Self { path: path.display().to_string(), what: what.to_string() }
    }
}

impl Intel {
    /// Reads everything there is.
    ///
    /// # Errors
    /// A file is not there, or is none of what it should be.
    pub fn read(places: &IntelPlaces) -> Result<Self, IntelError> {
        let mut corporate = networks::Networks::default();
        places.corporate.iter().for_each(|network| corporate.insert(*network, ()));
        Ok(Self {
            databases: places.mmdb.iter().map(|path| mmdb::Database::open(path)).collect::<Result<_, _>>()?,
            aws: match &places.aws_ip_ranges {
                Some(path) => aws_ranges::AwsRanges::read(path)?,
                None => aws_ranges::AwsRanges::default(),
            },
            corporate,
            indicators: indicators::Indicators::read(&places.indicators)?,
            accounts: match &places.accounts {
                Some(path) => accounts::read(path)?,
                None => Vec::new(),
            },
        })
    }

    /// Returns the accounts.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// Returns the indicators.
    pub fn indicators(&self) -> &[Indicator] {
        self.indicators.all()
    }
}
