//! The rows of the questions, as structs.
//!
//! Names are the questions' columns. What a row does not have is nothing: no member is required, so that a
//! lake with less in it is read all the same.

use serde::Deserialize;
use serde_json::Value;

use super::answer::{Evidence, FindingLine, Flow, Line, Party};
use super::chain::Caller;
use super::moment::Moment;
use super::resource::{self, Place};

/// A use of a credential from one place with one tool: `key_life` and its kin.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct LifeRow {
    pub(super) accountid: Option<String>,
    pub(super) principal: Option<String>,
    pub(super) actor: Option<String>,
    pub(super) credential: Option<String>,
    pub(super) identity: Option<String>,
    pub(super) source: Option<String>,
    pub(super) network: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) session_created: Option<Moment>,
    pub(super) is_mfa: Option<bool>,
    pub(super) events: i64,
    pub(super) failed: i64,
    pub(super) first_seen: Option<Moment>,
    pub(super) last_seen: Option<Moment>,
}

impl LifeRow {
    pub(super) fn caller(&self) -> Caller {
        Caller {
            party: Party {
                credential: self.credential.clone(),
                actor: self.actor.clone(),
                principal: self.principal.clone(),
                identity: self.identity.clone(),
                name: None,
                account: self.accountid.clone(),
            },
            session_created: self.session_created,
            invoked_by: None,
            source_identity: None,
            seen: self.first_seen,
        }
    }
}

/// A trait of a principal: `usual_for_principal`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct UsualRow {
    pub(super) accountid: Option<String>,
    pub(super) region: Option<String>,
    pub(super) network: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) service: Option<String>,
    pub(super) operation: Option<String>,
    pub(super) first_seen: Option<Moment>,
    pub(super) last_seen: Option<Moment>,
}

/// `network_prevalence`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct PrevalenceRow {
    pub(super) others: Option<i64>,
    pub(super) of: Option<i64>,
}

/// `log_first_day` and `log_last_day`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct DayRow {
    pub(super) day: Option<String>,
}

/// `log_span`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct SpanRow {
    pub(super) first_seen: Option<Moment>,
    pub(super) last_seen: Option<Moment>,
}

/// `resource_changes` and `account_changes`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct TouchRow {
    pub(super) accountid: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) operation: Option<String>,
    pub(super) error: Option<String>,
    pub(super) first_seen: Option<Moment>,
    pub(super) last_seen: Option<Moment>,
    pub(super) events: i64,
    pub(super) event_ids: Option<Vec<String>>,
}

/// `resources_named` and `principals_named`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct NamedRow {
    pub(super) resource: Option<String>,
    pub(super) principal: Option<String>,
    pub(super) accountid: Option<String>,
}

/// `address_holders`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct HolderRow {
    pub(super) accountid: Option<String>,
    pub(super) interface: Option<String>,
    pub(super) instance: Option<String>,
}

/// `address_info`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct AddressRow {
    pub(super) kind: Option<String>,
    pub(super) country: Option<String>,
    pub(super) country_basis: Option<String>,
    pub(super) city: Option<String>,
    pub(super) asn: Option<i64>,
    pub(super) as_name: Option<String>,
    pub(super) aws_service: Option<String>,
    pub(super) aws_region: Option<String>,
    pub(super) indicator: Option<String>,
    pub(super) indicator_list: Option<String>,
    pub(super) indicator_label: Option<String>,
}

/// A row of `flows`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct FlowRow {
    accountid: Option<String>,
    instance: Option<String>,
    interface: Option<String>,
    vpc: Option<String>,
    src_ip: Option<String>,
    dst_ip: Option<String>,
    port: Option<i64>,
    protocol: Option<i64>,
    action: Option<String>,
    flows: i64,
    packets: Option<i64>,
    bytes: Option<i64>,
    first_seen: Option<Moment>,
    last_seen: Option<Moment>,
}

