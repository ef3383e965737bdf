//! One lane at work on a batch: fetch, unpack, parse, normalize, write.
//!
//! A lane owns one [`Segment`], whose memory it uses again and again. Fetching
//! goes on while the CPU pool works; whenever the segment is full its rows are
//! written, so memory does not grow with the batch or with an object.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::PutPayload;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;

use super::archive::ArchiveError;
use super::batch::{Builders, Built, Source, plan};
use super::commit::{Written, outcome};
use super::error::{IngestError, chain};
use super::fetch::{Fetched, Wanted, fetch_all};
use super::freshness::LogPlace;
use super::queue::Queue;
use super::segment::{Ending, Fill, Piece, Segment, SegmentLimits, Tally};
use super::set_aside::{self, EntryFile};
use super::source::LogSource;
use super::source::key::SkipReason;
use super::trail::Trail;
use super::write::{WriteError, WrittenFile, write};
use crate::cpu::compute;
use crate::lake::catalog::{BatchId, FileKind, LakeFile, ObjectId};
use crate::lake::path::{EventDay, quarantine_key};

/// Pieces handed to the CPU pool at once. Their bytes are bounded by [`super::fetch::FetchLimits::ahead_bytes_max`].
const PIECES_AT_ONCE: usize = 256;

/// Files written to the lake at the same time.
const PUTS_AT_ONCE: usize = 4;

/// A lane's own memory.
#[derive(Debug)]
pub struct Lane {
    limits: SegmentLimits,
    /// None while the CPU pool has them, and after a batch was given up in that moment.
    hands: Option<Hands>,
}

/// What goes to the CPU pool and comes back.
#[derive(Debug)]
struct Hands {
    segment: Segment,
    builders: Builders,
}

impl Hands {
    fn new(limits: SegmentLimits) -> Self {
        Self { segment: Segment::new(limits), builders: Builders::default() }
    }

    /// Makes the files of a full segment.
    fn write(
        &mut self,
        names: &[String],
        name: &str,
    ) -> Result<(Vec<WrittenFile>, BTreeMap<u32, u64>), WriteError> {
        let source = Source::new(&self.segment, names)?;
        let Built { batches, duplicates } = plan(source);
        let write_one = |batch| write(batch, self.builders.rows(batch, source), name);
        Ok((batches.iter().map(write_one).collect::<Result<_, _>>()?, duplicates))
    }
}

/// The batch a lane works on.
#[derive(Debug, Clone)]
pub struct Work {
    /// Its name.
    pub batch: BatchId,
    /// The day its set-aside records are filed under.
    pub day: EventDay,
    /// Its objects, by number.
    pub objects: Vec<Wanted>,
}

/// What one hop to the CPU pool made.
struct Absorbed {
    hands: Hands,
    rest: VecDeque<(Piece, Option<OwnedSemaphorePermit>)>,
    tallies: Vec<(u32, Tally)>,
    made: Result<Made, IngestError>,
}

/// Files and set-aside records of one segment.
#[derive(Default)]
pub(super) struct Made {
    pub(super) files: Vec<WrittenFile>,
    pub(super) set_aside: Option<EntryFile>,
    /// Of each object, by its number, how many rows were left out as duplicates.
    pub(super) duplicates: BTreeMap<u32, u64>,
}

/// What the CPU pool needs to know of the batch.
struct Naming {
    work: Work,
    names: Vec<String>,
}

impl Lane {
    /// Returns a lane with empty hands.
    pub fn new(limits: SegmentLimits) -> Self {
        Self { limits, hands: None }
    }

