//! The traffic of one account's VPC, as its flow log tells it.
//!
//! Takes an account and a span, gives a file every five minutes: instances talk to their database and to AWS,
//! strangers knock and are refused. In the account that the incident reaches, the attacker's address knocks too.

use super::archive::Vault;
use super::error::DemoError;
use super::identifier;
use super::plan::{SLOT_SECONDS, slots};
use super::spec::{ArchiveSpec, IncidentFacts};
use super::text::civil;
use fastrand::Rng;

/// The fields of the flow logs: those of version 5 that an investigator wants beside the default ones.
const FORMAT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start \
                      end action log-status vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr \
                      region az-id flow-direction traffic-path pkt-src-aws-service pkt-dst-aws-service";

/// One machine and its interface.
#[derive(Debug)]
pub(super) struct Instance {
    /// `i-…`.
    pub(super) id: String,
    interface: String,
    address: String,
}

/// The machines of one VPC.
#[derive(Debug)]
pub(super) struct Network {
    account: String,
    region: &'static str,
    vpc: String,
    subnet: String,
    flow_log: String,
    instances: Vec<Instance>,
}

/// A flow as one interface saw it.
struct Flow<'a> {
    instance: &'a Instance,
    /// The other end.
    peer: &'a str,
    /// The port of the service, and that of the client.
    ports: (u16, u16),
    /// The instance is the client.
    outward: bool,
    service: &'a str,
    accepted: bool,
    packets: u32,
    bytes: u32,
    seconds: (i64, i64),
}

impl Network {
    /// Sets a network up.
    pub(super) fn new(account: &str, region: &'static str, rng: &mut Rng) -> Self {
        let mut name = |prefix: &str, length| {
            format!("{prefix}-{}", identifier::owned(|out| identifier::hex(out, rng, length)))
        };
        let (vpc, subnet, flow_log) = (name("vpc", 17), name("subnet", 17), name("fl", 17));
        let instances = (0..8)
            .map(|number| Instance {
                id: name("i", 17),
                interface: name("eni", 17),
                address: format!("10.20.1.{}", 10 + number),
            })
            .collect();
        Self { account: account.to_owned(), region, vpc, subnet, flow_log, instances }
    }

    /// Returns the machine that strangers can reach.
    pub(super) fn front(&self) -> Option<&Instance> {
        self.instances.first()
    }

    fn put(&self, text: &mut String, flow: &Flow<'_>, answer: bool) {
        let Flow { instance, peer, ports: (service_port, client_port), .. } = flow;
        let outward = flow.outward != answer;
        let own_port = if flow.outward { client_port } else { service_port };
        let peer_port = if flow.outward { service_port } else { client_port };
        let ends = if outward {
            (instance.address.as_str(), *peer, own_port, peer_port)
        } else {
            (*peer, instance.address.as_str(), peer_port, own_port)
        };
        let (direction, path) = if outward { ("egress", "8") } else { ("ingress", "-") };
        let service = if flow.service.is_empty() { "-" } else { flow.service };
        let services = if outward { ("-", service) } else { (service, "-") };
        let path = if peer.starts_with("10.") && outward { "1" } else { path };
        text.push_str(&format!(
            "5 {} {} {} {} {} {} 6 {} {} {} {} {} OK {} {} {} {} IPv4 {} {} {} euw1-az1 {direction} {path} {} {}\n",
            self.account,
            instance.interface,
            ends.0,
            ends.1,
            ends.2,
            ends.3,
            flow.packets,
            flow.bytes,
            flow.seconds.0,
            flow.seconds.1,
            if flow.accepted { "ACCEPT" } else { "REJECT" },
            self.vpc,
            self.subnet,
            instance.id,
            if flow.accepted { 19 } else { 2 },
            ends.0,
            ends.1,
            self.region,
            services.0,
            services.1,
        ));
    }

