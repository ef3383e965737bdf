//! Checks the queue and that of its dead letters.
//!
//! Rights on messages are asked for with deliveries that are none: who may not is refused before the service
//! looks at them, who may is told that they are none.

use std::error::Error;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, QueueAttributeName,
    SendMessageBatchRequestEntry,
};

use super::check::{Check, Verdict, in_time};
use super::policy::queue_arn;
use crate::aws::Aws;
use crate::config::Config;
use crate::ingest::error::AWAY_DELIVERIES_MAX;
use crate::ingest::sqs::{SqsQueue, SqsSettings};

/// A delivery that is none.
const NO_DELIVERY: &str = "ashiato-preflight";

pub(super) async fn checks(config: &Config, aws: &Aws) -> Vec<Check> {
    let Some(url) = &config.worker.queue else {
        return vec![Check::not_asked("queue", "no queue is configured: set worker.queue")];
    };
    let region = aws.shared().await.region().map(ToString::to_string);
    let arn = queue_arn(url, region.as_deref());
    let settings = SqsSettings {
        url: url.clone(),
        dead_letter_url: config.worker.dead_letter_queue.clone(),
        visibility: config.ingest.visibility(),
    };
    let queue = SqsQueue::open(settings, aws).await;
    let client = queue.client();
    let mut checks = Vec::new();
    let what = ("queue: ask what lies in it", "sqs:GetQueueAttributes", arn.as_str());
    let asked = Box::pin(
        client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All).send(),
    );
    match in_time(asked).await {
        Ok(answer) => {
            let said = |name| answer.attributes().and_then(|all| all.get(&name)).map_or("", String::as_str);
            let waiting = said(QueueAttributeName::ApproximateNumberOfMessages);
            checks.push(Check::ok(what, &format!("about {waiting} messages wait")));
            checks.extend(redrive(said(QueueAttributeName::RedrivePolicy), config));
        }
        Err(error) => checks.push(Check::of_error(what, &error)),
    }
    checks.push(receive(client, url, &arn).await);
    checks.push(hide(client, url, &arn).await);
    checks.push(delete(client, url, &arn).await);
    match &config.worker.dead_letter_queue {
        Some(dead) => checks.extend(dead_letters(client, dead, region.as_deref()).await),
        None => checks.push(Check::not_asked("dead letters", "worker.dead_letter_queue is not set")),
    }
    checks
}

/// Says what a redrive policy does beside ours.
fn redrive(policy: &str, config: &Config) -> Option<Check> {
    let policy: serde_json::Value = serde_json::from_str(policy).unwrap_or_default();
    // A number, or text with one in it: both have been seen.
    let count = policy.get("maxReceiveCount");
    let count = count.and_then(|count| count.as_u64().or_else(|| count.as_str()?.parse().ok()));
    let ours = u64::from(config.ingest.deliveries_max.max(AWAY_DELIVERIES_MAX));
    let note = match (count, &config.worker.dead_letter_queue) {
        (None, None) => {
            "neither a redrive policy nor worker.dead_letter_queue: a message nothing can be made of comes until it is \
             too old"
                .to_owned()
        }
        (Some(count), Some(_)) if count < ours => format!(
            "its redrive policy moves messages after {count} deliveries; ashiato gives some {ours}, and then a reason: \
             set maxReceiveCount to more"
        ),
        _ => return None,
    };
    Some(Check::of(("queue: redrive policy", "", ""), Verdict::Noted(note)))
}

async fn receive(client: &Client, url: &str, arn: &str) -> Check {
    let what = ("queue: receive messages", "sqs:ReceiveMessage", arn);
    // Hidden for no time: a worker gets what is met here at once.
    let asked = client.receive_message().queue_url(url).max_number_of_messages(1).visibility_timeout(0);
    match in_time(Box::pin(asked.wait_time_seconds(0).send())).await {
        Ok(_) => Check::ok(what, ""),
        Err(error) => Check::of_error(what, &error),
    }
}

async fn hide(client: &Client, url: &str, arn: &str) -> Check {
    let what = ("queue: hide messages for longer", "sqs:ChangeMessageVisibility", arn);
    let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id("0").receipt_handle(NO_DELIVERY);
    let entry = entry.visibility_timeout(0).build().ok();
    let asked =
        client.change_message_visibility_batch().queue_url(url).set_entries(entry.map(|entry| vec![entry]));
    probed(what, in_time(Box::pin(async { allowed(asked.send().await) })).await.err())
}

async fn delete(client: &Client, url: &str, arn: &str) -> Check {
    let what = ("queue: delete messages", "sqs:DeleteMessage", arn);
    let entry = DeleteMessageBatchRequestEntry::builder().id("0").receipt_handle(NO_DELIVERY).build().ok();
    let asked = client.delete_message_batch().queue_url(url).set_entries(entry.map(|entry| vec![entry]));
    probed(what, in_time(Box::pin(async { allowed(asked.send().await) })).await.err())
}

async fn dead_letters(client: &Client, url: &str, region: Option<&str>) -> Vec<Check> {
    let arn = queue_arn(url, region);
    let what = ("dead letters: ask what lies there", "sqs:GetQueueAttributes", arn.as_str());
    let asked = client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
    let there = match in_time(Box::pin(asked.send())).await {
        Ok(_) => Check::ok(what, ""),
        Err(error) => Check::of_error(what, &error),
    };
    // A message without a body cannot be sent.
    let what = ("dead letters: send", "sqs:SendMessage", arn.as_str());
    let entry = SendMessageBatchRequestEntry::builder().id("0").message_body("").build().ok();
    let asked = client.send_message_batch().queue_url(url).set_entries(entry.map(|entry| vec![entry]));
    let sent = probed(what, in_time(Box::pin(async { allowed(asked.send().await) })).await.err());
    vec![there, sent]
}

fn probed(what: super::check::What<'_>, failed: Option<super::check::Wrapped>) -> Check {
    match failed {
        None => Check::ok(what, "probed"),
        Some(error) => Check::of_error(what, &error),
    }
}

/// An answer that finds fault with the probe is one that would do the real thing.
fn allowed<T, E>(answer: Result<T, SdkError<E>>) -> Result<(), Box<dyn Error + Send + Sync>>
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    const FAULTS: [&str; 6] = [
        "ReceiptHandleIsInvalid",
        "InvalidParameterValue",
        "MissingParameter",
        "InvalidMessageContents",
        "InvalidAttributeValue",
        "EmptyValue",
    ];
    match answer {
        Err(error) if error.code().is_some_and(|code| FAULTS.iter().any(|fault| code.ends_with(fault))) => {
            Ok(())
        }
        answer => Ok(answer.map(drop)?),
    }
}