impl From<FlowRow> for Flow {
    fn from(row: FlowRow) -> Self {
        Self {
            account: row.accountid,
            instance: row.instance,
            interface: row.interface,
            vpc: row.vpc,
            src_ip: row.src_ip,
            dst_ip: row.dst_ip,
            port: row.port,
            protocol: row.protocol,
            action: row.action,
            flows: row.flows,
            packets: row.packets.unwrap_or_default(),
            bytes: row.bytes.unwrap_or_default(),
            first_seen: row.first_seen,
            last_seen: row.last_seen,
        }
    }
}

/// An event, or several of one kind.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct EventRow {
    pub(super) time: Option<Moment>,
    pub(super) last: Option<Moment>,
    pub(super) count: Option<i64>,
    pub(super) bytes_out: Option<i64>,
    pub(super) accountid: Option<String>,
    pub(super) region: Option<String>,
    pub(super) service: Option<String>,
    pub(super) operation: Option<String>,
    pub(super) error: Option<String>,
    pub(super) is_read: Option<bool>,
    pub(super) identity: Option<String>,
    pub(super) principal: Option<String>,
    pub(super) actor: Option<String>,
    pub(super) actor_account: Option<String>,
    pub(super) credential: Option<String>,
    pub(super) session_created: Option<Moment>,
    pub(super) is_mfa: Option<bool>,
    pub(super) invoked_by: Option<String>,
    pub(super) source_identity: Option<String>,
    pub(super) shared_event_id: Option<String>,
    pub(super) is_console: Option<bool>,
    pub(super) source: Option<String>,
    pub(super) agent: Option<String>,
    pub(super) request: Option<String>,
    pub(super) response: Option<String>,
    pub(super) event_id: Option<String>,
    pub(super) object: Option<String>,
    pub(super) index: Option<i64>,
}

impl EventRow {
    pub(super) fn evidence(&self) -> Evidence {
        Evidence { event_id: self.event_id.clone(), object: self.object.clone(), index: self.index }
    }

    pub(super) fn line(&self) -> Line {
        Line {
            time: self.time,
            last: self.last.or(self.time),
            count: self.count.unwrap_or(1),
            account: self.accountid.clone(),
            region: self.region.clone(),
            service: self.service.clone(),
            operation: self.operation.clone(),
            is_read: self.is_read,
            error: self.error.clone(),
            principal: self.principal.clone(),
            actor: self.actor.clone(),
            credential: self.credential.clone(),
            source: self.source.clone(),
            agent: self.agent.clone(),
            invoked_by: self.invoked_by.clone(),
            resource: None,
            remark: None,
            weight: 0,
            evidence: vec![self.evidence()],
        }
    }

    pub(super) fn caller(&self) -> Caller {
        let is_service = self.identity.as_deref() == Some("AWSService");
        Caller {
            party: Party {
                credential: self.credential.clone(),
                actor: self.actor.clone(),
                principal: if is_service {
                    self.invoked_by.clone().or(self.principal.clone())
                } else {
                    self.principal.clone()
                },
                identity: self.identity.clone(),
                name: None,
                account: self.actor_account.clone().or_else(|| self.accountid.clone()),
            },
            session_created: self.session_created,
            invoked_by: self.invoked_by.clone().filter(|_| !is_service),
            source_identity: self.source_identity.clone(),
            seen: self.time,
        }
    }
}

/// A finding.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct FindingRow {
    pub(super) uid: Option<String>,
    pub(super) title: Option<String>,
    pub(super) desc: Option<String>,
    pub(super) types: Option<Vec<String>>,
    pub(super) rule: Option<String>,
    pub(super) first_seen: Option<Moment>,
    pub(super) last_seen: Option<Moment>,
    pub(super) created: Option<Moment>,
    pub(super) time: Option<Moment>,
    pub(super) severity: Option<String>,
    pub(super) status: Option<String>,
    pub(super) product: Option<String>,
    pub(super) control: Option<String>,
    pub(super) compliance: Option<String>,
    pub(super) resource_uid: Option<String>,
    pub(super) resource_type: Option<String>,
    pub(super) resources: Option<Vec<Value>>,
    /// The names of its resources, where there is no more of them.
    pub(super) about: Option<Vec<String>>,
    pub(super) evidences: Option<Vec<Value>>,
    pub(super) accountid: Option<String>,
    pub(super) region: Option<String>,
    pub(super) event_id: Option<String>,
    pub(super) object: Option<String>,
    pub(super) index: Option<i64>,
    pub(super) is_resource: bool,
    pub(super) is_key: bool,
    pub(super) is_principal: bool,
    pub(super) is_address: bool,
}

