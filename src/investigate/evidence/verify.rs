//! Judges objects by CloudTrail's digests.

use std::sync::Arc;

use futures::StreamExt;

use super::content::{Content, ContentError, Keep, read};
use super::digest::{Digest, Signed, trail};
use super::place::{LogKey, ObjectPlace, delivered};
use super::public_key::PublicKeys;
use super::shelf::{Found, Shelf};
use super::verdict::{Chain, Judged, Verdict};
use crate::ingest::archive::{Archive, ArchiveError};

/// Objects read at the same time.
const OBJECTS_AT_ONCE: usize = 8;

/// Judges objects of one archive; digests are read once for all of them.
#[derive(Debug)]
pub struct Verifier {
    archive: Arc<Archive>,
    keys: PublicKeys,
    shelf: Shelf,
}

/// A digest that lists an object, and whether it was signed.
struct Cover {
    digest: Arc<Digest>,
    signed: Signed,
    hash: String,
}

/// What was found when digests were looked through.
struct Search {
    places: Vec<ObjectPlace>,
    cover: Option<Cover>,
    /// Why there may be no digest that lists it.
    gap: Option<String>,
}

impl Verifier {
    /// Returns a verifier that trusts some keys.
    pub fn new(archive: Arc<Archive>, keys: PublicKeys) -> Self {
        Self { shelf: Shelf::new(Arc::clone(&archive)), archive, keys }
    }

    /// Judges objects, named by URIs as `metadata.log_name` has them, in their order.
    pub async fn judge(&mut self, objects: &[String]) -> Vec<Judged> {
        let archive = &self.archive;
        let places = objects.iter().map(|object| (object, log_of(object)));
        let read: Vec<_> = futures::stream::iter(places)
            .map(|(object, log)| async move {
                let content = match &log {
                    Ok((place, _)) => Some(read(archive, place, Keep::Hash).await),
                    Err(_) => None,
                };
                (object, log, content)
            })
            .buffered(OBJECTS_AT_ONCE)
            .collect()
            .await;
        let mut judged = Vec::with_capacity(read.len());
        for (object, log, content) in read {
            judged.push(match (log, content) {
                (Ok(log), Some(content)) => self.judge_one(object, &log, content).await,
                (Ok(_), None) => unproved(object, "it was not read".to_owned()),
                (Err(reason), _) => unproved(object, reason.to_owned()),
            });
        }
        judged
    }

    /// Returns the digests that were read: what the verdicts rest on.
    pub(super) fn digests(&self) -> Vec<Arc<Digest>> {
        self.shelf.read()
    }

    /// Returns the keys it trusts.
    pub(super) fn keys(&self) -> &PublicKeys {
        &self.keys
    }

    async fn judge_one(
        &mut self,
        object: &str,
        log: &(ObjectPlace, LogKey),
        content: Result<Content, ContentError>,
    ) -> Judged {
        let search = match self.search(log).await {
            Ok(search) => search,
            Err(error) => return unproved(object, format!("its digests cannot be listed: {error}")),
        };
        let Some(cover) = &search.cover else {
            let why = search.gap.unwrap_or_else(|| "no digest of the day behind it lists it".to_owned());
            let verdict = match content {
                Err(ContentError::Archive(ArchiveError::Gone)) => {
                    Verdict::Missing { reason: format!("it is not there, and {why}") }
                }
                Err(error) => Verdict::NoDigest { reason: format!("it cannot be read ({error}), and {why}") },
                Ok(_) => Verdict::NoDigest { reason: why },
            };
            return Judged {
                object: object.to_owned(),
                verdict,
                digest: None,
                signed_for: None,
                chain: None,
            };
        };
        let digest = &cover.digest;
        let is_copy = log.0.is_local() || digest.document.digest_s3_bucket != log.0.bucket;
        Judged {
            object: object.to_owned(),
            verdict: verdict(cover, content),
            digest: Some(digest.place.to_string()),
            signed_for: is_copy.then(|| digest.document.digest_s3_bucket.clone()),
            chain: Some(self.chain(digest, &search.places).await),
        }
    }

    /// Looks for the digest that lists a log; of several, the first that was signed.
    async fn search(&mut self, (place, log): &(ObjectPlace, LogKey)) -> Result<Search, ArchiveError> {
        let places = self.shelf.around(&place.bucket, log).await?;
        let (mut cover, mut gap) = (None, None);
        if places.is_empty() {
            gap = Some(format!("there are no digests in {} for the day behind it", log.digests));
        }
        for one in &places {
            let digest = match self.shelf.take(one).await {
                Found::Digest(digest) => digest,
                Found::Gone => continue,
                Found::Unreadable(why) => {
                    gap.get_or_insert(format!("the digest {one} cannot be read: {why}"));
                    continue;
                }
            };
            if let Some(hash) = digest.hash_of(place, log).map(str::to_owned) {
                let signed = self.signed(&digest, &places).await;
                let is_signed = signed == Signed::Yes;
                if is_signed || cover.is_none() {
                    cover = Some(Cover { digest, signed, hash });
                }
                if is_signed {
                    break;
                }
            } else if let Some(missing) = self.missing_before(&digest, &places).await {
                gap.get_or_insert(format!(
                    "the digest {missing} is missing: {one} names it as the one before it"
                ));
            }
        }
        Ok(Search { places, cover, gap })
    }

