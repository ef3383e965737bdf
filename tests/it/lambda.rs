//! The function, as the built binary, between a queue service and Lambda's runtime API: what is done is deleted, the
//! rest comes again. Only with `--features lambda`, and, since a function wants PostgreSQL, `ASHIATO_TEST_POSTGRES`.

use std::process::Child;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::archive::{REGION, Site, blocking, file, gzip, key, record};
use crate::crash::start;
use crate::from_s3::ARCHIVE;
use crate::s3::{FakeS3, Fault, s3_event};
use crate::sqs::{DEAD, LOGS};
use crate::worker::{Rig, stop, uids};

/// Lambda's runtime API, as long as this lives: hands out events and keeps answers.
struct FakeRuntime {
    events: tokio::sync::mpsc::UnboundedSender<(Value, Duration)>,
    answers: mpsc::Receiver<(String, Value)>,
    address: std::net::SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

struct Shared {
    events: tokio::sync::Mutex<tokio::sync::mpsc::UnboundedReceiver<(Value, Duration)>>,
    answers: Mutex<mpsc::Sender<(String, Value)>>,
}

impl FakeRuntime {
    fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (events, receiver) = tokio::sync::mpsc::unbounded_channel();
        let (sender, answers) = mpsc::channel();
        let shared = Shared { events: tokio::sync::Mutex::new(receiver), answers: Mutex::new(sender) };
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/{outcome}", post(answered))
            .with_state(Arc::new(shared));
        drop(runtime.spawn(async move { axum::serve(listener, router).await }));
        Self { events, answers, address, _runtime: runtime }
    }
}

#[expect(clippy::disallowed_methods, reason = "the service has a clock of its own")]
async fn next(State(shared): State<Arc<Shared>>) -> Response {
    let Some((event, time)) = shared.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + time;
    let headers = [
        ("lambda-runtime-aws-request-id", "00000000-0000-4000-8000-000000000001".to_owned()),
        ("lambda-runtime-deadline-ms", deadline.as_millis().to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:eu-west-1:111122223333:function:f".to_owned(),
        ),
    ];
    (headers, event.to_string()).into_response()
}

async fn answered(
    State(shared): State<Arc<Shared>>,
    Path((_, outcome)): Path<(String, String)>,
    body: String,
) -> StatusCode {
    let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
    shared.answers.lock().unwrap().send((outcome, body)).unwrap();
    StatusCode::ACCEPTED
}

/// A function with its event source: the queue of a rig.
struct Function {
    rig: Rig,
    runtime: FakeRuntime,
    process: Child,
}

impl Function {
    /// Starts the function; `None` where there is no PostgreSQL for it.
    #[expect(clippy::print_stderr, reason = "who reads the tests' output learns that nothing was proved")]
    fn of(rig: Rig) -> Option<Self> {
        if !matches!(rig.site.catalog_place(), ashiato::lake::catalog::CatalogPlace::Postgres(_)) {
            eprintln!("skipped: ASHIATO_TEST_POSTGRES names no server");
            return None;
        }
        let runtime = FakeRuntime::start();
        let queue = rig.fake.url(LOGS);
        let Rig { site, fake } = rig;
        let site = site
            .with("AWS_LAMBDA_RUNTIME_API", &runtime.address.to_string())
            .with("AWS_LAMBDA_FUNCTION_NAME", "f")
            .with("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .with("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "2048")
            .with("ASHIATO_WORKER_QUEUE", &queue);
        let process = start(&site, &["lambda"]);
        Some(Self { rig: Rig { site, fake }, runtime, process })
    }

    /// Waits until it has started: its tables are there then.
    fn warm(&self) {
        self.runtime.events.send((json!({"Records": []}), LONG)).unwrap();
        let (outcome, answer) = self.runtime.answers.recv_timeout(LONG).unwrap();
        assert_eq!((outcome.as_str(), answer), ("response", json!({"batchItemFailures": []})));
    }

