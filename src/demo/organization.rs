//! The organization: its accounts, its Regions and how busy each is.
//!
//! Takes an [`ArchiveSpec`], gives account ids in the style of the documentation, Region names and weights.
//! Promises that the first four accounts have their fixed parts to play, whatever the size.

use super::identifier;
use super::spec::ArchiveSpec;
use fastrand::Rng;

/// The account that pays, and where Identity Center lives.
pub(super) const MANAGEMENT: usize = 0;
/// The account of the security team, from which all others are scanned.
pub(super) const SECURITY: usize = 1;
/// The account of the pipelines and build agents.
pub(super) const BUILD: usize = 2;
/// The account with the customers' data.
pub(super) const PRODUCTION: usize = 3;

const REGIONS: [&str; 8] = [
    "us-east-1",
    "eu-west-1",
    "eu-central-1",
    "ap-northeast-1",
    "us-west-2",
    "ap-southeast-2",
    "ca-central-1",
    "eu-north-1",
];

/// One account in one Region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Index of the account.
    pub(super) account: usize,
    /// Index of the Region; 0 is us-east-1.
    pub(super) region: usize,
}

/// The accounts and Regions of one archive.
#[derive(Clone, Debug)]
pub(super) struct Organization {
    /// `o-…`.
    pub(super) id: String,
    accounts: Vec<String>,
    regions: Vec<&'static str>,
}

impl Organization {
    /// Founds an organization of the size asked for, within the bounds that the spec states.
    pub(super) fn new(spec: &ArchiveSpec, rng: &mut Rng) -> Self {
        let id = identifier::owned(|out| identifier::hex(out, rng, 10));
        let accounts = (0..spec.accounts.clamp(4, 80)).map(account_id).collect();
        let regions = REGIONS.iter().copied().take(spec.regions.clamp(1, REGIONS.len())).collect();
        Self { id: format!("o-{id}"), accounts, regions }
    }

    /// Returns every account in every Region, account by account.
    pub(super) fn places(&self) -> Vec<Place> {
        let regions = self.regions.len();
        (0..self.accounts.len())
            .flat_map(|account| (0..regions).map(move |region| Place { account, region }))
            .collect()
    }

    /// Returns where a place stands in [`Self::places`].
    pub(super) fn index(&self, place: Place) -> usize {
        place.account * self.regions.len() + place.region
    }

    /// Returns the twelve digits of an account.
    pub(super) fn account(&self, account: usize) -> &str {
        self.accounts.get(account).map_or("", String::as_str)
    }

    /// Returns a Region's name.
    pub(super) fn region(&self, place: Place) -> &'static str {
        self.regions.get(place.region).copied().unwrap_or("us-east-1")
    }

    /// Returns how many accounts there are.
    pub(super) fn accounts(&self) -> usize {
        self.accounts.len()
    }

    /// Returns the place of an account in the Region where most of its work is done.
    pub(super) fn home(&self, account: usize) -> Place {
        Place { account, region: 1.min(self.regions.len().saturating_sub(1)) }
    }

    /// Returns how busy a place is, against the others: few accounts do most, in few Regions.
    pub(super) fn weight(&self, place: Place) -> u64 {
        let account = match place.account {
            MANAGEMENT => 240,
            SECURITY => 160,
            BUILD => 420,
            PRODUCTION => 1_000,
            other => 2_400 / (u64::try_from(other).unwrap_or(80) + 1),
        };
        let region = match place.region {
            0 => 34,
            1 => 100,
            2 => 14,
            3 => 10,
            _ => 6,
        };
        account * region
    }
}

/// Returns an account id such as 111122223333: three digits, four times each.
fn account_id(at: usize) -> String {
    let (digit, round) = (at % 9, at / 9);
    let digits = [digit, (digit + 1 + round) % 9, (digit + 2 + 2 * round) % 9];
    digits.iter().map(|digit| (digit + 1).to_string().repeat(4)).collect()
}

#[cfg(test)]
mod tests {
    use super::account_id;

    #[test]
    fn accounts_differ_and_have_twelve_digits() {
        let mut ids: Vec<_> = (0..80).map(account_id).collect();
        assert_eq!(ids[0], "111122223333");
        assert!(ids.iter().all(|id| id.len() == 12));
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 80);
    }
}
