//! Asks the lake the questions of the library.
//!
//! Takes a question's id and values and gives its rows as structs. Promises:
//! - values are parameters and never become part of a statement;
//! - a question that cannot be answered costs itself: it is noted, and the rows are none;
//! - no more than [`AT_ONCE`] run at the same time, and no more than [`ROWS_MAX`] rows of one are held.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use arrow::json::writer::{JsonArray, WriterBuilder};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use super::answer::{Asked, Note, NoteKind};
use crate::query::{Engine, Params, library, run};

/// How many questions run at once: each may open files on every core.
const AT_ONCE: usize = 4;

/// How many rows of one answer are held; the questions have lower limits of their own.
const ROWS_MAX: usize = 20_000;

/// The lake, and what it was asked.
#[derive(Debug)]
pub(super) struct Desk<'e> {
    engine: &'e Engine,
    turns: Semaphore,
    asked: Mutex<Vec<Asked>>,
}

impl<'e> Desk<'e> {
    /// Returns a desk that has asked nothing yet.
    pub(super) fn new(engine: &'e Engine) -> Self {
        Self { engine, turns: Semaphore::new(AT_ONCE), asked: Mutex::default() }
    }

    /// Asks a question. Values that it does not want are left out.
    pub(super) async fn ask<T: DeserializeOwned>(&self, id: &str, values: &[(&str, &str)]) -> Vec<T> {
        // The semaphore is never closed.
        let _turn = self.turns.acquire().await;
        let mut asked = Asked {
            question: id.to_owned(),
            params: BTreeMap::new(),
            rows: 0,
            files_opened: 0,
            files_visible: 0,
            bytes_read: 0,
            error: None,
        };
        let rows = self.rows(id, values, &mut asked).await;
        let rows = rows.unwrap_or_else(|error| {
            tracing::debug!(question = id, %error, "a question could not be answered");
            asked.error = Some(error);
            Vec::new()
        });
        asked.rows = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        rows
    }

    async fn rows<T: DeserializeOwned>(
        &self,
        id: &str,
        values: &[(&str, &str)],
        asked: &mut Asked,
    ) -> Result<Vec<T>, String> {
        let question = library::question(id).map_err(|error| told(&error))?;
        let mut params = Params::default();
        for (name, _) in &question.params {
            let value = values.iter().find(|(given, _)| given == name).map_or("", |(_, value)| *value);
            params = params.with(name, value);
            asked.params.insert((*name).to_owned(), value.to_owned());
        }
        let mut rows =
            Box::pin(run(self.engine, question.sql, &params)).await.map_err(|error| told(&error))?;
        let mut held: Vec<T> = Vec::new();
        while let Some(batch) = rows.next().await.map_err(|error| told(&error))? {
            let mut writer = WriterBuilder::new().build::<_, JsonArray>(Vec::new());
            let written = writer.write(&batch).and_then(|()| writer.finish());
            written.map_err(|error| told(&error))?;
            let read: Vec<T> = serde_json::from_slice(&writer.into_inner()).map_err(|error| told(&error))?;
            held.extend(read);
            if held.len() >= ROWS_MAX {
                break;
            }
        }
        let stats = rows.stats();
        (asked.files_opened, asked.files_visible, asked.bytes_read) =
            (stats.files_opened, stats.files_visible, stats.bytes_read);
        Ok(held)
    }

    /// Returns what was asked, and a note for each question that had no answer.
    pub(super) fn finish(self) -> (Vec<Asked>, Vec<Note>) {
        let asked = self.asked.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut notes: Vec<Note> = Vec::new();
        for one in &asked {
            if let Some(error) = &one.error {
                let text = format!("the question `{}` could not be answered: {error}", one.question);
                if notes.iter().all(|note| note.text != text) {
                    notes.push(Note { kind: NoteKind::Missing, text });
                }
            }
        }
        (asked, notes)
    }
}

/// An error and its causes, each once.
fn told(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        source = cause.source();
    }
    told
}