impl FindingRow {
    /// What it is about, the main resource first.
    pub(super) fn resource_uids(&self) -> Vec<String> {
        let listed = self.resources.iter().flatten().filter_map(|resource| {
            let text = |name: &str| resource.get(name).and_then(Value::as_str);
            text("uid").or_else(|| text("name")).map(str::to_owned)
        });
        self.resource_uid.iter().cloned().chain(listed).chain(self.about.iter().flatten().cloned()).collect()
    }

    /// The kinds of what it is about.
    pub(super) fn resource_types(&self) -> Vec<String> {
        let listed = self.resources.iter().flatten().filter_map(|resource| resource.get("type")?.as_str());
        self.resource_type.iter().cloned().chain(listed.map(str::to_owned)).collect()
    }

    /// Takes from its other states what this one does not say: one finding comes by several ways.
    pub(super) fn fill_from(&mut self, states: &[Self]) {
        let fill = |own: &mut Option<Vec<Value>>, of: fn(&Self) -> &Option<Vec<Value>>| {
            if own.as_ref().is_none_or(Vec::is_empty) {
                *own = states
                    .iter()
                    .rev()
                    .map(of)
                    .find(|values| values.as_ref().is_some_and(|values| !values.is_empty()))
                    .cloned()
                    .flatten();
            }
        };
        fill(&mut self.evidences, |state| &state.evidences);
        fill(&mut self.resources, |state| &state.resources);
        let types: Vec<String> =
            states.iter().flat_map(|state| state.types.iter().flatten().cloned()).collect();
        let own = self.types.get_or_insert_default();
        types.into_iter().for_each(|one| {
            if !own.contains(&one) {
                own.push(one);
            }
        });
    }

    /// Under which ids the table of touches may have what it is about.
    pub(super) fn resource_ids(&self) -> Vec<String> {
        let place = Place { account: self.accountid.as_deref(), region: self.region.as_deref() };
        let types = self.resource_types();
        let mut ids: Vec<String> = Vec::new();
        for (number, uid) in self.resource_uids().iter().enumerate() {
            for id in resource::ids(uid, types.get(number).map(String::as_str), place) {
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
        }
        ids
    }

    /// Texts at a path of its evidences.
    pub(super) fn evidence_texts(&self, path: &str) -> Vec<String> {
        let pointer = format!("/{}", path.replace('.', "/"));
        let mut found: Vec<String> = Vec::new();
        for evidence in self.evidences.iter().flatten() {
            if let Some(text) = evidence.pointer(&pointer).and_then(Value::as_str)
                && !found.iter().any(|one| one == text)
            {
                found.push(text.to_owned());
            }
        }
        found
    }

    pub(super) fn line(&self, why: Option<&str>) -> FindingLine {
        let evidence =
            Evidence { event_id: self.event_id.clone(), object: self.object.clone(), index: self.index };
        FindingLine {
            uid: self.uid.clone().unwrap_or_default(),
            title: self.title.clone(),
            desc: self.desc.clone(),
            severity: self.severity.clone(),
            product: self.product.clone(),
            types: self.types.clone().unwrap_or_default(),
            control: self.control.clone().or_else(|| self.rule.clone()),
            status: self.compliance.clone().or_else(|| self.status.clone()),
            account: self.accountid.clone(),
            region: self.region.clone(),
            resources: self.resource_uids(),
            first_seen: self.first_seen.or(self.created),
            last_seen: self.last_seen.or(self.time),
            time: self.time,
            why: why.map(str::to_owned),
            evidence: vec![evidence],
        }
    }
}
