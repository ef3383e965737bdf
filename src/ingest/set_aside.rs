//! The files of records that were set aside.
//!
//! A segment's set-aside records are one file of JSON lines under `quarantine/`:
//! the object, the index in it, the reason and the bytes. Not here: trying them
//! again (`quarantine`).

use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::fetch::Wanted;
use super::segment::Segment;
use crate::lake::Lake;
use crate::lake::catalog::SetAsideEntry;

/// A file of set-aside records, not yet in the store.
#[derive(Debug)]
pub struct EntryFile {
    /// Its key below the lake.
    pub key: String,
    /// Its lines.
    pub bytes: Bytes,
    /// What the catalog will say of each line.
    pub entries: Vec<SetAsideEntry>,
}

/// One line of such a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The object it came from.
    pub object: String,
    /// Its index in the object.
    pub record: u64,
    /// The log source.
    pub source: String,
    /// Why it was set aside.
    pub reason: String,
    /// All its bytes are here.
    pub is_whole: bool,
    /// It is the rest of its object.
    pub is_rest: bool,
    /// Its bytes, when they are text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Its bytes in hexadecimal, when they are no UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
}

/// Makes the file of a segment's set-aside records; `None` when there are none.
pub(super) fn file(segment: &Segment, objects: &[Wanted], key: String) -> Option<EntryFile> {
    let (mut lines, mut entries) = (Vec::new(), Vec::new());
    for (number, entry) in (0..).zip(&segment.set_aside) {
        let Some(wanted) = objects.get(entry.object as usize) else {
            continue;
        };
        let source = entry.source.name().to_owned();
        let text = std::str::from_utf8(&entry.bytes).ok().map(str::to_owned);
        let line = Line {
            object: wanted.id.to_string(),
            record: entry.index,
            source: source.clone(),
            reason: entry.reason.clone(),
            is_whole: entry.is_whole,
            is_rest: entry.is_rest,
            hex: text.is_none().then(|| entry.bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
            text,
        };
        // A line of strings and numbers can always be written.
        lines.extend_from_slice(&serde_json::to_vec(&line).unwrap_or_default());
        lines.push(b'\n');
        entries.push(SetAsideEntry {
            entry_file: key.clone(),
            entry_line: number,
            object: wanted.id.clone(),
            record_index: entry.index,
            source,
            reason: entry.reason.clone(),
        });
    }
    (!entries.is_empty()).then(|| EntryFile { key, bytes: lines.into(), entries })
}

/// Reads the lines of a file under `quarantine/`.
///
/// # Errors
/// The store's, or a line that is none of ours.
pub async fn read_lines(lake: &Lake, key: &str) -> Result<Vec<Line>, object_store::Error> {
    let bytes = lake.store.get(&Path::from(key)).await?.bytes().await?;
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .map(serde_json::from_slice)
        .collect::<Result<_, _>>()
        .map_err(|source| object_store::Error::Generic { store: "quarantine", source: Box::new(source) })
}

impl Line {
    /// Returns the bytes that were set aside, as many as were kept.
    pub fn bytes(&self) -> Vec<u8> {
        match (&self.text, &self.hex) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(hex)) => {
                let pairs = hex.as_bytes().chunks_exact(2).filter_map(|pair| std::str::from_utf8(pair).ok());
                pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
            }
            (None, None) => Vec::new(),
        }
    }
}