    /// Receives what the queue has as an event source does, and gives the answer to an invocation with it.
    #[track_caller]
    fn invoke(&self, time: Duration) -> (usize, Vec<String>) {
        let messages = self.rig.fake.take(LOGS, 1000);
        let records: Vec<Value> = messages
            .iter()
            .map(|message| {
                json!({
                    "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"],
                    "body": message["Body"], "attributes": message["Attributes"], "messageAttributes": {},
                    "md5OfBody": "", "eventSource": "aws:sqs", "awsRegion": "eu-west-1",
                    "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:logs",
                })
            })
            .collect();
        self.runtime.events.send((json!({"Records": records}), time)).unwrap();
        let (outcome, answer) = self.runtime.answers.recv_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(outcome, "response", "{answer}");
        let failures = answer["batchItemFailures"].as_array().unwrap().iter();
        let failures: Vec<String> =
            failures.map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned()).collect();
        for message in messages {
            if !failures.contains(&message["MessageId"].as_str().unwrap().to_owned()) {
                self.rig.fake.delete(LOGS, message["ReceiptHandle"].as_str().unwrap());
            }
        }
        (records.len(), failures)
    }

    fn claimed(&self) -> i64 {
        self.rig.site.count(CLAIMED)
    }
}

const CLAIMED: &str = "select count(*) from objects where state = 'claimed'";

const LONG: Duration = Duration::from_secs(60);

