//! A queue service for tests: Amazon SQS as far as a worker meets it, over real TCP.
//!
//! Speaks AWS JSON 1.0 to the real SDK: visibility, receive counts, long polls, batches, redrive to a
//! dead-letter queue, and faults on demand. `contract` holds it against what the service promises.

mod contract;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ashiato::ingest::queue::Received;
use ashiato::ingest::sqs::{SqsQueue, SqsSettings};
use ashiato::ingest::{IngestError, Queue, QueueMessage};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::Notify;

/// The queue that workers read.
pub(crate) const LOGS: &str = "logs";
/// Where the worker puts dead letters, with reasons.
pub(crate) const DEAD: &str = "dead";

/// A message.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    id: String,
    pub(crate) body: String,
    sent: std::time::SystemTime,
    /// Why the worker put it here.
    pub(crate) reason: String,
    pub(crate) receive_count: u32,
}

#[derive(Debug, Default)]
struct OneQueue {
    ready: VecDeque<Stored>,
    hidden: HashMap<String, (Stored, Instant)>,
    /// Deliveries after which a message goes to another queue.
    redrive: Option<(u32, String)>,
}

/// What goes wrong on purpose.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// So many calls are refused for being too many.
    pub(crate) throttled: u32,
    /// So many entries of batches fail for a moment.
    pub(crate) failing_entries: u32,
    /// Operations that the caller may not do.
    pub(crate) denied: Vec<&'static str>,
    /// Nothing is answered but errors.
    pub(crate) is_away: bool,
}

#[derive(Debug, Default)]
struct Inner {
    queues: HashMap<String, OneQueue>,
    names: u64,
    faults: Faults,
    calls: HashMap<String, u64>,
}

#[derive(Debug, Default)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Notify,
}

/// The service, as long as this lives.
pub(crate) struct FakeSqs {
    shared: Arc<Shared>,
    address: std::net::SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl FakeSqs {
    /// Starts the service with a queue for logs and one for dead letters.
    pub(crate) fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let shared = Arc::new(Shared::default());
        for name in [LOGS, DEAD] {
            shared.lock().queues.insert(name.to_owned(), OneQueue::default());
        }
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        drop(runtime.spawn(async move { axum::serve(listener, router).await }));
        Self { shared, address, _runtime: runtime }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn url(&self, queue: &str) -> String {
        format!("{}/111122223333/{queue}", self.endpoint())
    }

    /// Variables with which the SDK finds the service.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL_SQS", self.endpoint()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEKEY000001".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "example".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    pub(crate) fn send(&self, queue: &str, body: &str) {
        self.shared.lock().send(queue, body, String::new());
        self.shared.changed.notify_waiters();
    }

    /// Returns what sends messages from elsewhere.
    pub(crate) fn sender(&self) -> impl Fn(&str, &str) + Send + 'static {
        let shared = Arc::clone(&self.shared);
        move |queue, body| {
            shared.lock().send(queue, body, String::new());
            shared.changed.notify_waiters();
        }
    }

    /// Says which messages are in a queue, hidden or not.
    pub(crate) fn messages(&self, queue: &str) -> Vec<Stored> {
        let inner = self.shared.lock();
        let queue = &inner.queues[queue];
        queue.ready.iter().chain(queue.hidden.values().map(|(message, _)| message)).cloned().collect()
    }

    /// Takes messages as a Lambda event source does.
    #[cfg(feature = "lambda")]
    pub(crate) fn take(&self, queue: &str, max: usize) -> Vec<Value> {
        self.shared.lock().take(queue, max, Duration::from_mins(30))
    }

    /// Deletes a delivery.
    #[cfg(feature = "lambda")]
    pub(crate) fn delete(&self, queue: &str, handle: &str) {
        self.shared.lock().queues.get_mut(queue).unwrap().hidden.remove(handle);
    }

    /// Says how long hidden messages will be.
    #[cfg(feature = "lambda")]
    pub(crate) fn hidden(&self, queue: &str) -> Vec<Duration> {
        let inner = self.shared.lock();
        let hidden = inner.queues[queue].hidden.values();
        hidden.map(|(_, until)| until.saturating_duration_since(Instant::now())).collect()
    }

    /// Shows hidden messages now.
    #[cfg(feature = "lambda")]
    pub(crate) fn show(&self, queue: &str) {
        let mut inner = self.shared.lock();
        let hidden = inner.queues.get_mut(queue).unwrap().hidden.values_mut();
        hidden.for_each(|(_, until)| *until = Instant::now());
    }

    /// Lets the time of all hidden messages run out: their deliveries count no longer.
    pub(crate) fn run_out(&self) {
        let mut inner = self.shared.lock();
        let queue = inner.queues.get_mut(LOGS).unwrap();
        let hidden = std::mem::take(&mut queue.hidden);
        queue.ready.extend(hidden.into_values().map(|(message, _)| message));
    }

    /// Brings the messages that wait into another order: SQS promises none.
    pub(crate) fn shuffle(&self, seed: u64) {
        let mut inner = self.shared.lock();
        let ready = &mut inner.queues.get_mut(LOGS).unwrap().ready;
        fastrand::Rng::with_seed(seed).shuffle(ready.make_contiguous());
    }

    pub(crate) fn redrive(&self, deliveries_max: u32) {
        self.shared.lock().queues.get_mut(LOGS).unwrap().redrive = Some((deliveries_max, DEAD.to_owned()));
    }

    pub(crate) fn faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.shared.lock().faults);
    }

    /// How often an operation was called.
    pub(crate) fn calls(&self, operation: &str) -> u64 {
        self.shared.lock().calls.get(operation).copied().unwrap_or(0)
    }
}

