//! Fetches objects, in pieces.
//!
//! Takes object references and sends their bytes in order. Small objects are
//! fetched whole and several at a time; large ones in ranges, one after another.
//! Promises: no more than [`FetchLimits::ahead_bytes_max`] wait to be unpacked.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::archive::{Archive, ArchiveError, First, Sought};
use super::segment::Piece;
use super::source::key::KeyFacts;
use crate::lake::catalog::ObjectId;

/// The least that is asked for at once: sizes in messages may be wrong, and calls cost more than bytes.
const ASKED_BYTES_MIN: u64 = 64 << 10;

/// Bounds of fetching.
#[derive(Debug, Clone, Copy)]
pub struct FetchLimits {
    /// Objects up to this size are fetched whole; larger ones in pieces of it.
    pub piece_bytes: u64,
    /// Bytes that may wait to be unpacked, a lane.
    pub ahead_bytes_max: usize,
    /// Objects fetched at the same time, a lane.
    pub concurrency: usize,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self { piece_bytes: 8 << 20, ahead_bytes_max: 16 << 20, concurrency: 16 }
    }
}

/// An object to fetch.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its number in the batch.
    pub object: u32,
    /// Which it is.
    pub id: ObjectId,
    /// Its version id, where its bucket keeps versions.
    pub version_id: Option<String>,
    /// What its key says.
    pub facts: Arc<KeyFacts>,
    /// Its size, where that is known.
    pub size: Option<u64>,
    /// Its bytes, when the message that announced it carried them.
    pub body: Option<Bytes>,
}

impl Wanted {
    /// Names it to the archive.
    fn sought<'a>(&'a self, etag: &'a str) -> Sought<'a> {
        let ObjectId { bucket, key, .. } = &self.id;
        Sought { bucket, key, etag, version_id: self.version_id.as_deref() }
    }
}

/// What fetching sends: a piece, or why there is none.
#[derive(Debug)]
pub struct Fetched {
    /// The number of the object in its batch.
    pub object: u32,
    /// No piece of the object came before.
    pub first: bool,
    /// The piece.
    pub piece: Result<Piece, ArchiveError>,
    /// Lets go of the piece's share of what may wait.
    pub permit: Option<OwnedSemaphorePermit>,
}

/// Fetches objects and sends each one's pieces in their order, until the receiver is gone.
pub async fn fetch_all(
    archive: Arc<Archive>,
    wanted: Vec<Wanted>,
    limits: FetchLimits,
    sender: mpsc::Sender<Fetched>,
) {
    // First pieces and later ones have room of their own: a large object must be able to go on while the
    // objects behind it wait with their first piece in hand.
    let (room, rest_room) = (Semaphore::new(limits.ahead_bytes_max), Semaphore::new(limits.ahead_bytes_max));
    let (room, rest_room) = (Arc::new(room), Arc::new(rest_room));
    let mut firsts = futures::stream::iter(wanted)
        .map(|wanted| {
            let (archive, room) = (Arc::clone(&archive), Arc::clone(&room));
            async move {
                // No more is asked for than there is room for, whatever the object turns out to be: what it has
                // beyond that comes in pieces that find room of their own.
                let asked =
                    wanted.size.unwrap_or(limits.piece_bytes).max(ASKED_BYTES_MIN).min(limits.piece_bytes);
                let permit = acquire(&room, asked, limits).await;
                let first = match wanted.body.clone() {
                    Some(bytes) => Ok(First { size: bytes.len() as u64, bytes, etag: String::new() }),
                    None => archive.first(wanted.sought(&wanted.id.version), asked).await,
                };
                (wanted, first, permit)
            }
        })
        // Whatever comes first: an object that is slow to come holds none of its neighbours up.
        .buffer_unordered(limits.concurrency);
    while let Some((wanted, first, permit)) = firsts.next().await {
        let sending =
            Sending { archive: &archive, wanted: &wanted, room: &rest_room, limits, sender: &sender };
        if !sending.object(first, permit).await {
            return;
        }
    }
}