    /// Reads the objects of a batch and writes their rows; nothing of it can be seen before the commit.
    ///
    /// # Errors
    /// An object broke off while it was fetched, or the lake cannot be written.
    pub async fn write_objects<Q: Queue>(
        &mut self,
        work: Work,
        trail: &Trail<Q>,
    ) -> Result<Written, IngestError> {
        let Trail { archive, limits, .. } = trail;
        let limits_of_segment = self.limits;
        let hands = self.hands.get_or_insert_with(|| Hands::new(limits_of_segment));
        // A batch that was given up may have left its text behind.
        hands.segment.reset();
        let names = work.objects.iter().map(|wanted| wanted.id.to_string()).collect();
        let (sender, mut receiver) = mpsc::channel(PIECES_AT_ONCE);
        let mut fetching = JoinSet::new();
        fetching.spawn(fetch_all(Arc::clone(archive), work.objects.clone(), limits.fetch, sender));
        let naming = Arc::new(Naming { work, names });
        let (mut tallies, mut duplicates) = (BTreeMap::new(), BTreeMap::new());
        let (mut written, mut number) = (Written::default(), 0);
        let mut missing = Missing::default();
        loop {
            let mut fetched = Vec::new();
            let ended = receiver.recv_many(&mut fetched, PIECES_AT_ONCE).await == 0;
            let mut pieces = sort_out(fetched, &naming, &mut tallies, &mut missing)?;
            loop {
                let absorbed = self.absorb(pieces, &naming, number, ended).await?;
                self.hands = Some(absorbed.hands);
                tallies.extend(absorbed.tallies);
                let made = absorbed.made?;
                if !made.files.is_empty() || made.set_aside.is_some() {
                    number += 1;
                    add(&mut duplicates, &made.duplicates);
                    put_all(trail, &naming.work.batch, made, &mut written).await?;
                }
                pieces = absorbed.rest;
                if pieces.is_empty() {
                    break;
                }
            }
            if ended {
                break;
            }
        }
        missing.tell(naming.work.objects.len(), &mut written)?;
        conclude(&naming.work, (&mut tallies, &duplicates), &mut written);
        Ok(written)
    }

    async fn absorb(
        &mut self,
        pieces: VecDeque<(Piece, Option<OwnedSemaphorePermit>)>,
        naming: &Arc<Naming>,
        number: u32,
        ended: bool,
    ) -> Result<Absorbed, IngestError> {
        let hands = self.hands.take().unwrap_or_else(|| Hands::new(self.limits));
        let naming = Arc::clone(naming);
        let absorbed = compute(move || absorb(hands, pieces, &naming, number, ended)).await;
        absorbed.ok_or(IngestError::Lost { what: "unpacking and parsing" })
    }
}

/// Takes pieces until the segment is full or none is left, and makes its files when it is full or the batch ends.
fn absorb(
    mut hands: Hands,
    mut pieces: VecDeque<(Piece, Option<OwnedSemaphorePermit>)>,
    naming: &Naming,
    number: u32,
    ended: bool,
) -> Absorbed {
    let mut tallies = Vec::new();
    while let Some((piece, permit)) = pieces.pop_front() {
        match hands.segment.fill(piece) {
            Fill::Taken(tally) => tallies.extend(tally),
            Fill::Full(rest) => {
                pieces.push_front((rest, permit));
                break;
            }
        }
    }
    let full = !pieces.is_empty();
    let mut made = Ok(Made::default());
    if full || ended {
        made = make(&mut hands, naming, number);
        hands.segment.clear();
    }
    Absorbed { hands, rest: pieces, tallies, made }
}

fn make(hands: &mut Hands, naming: &Naming, number: u32) -> Result<Made, IngestError> {
    let batch = &naming.work.batch;
    let name = format!("{batch}-{number}");
    let (files, duplicates) = hands
        .write(&naming.names, &name)
        .map_err(|source| IngestError::Make { batch: batch.clone(), source })?;
    let key = quarantine_key(naming.work.day, &name);
    Ok(Made { files, set_aside: set_aside::file(&hands.segment, &naming.work.objects, key), duplicates })
}

/// Objects of a batch that could not be fetched.
#[derive(Debug, Default)]
struct Missing {
    refused: Vec<(ObjectId, String)>,
    away: Vec<(ObjectId, ArchiveError)>,
    pieces: usize,
}

impl Missing {
    /// How many objects have to be away, and none there, until nobody asks for the rest of a long batch.
    const AWAY_ENOUGH: usize = 16;

    /// An archive that answers for none of the batch's objects is away; one that answers for some is not.
    fn tell(mut self, objects: usize, written: &mut Written) -> Result<(), IngestError> {
        if self.away.len() == objects {
            self.is_away()?;
        }
        written.away = self.away.into_iter().map(|(id, error)| (id, chain(&error))).collect();
        written.unreachable = self.refused;
        Ok(())
    }

