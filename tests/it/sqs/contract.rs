//! What SQS promises, held against the tests' own service, and against somebody else's where
//! `ASHIATO_TEST_AWS=http://127.0.0.1:PORT` names one (ministack, for example).

use std::time::{Duration, Instant};

use ashiato::ingest::progress::QueueDepth;
use ashiato::ingest::sqs::{SqsQueue, SqsSettings};
use ashiato::ingest::{IngestError, Queue, QueueMessage};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;

use super::{FakeSqs, client_of, handles, receive_all};
use crate::archive::blocking;

/// Two queues of a service.
struct Ground {
    client: Client,
    logs: String,
    dead: String,
}

/// Runs a contract on each service there is, with queues of its own.
fn keeps(name: &str, contract: impl AsyncFn(Ground)) {
    let fake = FakeSqs::start();
    #[expect(clippy::disallowed_methods, reason = "no setting of the program: only tests read it")]
    let foreign = std::env::var("ASHIATO_TEST_AWS").ok();
    for endpoint in std::iter::once(fake.endpoint()).chain(foreign) {
        blocking(async {
            let client = client_of(&endpoint);
            let create = async |queue: &str| {
                let created = client.create_queue().queue_name(format!("{name}-{queue}")).send().await;
                created.unwrap().queue_url.unwrap()
            };
            let (logs, dead) = (create("logs").await, create("dead").await);
            contract(Ground { client, logs, dead }).await;
        });
    }
}

impl Ground {
    /// The queue of logs as the worker sees it.
    fn open(&self, visibility: Duration) -> SqsQueue {
        let settings =
            SqsSettings { url: self.logs.clone(), dead_letter_url: Some(self.dead.clone()), visibility };
        SqsQueue::with(settings, self.client.clone())
    }

    async fn send(&self, body: &str) {
        self.client.send_message().queue_url(&self.logs).message_body(body).send().await.unwrap();
    }

    /// Moves what came so often to the queue for dead letters.
    async fn redrive(&self, deliveries_max: u32) {
        let name = QueueAttributeName::QueueArn;
        let asked = self.client.get_queue_attributes().queue_url(&self.dead).attribute_names(name.clone());
        let arn = asked.send().await.unwrap().attributes.unwrap().remove(&name).unwrap();
        let policy = serde_json::json!({"deadLetterTargetArn": arn, "maxReceiveCount": deliveries_max});
        let set = self.client.set_queue_attributes().queue_url(&self.logs);
        set.attributes(QueueAttributeName::RedrivePolicy, policy.to_string()).send().await.unwrap();
    }

    async fn dead(&self) -> Vec<QueueMessage> {
        let settings = SqsSettings {
            url: self.dead.clone(),
            dead_letter_url: None,
            visibility: Duration::from_secs(30),
        };
        SqsQueue::with(settings, self.client.clone()).take_all(10).await.unwrap()
    }
}

#[test]
fn a_message_not_deleted_comes_back_and_is_counted() {
    keeps("back", async |ground| {
        let queue = ground.open(Duration::from_secs(1));
        ground.send("body 0").await;
        let depth = |visible, in_flight| QueueDepth { visible, in_flight, delayed: 0 };
        assert_eq!(queue.depth(&ground.logs).await.unwrap(), depth(1, 0));
        let first = receive_all(&queue, Duration::ZERO).await;
        assert_eq!((first[0].body.as_str(), first[0].receive_count), ("body 0", 1));
        assert_eq!(queue.depth(&ground.logs).await.unwrap(), depth(0, 1));
        assert_eq!(receive_all(&queue, Duration::ZERO).await, [], "hidden");
        let again = receive_all(&queue, Duration::from_secs(5)).await;
        assert_eq!((again[0].id.as_str(), again[0].receive_count), (first[0].id.as_str(), 2));
        assert_eq!(again[0].sent_at, first[0].sent_at);
        #[expect(clippy::disallowed_methods, reason = "held against the clock of the service")]
        let now = jiff::Timestamp::now();
        let age = now.duration_since(again[0].sent_at.unwrap()).as_millis();
        assert!((900..20_000).contains(&age), "{age}");
        queue.delete(&handles(&again)).await.unwrap();
        assert_eq!(queue.depth(&ground.logs).await.unwrap(), depth(0, 0));
    });
}

#[test]
fn a_message_that_is_hidden_longer_stays_away_and_one_that_is_shown_comes_at_once() {
    keeps("hidden", async |ground| {
        let queue = ground.open(Duration::from_secs(1));
        ground.send("body 0").await;
        let first = receive_all(&queue, Duration::ZERO).await;
        // Asked for more than the service's ceiling of twelve hours, which then counts.
        queue.extend(&handles(&first), Duration::from_hours(24)).await.unwrap();
        assert_eq!(receive_all(&queue, Duration::from_secs(2)).await, []);
        queue.extend(&handles(&first), Duration::ZERO).await.unwrap();
        assert_eq!(receive_all(&queue, Duration::ZERO).await.len(), 1);
    });
}

#[test]
fn a_long_poll_returns_when_a_message_comes() {
    keeps("poll", async |ground| {
        let queue = ground.open(Duration::from_secs(30));
        let began = Instant::now();
        let (received, ()) = tokio::join!(receive_all(&queue, Duration::from_secs(20)), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            ground.send("late").await;
        });
        assert_eq!(received.len(), 1);
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    });
}

#[test]
fn many_messages_go_in_tens_and_what_is_gone_is_gone() {
    keeps("tens", async |ground| {
        let queue = ground.open(Duration::from_secs(30));
        for number in 0..25 {
            ground.send(&format!("body {number}")).await;
        }
        let messages = queue.take_all(100).await.unwrap();
        assert_eq!(messages.len(), 25);
        queue.delete(&handles(&messages)).await.unwrap();
        assert_eq!(queue.take_all(100).await.unwrap(), []);
        // A delivery that ran out is no failure.
        queue.delete(&handles(&messages)).await.unwrap();
    });
}

#[test]
fn a_dead_letter_has_its_reason_and_redrive_moves_what_came_too_often() {
    keeps("letters", async |ground| {
        let queue = ground.open(Duration::from_secs(1));
        ground.send("body 0").await;
        let messages = receive_all(&queue, Duration::from_secs(5)).await;
        queue.dead_letter(&messages[0], "no such\nthing").await.unwrap();
        let dead = ground.dead().await;
        assert_eq!((dead[0].body.as_str(), dead[0].reason.as_deref()), ("body 0", Some("no suchthing")));
        ground.redrive(2).await;
        ground.send("body 1").await;
        for _ in 0..2 {
            assert_eq!(receive_all(&queue, Duration::from_secs(5)).await.len(), 1);
        }
        // The service moves it when it would be delivered a third time.
        assert_eq!(receive_all(&queue, Duration::from_secs(3)).await, []);
        let moved = ground.dead().await;
        assert_eq!(moved.iter().map(|message| message.body.as_str()).collect::<Vec<_>>(), ["body 1"]);
    });
}

#[test]
fn a_queue_that_is_not_there_is_told() {
    keeps("missing", async |ground| {
        let missing = Ground { logs: format!("{}-not", ground.logs), ..ground };
        let asked = missing.open(Duration::from_secs(1)).receive(10, Duration::ZERO).await;
        assert!(matches!(asked, Err(IngestError::NoQueue { .. })), "{asked:?}");
    });
}