async fn acquire(room: &Arc<Semaphore>, bytes: u64, limits: FetchLimits) -> Option<OwnedSemaphorePermit> {
    let bytes = u32::try_from(bytes)
        .unwrap_or(u32::MAX)
        .min(u32::try_from(limits.ahead_bytes_max).unwrap_or(u32::MAX));
    Arc::clone(room).acquire_many_owned(bytes).await.ok()
}

/// Sends one object.
struct Sending<'a> {
    archive: &'a Archive,
    wanted: &'a Wanted,
    room: &'a Arc<Semaphore>,
    limits: FetchLimits,
    sender: &'a mpsc::Sender<Fetched>,
}

impl Sending<'_> {
    /// False when nobody receives any more.
    async fn object(&self, first: Result<First, ArchiveError>, permit: Option<OwnedSemaphorePermit>) -> bool {
        let First { bytes, size, etag } = match first {
            Ok(first) => first,
            Err(error) => return self.send(true, Err(error), None).await,
        };
        let mut sent = bytes.len() as u64;
        if !self.send(true, Ok(self.piece(bytes, true, sent >= size)), permit).await {
            return false;
        }
        while sent < size {
            let end = size.min(sent + self.limits.piece_bytes);
            let permit = acquire(self.room, end - sent, self.limits).await;
            let piece = self.archive.range(self.wanted.sought(&etag), sent..end).await;
            sent = end;
            let failed = piece.is_err();
            let piece = piece.map(|bytes| self.piece(bytes, false, sent >= size));
            if !self.send(false, piece, permit).await || failed {
                return failed;
            }
        }
        true
    }

    fn piece(&self, bytes: Bytes, first: bool, last: bool) -> Piece {
        let Wanted { object, facts, .. } = self.wanted;
        Piece { object: *object, facts: Arc::clone(facts), bytes, first, last }
    }

    async fn send(
        &self,
        first: bool,
        piece: Result<Piece, ArchiveError>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> bool {
        self.sender.send(Fetched { object: self.wanted.object, first, piece, permit }).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::archive::LOCAL;

    /// Fetches a file of so many bytes that was announced with a size; returns what pieces held and their room.
    async fn fetched(bytes: usize, size: Option<u64>) -> Vec<(usize, usize)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("object");
        std::fs::write(&path, vec![7; bytes]).unwrap();
        let key = path.to_str().unwrap().trim_start_matches('/').to_owned();
        let id = ObjectId { bucket: LOCAL.to_owned(), key, version: String::new() };
        let facts = Arc::new(KeyFacts::default());
        let wanted = Wanted { object: 0, id, version_id: None, facts, size, body: None };
        let limits = FetchLimits { piece_bytes: 1 << 20, ..FetchLimits::default() };
        let (sender, mut receiver) = mpsc::channel(100);
        fetch_all(Arc::default(), vec![wanted], limits, sender).await;
        let mut pieces = Vec::new();
        while let Some(Fetched { piece, permit, .. }) = receiver.recv().await {
            pieces.push((piece.unwrap().bytes.len(), permit.unwrap().num_permits()));
        }
        pieces
    }

    #[tokio::test]
    async fn no_piece_is_larger_than_the_room_it_has() {
        const ALL: usize = 3 << 20;
        for size in [None, Some(0), Some(1), Some(100_000), Some(3 << 20), Some(1 << 40)] {
            let pieces = fetched(ALL, size).await;
            assert_eq!(pieces.iter().map(|piece| piece.0).sum::<usize>(), ALL, "{size:?}");
            assert!(pieces.iter().all(|(held, room)| held <= room), "{size:?} {pieces:?}");
        }
        assert_eq!(fetched(10, Some(0)).await, [(10, 64 << 10)]);
        assert_eq!(fetched(100_000, Some(100_000)).await, [(100_000, 100_000)]);
    }
}
