//! What a caller asks of the generator and what it learns from it.
//!
//! Gives [`ArchiveSpec`], the size and span of an archive, and [`ArchiveSummary`], what was written and, where an
//! incident was scripted, the facts that a question about it needs. Promises that equal specs give equal archives.

use jiff::Timestamp;

/// The size, span and chance of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveSpec {
    /// Equal seeds give byte-identical archives.
    pub seed: u64,
    /// Member accounts, from 4 (management, log archive, build, one workload) to 80.
    pub accounts: usize,
    /// Regions in use, from 1 to 8; the first is always us-east-1, where global services record.
    pub regions: usize,
    /// The first moment of the archive.
    pub start: Timestamp,
    /// How long the archive lasts.
    pub hours: u32,
    /// Records to write. What was written comes within a few percent; the summary has the true figure.
    pub events: u64,
    /// The fewest and most records a busy delivery holds; skewed, most are near the fewest.
    pub records_per_file: (u64, u64),
    /// Whether the leak of a developer's key is played out.
    pub incident: bool,
}

impl ArchiveSpec {
    /// An archive to try ashiato on: two days of a small organization, in which a key is stolen.
    #[must_use]
    pub fn demo() -> Self {
        Self {
            seed: 11,
            accounts: 8,
            regions: 4,
            start: february(3),
            hours: 48,
            events: 60_000,
            records_per_file: (24, 1_500),
            incident: true,
        }
    }

    /// An archive to measure with: a day of a large organization, most files small and a few huge.
    #[must_use]
    pub fn corpus(events: u64) -> Self {
        Self {
            seed: 23,
            accounts: 40,
            regions: 6,
            start: february(3),
            hours: 24,
            events,
            records_per_file: (5, 50_000),
            incident: false,
        }
    }
}

/// Returns midnight of a day in February 2026; the third is a Tuesday.
fn february(day: i64) -> Timestamp {
    const FIRST: i64 = 1_769_904_000;
    Timestamp::from_second(FIRST + (day - 1) * 86_400).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// What was written so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchiveSummary {
    /// Files written.
    pub objects: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes before compression.
    pub plain_bytes: u64,
    /// Bytes on disk.
    pub stored_bytes: u64,
    /// The organization's id, as in the keys of the objects.
    pub organization: String,
    /// The access key id to ask about: the build agent's, which leaks where an incident is played out.
    pub key_of_interest: String,
    /// The facts of the incident, if one was asked for and the span is long enough for it (four hours).
    pub incident: Option<IncidentFacts>,
}

/// What happened after the key leaked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentFacts {
    /// The IAM user whose key leaked.
    pub user_name: String,
    /// The account of that user.
    pub first_account: String,
    /// The address from which the key is used all the time.
    pub usual_ip: String,
    /// The address from which it is used in the incident, and no other key ever.
    pub attacker_ip: String,
    /// The user agent seen in the incident.
    pub attacker_agent: String,
    /// The Region in which the regional calls of the incident are recorded.
    pub region: String,
    /// The account that was reached through a role.
    pub second_account: String,
    /// The role that was assumed there.
    pub role_arn: String,
    /// The temporary key that assuming it gave.
    pub role_session_key: String,
    /// The bucket that was opened and read.
    pub bucket: String,
    /// The user created to come back later.
    pub persistence_user: String,
    /// The access key id of that user.
    pub persistence_key: String,
    /// Objects downloaded from the bucket.
    pub downloads: u64,
    /// Bytes downloaded from the bucket.
    pub downloaded_bytes: u64,
    /// Records of the incident, all in all: those made from the attacker's address.
    pub records: u64,
    /// The first call with the stolen key.
    pub started: Timestamp,
    /// The last call of the incident.
    pub ended: Timestamp,
}

/// What the other services wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompanionSummary {
    /// Files written.
    pub objects: u64,
    /// Flow records in them.
    pub flows: u64,
    /// Findings and configuration items in them.
    pub findings: u64,
    /// The instance that the attacker's address knocked at.
    pub probed_instance: String,
    /// GuardDuty's finding about the leaked key.
    pub key_finding: String,
}
