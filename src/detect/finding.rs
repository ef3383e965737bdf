//! A row of a rule as a finding, and a finding as an OCSF Detection Finding 2004.
//!
//! What a log says stays a value in it: text that is shown is made safe by who shows it.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMillisecondType};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::rule::Rule;
use crate::ocsf::class::Class;
use crate::ocsf::event::Object;

/// What a rule gives, a column each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What makes two findings of a rule the same.
    pub fact: String,
    /// The account.
    pub account: Option<String>,
    /// The Region.
    pub region: Option<String>,
    /// The first of the new events.
    pub first_seen: Timestamp,
    /// The last of them.
    pub last_seen: Timestamp,
    /// How many there are.
    pub events: u64,
    /// The role or user.
    pub principal: Option<String>,
    /// The session or user, as logged.
    pub actor: Option<String>,
    /// The access key.
    pub credential: Option<String>,
    /// The address.
    pub source: Option<String>,
    /// What was usual.
    pub usual: String,
    /// What is new.
    pub news: String,
    /// Ids of some of the events.
    pub event_ids: Vec<String>,
}

/// A row of an answer, read by the names of its columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    batch: &'a RecordBatch,
    number: usize,
}

impl<'a> Row<'a> {
    pub(super) fn new(batch: &'a RecordBatch, number: usize) -> Self {
        Self { batch, number }
    }

    /// The value of a column as a column of one row of some type; none where it is null or of another kind.
    fn value(&self, name: &str, wanted: &DataType) -> Option<arrow::array::ArrayRef> {
        let column = self.batch.column_by_name(name)?.slice(self.number, 1);
        cast(&column, wanted).ok().filter(|column| column.is_valid(0))
    }

    fn text(&self, name: &str) -> Option<String> {
        Some(self.value(name, &DataType::Utf8)?.as_string::<i32>().value(0).to_owned())
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        u64::try_from(self.value(name, &DataType::Int64)?.as_primitive::<Int64Type>().value(0)).ok()
    }

    pub(super) fn time(&self, name: &str) -> Option<Timestamp> {
        let wanted = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        let time = self.value(name, &wanted)?.as_primitive::<TimestampMillisecondType>().value(0);
        Timestamp::from_millisecond(time).ok()
    }

    fn texts(&self, name: &str) -> Option<Vec<String>> {
        let column = self.batch.column_by_name(name)?.slice(self.number, 1);
        let items = column.as_list_opt::<i32>().filter(|list| list.is_valid(0))?.value(0);
        let items = cast(&items, &DataType::Utf8).ok()?;
        Some(items.as_string::<i32>().iter().flatten().map(str::to_owned).collect())
    }
}

impl Found {
    /// Reads a row; none when it lacks what every finding has.
    pub(super) fn read(row: &Row<'_>) -> Option<Self> {
        Some(Self {
            fact: row.text("fact")?,
            account: row.text("account"),
            region: row.text("region"),
            first_seen: row.time("first_seen")?,
            last_seen: row.time("last_seen")?,
            events: row.number("events")?,
            principal: row.text("principal"),
            actor: row.text("actor"),
            credential: row.text("credential"),
            source: row.text("source"),
            usual: row.text("usual")?,
            news: row.text("news")?,
            event_ids: row.texts("event_ids")?,
        })
    }
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its id: the same for the same facts.
    pub uid: String,
    /// The rule.
    pub rule: Rule,
    /// What it found.
    pub found: Found,
}

