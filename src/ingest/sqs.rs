//! The queue over Amazon SQS.
//!
//! Gives what [`Queue`] promises with SQS's own limits: ten messages or entries a
//! call, long polls of 20 seconds, 12 hours of visibility. Region, endpoint and
//! credentials come from where every AWS tool takes them; the Region of an Amazon
//! URL is in the URL. Promises:
//! - entries of a batch that the service refuses for a moment are sent again, alone;
//! - what it refuses for good, since the delivery ran out, is said and left: the message comes again.
//!
//! Not here: waiting for a service that is away (`worker`).

use std::time::Duration;

use aws_config::Region;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::http::HttpResponse;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
};
use futures::{StreamExt, TryStreamExt};

use super::error::{IngestError, back_off};
use super::progress::QueueDepth;
use super::queue::{Queue, QueueMessage, Received};
use crate::aws::Aws;

/// Messages or entries in one call: the service's limit.
const CALL_MAX: usize = 10;

/// Calls at the same time, a lane: 40 messages a round trip keep a lane of small objects busy.
const CALLS_AT_ONCE: usize = 4;

/// The longest poll the service knows.
const POLL_MAX: Duration = Duration::from_secs(20);

/// The longest a message can be hidden.
const VISIBILITY_MAX: Duration = Duration::from_hours(12);

/// How often entries that were refused for a moment are sent.
const TRIES_MAX: u32 = 4;

/// The attribute of a dead letter that says why it is one.
pub const REASON_ATTRIBUTE: &str = "ashiato_reason";

/// A reason may be this long: body and attributes share the service's limit of a message.
const REASON_CHARS_MAX: usize = 1000;

/// Which queue, and how messages are hidden.
#[derive(Debug, Clone)]
pub struct SqsSettings {
    /// Its URL.
    pub url: String,
    /// Where dead letters are sent; without it they are left to the queue's own redrive policy.
    pub dead_letter_url: Option<String>,
    /// How long a message is hidden when it is received.
    pub visibility: Duration,
}

/// A queue of Amazon SQS.
#[derive(Debug)]
pub struct SqsQueue {
    client: Client,
    name: String,
    settings: SqsSettings,
}

/// What is to become of deliveries.
#[derive(Debug, Clone, Copy)]
enum Change {
    Hide(i32),
    Delete,
}

impl Change {
    const fn what(self) -> &'static str {
        match self {
            Self::Hide(_) => "hide messages for longer (sqs:ChangeMessageVisibility)",
            Self::Delete => "delete messages (sqs:DeleteMessage)",
        }
    }
}

