//! What happens in a place during a stretch of time.
//!
//! Takes a place, a few minutes and a number of records, gives those records. Promises that sessions are opened
//! before they are used, and that people keep office hours while machines do not.
//!
//! Not here: how many records a place writes when (`plan`), and the scripted incident (`incident`).

use super::actor::{Actor, BUILD_AGENT, Origin, people, workloads};
use super::call::{Caller, Catalog};
use super::error::DemoError;
use super::inventory::Inventory;
use super::issue::{Desk, Owed};
use super::organization::{BUILD, Organization, Place};
use super::resource::Patterns;
use super::scribe::{Scribe, Setting};
use super::session::Session;
use super::text::civil;

/// Services that act as themselves.
const SERVICES: [(Caller, &str); 3] = [
    (Caller::Trail, "cloudtrail.amazonaws.com"),
    (Caller::Schedule, "events.amazonaws.com"),
    (Caller::Delivery, "delivery.logs.amazonaws.com"),
];
/// Services that act on behalf of a session.
const FORWARDERS: [(Caller, &str); 3] = [
    (Caller::SecretForward, "secretsmanager.amazonaws.com"),
    (Caller::QueryForward, "athena.amazonaws.com"),
    (Caller::InnerForward, "AWS Internal"),
];

/// The workloads on whose behalf services act: the first few of a place, which are instances and functions.
const FORWARDED: usize = 8;