    /// Says whether a digest was signed. Where its metadata is lost, the digest behind it has the signature, too.
    async fn signed(&mut self, digest: &Digest, places: &[ObjectPlace]) -> Signed {
        if digest.signature.is_none()
            && let Some(Found::Digest(next)) = self.next(digest, places).await
            && next.follows(&digest.place)
        {
            return digest.signed(&self.keys, next.document.previous_digest_signature.as_deref());
        }
        digest.signed(&self.keys, None)
    }

    /// The digest of the same trail that ended next.
    async fn next(&mut self, digest: &Digest, places: &[ObjectPlace]) -> Option<Found> {
        let ended = delivered(&digest.place.key);
        let is_next = |place: &&ObjectPlace| {
            trail(&place.key) == trail(&digest.place.key) && delivered(&place.key) > ended
        };
        let next = places.iter().find(is_next)?;
        Some(self.shelf.take(next).await)
    }

    /// The digest before one, when it should be among `places` and is not there.
    async fn missing_before(&mut self, digest: &Digest, places: &[ObjectPlace]) -> Option<ObjectPlace> {
        let previous = digest.previous()?;
        let first = places.first().and_then(|place| delivered(&place.key));
        let is_due = delivered(&previous.key) >= first || places.first() == Some(&digest.place);
        let is_listed = places.contains(&previous);
        (is_due && !is_listed && matches!(self.shelf.take(&previous).await, Found::Gone)).then_some(previous)
    }

    /// Looks at the digests before and behind one.
    async fn chain(&mut self, digest: &Digest, places: &[ObjectPlace]) -> Chain {
        if let Some(previous) = digest.previous() {
            let broken =
                |what: &str| Chain::Broken { reason: format!("the digest before it, {previous}, {what}") };
            match self.shelf.take(&previous).await {
                Found::Gone => return broken("is missing"),
                Found::Unreadable(why) => {
                    return Chain::Unknown { reason: format!("the digest before it, {previous}: {why}") };
                }
                Found::Digest(found) if !digest.knows(&found) => return broken("was altered"),
                Found::Digest(_) => {}
            }
        }
        match self.next(digest, places).await {
            Some(Found::Digest(next)) if !next.follows(&digest.place) => {
                let missing =
                    next.previous().map_or_else(|| "no digest".to_owned(), |place| place.to_string());
                let reason =
                    format!("the digest behind it, {}, names {missing} as the one before it", next.place);
                Chain::Broken { reason }
            }
            Some(Found::Digest(next)) if matches!(next.signed(&self.keys, None), Signed::No(_)) => {
                Chain::Broken { reason: format!("the digest behind it, {}, was altered", next.place) }
            }
            Some(Found::Digest(next)) if !next.knows(digest) => {
                Chain::Broken { reason: format!("the digest behind it, {}, knows it otherwise", next.place) }
            }
            Some(Found::Unreadable(why)) => Chain::Unknown { reason: format!("the digest behind it: {why}") },
            Some(Found::Digest(_) | Found::Gone) | None => Chain::Whole,
        }
    }
}

/// The place of a log that digests may cover, or why there are none.
fn log_of(object: &str) -> Result<(ObjectPlace, LogKey), &'static str> {
    let place = ObjectPlace::read(object).ok_or("it is no URI of an object")?;
    if !place.is_kept() {
        return Err("it lies in no bucket and no folder, and digests cover files of the archive");
    }
    let log = LogKey::read(&place.key)
        .ok_or("its key is none of a CloudTrail log file, and only those have digests")?;
    Ok((place, log))
}

fn unproved(object: &str, reason: String) -> Judged {
    let verdict = Verdict::NoDigest { reason };
    Judged { object: object.to_owned(), verdict, digest: None, signed_for: None, chain: None }
}

/// Weighs what was read against the digest that lists it.
fn verdict(cover: &Cover, content: Result<Content, ContentError>) -> Verdict {
    let place = &cover.digest.place;
    if let Signed::No(why) = cover.signed {
        return Verdict::Altered { reason: format!("its digest {place} was altered: {why}") };
    }
    let content = match content {
        Ok(content) => content,
        Err(ContentError::Archive(ArchiveError::Gone)) => {
            return Verdict::Missing { reason: format!("it is not there, and {place} lists it") };
        }
        Err(error @ ContentError::Unpack(_)) => {
            return Verdict::Altered {
                reason: format!("it cannot be unpacked ({error}), and {place} has its hash"),
            };
        }
        Err(error) => return Verdict::NoDigest { reason: format!("it cannot be read: {error}") },
    };
    if !content.sha256.eq_ignore_ascii_case(&cover.hash) {
        let reason = format!("its SHA-256 is {}, and {} in {place}", content.sha256, cover.hash);
        return Verdict::Altered { reason };
    }
    match &cover.signed {
        Signed::Yes => Verdict::Verified,
        Signed::Unknown(why) => {
            Verdict::NoDigest { reason: format!("{place} has its hash, and proves nothing: {why}") }
        }
        Signed::No(why) => Verdict::Altered { reason: (*why).to_owned() },
    }
}