#[expect(clippy::disallowed_methods, reason = "the service has a clock of its own")]
fn now() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

fn millis(time: std::time::SystemTime) -> u128 {
    time.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn send(&mut self, queue: &str, body: &str, reason: String) -> String {
        self.names += 1;
        let id = format!("message-{}", self.names);
        let message = Stored { id: id.clone(), body: body.to_owned(), sent: now(), reason, receive_count: 0 };
        self.queues.get_mut(queue).unwrap().ready.push_back(message);
        id
    }

    /// Brings hidden messages whose time has come back, and takes up to `max` out of the queue.
    fn take(&mut self, name: &str, max: usize, visibility: Duration) -> Vec<Value> {
        let now = Instant::now();
        let queue = self.queues.get_mut(name).unwrap();
        let back: Vec<_> = queue
            .hidden
            .iter()
            .filter(|(_, (_, until))| *until <= now)
            .map(|(handle, _)| handle.clone())
            .collect();
        for handle in back {
            let (message, _) = queue.hidden.remove(&handle).unwrap();
            queue.ready.push_back(message);
        }
        let (mut taken, mut dead) = (Vec::new(), Vec::new());
        while taken.len() < max {
            let Some(mut message) = queue.ready.pop_front() else { break };
            if queue
                .redrive
                .as_ref()
                .is_some_and(|(deliveries_max, _)| message.receive_count >= *deliveries_max)
            {
                dead.push(message);
                continue;
            }
            message.receive_count += 1;
            self.names += 1;
            let handle = format!("handle-{}", self.names);
            taken.push(json!({
                "MessageId": message.id,
                "ReceiptHandle": handle,
                "Body": message.body,
                "MessageAttributes": {"ashiato_reason": {"DataType": "String", "StringValue": message.reason}},
                "Attributes": {
                    "ApproximateReceiveCount": message.receive_count.to_string(),
                    "SentTimestamp": millis(message.sent).to_string(),
                },
            }));
            queue.hidden.insert(handle, (message, now + visibility));
        }
        if let Some((_, target)) = queue.redrive.clone() {
            self.queues.get_mut(&target).unwrap().ready.extend(dead);
        }
        taken
    }

    fn set_redrive(&mut self, name: &str, request: &Value) -> Value {
        let policy = request["Attributes"]["RedrivePolicy"].as_str().unwrap();
        let policy: Value = serde_json::from_str(policy).unwrap();
        let target = policy["deadLetterTargetArn"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
        let deliveries_max = u32::try_from(policy["maxReceiveCount"].as_u64().unwrap()).unwrap();
        self.queues.get_mut(name).unwrap().redrive = Some((deliveries_max, target));
        json!({})
    }

    fn attributes(&self, name: &str) -> Value {
        let queue = &self.queues[name];
        let hidden = queue.hidden.values().filter(|(_, until)| *until > Instant::now()).count();
        json!({"Attributes": {
            "QueueArn": format!("arn:aws:sqs:eu-west-1:111122223333:{name}"),
            "ApproximateNumberOfMessages": (queue.ready.len() + queue.hidden.len() - hidden).to_string(),
            "ApproximateNumberOfMessagesNotVisible": hidden.to_string(),
            "ApproximateNumberOfMessagesDelayed": "0",
        }})
    }

    fn batch(
        &mut self,
        name: &str,
        request: &Value,
        mut change: impl FnMut(&mut OneQueue, &Value) -> bool,
    ) -> Value {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        let entries = request["Entries"].as_array().unwrap();
        assert!((1..=10).contains(&entries.len()), "{request}");
        for entry in entries {
            let id = &entry["Id"];
            if self.faults.failing_entries > 0 {
                self.faults.failing_entries -= 1;
                bad.push(
                    json!({"Id": id, "SenderFault": false, "Code": "InternalError", "Message": "try again"}),
                );
            } else if change(self.queues.get_mut(name).unwrap(), entry) {
                good.push(json!({"Id": id}));
            } else {
                bad.push(json!({"Id": id, "SenderFault": true, "Code": "ReceiptHandleIsInvalid"}));
            }
        }
        json!({"Successful": good, "Failed": bad})
    }
}

fn refuse(status: StatusCode, code: &str) -> Response {
    refuse_saying(status, code, code)
}

fn refuse_saying(status: StatusCode, code: &str, said: &str) -> Response {
    let kind = if status.is_server_error() { "Receiver" } else { "Sender" };
    let headers = [("x-amzn-query-error", format!("{code};{kind}"))];
    let body = json!({"__type": format!("com.amazonaws.sqs#{code}"), "message": said}).to_string();
    (status, headers, body).into_response()
}

async fn answer(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let operation = headers["x-amz-target"].to_str().unwrap().trim_start_matches("AmazonSQS.").to_owned();
    let request: Value = serde_json::from_slice(&body).unwrap();
    if operation == "CreateQueue" {
        let name = request["QueueName"].as_str().unwrap();
        shared.lock().queues.entry(name.to_owned()).or_default();
        let host = headers["host"].to_str().unwrap();
        return json!({"QueueUrl": format!("http://{host}/111122223333/{name}")}).to_string().into_response();
    }
    let name = request["QueueUrl"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    {
        let mut inner = shared.lock();
        *inner.calls.entry(operation.clone()).or_default() += 1;
        if inner.faults.denied.contains(&operation.as_str()) {
            // As the service says it: the action in small letters.
            let action = operation.trim_end_matches("Batch").to_lowercase();
            let said = format!(
                "User: arn:aws:iam::111122223333:user/x is not authorized to perform: sqs:{action} on resource: \
                 arn:aws:sqs:eu-west-1:111122223333:{name} because no identity-based policy allows the sqs:{action} action"
            );
            return refuse_saying(StatusCode::FORBIDDEN, "AccessDenied", &said);
        }
        if inner.faults.is_away {
            return refuse(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure");
        }
        if inner.faults.throttled > 0 {
            inner.faults.throttled -= 1;
            return refuse(StatusCode::BAD_REQUEST, "RequestThrottled");
        }
        if !inner.queues.contains_key(&name) {
            return refuse(StatusCode::BAD_REQUEST, "AWS.SimpleQueueService.NonExistentQueue");
        }
    }
    let answer = match operation.as_str() {
        "ReceiveMessage" => receive(&shared, &name, &request).await,
        "SendMessage" => {
            let reason = request.pointer("/MessageAttributes/ashiato_reason/StringValue");
            let reason = reason.and_then(Value::as_str).unwrap_or_default().to_owned();
            json!({"MessageId": shared.lock().send(&name, request["MessageBody"].as_str().unwrap(), reason)})
        }
        "SetQueueAttributes" => shared.lock().set_redrive(&name, &request),
        "SendMessageBatch" => shared.lock().batch(&name, &request, |queue, entry| {
            let body = entry["MessageBody"].as_str().unwrap();
            assert!(body.is_empty(), "nothing is sent in batches: {queue:?}");
            false
        }),
        "DeleteMessageBatch" => shared.lock().batch(&name, &request, |queue, entry| {
            queue.hidden.remove(entry["ReceiptHandle"].as_str().unwrap()).is_some()
        }),
        "ChangeMessageVisibilityBatch" => shared.lock().batch(&name, &request, |queue, entry| {
            let seconds = entry["VisibilityTimeout"].as_u64().unwrap();
            assert!(seconds <= 43_200, "{entry}");
            let held = queue.hidden.get_mut(entry["ReceiptHandle"].as_str().unwrap());
            held.map(|(_, until)| *until = Instant::now() + Duration::from_secs(seconds)).is_some()
        }),
        "GetQueueAttributes" => shared.lock().attributes(&name),
        _ => return refuse(StatusCode::BAD_REQUEST, "UnsupportedOperation"),
    };
    shared.changed.notify_waiters();
    answer.to_string().into_response()
}

async fn receive(shared: &Shared, name: &str, request: &Value) -> Value {
    let number = |field: &str| request[field].as_u64().unwrap_or(0);
    let (max, wait) = (number("MaxNumberOfMessages"), number("WaitTimeSeconds"));
    assert!((1..=10).contains(&max) && wait <= 20, "{request}");
    let visibility = Duration::from_secs(number("VisibilityTimeout"));
    let deadline = Instant::now() + Duration::from_secs(wait);
    loop {
        let changed = shared.changed.notified();
        let messages = shared.lock().take(name, usize::try_from(max).unwrap(), visibility);
        if !messages.is_empty() || Instant::now() >= deadline {
            return json!({"Messages": messages});
        }
        // Hidden messages come back without anybody calling: look again soon.
        drop(tokio::time::timeout(Duration::from_millis(50), changed).await);
    }
}

/// The queue of logs as the worker sees it.
pub(crate) fn open(fake: &FakeSqs, visibility: Duration) -> SqsQueue {
    let config = client_of(&fake.endpoint());
    let settings = SqsSettings { url: fake.url(LOGS), dead_letter_url: Some(fake.url(DEAD)), visibility };
    SqsQueue::with(settings, config)
}

fn client_of(endpoint: &str) -> aws_sdk_sqs::Client {
    use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("AKIAEXAMPLEKEY000001", "example", None, None, "test"))
        .build();
    aws_sdk_sqs::Client::from_conf(config)
}

async fn receive_all(queue: &SqsQueue, wait: Duration) -> Vec<QueueMessage> {
    match queue.receive(10, wait).await.unwrap() {
        Received::Messages(messages) => messages,
        Received::Nothing => Vec::new(),
        Received::Closed => panic!("a queue of the service never closes"),
    }
}

fn handles(messages: &[QueueMessage]) -> Vec<String> {
    messages.iter().map(|message| message.receipt_handle.clone()).collect()
}

fn fake_of(bodies: usize) -> FakeSqs {
    let fake = FakeSqs::start();
    (0..bodies).for_each(|number| fake.send(LOGS, &format!("body {number}")));
    fake
}

#[test]
fn many_messages_go_in_tens_and_refused_entries_go_again_alone() {
    let fake = fake_of(35);
    crate::archive::blocking(async {
        let queue = open(&fake, Duration::from_secs(30));
        let Received::Messages(messages) = queue.receive(40, Duration::ZERO).await.unwrap() else { panic!() };
        assert_eq!(messages.len(), 35);
        fake.faults(|faults| faults.failing_entries = 7);
        queue.extend(&handles(&messages), Duration::from_mins(1)).await.unwrap();
        fake.faults(|faults| faults.failing_entries = 7);
        queue.delete(&handles(&messages)).await.unwrap();
        assert!(fake.messages(LOGS).is_empty());
        // What is gone is gone: a delivery that ran out is no failure.
        queue.delete(&handles(&messages)).await.unwrap();
        fake.faults(|faults| faults.failing_entries = 1000);
        let failed = queue.delete(&handles(&messages[..1])).await;
        assert!(matches!(failed, Err(IngestError::Queue { .. })), "{failed:?}");
    });
}

#[test]
fn throttling_is_waited_out_and_a_queue_that_is_not_there_is_told() {
    let fake = fake_of(1);
    crate::archive::blocking(async {
        let queue = open(&fake, Duration::from_secs(30));
        fake.faults(|faults| faults.throttled = 2);
        assert_eq!(receive_all(&queue, Duration::ZERO).await.len(), 1);
        let settings = SqsSettings {
            url: fake.url("no-such"),
            dead_letter_url: None,
            visibility: Duration::from_secs(30),
        };
        let missing = SqsQueue::with(settings, client_of(&fake.endpoint())).receive(10, Duration::ZERO).await;
        assert!(matches!(missing, Err(IngestError::NoQueue { .. })), "{missing:?}");
    });
}
