//! Asks the lake the questions of the library.
//!
//! Takes a question's id and values and gives its rows as structs. Promises:
//! - values are parameters and never become part of a statement;
//! - a question that cannot be answered costs itself: it is noted, and the rows are none;
//! - what was asked once with the same values is not asked again;
//! - each question is a task of its own, so that planning one goes on beside reading for another;
//! - no more than [`AT_ONCE`] run at the same time, and no more than [`ROWS_MAX`] rows of one are held.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::json::writer::{JsonArray, WriterBuilder};
use datafusion::common::runtime::SpawnedTask;
use serde::de::DeserializeOwned;
use tokio::sync::{OnceCell, Semaphore};

use super::answer::{Asked, Note, NoteKind};
use crate::query::{Engine, Params, library, run};

/// How many questions run at once: each may open files on every core.
const AT_ONCE: usize = 4;

/// How many rows of one answer are held; the questions have lower limits of their own.
const ROWS_MAX: u64 = 20_000;

/// The lake, and what it was asked.
#[derive(Debug)]
pub(super) struct Desk<'e> {
    engine: &'e Engine,
    turns: Semaphore,
    asked: Mutex<Vec<Asked>>,
    known: Mutex<HashMap<Inquired, Arc<OnceCell<Vec<u8>>>>>,
}

/// A question and its values.
type Inquired = (String, BTreeMap<String, String>);

impl<'e> Desk<'e> {
    /// Returns a desk that has asked nothing yet.
    pub(super) fn new(engine: &'e Engine) -> Self {
        Self { engine, turns: Semaphore::new(AT_ONCE), asked: Mutex::default(), known: Mutex::default() }
    }

    /// Asks a question. Values that it does not want are left out.
    pub(super) async fn ask<T: DeserializeOwned>(&self, id: &str, values: &[(&str, &str)]) -> Vec<T> {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let inquired = (id.to_owned(), values);
        let answer = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(inquired.clone()).or_default())
        };
        let rows = answer.get_or_init(|| self.answer(&inquired)).await;
        serde_json::from_slice(rows).unwrap_or_else(|error| {
            let error = error.to_string();
            tracing::debug!(question = id, %error, "an answer could not be read");
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(asked) = asked.iter_mut().rev().find(|asked| asked.question == id) {
                asked.error = Some(error);
            }
            Vec::new()
        })
    }

    /// Gives the rows as a list of JSON objects.
    async fn answer(&self, (id, values): &Inquired) -> Vec<u8> {
        // The semaphore is never closed.
        let _turn = self.turns.acquire().await;
        let mut asked = Asked { question: id.clone(), ..Asked::default() };
        let (rows, mut asked) = match library::question(id) {
            Ok(question) => {
                let value = |name: &str| values.get(name).cloned().unwrap_or_default();
                let params = question.params.iter().map(|(name, _)| ((*name).to_owned(), value(name)));
                asked.params = params.collect();
                // It ends with the wish for it.
                let task = SpawnedTask::spawn(answer(self.engine.clone(), question.sql, asked.clone()));
                task.await.unwrap_or_else(|_| (Err("it broke off, a defect of ashiato".to_owned()), asked))
            }
            Err(error) => (Err(told(&error)), asked),
        };
        let rows = rows.unwrap_or_else(|error| {
            tracing::debug!(question = id, %error, "a question could not be answered");
            asked.error = Some(error);
            b"[]".to_vec()
        });
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        rows
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

/// Asks the lake one question; what it cost is known even where it has no answer.
async fn answer(engine: Engine, sql: &str, mut asked: Asked) -> (Result<Vec<u8>, String>, Asked) {
    let rows = rows(&engine, sql, &mut asked).await;
    (rows, asked)
}

async fn rows(engine: &Engine, sql: &str, asked: &mut Asked) -> Result<Vec<u8>, String> {
    let values = asked.params.iter();
    let params = values.fold(Params::default(), |params, (name, value)| params.with(name, value));
    let mut rows = Box::pin(run(engine, sql, &params)).await.map_err(|error| told(&error))?;
    let mut writer = WriterBuilder::new().build::<_, JsonArray>(Vec::new());
    while let Some(batch) = rows.next().await.map_err(|error| told(&error))? {
        let room = usize::try_from(ROWS_MAX.saturating_sub(asked.rows)).unwrap_or(usize::MAX);
        let batch = batch.slice(0, room.min(batch.num_rows()));
        writer.write(&batch).map_err(|error| told(&error))?;
        asked.rows += batch.num_rows() as u64;
        if asked.rows >= ROWS_MAX {
            break;
        }
    }
    writer.finish().map_err(|error| told(&error))?;
    (asked.files_opened, asked.bytes_read) = rows.cost();
    Ok(writer.into_inner())
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
