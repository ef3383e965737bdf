//! The parts of an answer that stand around the deed: the credential, the places, what is usual, the network, other findings.
//!
//! Part of the form that `answer` documents; re-exported there.

use std::collections::BTreeMap;

use serde::Serialize;

use super::moment::Moment;

/// Where a claim can be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The id of the event, or of the state of a finding.
    pub event_id: Option<String>,
    /// The object the record was read from.
    pub object: Option<String>,
    /// The index of the record in it.
    pub index: Option<i64>,
}

/// A credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Credential {
    /// The access key id.
    pub id: String,
    /// `long_term`, `temporary` or `other`.
    pub kind: String,
    /// Whose it is.
    pub principal: Option<String>,
    /// The account it belongs to.
    pub account: Option<String>,
    /// When it was created or issued, where the logs have that.
    pub issued_at: Option<Moment>,
    /// Until when it lives.
    pub expires_at: Option<Moment>,
    /// Its first use in the lake.
    pub first_seen: Option<Moment>,
    /// Its last use in the lake.
    pub last_seen: Option<Moment>,
    /// Its age at the subject's time, in seconds: since it was issued, or else since its first use.
    pub age_seconds: Option<i64>,
    /// Whether a second factor was used.
    pub is_mfa: Option<bool>,
    /// Whether it was used through the console.
    pub is_console: Option<bool>,
    /// Events with it in the lake.
    pub events: i64,
    /// Where it can be checked.
    pub evidence: Vec<Evidence>,
}

/// Where calls came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The address, or the service's name, as logged.
    pub address: String,
    /// `public`, `private`, `aws`, `corporate`, `service`, `special`, `unknown`.
    pub kind: Option<String>,
    /// The country in two letters.
    pub country: Option<String>,
    /// What the country rests on.
    pub country_basis: Option<String>,
    /// The city.
    pub city: Option<String>,
    /// The number of the network's owner.
    pub asn: Option<i64>,
    /// Its name.
    pub as_name: Option<String>,
    /// The AWS service the range belongs to.
    pub aws_service: Option<String>,
    /// The Region of the range.
    pub aws_region: Option<String>,
    /// The indicator it matches, and its list.
    pub indicator: Option<String>,
    /// Of ours: the instance or interface that had it then.
    pub held_by: Option<String>,
    /// The families of the user agents that came from it.
    pub agents: Vec<String>,
    /// The first call from it.
    pub first_seen: Option<Moment>,
    /// The last.
    pub last_seen: Option<Moment>,
    /// How many.
    pub events: i64,
    /// How many of them failed.
    pub failed: i64,
    /// Whether the principal never came from its network in the days before.
    pub is_new: Option<bool>,
}

/// Somebody who came from the same address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Companion {
    /// The user or role.
    pub principal: Option<String>,
    /// The access key.
    pub credential: Option<String>,
    /// The account.
    pub account: Option<String>,
    /// The family of the user agent.
    pub agent: Option<String>,
    /// Calls.
    pub events: i64,
    /// The first.
    pub first_seen: Option<Moment>,
    /// The last.
    pub last_seen: Option<Moment>,
}

/// Whether something is usual for the principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Usual {
    /// `network`, `agent`, `operation`, `region` or `account`.
    pub what: String,
    /// Its value.
    pub value: String,
    /// The principal.
    pub principal: String,
    /// Whether it was not seen before; nothing when there is too little to compare with.
    pub is_new: Option<bool>,
    /// When it was first seen in the days that were looked at.
    pub first_seen: Option<Moment>,
    /// How many days before the window were looked at.
    pub days: i64,
    /// How many other principals of the account did it in the last 30 of these days.
    pub others: Option<i64>,
    /// Of how many.
    pub of: Option<i64>,
    /// The same in words.
    pub text: String,
}

/// The network's side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Network {
    /// Flows, the largest first.
    pub flows: Vec<Flow>,
    /// Addresses that were not talked to before the window.
    pub new_peers: Vec<String>,
    /// Bytes of all matching flows.
    pub bytes: i64,
    /// What was looked for.
    pub basis: Option<String>,
}

/// Flows between two ends on a day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// The account.
    pub account: Option<String>,
    /// The instance.
    pub instance: Option<String>,
    /// The interface.
    pub interface: Option<String>,
    /// The VPC.
    pub vpc: Option<String>,
    /// From.
    pub src_ip: Option<String>,
    /// To.
    pub dst_ip: Option<String>,
    /// The port of the service's side.
    pub port: Option<i64>,
    /// The protocol's number.
    pub protocol: Option<i64>,
    /// `Allowed` or `Denied`.
    pub action: Option<String>,
    /// Flows.
    pub flows: i64,
    /// Packets.
    pub packets: i64,
    /// Bytes.
    pub bytes: i64,
    /// The first.
    pub first_seen: Option<Moment>,
    /// The last.
    pub last_seen: Option<Moment>,
}

/// A finding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FindingLine {
    /// Its uid.
    pub uid: String,
    /// Its title.
    pub title: Option<String>,
    /// What it says.
    pub desc: Option<String>,
    /// Its severity.
    pub severity: Option<String>,
    /// Who found it.
    pub product: Option<String>,
    /// Its types.
    pub types: Vec<String>,
    /// The control or rule.
    pub control: Option<String>,
    /// New, resolved, …
    pub status: Option<String>,
    /// The account it is about.
    pub account: Option<String>,
    /// The Region.
    pub region: Option<String>,
    /// What it is about.
    pub resources: Vec<String>,
    /// When it was first seen.
    pub first_seen: Option<Moment>,
    /// When it was last seen.
    pub last_seen: Option<Moment>,
    /// When it got this state.
    pub time: Option<Moment>,
    /// What it has in common with the subject.
    pub why: Option<String>,
    /// Where it can be checked.
    pub evidence: Vec<Evidence>,
}

/// Something to know about the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// What it is about.
    pub kind: NoteKind,
    /// The note.
    pub text: String,
}

/// The kinds of notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// A table is missing, empty, or could not be read.
    Missing,
    /// The logs have a gap or begin too late.
    Gap,
    /// A list was cut.
    Cut,
    /// What a claim rests on.
    Basis,
}

/// A question that was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// Its id in the library.
    pub question: String,
    /// Its parameters.
    pub params: BTreeMap<String, String>,
    /// How many rows it gave.
    pub rows: u64,
    /// Files it opened.
    pub files_opened: u64,
    /// Bytes it read.
    pub bytes_read: u64,
    /// Why it could not be answered.
    pub error: Option<String>,
}
