//! The answer of an investigation: who, when, what, from where, with which credential, and what it rests on.
//!
//! Serialized it is the documented JSON (`docs/investigate.md`): names in snake case, moments as RFC 3339 in UTC,
//! what is not known `null` or an empty list. Promises:
//! - every claim carries evidence: the event's id, the object it was read from, its index in it;
//! - what cannot be told is said with its reason and never filled with a guess;
//! - lists are bounded; where one was cut, a note says so;
//! - texts are as the logs have them: who shows them makes them harmless first.
//!
//! Not here: how it comes about, and how it looks.

use std::collections::BTreeSet;

use serde::Serialize;

use super::evidence::Judged;
use super::moment::Moment;
pub use super::surroundings::{
    Asked, Companion, Credential, Evidence, FindingLine, Flow, Network, Note, NoteKind, Source, Usual,
};

/// The version of the JSON; a later one adds members and takes none away.
pub const VERSION: u32 = 1;

/// All that an investigation found.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// The version of this form.
    pub version: u32,
    /// What was asked about.
    pub subject: Subject,
    /// The time that was looked at.
    pub window: Window,
    /// The answer in one paragraph.
    pub answer: Paragraph,
    /// Who is behind it.
    pub root: Root,
    /// The call or change behind it, where the subject has one.
    pub cause: Option<Cause>,
    /// Why there is no cause although the subject asks for one.
    pub cannot_tell: Option<String>,
    /// The finding, when one was asked about.
    pub finding: Option<FindingLine>,
    /// How the credential came from others, the root first, and what was issued with it.
    pub chain: Vec<Edge>,
    /// The credential that was used.
    pub credential: Option<Credential>,
    /// From where.
    pub source: Option<Source>,
    /// All places the subject was used from, the newest use first.
    pub sources: Vec<Source>,
    /// What was done, in the order of time.
    pub timeline: Vec<Line>,
    /// What was created: keys, users, roles, resources.
    pub created: Vec<Created>,
    /// Bytes that left AWS's services through the calls of the timeline, as far as they are logged.
    pub bytes_out: i64,
    /// What was refused.
    pub denied: Vec<Line>,
    /// What was done to logging and to the security services.
    pub logging_changes: Vec<Line>,
    /// Who else came from the same address.
    pub same_source: Vec<Companion>,
    /// Whether each trait of it is usual.
    pub usual: Vec<Usual>,
    /// The flows that match.
    pub network: Network,
    /// Other findings on the same principal, credential, resource, address or account.
    pub findings: Vec<FindingLine>,
    /// Whether the objects that the answer rests on are what CloudTrail wrote, where that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub verified: Vec<Judged>,
    /// What was missing, what was cut, what the answer rests on.
    pub notes: Vec<Note>,
    /// The questions that were asked of the lake, so that each can be asked again.
    pub asked: Vec<Asked>,
}

impl Answer {
    /// Returns what the answer rests on, each record once.
    pub fn evidence(&self) -> Vec<&Evidence> {
        let candidates =
            self.cause.iter().flat_map(|cause| &cause.runners_up).map(|candidate| &candidate.line);
        let causes = self.cause.iter().map(|cause| &cause.line).chain(candidates);
        let created = self.created.iter().map(|created| &created.line);
        let lines =
            causes.chain(&self.timeline).chain(created).chain(&self.denied).chain(&self.logging_changes);
        let findings = self.finding.iter().chain(&self.findings).flat_map(|finding| &finding.evidence);
        let all = (self.root.evidence.iter())
            .chain(lines.flat_map(|line| &line.evidence))
            .chain(self.chain.iter().flat_map(|edge| &edge.evidence))
            .chain(self.credential.iter().flat_map(|credential| &credential.evidence))
            .chain(findings);
        let mut seen = BTreeSet::new();
        all.filter(|evidence| seen.insert((&evidence.object, evidence.index))).collect()
    }
}

/// Text for people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Paragraph {
    /// The text, in English.
    pub text: String,
}

/// What an investigation starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// What it is.
    pub kind: SubjectKind,
    /// What was typed.
    pub given: String,
    /// What it is called in the lake: the finding's uid, the ARN, the canonical id.
    pub id: String,
    /// The account it belongs to, where it is known.
    pub account: Option<String>,
}

/// The kinds of subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum SubjectKind {
    /// A finding of a security service.
    Finding,
    /// An access key id.
    Key,
    /// A user, a role, a service: its ARN or its name.
    Principal,
    /// The ARN of a role session or of a federated user.
    Session,
    /// An address.
    Ip,
    /// A resource: its ARN, id or name.
    Resource,
    /// The id of an event.
    Event,
}

/// A stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Its first moment.
    pub from: Moment,
    /// The moment after the last.
    pub to: Moment,
    /// Why this one: given, or what it was taken from.
    pub basis: String,
}

/// How sure a claim is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// The logs do not tell.
    #[default]
    None,
    /// It is one of several that fit.
    Low,
    /// It fits, and one step is inferred.
    Medium,
    /// The logs say it.
    High,
}

/// Who is behind it: a person or a workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Root {
    /// What it is.
    pub kind: RootKind,
    /// Its ARN, instance id or service name.
    pub id: Option<String>,
    /// Its name as people know it.
    pub name: Option<String>,
    /// The account it belongs to.
    pub account: Option<String>,
    /// The service that acted for it.
    pub via: Option<String>,
    /// How sure that is.
    pub confidence: Confidence,
    /// What it rests on; with [`RootKind::Unknown`], why nobody can be named.
    pub why: String,
    /// Who else it could be.
    pub runners_up: Vec<RootCandidate>,
    /// Where it can be checked.
    pub evidence: Vec<Evidence>,
}