#[test]
fn what_is_read_is_deleted_and_what_nobody_knows_comes_again() {
    let Some(function) = Function::of(Rig::of(25)) else { return };
    let (fake, site) = (&function.rig.fake, &function.rig.site);
    fake.send(LOGS, "what is this?");
    fake.send(LOGS, r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#);
    let (handed, kept) = function.invoke(LONG);
    assert_eq!((handed, kept.len()), (27, 1));
    assert_eq!(site.uids(), uids(0..50));
    let left = fake.messages(LOGS);
    assert_eq!((left.len(), left[0].body.as_str()), (1, "what is this?"));
    // The same objects once more, by a function that is warm: nothing is added, nothing kept.
    for number in 0..25 {
        let name = crate::archive::key(crate::archive::REGION, &format!("object-{number}"));
        function.rig.announce(&name);
    }
    let (handed, kept) = function.invoke(LONG);
    assert_eq!((handed, kept.len()), (25, 0), "the unknown one is hidden for a while");
    assert_eq!(site.uids(), uids(0..50));
    let ran = stop(function.process);
    assert!(ran.err.contains("invocation done"), "{ran:?}");
}

#[test]
fn a_dead_letter_goes_where_it_is_found_with_its_reason() {
    let rig = Rig::of(2);
    let dead = rig.fake.url(DEAD);
    let Rig { site, fake } = rig;
    let rig = Rig { site: site.with("ASHIATO_WORKER_DEAD_LETTER_QUEUE", &dead), fake };
    let Some(function) = Function::of(rig) else { return };
    function.rig.fake.send(LOGS, "what is this?");
    assert_eq!(function.invoke(LONG), (3, Vec::new()));
    let dead = function.rig.fake.messages(DEAD);
    assert_eq!(dead.len(), 1);
    assert!(dead[0].reason.starts_with("the message is no JSON"), "{dead:?}");
    assert_eq!(function.rig.site.uids(), uids(0..4));
    stop(function.process);
}

#[test]
fn a_record_in_a_message_is_a_row_once() {
    let Some(function) = Function::of(Rig::of(0)) else { return };
    let record = crate::archive::record(7);
    let event = json!({
        "version": "0", "id": "00000000-0000-4000-8000-0000000000ff", "source": "aws.ec2",
        "detail-type": "AWS API Call via CloudTrail", "account": "111122223333", "time": record["eventTime"],
        "region": "eu-west-1", "resources": [], "detail": record,
    });
    for _ in 0..2 {
        function.rig.fake.send(LOGS, &event.to_string());
        assert_eq!(function.invoke(LONG), (1, Vec::new()));
    }
    assert_eq!(function.rig.site.uids(), uids(7..8));
    let rows = function.rig.site.query("select metadata.log_name as place from cloudtrail");
    let place = rows[0]["place"].as_str().unwrap();
    assert!(place.starts_with("sqs://111122223333/logs/"), "the same name a worker gives it: {place}");
    stop(function.process);
}

#[test]
fn what_is_not_done_in_time_comes_again() {
    let Some(function) = Function::of(Rig::of(5)) else { return };
    function.warm();
    let answered = blocking(async {
        use sqlx::Connection as _;
        let mut catalog = function.rig.site.catalog().await;
        let mut lock = catalog.begin().await.unwrap();
        sqlx::query("lock table objects in access exclusive mode").execute(&mut *lock).await.unwrap();
        let began = Instant::now();
        let answered = tokio::task::block_in_place(|| function.invoke(Duration::from_secs(6)));
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
        lock.rollback().await.unwrap();
        answered
    });
    assert_eq!((answered.0, answered.1.len()), (5, 5));
    // They were shown again at once.
    let (handed, kept) = function.invoke(LONG);
    assert_eq!((handed, kept.len()), (5, 0));
    assert_eq!(function.rig.site.uids(), uids(0..10));
    let ran = stop(function.process);
    assert!(ran.err.contains("out of time, the messages come again"), "{ran:?}");
}

#[test]
fn while_the_lake_is_away_messages_wait_and_claims_are_released() {
    let Some(function) = Function::of(Rig::of(3)) else { return };
    let hot = function.rig.site.lake().join("hot");
    // The function makes the lake when it starts.
    crate::worker::until("the lake is there", || function.rig.site.lake().exists());
    std::fs::write(&hot, "in the way").unwrap();
    let (handed, kept) = function.invoke(LONG);
    assert_eq!((handed, kept.len()), (3, 3));
    assert_eq!(function.claimed(), 0);
    let hidden = function.rig.fake.hidden(LOGS);
    assert!(
        hidden.iter().all(|time| (50..=60).contains(&time.as_secs())),
        "a minute, the first time: {hidden:?}"
    );
    std::fs::remove_file(&hot).unwrap();
    function.rig.fake.show(LOGS);
    assert_eq!(function.invoke(LONG), (3, Vec::new()));
    assert_eq!(function.rig.site.uids(), uids(0..6));
    stop(function.process);
}

#[test]
fn an_event_that_is_none_is_told_and_the_next_one_is_read() {
    let Some(function) = Function::of(Rig::of(1)) else { return };
    function.runtime.events.send((json!({"Records": [{"s3": {}}]}), LONG)).unwrap();
    let (outcome, answer) = function.runtime.answers.recv_timeout(LONG).unwrap();
    assert_eq!(outcome, "error", "{answer}");
    assert_eq!(function.invoke(LONG), (1, Vec::new()));
    stop(function.process);
}

#[test]
fn outside_lambda_or_without_postgresql_it_says_what_it_wants() {
    let site = Site::new();
    let ran = site.run(&["lambda"]).ended(1);
    assert!(ran.err.contains("this is no Lambda function"), "{ran:?}");
    let site = site
        .with("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")
        .with("AWS_LAMBDA_FUNCTION_NAME", "f")
        .with("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .with("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
        .with("ASHIATO_CATALOG", "catalog.sqlite");
    let ran = site.run(&["lambda"]).ended(1);
    assert!(ran.err.contains("its catalog must be PostgreSQL"), "{ran:?}");
}

#[test]
fn stopped_in_the_middle_it_gives_its_claims_back() {
    // An object of which not all comes: the function reads it when it is stopped, whatever it did before.
    let s3 = FakeS3::start(&[ARCHIVE]);
    let mut site = Site::new();
    for (name, value) in s3.variables() {
        site = site.with(name, &value);
    }
    let Some(function) = Function::of(Rig::new(site)) else { return };
    function.warm();
    let Function { rig, runtime, process } = function;
    s3.fail_first("GetObject", &[Fault::Stall; 20]);
    for name in ["a", "b"] {
        let name = key(REGION, name);
        let records: Vec<_> = (0..500).map(record).collect();
        let stored = s3.put(ARCHIVE, &name, &gzip(&file(&records)));
        rig.fake.send(LOGS, &s3_event(ARCHIVE, &name, &stored));
    }
    let records = rig.fake.take(LOGS, 10);
    let records: Vec<Value> = records
        .iter()
        .map(|message| {
            json!({"messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"], "eventSourceARN": "arn:aws:sqs:eu-west-1:111122223333:logs"})
        })
        .collect();
    runtime.events.send((json!({"Records": records}), LONG)).unwrap();
    crate::worker::until("both are read", || rig.site.count(CLAIMED) == 2 && s3.calls("GetObject") > 0);
    let ran = stop(process);
    assert!(ran.err.contains("claims are released"), "{ran:?}");
    assert_eq!(rig.site.count(CLAIMED), 0);
    assert_eq!(rig.site.count("select count(*) from files"), 0, "nothing was committed");
}
