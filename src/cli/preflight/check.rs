//! One call of a preflight, and what came of it.

use std::error::Error;
use std::time::Duration;

use serde_json::{Value, json};

use super::PATIENCE;
use super::denial::Denial;
use crate::ingest::error::chain;

/// What is checked: in words, the action, and the resource it is done to; empty where there is none.
pub(super) type What<'a> = (&'a str, &'a str, &'a str);

/// One call, or what stands for several.
#[derive(Debug)]
pub(super) struct Check {
    what: String,
    action: String,
    resource: String,
    pub(super) verdict: Verdict,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It works.
    Fine(String),
    /// Nothing is wrong; somebody should know.
    Noted(String),
    /// It was not asked, for this reason.
    NotAsked(String),
    /// A right is missing.
    Missing(Denial),
    /// It failed, for another reason; and what to do.
    Failed(String, &'static str),
}

impl Check {
    pub(super) fn of((what, action, resource): What<'_>, verdict: Verdict) -> Self {
        Self { what: what.to_owned(), action: action.to_owned(), resource: resource.to_owned(), verdict }
    }

    pub(super) fn ok(what: What<'_>, detail: &str) -> Self {
        Self::of(what, Verdict::Fine(detail.to_owned()))
    }

    pub(super) fn not_asked(what: &str, why: &str) -> Self {
        Self::of((what, "", ""), Verdict::NotAsked(why.to_owned()))
    }

    /// Judges an error by its words and those of its causes.
    pub(super) fn of_error(what: What<'_>, error: &(dyn Error + 'static)) -> Self {
        let text = chain(error);
        let verdict = match Denial::read(&text) {
            Some(denial) => Verdict::Missing(denial),
            None => {
                let todo = todo(&text);
                Verdict::Failed(text, todo)
            }
        };
        Self::of(what, verdict)
    }

    pub(super) fn is_bad(&self) -> bool {
        matches!(self.verdict, Verdict::Missing(_) | Verdict::Failed(..))
    }

    fn denied<'a>(&'a self, denial: &'a Denial) -> (&'a str, &'a str) {
        // AWS writes the actions of SQS in small letters; ours is the same one as IAM spells it.
        let named = denial.action.as_deref().filter(|named| !named.eq_ignore_ascii_case(&self.action));
        (named.unwrap_or(&self.action), denial.resource.as_deref().unwrap_or(&self.resource))
    }

    pub(super) fn json(&self) -> Value {
        let (mut action, mut resource) = (self.action.as_str(), self.resource.as_str());
        let (verdict, detail, todo) = match &self.verdict {
            Verdict::Fine(detail) => ("ok", detail.as_str(), None),
            Verdict::Noted(detail) => ("note", detail.as_str(), None),
            Verdict::NotAsked(why) => ("not asked", why.as_str(), None),
            Verdict::Missing(denial) => {
                (action, resource) = self.denied(denial);
                ("missing", "", Some(denial.todo))
            }
            Verdict::Failed(why, todo) => ("failed", why.as_str(), Some(*todo)),
        };
        json!({
            "check": self.what, "verdict": verdict, "action": action, "resource": resource, "detail": detail, "do": todo,
        })
    }

    /// Says it, a line and what belongs to it below.
    pub(super) fn lines(&self) -> Vec<String> {
        let action = if self.action.is_empty() { String::new() } else { format!(" ({})", self.action) };
        let what = format!("{}{action}", self.what);
        match &self.verdict {
            Verdict::Fine(detail) if detail.is_empty() => vec![format!("ok        {what}")],
            Verdict::Fine(detail) => vec![format!("ok        {what}: {detail}")],
            Verdict::Noted(detail) => vec![format!("note      {what}: {detail}")],
            Verdict::NotAsked(why) => vec![format!("not asked {what}: {why}")],
            Verdict::Missing(denial) => {
                let (action, resource) = self.denied(denial);
                let mut lines =
                    vec![format!("missing   {what}"), format!("          missing: {action} on {resource}")];
                lines.push(format!("          do: {}", denial.todo));
                lines
            }
            Verdict::Failed(why, todo) => vec![
                format!("failed    {what}"),
                format!("          why: {why}"),
                format!("          do: {todo}"),
            ],
        }
    }
}

fn todo(text: &str) -> &'static str {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["NonExistentQueue", "QueueDoesNotExist", "NoSuchBucket"]) {
        "check the name and the Region"
    } else if says(&[
        "InvalidClientTokenId",
        "UnrecognizedClient",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "InvalidAccessKeyId",
    ]) {
        "the credentials are wrong or too old"
    } else if says(&[
        "no providers in chain",
        "CredentialsNotLoaded",
        "loading credentials",
        "credentials provider was not enabled",
    ]) {
        "give credentials: environment, profile, or the role of the task or instance"
    } else if says(&["password authentication failed", "no password"]) {
        "check user and password in the URL, or PGPASSWORD"
    } else if says(&["InvalidObjectState"]) {
        "the object is in an archived storage class: restore it, or name another one with --object"
    } else if says(&["did not answer", "dispatch failure", "connect", "timed out", "resolve"]) {
        "check endpoint, name server, security groups and routes: the service cannot be reached from here"
    } else {
        "see the text above"
    }
}

/// Something did not answer.
#[derive(Debug, thiserror::Error)]
#[error("it did not answer within {} s", .0.as_secs())]
struct Silent(Duration);

/// Waits for an answer, but not for ever.
pub(super) async fn in_time<T, E: Into<Box<dyn Error + Send + Sync>>>(
    asked: impl Future<Output = Result<T, E>>,
) -> Result<T, Wrapped> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answered) => answered.map_err(|error| Wrapped(error.into())),
        Err(_elapsed) => Err(Wrapped(Silent(PATIENCE).into())),
    }
}

/// Any error, with its causes.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct Wrapped(Box<dyn Error + Send + Sync>);