/// Who takes a turn.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Workload(usize),
    Person,
    Forward(Caller, &'static str),
    Service(Caller, &'static str),
    ServiceEvent,
    Stranger,
}

/// A place with those who work there.
#[derive(Debug)]
struct Cell {
    place: Place,
    inventory: Inventory,
    actors: Vec<Actor>,
    /// The turns that do not depend on the hour, by running weight.
    turns: Vec<(u32, Turn)>,
    owed: Vec<Owed>,
}

impl Cell {
    fn new(place: Place, inventory: Inventory, cast: Vec<(u32, Actor)>) -> Self {
        let (mut actors, mut turns, mut total) = (Vec::new(), Vec::new(), 0);
        let mut add = |share: u32, turn| {
            total += share;
            turns.push((total, turn));
        };
        for (share, actor) in cast {
            add(share, Turn::Workload(actors.len()));
            actors.push(actor);
        }
        for (caller, host) in SERVICES {
            add(19, Turn::Service(caller, host));
        }
        for (caller, host) in FORWARDERS {
            add(24, Turn::Forward(caller, host));
        }
        add(3, Turn::ServiceEvent);
        add(3, Turn::Stranger);
        Self { place, inventory, actors, turns, owed: Vec::new() }
    }
}

/// The organization at work.
#[derive(Debug)]
pub(super) struct World {
    scribe: Scribe,
    cells: Vec<Cell>,
    people: Vec<Vec<Actor>>,
}

impl World {
    /// Peoples every place of the organization.
    ///
    /// # Errors
    ///
    /// Fails if one of the compiled-in tables is malformed.
    pub(super) fn new(mut desk: Desk) -> Result<Self, DemoError> {
        let patterns = Patterns::read()?;
        let catalog = Catalog::read(&patterns.kinds)?;
        let (organization, rng) = (&desk.organization, &mut desk.rng);
        let mut cells = Vec::new();
        for place in organization.places() {
            let (account, region) = (organization.account(place.account), organization.region(place));
            let inventory = patterns.name_all(account, region, rng);
            let cast = workloads(organization, place, &inventory, (&patterns, rng));
            cells.push(Cell::new(place, inventory, cast));
        }
        let people = (0..organization.accounts())
            .map(|account| people(account, organization.account(account), rng))
            .collect();
        Ok(Self { scribe: Scribe::new(desk, catalog), cells, people })
    }

    /// Returns the organization.
    pub(super) fn organization(&self) -> &Organization {
        &self.scribe.desk.organization
    }

    /// Returns the desk, for those who write records of their own.
    pub(super) fn desk(&mut self) -> &mut Desk {
        &mut self.scribe.desk
    }

    /// Returns the build agent's user: its principal id and key.
    pub(super) fn build_agent(&self) -> (String, String) {
        let home = self.organization().index(self.organization().home(BUILD));
        let agent = self.cells.get(home).and_then(|cell| {
            cell.actors.iter().find_map(|actor| match &actor.origin {
                Origin::KeyUser { key } if actor.name == BUILD_AGENT => Some((actor.id.clone(), key.clone())),
                _ => None,
            })
        });
        agent.unwrap_or_default()
    }

    /// Returns the places that are owed records.
    pub(super) fn creditors(&mut self) -> Vec<Place> {
        self.settle();
        self.cells.iter().filter(|cell| !cell.owed.is_empty()).map(|cell| cell.place).collect()
    }

    /// Hands records to the places that they belong to.
    fn settle(&mut self) {
        for owed in std::mem::take(&mut self.scribe.desk.owed) {
            self.owe(owed);
        }
    }

    /// Keeps a record for the next file of its place.
    pub(super) fn owe(&mut self, owed: Owed) {
        let index = self.organization().index(owed.place);
        if let Some(cell) = self.cells.get_mut(index) {
            cell.owed.push(owed);
        }
    }

    /// Appends what a place is owed and returns how many records that were.
    pub(super) fn pay(&mut self, place: Place, out: &mut Vec<u8>) -> u64 {
        self.settle();
        let index = self.organization().index(place);
        let Some(cell) = self.cells.get_mut(index) else {
            return 0;
        };
        let mut records = 0;
        for owed in cell.owed.drain(..) {
            if out.last() == Some(&b'}') {
                out.push(b',');
            }
            out.extend_from_slice(&owed.text);
            records += 1;
        }
        records
    }

    /// Appends records of a place, spread over `span` seconds from `from` on, and returns how many were written.
    ///
    /// Records of sessions opened on the way count; those that belong elsewhere are owed there.
    pub(super) fn act(
        &mut self,
        place: Place,
        (from, span): (i64, i64),
        records: u64,
        out: &mut Vec<u8>,
    ) -> u64 {
        let busy = office_share(from);
        let mut written = self.pay(place, out);
        // Not every turn leaves a record here; twice as many turns as records are more than enough.
        for _ in 0..records.saturating_mul(2) {
            if written >= records {
                break;
            }
            let step = i64::try_from(written * 1_000 / records).unwrap_or_default();
            let second = (from + step * span / 1_000 + self.scribe.desk.rng.i64(0..3)).min(from + span - 1);
            written += self.turn(place, second, busy, out);
        }
        written
    }

    /// Lets one of the cast make a call; returns the records written here.
    fn turn(&mut self, place: Place, second: i64, busy: u32, out: &mut Vec<u8>) -> u64 {
        let index = self.organization().index(place);
        let Some(cell) = self.cells.get(index) else {
            return 0;
        };
        let machines = cell.turns.last().map_or(1, |(upto, _)| *upto);
        let throw = self.scribe.desk.rng.u32(0..machines + busy);
        let at = cell.turns.partition_point(|(upto, _)| *upto <= throw);
        let turn = cell.turns.get(at).map_or(Turn::Person, |(_, turn)| *turn);
        let inventory = &cell.inventory;
        let setting = Setting { place, inventory, second };
        match turn {
            Turn::Workload(at) => self.workload((place, second), at, Way::Direct, out),
            Turn::Forward(caller, host) => {
                let at = self.scribe.desk.rng.usize(0..FORWARDED);
                self.workload((place, second), at, Way::Forwarded(caller, host), out)
            }
            Turn::Person => self.person((place, second), out),
            Turn::Service(caller, host) => {
                u64::from(self.scribe.call(&Session::of_service(host), caller, setting, out))
            }
            Turn::ServiceEvent => {
                self.scribe.service_event(setting, out);
                1
            }
            Turn::Stranger => {
                let bucket = inventory.pick(0, self.scribe.desk.rng.u64(..));
                self.scribe.stranger(setting, bucket, out);
                1
            }
        }
    }

    fn workload(&mut self, (place, second): (Place, i64), at: usize, way: Way, out: &mut Vec<u8>) -> u64 {
        let index = self.organization().index(place);
        let Some(actor) = self.cells.get_mut(index).and_then(|cell| cell.actors.get_mut(at)) else {
            return 0;
        };
        let second = self.scribe.desk.ready(actor, place, second);
        let issued = self.pay_if_owed(place, out);
        let Some(cell) = self.cells.get(index) else {
            return issued;
        };
        let Some(actor) = cell.actors.get(at) else {
            return issued;
        };
        let Some(session) = &actor.session else {
            return issued;
        };
        let setting = Setting { place, inventory: &cell.inventory, second };
        let made = match way {
            Way::Direct => self.scribe.call(session, actor.caller, setting, out),
            Way::Forwarded(caller, host) => self.scribe.forward(session, (caller, host), setting, out),
        };
        issued + u64::from(made)
    }

    fn person(&mut self, (place, second): (Place, i64), out: &mut Vec<u8>) -> u64 {
        let index = self.organization().index(place);
        let Some(staff) = self.people.get_mut(place.account) else {
            return 0;
        };
        let rng = &mut self.scribe.desk.rng;
        let mut seat = rng.usize(0..staff.len().max(1));
        // The root user, in the last seat of one account, looks at nothing but the global services.
        if seat == 4 && place.region != 0 {
            seat = 0;
        }
        let Some(actor) = staff.get_mut(seat) else {
            return 0;
        };
        let second = self.scribe.desk.ready(actor, place, second);
        let issued = self.pay_if_owed(place, out);
        let staff = self.people.get(place.account);
        let Some(actor) = staff.and_then(|staff| staff.get(seat)) else {
            return issued;
        };
        let (Some(session), Some(cell)) = (&actor.session, self.cells.get(index)) else {
            return issued;
        };
        let setting = Setting { place, inventory: &cell.inventory, second };
        issued + u64::from(self.scribe.call(session, actor.caller, setting, out))
    }

    /// Pays a place at once for a session just opened there, so that its record stands before its first use.
    fn pay_if_owed(&mut self, place: Place, out: &mut Vec<u8>) -> u64 {
        if self.scribe.desk.owed.is_empty() { 0 } else { self.pay(place, out) }
    }
}

/// Whether a session's owner calls, or a service for it.
#[derive(Clone, Copy, Debug)]
enum Way {
    Direct,
    Forwarded(Caller, &'static str),
}

/// Returns the share of turns that people take, against about a thousand of the machines.
fn office_share(second: i64) -> u32 {
    let at = civil(second);
    let weekend = at.weekday().to_monday_zero_offset() > 4;
    match at.hour() {
        _ if weekend => 4,
        7 | 17 | 18 => 40,
        8..=16 => 95,
        _ => 6,
    }
}