    fn is_away(&mut self) -> Result<(), IngestError> {
        let away = self.away.pop();
        away.map_or(Ok(()), |(id, source)| Err(IngestError::Away { object: Box::new(id), source }))
    }
}

/// Separates pieces from objects that could not be fetched. One of which nothing was read yet costs itself;
/// one that broke off half-way costs the batch, whose rows it is part of.
fn sort_out(
    fetched: Vec<Fetched>,
    naming: &Naming,
    tallies: &mut BTreeMap<u32, Tally>,
    missing: &mut Missing,
) -> Result<VecDeque<(Piece, Option<OwnedSemaphorePermit>)>, IngestError> {
    let mut pieces = VecDeque::with_capacity(fetched.len());
    for Fetched { object, piece, permit, first } in fetched {
        let source = match piece {
            Ok(piece) => {
                missing.pieces += 1;
                pieces.push_back((piece, permit));
                continue;
            }
            Err(source) => source,
        };
        let id = naming.work.objects.get(object as usize).map(|wanted| wanted.id.clone());
        let Some(id) = id else { continue };
        let reason = match source {
            source if !first => {
                let object = Box::new(id);
                return Err(match source {
                    ArchiveError::Away { .. } => IngestError::BrokeOff { object, source },
                    source => IngestError::Fetch { object, source },
                });
            }
            ArchiveError::Gone => SkipReason::Gone,
            ArchiveError::Replaced => SkipReason::Replaced,
            ArchiveError::Refused { .. } => {
                missing.refused.push((id, chain(&source)));
                SkipReason::Unreachable
            }
            ArchiveError::Away { .. } => {
                missing.away.push((id, source));
                if missing.pieces == 0 && missing.away.len() >= Missing::AWAY_ENOUGH {
                    missing.is_away()?;
                }
                SkipReason::Unreachable
            }
        };
        tallies.insert(object, Tally { ending: Ending::Skipped(reason), ..Tally::default() });
    }
    Ok(pieces)
}

/// Writes files; a settled one is in the catalog before it is in the store.
pub(super) async fn put_all<Q: Queue>(
    trail: &Trail<Q>,
    batch: &BatchId,
    made: Made,
    written: &mut Written,
) -> Result<(), IngestError> {
    let settled =
        made.files.iter().map(|written| &written.file).filter(|file| file.kind == FileKind::Settled);
    let planned: Vec<LakeFile> = settled.cloned().collect();
    if !planned.is_empty() {
        trail.catalog.plan_files(batch, &planned, (trail.clock)()).await?;
    }
    let lake = &trail.lake;
    let mut puts: Vec<(String, Bytes)> = Vec::new();
    if let Some(EntryFile { key, bytes, entries }) = made.set_aside {
        puts.push((key, bytes));
        written.outcome.set_aside.extend(entries);
    }
    for WrittenFile { file, bytes } in made.files {
        puts.push((file.key.clone(), bytes));
        written.outcome.files.push(file);
    }
    futures::stream::iter(puts)
        .map(|(key, bytes)| async move {
            lake.put(&key, PutPayload::from(bytes)).await.map_err(|source| IngestError::Write { key, source })
        })
        .buffer_unordered(PUTS_AT_ONCE)
        .try_collect::<()>()
        .await
}

fn add(sums: &mut BTreeMap<u32, u64>, more: &BTreeMap<u32, u64>) {
    for (object, rows) in more {
        *sums.entry(*object).or_default() += rows;
    }
}

/// Says of each object how it ended.
fn conclude(
    work: &Work,
    (tallies, duplicates): (&mut BTreeMap<u32, Tally>, &BTreeMap<u32, u64>),
    written: &mut Written,
) {
    for wanted in &work.objects {
        let mut tally = tallies.remove(&wanted.object).unwrap_or_default();
        tally.skipped = duplicates.get(&wanted.object).copied().unwrap_or(0);
        if tally.ending == Ending::Read && tally.plain_bytes == 0 {
            tally.ending = Ending::Skipped(SkipReason::Empty);
        }
        let source = wanted.facts.source.or(tally.source).map_or("unknown", LogSource::name);
        written.outcome.objects.push(outcome(wanted.id.clone(), source, &tally));
        written.tallies.push((LogPlace::of(source, &wanted.facts), tally));
    }
}