impl Finding {
    /// Returns the finding of a rule.
    pub fn new(rule: Rule, found: Found) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(rule.id.as_bytes());
        hasher.update([0]);
        hasher.update(found.fact.as_bytes());
        let digest: String = hasher.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        Self { uid: format!("ashiato-{}-{digest}", rule.id), rule, found }
    }

    /// Says in one line what was usual and what is new.
    pub fn line(&self) -> String {
        format!("usual: {}; new: {}", self.found.usual, self.found.news)
    }

    /// Returns the OCSF event: row `sequence` of what the run `log` told at `now`.
    pub(super) fn event(&self, (log, sequence): (&str, i64), now: Timestamp) -> Object {
        let Self { uid, rule, found } = self;
        let now = now.as_millisecond();
        let mut event = Object::default();
        event.class(Class::DetectionFinding, 1, "Other");
        self.metadata(&mut event, (log, sequence));
        for path in ["time", "time_dt", "finding_info.created_time_dt", "finding_info.modified_time_dt"] {
            event.integer(path, now);
        }
        let (severity_id, severity) = rule.severity.id_and_caption();
        event.integer("severity_id", severity_id);
        event.constant("severity", severity);
        event.integer("status_id", 1);
        event.constant("status", "New");
        event.constant("cloud.provider", "AWS");
        event.text("cloud.account.uid", found.account.as_deref().map(Into::into));
        event.text("cloud.region", found.region.as_deref().map(Into::into));
        event.integer("count", i64::from(i32::try_from(found.events).unwrap_or(i32::MAX)));
        event.constant("message", &self.line());
        event.constant("finding_info.uid", uid);
        event.constant("finding_info.title", rule.title);
        event.constant("finding_info.desc", &self.line());
        event.integer("finding_info.first_seen_time_dt", found.first_seen.as_millisecond());
        event.integer("finding_info.last_seen_time_dt", found.last_seen.as_millisecond());
        event.texts("finding_info.types", vec![rule.id.to_owned()]);
        event.texts("finding_info.data_sources", vec!["CloudTrail".to_owned()]);
        event.constant("finding_info.analytic.name", rule.title);
        event.constant("finding_info.analytic.uid", rule.id);
        event.constant("finding_info.analytic.type", "Rule");
        event.integer("finding_info.analytic.type_id", 1);
        event.objects("finding_info.attacks", vec![attack(rule)]);
        event.objects("finding_info.related_events", found.event_ids.iter().map(|id| related(id)).collect());
        self.subjects(&mut event);
        event
    }

    fn metadata(&self, event: &mut Object, (log, sequence): (&str, i64)) {
        event.constant("metadata.version", Class::DetectionFinding.version());
        event.texts("metadata.profiles", vec!["cloud".to_owned(), "datetime".to_owned()]);
        event.constant("metadata.product.name", "ashiato");
        event.constant("metadata.product.vendor_name", "ashiato");
        event.constant("metadata.product.version", env!("CARGO_PKG_VERSION"));
        event.constant("metadata.product.feature.name", self.rule.id);
        event.constant("metadata.uid", &self.uid);
        event.constant("metadata.log_name", log);
        event.integer("metadata.sequence", sequence);
    }

    /// Who and from where: what an investigation starts from.
    fn subjects(&self, event: &mut Object) {
        let Found { account, principal, actor, credential, source, .. } = &self.found;
        let mut evidence = Object::default();
        evidence.text("actor.user.uid", actor.as_deref().map(Into::into));
        evidence.text("actor.user.account.uid", account.as_deref().map(Into::into));
        evidence.text("actor.user.credential_uid", credential.as_deref().map(Into::into));
        if principal != actor {
            evidence.text("actor.session.issuer", principal.as_deref().map(Into::into));
        }
        evidence.text("src_endpoint.ip", source.as_deref().map(Into::into));
        event.objects("evidences", vec![evidence]);
        let resource = |kind: &str, uid: &Option<String>| {
            let mut resource = Object::default();
            if let Some(uid) = uid {
                resource.constant("type", kind);
                resource.constant("uid", uid);
                resource.text("owner.account.uid", account.as_deref().map(Into::into));
            }
            resource
        };
        let kind = match principal.as_deref() {
            Some(arn) if arn.contains(":role/") => "AwsIamRole",
            Some(arn) if arn.contains(":user/") => "AwsIamUser",
            _ => "AwsIamPrincipal",
        };
        event.objects("resources", vec![resource("AwsIamAccessKey", credential), resource(kind, principal)]);
        let observed = [
            ("resources[].uid", credential, ("Resource UID", 10)),
            ("resources[].uid", principal, ("Resource UID", 10)),
            ("evidences[].src_endpoint.ip", source, ("IP Address", 2)),
        ];
        for (path, value, kind) in observed {
            if let Some(value) = value {
                event.observable(path, value, kind);
            }
        }
    }
}

/// `T1078.004 Valid Accounts: Cloud Accounts` is a technique and, in it, another.
fn attack(rule: &Rule) -> Object {
    let mut attack = Object::default();
    let ((uid, name), (tactic_uid, tactic)) = (rule.technique, rule.tactic);
    attack.constant("tactic.uid", tactic_uid);
    attack.constant("tactic.name", tactic);
    let (technique, part) = uid.split_once('.').map_or((uid, None), |(technique, _)| (technique, Some(uid)));
    let (technique_name, part_name) = name.split_once(": ").unwrap_or((name, ""));
    attack.constant("technique.uid", technique);
    attack.constant("technique.name", technique_name);
    if let Some(part) = part {
        attack.constant("sub_technique.uid", part);
        attack.constant("sub_technique.name", part_name);
    }
    attack
}

fn related(id: &str) -> Object {
    let mut related = Object::default();
    related.constant("uid", id);
    related.constant("type", "CloudTrail");
    related
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::rules;
    use crate::lake::table::Table;
    use crate::ocsf::columns::Columns;

    fn finding(fact: &str) -> Finding {
        let found = Found {
            fact: fact.to_owned(),
            account: Some("111122223333".to_owned()),
            region: Some("eu-west-1".to_owned()),
            first_seen: Timestamp::UNIX_EPOCH,
            last_seen: Timestamp::UNIX_EPOCH,
            events: 3,
            principal: Some("arn:aws:iam::111122223333:role/r".to_owned()),
            actor: Some("arn:aws:sts::111122223333:assumed-role/r/s".to_owned()),
            credential: Some("AKIAIOSFODNN7EXAMPLE".to_owned()),
            source: Some("192.0.2.1".to_owned()),
            usual: "a".to_owned(),
            news: "b".to_owned(),
            event_ids: vec!["1".to_owned()],
        };
        Finding::new(rules().next().unwrap(), found)
    }

    #[test]
    fn the_same_facts_are_the_same_finding() {
        let other = Finding { rule: rules().nth(1).unwrap(), ..finding("x") };
        let again = Finding::new(other.rule, other.found);
        assert_eq!(finding("x").uid, finding("x").uid);
        assert_ne!(finding("x").uid, finding("y").uid);
        assert_ne!(finding("x").uid, again.uid);
        assert!(
            finding("../\u{1b}")
                .uid
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
    }

    #[test]
    fn every_attribute_has_a_column() {
        let mut columns = Columns::new(Table::Detection.schema());
        assert_eq!(
            columns.event(&finding("x").event(("log", 0), Timestamp::UNIX_EPOCH)),
            Vec::<String>::new()
        );
    }
}