/// The kinds of roots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RootKind {
    /// An IAM user.
    IamUser,
    /// A person of IAM Identity Center.
    SsoUser,
    /// Somebody of a SAML identity provider, or a federated user.
    FederatedUser,
    /// A workload outside AWS that came with a web identity token, such as a CI job.
    WebIdentity,
    /// The root user of an account.
    RootUser,
    /// An EC2 instance.
    Instance,
    /// A Lambda function.
    Function,
    /// A container task or another workload inside AWS.
    Workload,
    /// An AWS service acting by itself.
    Service,
    /// A session of a role of which the logs do not say who took it.
    RoleSession,
    /// An account of which the lake has no logs.
    Account,
    /// Nobody signed the calls.
    Anonymous,
    /// The logs do not tell.
    #[default]
    Unknown,
}

/// Somebody else it could be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RootCandidate {
    /// What it is.
    pub kind: RootKind,
    /// Its ARN or name.
    pub id: String,
    /// Why it was considered, and why it is not first.
    pub why: String,
}

/// The call or change behind a subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// What happened.
    pub kind: CauseKind,
    /// The event.
    pub line: Line,
    /// The ARN of the user or session that made the call.
    pub actor: Option<String>,
    /// The part of the request that shows it.
    pub request: Option<String>,
    /// How it was before, as AWS Config recorded it, or else as an earlier request shows it.
    pub before: Option<String>,
    /// How it is after, as AWS Config recorded it, or else as the request shows it.
    pub after: Option<String>,
    /// Why this event.
    pub why: String,
    /// How sure that is.
    pub confidence: Confidence,
    /// Other events that were considered, the likeliest first.
    pub runners_up: Vec<Candidate>,
}

/// What a cause is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CauseKind {
    /// A change of the resource.
    Change,
    /// A call that the finding speaks of.
    Call,
    /// A flow that the finding speaks of.
    Flow,
    /// The event that was asked about.
    Event,
}

/// An event that was considered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The event.
    pub line: Line,
    /// Why it is not first.
    pub why: String,
}

/// One line of a timeline: an event, or several of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When it was first.
    pub time: Option<Moment>,
    /// When it was last.
    pub last: Option<Moment>,
    /// How often.
    pub count: i64,
    /// The account.
    pub account: Option<String>,
    /// The Region.
    pub region: Option<String>,
    /// The service that was called, as `s3.amazonaws.com`.
    pub service: Option<String>,
    /// What was called.
    pub operation: Option<String>,
    /// Whether it only reads.
    pub is_read: Option<bool>,
    /// The error; without one the call succeeded.
    pub error: Option<String>,
    /// The user or role.
    pub principal: Option<String>,
    /// The user or the session.
    pub actor: Option<String>,
    /// The access key.
    pub credential: Option<String>,
    /// Where the call came from, as logged.
    pub source: Option<String>,
    /// The user agent.
    pub agent: Option<String>,
    /// The service that called for the principal.
    pub invoked_by: Option<String>,
    /// What it was done to.
    pub resource: Option<String>,
    /// What is to be said of it.
    pub remark: Option<String>,
    /// How much it weighs in the timeline, 0 to 20: what changes rights or logging, creates, is refused, comes from a new place.
    pub weight: u8,
    /// Where it can be checked: of several events the first.
    pub evidence: Vec<Evidence>,
}

/// Something that was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Created {
    /// `access_key`, `user`, `role`, `login_profile`, `policy`, `instance`, …
    pub kind: String,
    /// Its id, ARN or name.
    pub id: String,
    /// The event.
    pub line: Line,
}

/// How one credential came from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// `up`: towards the root; `down`: issued with what the subject used.
    pub direction: Direction,
    /// How many steps from the subject.
    pub depth: u32,
    /// `assume_role`, `saml`, `web_identity`, `instance`, `console`, `sso`, … as in `session_edge`.
    pub kind: String,
    /// What joins the two.
    pub join: Join,
    /// How sure that is.
    pub confidence: Confidence,
    /// When the credential was issued.
    pub issued_at: Option<Moment>,
    /// Until when it lives.
    pub expires_at: Option<Moment>,
    /// Who asked for it.
    pub parent: Party,
    /// Who it was given to.
    pub child: Party,
    /// Where it was asked for from.
    pub source: Option<String>,
    /// With what.
    pub agent: Option<String>,
    /// The identity that stays along a chain.
    pub source_identity: Option<String>,
    /// Whether a second factor was used.
    pub is_mfa: Option<bool>,
    /// Where it can be checked.
    pub evidence: Vec<Evidence>,
}

/// Which way an edge leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Towards the root.
    Up,
    /// Away from it.
    Down,
}

/// What joins the two ends of an edge, the surest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// A call gave CloudFormation the role that it then took.
    StackRole,
    /// A service used the session of its caller.
    Fas,
    /// The console made credentials of a sign-in.
    Console,
    /// The session began when it was issued.
    SessionTime,
    /// The two accounts' records of one call.
    SharedId,
    /// The access key that the record issued.
    Key,
}

/// One end of an edge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Party {
    /// The access key.
    pub credential: Option<String>,
    /// The ARN of the user or session.
    pub actor: Option<String>,
    /// The ARN of the user or role.
    pub principal: Option<String>,
    /// The kind of identity, as `userIdentity.type` has it.
    pub identity: Option<String>,
    /// What an identity provider calls it: a person, the subject of a token.
    pub name: Option<String>,
    /// The account.
    pub account: Option<String>,
}