impl SqsQueue {
    /// Returns the queue. Nothing is asked yet: a service that is away is waited for when messages are wanted.
    pub async fn open(settings: SqsSettings, aws: &Aws) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            // An answer to a long poll may take 20 s.
            .read_timeout(POLL_MAX + Duration::from_secs(10))
            .operation_attempt_timeout(POLL_MAX + Duration::from_secs(15))
            .build();
        let mut config = aws_sdk_sqs::config::Builder::from(aws.shared().await)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(TRIES_MAX));
        if let Some(region) = region_of(&settings.url) {
            config = config.region(Region::new(region));
        }
        Self::with(settings, Client::from_conf(config.build()))
    }

    /// Returns the queue over a client that is configured already.
    pub fn with(settings: SqsSettings, client: Client) -> Self {
        Self { client, name: name_of(&settings.url), settings }
    }

    /// Returns the client, as it is configured for the queue.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Says whether dead letters go to a queue of their own.
    pub fn has_dead_letter_queue(&self) -> bool {
        self.settings.dead_letter_url.is_some()
    }

    async fn poll(&self, wait: Duration) -> Result<Vec<QueueMessage>, IngestError> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.settings.url)
            .max_number_of_messages(i32::try_from(CALL_MAX).unwrap_or(1))
            .wait_time_seconds(whole_seconds(wait.min(POLL_MAX)))
            .visibility_timeout(whole_seconds(self.settings.visibility.min(VISIBILITY_MAX)))
            .message_attribute_names(REASON_ATTRIBUTE)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send()
            .await
            .map_err(|error| self.failed("receive messages (sqs:ReceiveMessage)", error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().map(read_message).collect())
    }

    /// Asks how much lies in a queue: this one, or that of its dead letters.
    ///
    /// # Errors
    /// The queue failed, or is not there.
    pub async fn depth(&self, url: &str) -> Result<QueueDepth, IngestError> {
        const ASKED: [QueueAttributeName; 3] = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let call = self.client.get_queue_attributes().queue_url(url).set_attribute_names(Some(ASKED.into()));
        let answer = call.send().await;
        let answer = answer.map_err(|error| {
            self.failed("ask how many messages there are (sqs:GetQueueAttributes)", error)
        })?;
        let [visible, in_flight, delayed] = ASKED.map(|name| {
            let count = answer.attributes.as_ref().and_then(|all| all.get(&name)?.parse().ok());
            count.unwrap_or(0)
        });
        Ok(QueueDepth { visible, in_flight, delayed })
    }

    /// Takes all messages there are out of the queue, up to a number, and hides them for its visibility.
    ///
    /// # Errors
    /// The queue failed.
    pub async fn take_all(&self, messages_max: usize) -> Result<Vec<QueueMessage>, IngestError> {
        let mut taken = Vec::new();
        while taken.len() < messages_max {
            // A poll that does not wait asks only some of the service's machines.
            let found = self.poll(Duration::from_secs(1)).await?;
            if found.is_empty() {
                break;
            }
            taken.extend(found);
        }
        Ok(taken)
    }

    /// Sends a message to a queue, with the reason when it is a dead letter.
    ///
    /// # Errors
    /// The queue failed, or is not there.
    pub async fn send(&self, url: &str, body: &str, reason: Option<&str>) -> Result<(), IngestError> {
        let what = "send a message (sqs:SendMessage)";
        let mut call = self.client.send_message().queue_url(url).message_body(body);
        if let Some(reason) = reason {
            let reason = reason.chars().filter(|letter| !letter.is_control()).take(REASON_CHARS_MAX);
            let attribute = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(reason.collect::<String>())
                .build()
                .map_err(|error| IngestError::Queue { what, source: Box::new(error) })?;
            call = call.message_attributes(REASON_ATTRIBUTE, attribute);
        }
        // A queue that is not there is an outage: the message stays where it is.
        let sent = call.send().await;
        sent.map(drop).map_err(|error| IngestError::Queue { what, source: Box::new(error) })
    }

    /// Changes up to ten deliveries; those refused for a moment are tried again, alone. Returns how many had run
    /// out.
    async fn change(&self, change: Change, receipt_handles: &[String]) -> Result<usize, IngestError> {
        let mut ran_out = 0;
        let mut left: Vec<(String, &String)> =
            receipt_handles.iter().enumerate().map(|(number, handle)| (number.to_string(), handle)).collect();
        for attempt in 1.. {
            let refused = self.send_change(change, &left).await?;
            let (lost, busy): (Vec<_>, Vec<_>) = refused.into_iter().partition(|entry| entry.sender_fault());
            ran_out += lost.len();
            if let Some(first) = lost.first() {
                tracing::warn!(
                    messages = lost.len(),
                    code = first.code(),
                    said = first.message(),
                    what = change.what(),
                    "deliveries ran out, the messages come again"
                );
            }
            let Some(first) = busy.first() else { break };
            if attempt >= TRIES_MAX {
                let said = first.message().unwrap_or_default();
                let source =
                    format!("{} of {} refused: {} {said}", busy.len(), receipt_handles.len(), first.code());
                return Err(IngestError::Queue { what: change.what(), source: source.into() });
            }
            left.retain(|(id, _)| busy.iter().any(|entry| entry.id() == id));
            tokio::time::sleep(back_off(attempt) / 5).await;
        }
        Ok(ran_out)
    }

    async fn send_change(
        &self,
        change: Change,
        entries: &[(String, &String)],
    ) -> Result<Vec<BatchResultErrorEntry>, IngestError> {
        let url = &self.settings.url;
        let wrong = |error| IngestError::Queue { what: change.what(), source: Box::new(error) };
        match change {
            Change::Delete => {
                let entry = |(id, handle): &(String, &String)| {
                    DeleteMessageBatchRequestEntry::builder().id(id).receipt_handle(*handle).build()
                };
                let entries = entries.iter().map(entry).collect::<Result<_, _>>().map_err(wrong)?;
                let call = self.client.delete_message_batch().queue_url(url).set_entries(Some(entries));
                let answer = call.send().await.map_err(|error| self.failed(change.what(), error))?;
                Ok(answer.failed)
            }
            Change::Hide(seconds) => {
                let entry = |(id, handle): &(String, &String)| {
                    ChangeMessageVisibilityBatchRequestEntry::builder()
                        .id(id)
                        .receipt_handle(*handle)
                        .visibility_timeout(seconds)
                        .build()
                };
                let entries = entries.iter().map(entry).collect::<Result<_, _>>().map_err(wrong)?;
                let call =
                    self.client.change_message_visibility_batch().queue_url(url).set_entries(Some(entries));
                let answer = call.send().await.map_err(|error| self.failed(change.what(), error))?;
                Ok(answer.failed)
            }
        }
    }

    /// Changes any number of deliveries, ten a call.
    async fn change_all(&self, change: Change, receipt_handles: &[String]) -> Result<usize, IngestError> {
        let calls: Vec<_> =
            receipt_handles.chunks(CALL_MAX).map(|chunk| self.change(change, chunk)).collect();
        futures::stream::iter(calls)
            .buffer_unordered(CALLS_AT_ONCE)
            .try_fold(0, |sum, ran_out| std::future::ready(Ok(sum + ran_out)))
            .await
    }

    fn failed<E>(&self, what: &'static str, error: SdkError<E, HttpResponse>) -> IngestError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let is_no_queue = error
            .code()
            .is_some_and(|code| code.ends_with("NonExistentQueue") || code.ends_with("QueueDoesNotExist"));
        let source = Box::new(error);
        if is_no_queue {
            IngestError::NoQueue { url: self.settings.url.clone(), source }
        } else {
            IngestError::Queue { what, source }
        }
    }
}