    /// What happens in five minutes of any day; returns how many records that is.
    fn ordinary(&self, text: &mut String, from: i64, rng: &mut Rng) -> u64 {
        let mut records = 0;
        for instance in &self.instances {
            for _ in 0..rng.u8(1..4) {
                let start = from + rng.i64(0..240);
                let (peer, service_port, service, outward) = match rng.u8(..10) {
                    0..5 => ("10.20.9.5", 5432, "", true),
                    5..8 => ("52.95.128.179", 443, "S3", true),
                    _ => ("10.20.1.250", 8443, "", false),
                };
                let packets = rng.u32(4..400);
                let flow = Flow {
                    instance,
                    peer,
                    ports: (service_port, rng.u16(32_768..61_000)),
                    outward,
                    service,
                    accepted: true,
                    packets,
                    bytes: packets * rng.u32(60..900),
                    seconds: (start, start + rng.i64(20..60)),
                };
                self.put(text, &flow, false);
                self.put(text, &flow, true);
                records += 2;
            }
        }
        for instance in self.instances.iter().take(2) {
            let start = from + rng.i64(0..280);
            let peer = format!("198.51.100.{}", rng.u8(1..250));
            let port = rng.choice([22, 23, 445, 3389, 5900]).unwrap_or(22);
            self.put(text, &refused(instance, (&peer, port), start, rng), false);
            records += 1;
        }
        records
    }

    /// The attacker's address tries what is open, and talks to the front for a while.
    fn probe(&self, text: &mut String, (incident, from): (&IncidentFacts, i64), rng: &mut Rng) -> u64 {
        let peer = incident.attacker_ip.as_str();
        let begin = incident.started.as_second() + 610;
        let mut records = 0;
        for (number, instance) in (0..).zip(self.instances.iter().take(3)) {
            for (step, port) in (0..).zip([22, 3389, 5432, 8080]) {
                let start = begin + number * 40 + step * 7;
                if (from..from + SLOT_SECONDS).contains(&start) {
                    self.put(text, &refused(instance, (peer, port), start, rng), false);
                    records += 1;
                }
            }
        }
        let start = begin + 130;
        if let Some(instance) = self.front().filter(|_| (from..from + SLOT_SECONDS).contains(&start)) {
            let flow = Flow {
                instance,
                peer,
                ports: (443, 50_122),
                outward: false,
                service: "",
                accepted: true,
                packets: 46,
                bytes: 18_211,
                seconds: (start, start + 41),
            };
            self.put(text, &flow, false);
            self.put(text, &flow, true);
            records += 2;
        }
        records
    }
}

fn refused<'a>(instance: &'a Instance, (peer, port): (&'a str, u16), start: i64, rng: &mut Rng) -> Flow<'a> {
    Flow {
        instance,
        peer,
        ports: (port, rng.u16(32_768..61_000)),
        outward: false,
        service: "",
        accepted: false,
        packets: 1,
        bytes: 44,
        seconds: (start, start + 12),
    }
}

/// Writes the flow log of a network over the span of an archive and returns how many records it has.
///
/// # Errors
///
/// Fails if a file cannot be packed or written.
pub(super) fn write(
    network: &Network,
    (spec, incident): (&ArchiveSpec, Option<&IncidentFacts>),
    vault: &mut Vault,
    rng: &mut Rng,
) -> Result<u64, DemoError> {
    let Network { account, region, flow_log, .. } = network;
    let mut total = 0;
    for slot in 0..slots(spec) {
        let from = spec.start.as_second() + i64::from(slot) * SLOT_SECONDS;
        let mut text = format!("{FORMAT}\n");
        let mut records = network.ordinary(&mut text, from, rng);
        if let Some(incident) = incident {
            records += network.probe(&mut text, (incident, from), rng);
        }
        let at = civil(from + SLOT_SECONDS);
        let (year, month, day, hour, minute) = (at.year(), at.month(), at.day(), at.hour(), at.minute());
        let tail = identifier::owned(|out| identifier::hex(out, rng, 8));
        let key = format!(
            "AWSLogs/{account}/vpcflowlogs/{region}/{year}/{month:02}/{day:02}/\
             {account}_vpcflowlogs_{region}_{flow_log}_{year}{month:02}{day:02}T{hour:02}{minute:02}Z_{tail}.log.gz"
        );
        vault.write(key, text.as_bytes(), records)?;
        total += records;
    }
    Ok(total)
}