impl Queue for SqsQueue {
    fn name(&self) -> &str {
        &self.name
    }

    async fn receive(&self, messages_max: usize, wait: Duration) -> Result<Received, IngestError> {
        let calls = messages_max.div_ceil(CALL_MAX).clamp(1, CALLS_AT_ONCE);
        // Who asks for more than one call brings knows that the queue is full: no poll need wait.
        let wait = if calls == 1 { wait } else { Duration::ZERO };
        let answers = futures::future::join_all((0..calls).map(|_| self.poll(wait))).await;
        let (mut messages, mut failure) = (Vec::new(), None);
        for answer in answers {
            match answer {
                Ok(found) => messages.extend(found),
                Err(error) => failure = Some(error),
            }
        }
        // What one call brought is not given up for the failure of another; that comes again if it is real.
        match failure {
            _ if !messages.is_empty() => Ok(Received::Messages(messages)),
            Some(error) => Err(error),
            None => Ok(Received::Nothing),
        }
    }

    async fn extend(&self, receipt_handles: &[String], visibility: Duration) -> Result<usize, IngestError> {
        let seconds = whole_seconds(visibility.min(VISIBILITY_MAX));
        self.change_all(Change::Hide(seconds), receipt_handles).await
    }

    async fn delete(&self, receipt_handles: &[String]) -> Result<(), IngestError> {
        self.change_all(Change::Delete, receipt_handles).await.map(drop)
    }

    async fn dead_letter(&self, message: &QueueMessage, reason: &str) -> Result<(), IngestError> {
        let receipt_handle = std::slice::from_ref(&message.receipt_handle);
        let Some(url) = &self.settings.dead_letter_url else {
            // Each delivery counts towards the redrive policy; without one the message comes until it is too old.
            return self.extend(receipt_handle, back_off(message.receive_count)).await.map(drop);
        };
        self.send(url, &message.body, Some(reason)).await?;
        self.delete(receipt_handle).await
    }
}

fn read_message(message: Message) -> QueueMessage {
    let counted = message.attributes.as_ref();
    let count = counted.and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount));
    let sent = counted.and_then(|all| all.get(&MessageSystemAttributeName::SentTimestamp));
    let reason =
        message.message_attributes.as_ref().and_then(|all| all.get(REASON_ATTRIBUTE)?.string_value());
    QueueMessage {
        reason: reason.map(str::to_owned),
        sent_at: sent.and_then(|sent| jiff::Timestamp::from_millisecond(sent.parse().ok()?).ok()),
        receive_count: count.and_then(|count| count.parse().ok()).unwrap_or(1),
        id: message.message_id.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        receipt_handle: message.receipt_handle.unwrap_or_default(),
    }
}

/// Seconds, rounded up: a wait that rounds to none would poll without pause.
fn whole_seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis().div_ceil(1000)).unwrap_or(i32::MAX)
}

/// The Region in an Amazon URL: `https://sqs.eu-west-1.amazonaws.com/…`.
fn region_of(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let mut labels = url.host_str()?.split('.');
    let (first, region, domain) = (labels.next()?, labels.next()?, labels.next()?);
    (first == "sqs" && domain == "amazonaws").then(|| region.to_owned())
}

/// Account and name in a URL: what tells the queue from others.
fn name_of(url: &str) -> String {
    url::Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.path().trim_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_tells_region_and_name() {
        let url = "https://sqs.eu-west-1.amazonaws.com/111122223333/logs";
        assert_eq!(
            (region_of(url).as_deref(), name_of(url).as_str()),
            (Some("eu-west-1"), "111122223333/logs")
        );
        assert_eq!(region_of("http://127.0.0.1:4100/111122223333/logs"), None);
        assert_eq!(region_of("logs"), None);
    }

    #[test]
    fn waits_are_rounded_up() {
        assert_eq!(
            [0, 1, 1000, 1001].map(|millis| whole_seconds(Duration::from_millis(millis))),
            [0, 1, 1, 2]
        );
    }
}
