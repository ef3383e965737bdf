//! An S3 service for tests: buckets in memory over real TCP, read by the real SDK, with signatures checked.
//!
//! What real buckets do to their readers it does on demand: other Regions, refused keys, requesters who pay,
//! roles with an external id (its own STS), and faults of a seeded dice. `contract` holds it against what S3 promises.

mod contract;
mod store;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ashiato::ingest::notification::{ObjectRef, write_notification};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use s3s::service::{S3Service, S3ServiceBuilder};

pub(crate) use store::Stored;
use store::{Bucket, Store};

use crate::sqs::LOGS;

/// The Region of buckets that say no other.
pub(crate) const HOME: &str = "eu-west-1";
/// The process's own key.
pub(crate) const KEY: &str = "AKIAEXAMPLEKEY000001";
/// The key of the role's sessions.
pub(crate) const ROLE_KEY: &str = "ASIAROLEEXAMPLE00001";
/// The role, and what its trust policy wants to hear.
pub(crate) const ROLE: &str = "arn:aws:iam::444455556666:role/read-logs";
pub(crate) const EXTERNAL_ID: &str = "for-ashiato";

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 500, nothing was done.
    Internal,
    /// 503, nothing was done.
    SlowDown,
    /// The answer takes a while.
    Slow,
    /// The body of the answer breaks off in the middle.
    Cut,
    /// The body of the answer stops in the middle and never ends.
    Stall,
    /// It was done, and the answer is 500.
    Lost,
}

/// All kinds that take no long time.
pub(crate) const EVERY: [Fault; 5] = [Fault::Internal, Fault::SlowDown, Fault::Slow, Fault::Cut, Fault::Lost];

/// What a bucket wants of its readers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// The Region it is in.
    pub(crate) region: Option<&'static str>,
    /// Operations that nobody may do, told as S3 tells it.
    pub(crate) denied: Vec<&'static str>,
    /// It answers with errors alone.
    pub(crate) is_away: bool,
    /// Nobody may read its objects.
    pub(crate) is_denied: bool,
    /// Its objects are encrypted with a key that nobody gives.
    pub(crate) is_kms_denied: bool,
    /// Its objects are in an archived storage class.
    pub(crate) is_archived: bool,
    /// The requester has to say that it pays.
    pub(crate) payer: bool,
    /// Only the role may.
    pub(crate) wants_role: bool,
    /// Of objects whose key holds this nothing is given behind the first piece.
    pub(crate) broken_tail: Option<&'static str>,
}

#[derive(Default)]
struct Settings {
    rules: HashMap<String, Rules>,
    /// Calls of a hundred that go wrong, how, and the dice.
    percent: u32,
    kinds: Vec<Fault>,
    dice: fastrand::Rng,
    /// Calls of one operation that go wrong first of all.
    first: Vec<(&'static str, Fault)>,
    /// Whatever is asked, nothing is answered but errors.
    is_away: bool,
    /// So many GETs have to wait together before any is answered.
    together: usize,
    waiting: usize,
    most_waiting: usize,
    calls: BTreeMap<String, u64>,
    faults: BTreeMap<String, u64>,
}

struct Shared {
    service: S3Service,
    gate: tokio::sync::Notify,
    settings: Mutex<Settings>,
}

/// The service, until it is dropped.
pub(crate) struct FakeS3 {
    store: Store,
    shared: Arc<Shared>,
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl FakeS3 {
    /// Starts the service with some buckets.
    pub(crate) fn start(buckets: &[&str]) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let store = Store::default();
        for bucket in buckets {
            store.lock().buckets.insert((*bucket).to_owned(), Bucket::default());
        }
        let mut keys = s3s::auth::SimpleAuth::new();
        keys.register(KEY.to_owned(), "example".into());
        keys.register(ROLE_KEY.to_owned(), "role-secret".into());
        let mut service = S3ServiceBuilder::new(store.clone());
        service.set_auth(keys);
        let dice = fastrand::Rng::with_seed(5);
        let settings = Mutex::new(Settings { dice, ..Settings::default() });
        let shared =
            Arc::new(Shared { service: service.build(), gate: tokio::sync::Notify::new(), settings });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        drop(runtime.spawn(async move { axum::serve(listener, router).await }));
        Self { store, shared, address, _runtime: runtime }
    }

    /// Makes a bucket.
    pub(crate) fn add(&self, bucket: &str) {
        self.store.lock().buckets.entry(bucket.to_owned()).or_default();
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Variables with which the SDK finds the service.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL_S3", self.endpoint()),
            ("AWS_ENDPOINT_URL_STS", self.endpoint()),
            ("AWS_REGION", HOME.to_owned()),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "example".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    pub(crate) fn put(&self, bucket: &str, key: &str, bytes: &[u8]) -> Stored {
        let stored = Stored { bytes: Bytes::copy_from_slice(bytes), ..Stored::default() };
        self.store.lock().put(bucket, key, stored).unwrap()
    }

    /// Puts an object that has metadata.
    pub(crate) fn put_with(&self, bucket: &str, key: &str, bytes: &[u8], metadata: &[(&str, &str)]) {
        let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let bytes = Bytes::copy_from_slice(bytes);
        let stored = Stored { bytes, metadata: Some(metadata.collect()), ..Stored::default() };
        self.store.lock().put(bucket, key, stored).unwrap();
    }

    pub(crate) fn delete(&self, bucket: &str, key: &str) {
        self.store.lock().delete(bucket, key).unwrap();
    }

    pub(crate) fn keys(&self, bucket: &str) -> Vec<String> {
        self.store.lock().buckets[bucket].keys()
    }

    pub(crate) fn newest(&self, bucket: &str, key: &str) -> Option<Stored> {
        self.store.lock().buckets[bucket].newest(key).cloned()
    }

    pub(crate) fn open_uploads(&self) -> usize {
        self.store.lock().open_uploads()
    }

    /// Keeps the versions of a bucket's objects from now on.
    pub(crate) fn keep_versions(&self, bucket: &str) {
        self.store.lock().buckets.get_mut(bucket).unwrap().keeps_versions = true;
    }

    /// Sends an S3 event for each object of a bucket that is written from now on.
    pub(crate) fn announce(&self, bucket: &str, send: impl Fn(&str, &str) + Send + 'static) {
        let wanted = bucket.to_owned();
        self.store.lock().announce = Some(Box::new(move |bucket, key, stored| {
            if bucket == wanted {
                send(LOGS, &s3_event(bucket, key, stored));
            }
        }));
    }

    pub(crate) fn rules(&self, bucket: &str, rules: Rules) {
        self.settings().rules.insert(bucket.to_owned(), rules);
    }

    /// Lets a share of all calls go wrong.
    pub(crate) fn fail(&self, percent: u32, kinds: &[Fault]) {
        let mut settings = self.settings();
        (settings.percent, settings.kinds) = (percent, kinds.to_vec());
    }

    /// Lets the next calls of an operation go wrong.
    pub(crate) fn fail_first(&self, operation: &'static str, faults: &[Fault]) {
        self.settings().first.extend(faults.iter().map(|fault| (operation, *fault)));
    }

    pub(crate) fn away(&self, is_away: bool) {
        self.settings().is_away = is_away;
    }

    /// Answers no GET before so many wait, or the first has waited for a long time.
    pub(crate) fn hold(&self, together: usize) {
        let mut settings = self.settings();
        (settings.together, settings.most_waiting) = (together, 0);
    }

    /// How many GETs waited together.
    pub(crate) fn most_waiting(&self) -> usize {
        self.settings().most_waiting
    }

    /// How often an operation was called.
    pub(crate) fn calls(&self, operation: &str) -> u64 {
        self.settings().calls.get(operation).copied().unwrap_or(0)
    }

    /// How often calls went wrong, by kind.
    pub(crate) fn faults(&self) -> BTreeMap<String, u64> {
        self.settings().faults.clone()
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.shared.settings()
    }
}

impl Shared {
    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until as many wait as were asked for; then nobody waits any more.
    async fn wait(&self) {
        const LONG: Duration = Duration::from_secs(20);
        let opened = self.gate.notified();
        tokio::pin!(opened);
        {
            let mut settings = self.settings();
            if settings.together == 0 {
                return;
            }
            // Who is not enabled now could miss the call.
            opened.as_mut().enable();
            settings.waiting += 1;
            settings.most_waiting = settings.most_waiting.max(settings.waiting);
            if settings.waiting >= settings.together {
                settings.together = 0;
                self.gate.notify_waiters();
            }
        }
        let is_open = tokio::time::timeout(LONG, opened).await.is_ok();
        let mut settings = self.settings();
        settings.waiting -= 1;
        if !is_open {
            settings.together = 0;
            self.gate.notify_waiters();
        }
    }
}

/// The event that S3 sends for an object.
pub(crate) fn s3_event(bucket: &str, key: &str, stored: &Stored) -> String {
    write_notification(&ObjectRef {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        version: stored.etag.clone(),
        version_id: Some(stored.version.clone()),
        region: Some(HOME.to_owned()),
        size: Some(stored.bytes.len() as u64),
    })
}

/// What is asked: the operation, of which bucket, of which object.
struct Asked {
    operation: &'static str,
    bucket: String,
}

fn read(request: &Request) -> Asked {
    let path = request.uri().path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let query = request.uri().query().unwrap_or_default();
    let has = |name: &str| query.split('&').any(|part| part.split('=').next() == Some(name));
    let operation = match (request.method(), key.is_empty()) {
        (&Method::GET, true) => "ListObjectsV2",
        (&Method::HEAD, true) => "HeadBucket",
        (&Method::POST, true) if has("delete") => "DeleteObjects",
        (&Method::PUT, true) => "CreateBucket",
        (&Method::GET, false) => "GetObject",
        (&Method::HEAD, false) => "HeadObject",
        (&Method::PUT, false) if has("partNumber") => "UploadPart",
        (&Method::PUT, false) => "PutObject",
        (&Method::POST, false) if has("uploads") => "CreateMultipartUpload",
        (&Method::POST, false) => "CompleteMultipartUpload",
        (&Method::DELETE, false) if has("uploadId") => "AbortMultipartUpload",
        (&Method::DELETE, false) => "DeleteObject",
        _ => "AssumeRole",
    };
    Asked { operation, bucket: bucket.to_owned() }
}

fn refuse(status: u16, code: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    let xml = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    (status, [("content-type", "application/xml")], xml).into_response()
}

/// Refuses to delete objects, each by itself, as S3 does.
async fn deny_each(bucket: &str, request: Request) -> Response {
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let keys = body.split("<Key>").skip(1).filter_map(|rest| Some(rest.split_once("</Key>")?.0));
    let errors: String = keys
        .map(|key| {
            format!(
                "<Error><Key>{key}</Key><Code>AccessDenied</Code><Message>User: arn:aws:iam::111122223333:user/x is not \
                 authorized to perform: s3:DeleteObject on resource: &quot;arn:aws:s3:::{bucket}/{key}&quot; because no \
                 identity-based policy allows the s3:DeleteObject action</Message></Error>"
            )
        })
        .collect();
    let xml =
        format!("<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{errors}</DeleteResult>");
    ([("content-type", "application/xml")], xml).into_response()
}

/// Decides what a bucket's rules say of a call; `None` lets it pass.
fn judge(rules: &Rules, asked: &Asked, request: &Request) -> Option<Response> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    let credential = header("authorization").split("Credential=").nth(1).unwrap_or_default();
    let mut scope = credential.split('/');
    let (key, region) = (scope.next().unwrap_or_default(), scope.nth(1).unwrap_or_default());
    let home = rules.region.unwrap_or(HOME);
    if region != home {
        let mut answer = refuse(301, "PermanentRedirect", "The bucket is in another Region");
        if asked.operation == "ListObjectsV2" {
            answer = refuse(400, "AuthorizationHeaderMalformed", "the region is wrong");
        }
        answer.headers_mut().insert("x-amz-bucket-region", home.parse().unwrap());
        return Some(answer);
    }
    if rules.denied.contains(&asked.operation) {
        let action = asked.operation.replace("ListObjectsV2", "ListBucket");
        let said = format!(
            "User: arn:aws:iam::111122223333:user/x is not authorized to perform: s3:{action} on resource: \
             &quot;arn:aws:s3:::{}&quot; because no identity-based policy allows the s3:{action} action",
            request.uri().path().trim_start_matches('/')
        );
        return Some(refuse(403, "AccessDenied", &said));
    }
    if rules.is_away {
        return Some(refuse(503, "ServiceUnavailable", "away"));
    }
    let is_tail = !header("range").is_empty() && !header("range").starts_with("bytes=0-");
    if is_tail && rules.broken_tail.is_some_and(|part| request.uri().path().contains(part)) {
        return Some(refuse(503, "ServiceUnavailable", "the tail is away"));
    }
    let of_object = matches!(asked.operation, "GetObject" | "HeadObject");
    if rules.is_denied && of_object || rules.wants_role && key != ROLE_KEY {
        return Some(refuse(403, "AccessDenied", "Access Denied"));
    }
    if rules.payer && header("x-amz-request-payer") != "requester" {
        return Some(refuse(403, "AccessDenied", "Access Denied"));
    }
    if asked.operation == "GetObject" && rules.is_kms_denied {
        let message = "User: arn:aws:iam::111122223333:user/x is not authorized to perform: kms:Decrypt on resource: \
                       arn:aws:kms:eu-west-1:444455556666:key/x";
        return Some(refuse(403, "AccessDenied", message));
    }
    if asked.operation == "GetObject" && rules.is_archived {
        return Some(refuse(403, "InvalidObjectState", "The operation is not valid for the storage class"));
    }
    None
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let asked = read(&request);
    let (fault, rules) = {
        let mut settings = shared.settings();
        *settings.calls.entry(asked.operation.to_owned()).or_default() += 1;
        if settings.is_away {
            return refuse(503, "ServiceUnavailable", "away");
        }
        let fault = settings.fault(&asked);
        (fault, settings.rules.get(&asked.bucket).cloned().unwrap_or_default())
    };
    if asked.operation == "AssumeRole" {
        return assume_role(request).await;
    }
    if asked.operation == "DeleteObjects" && rules.denied.contains(&asked.operation) {
        return deny_each(&asked.bucket, request).await;
    }
    if let Some(refused) = judge(&rules, &asked, &request) {
        return refused;
    }
    if asked.operation == "GetObject" {
        shared.wait().await;
    }
    match fault {
        Some(Fault::Internal) => return refuse(500, "InternalError", "try again"),
        Some(Fault::SlowDown) => return refuse(503, "SlowDown", "Please reduce your request rate."),
        Some(Fault::Slow) => tokio::time::sleep(Duration::from_millis(300)).await,
        Some(Fault::Cut | Fault::Stall | Fault::Lost) | None => {}
    }
    let request = request.map(s3s::Body::http_body_unsync);
    let answered = match shared.service.call(request).await {
        Ok(answered) => answered.map(Body::new),
        Err(error) => return refuse(500, "InternalError", &format!("{error:?}")),
    };
    match fault {
        Some(Fault::Lost) => refuse(500, "InternalError", "it was done all the same"),
        Some(fault @ (Fault::Cut | Fault::Stall))
            if asked.operation == "GetObject" && answered.status().is_success() =>
        {
            broken(answered, fault).await
        }
        _ => answered,
    }
}

/// Breaks a body off in the middle.
async fn broken(answered: Response, fault: Fault) -> Response {
    let (head, body) = answered.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let kept = bytes.slice(..bytes.len() / 2);
    let pieces = futures::stream::iter([Ok(kept)]).chain(futures::stream::once(async move {
        if fault == Fault::Stall {
            std::future::pending::<()>().await;
        }
        // The first half has to be on its way before the connection ends.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(std::io::Error::other("cut on purpose"))
    }));
    Response::from_parts(head, Body::from_stream(pieces))
}

impl Settings {
    /// Throws the dice for a call.
    fn fault(&mut self, asked: &Asked) -> Option<Fault> {
        let first = self.first.iter().position(|(operation, _)| *operation == asked.operation);
        let fault = match first {
            Some(at) => Some(self.first.remove(at).1),
            None if self.dice.u32(0..100) < self.percent => self.dice.choice(&self.kinds).copied(),
            None => None,
        };
        if let Some(fault) = fault {
            *self.faults.entry(format!("{fault:?}")).or_default() += 1;
        }
        fault
    }
}

/// A session of the role, for who says its external id.
async fn assume_role(request: Request) -> Response {
    let form = axum::body::to_bytes(request.into_body(), 1 << 16).await.unwrap();
    let form: HashMap<_, _> = url::form_urlencoded::parse(&form).into_owned().collect();
    let says = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    if says("Action") == "GetCallerIdentity" {
        let xml = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                   <Arn>arn:aws:iam::111122223333:user/x</Arn><UserId>x</UserId><Account>111122223333</Account>\
                   </GetCallerIdentityResult></GetCallerIdentityResponse>";
        return ([("content-type", "text/xml")], xml).into_response();
    }
    if says("RoleArn") != ROLE || says("ExternalId") != EXTERNAL_ID {
        let xml = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                   <Message>User is not authorized to perform: sts:AssumeRole</Message></Error></ErrorResponse>";
        return (StatusCode::FORBIDDEN, [("content-type", "text/xml")], xml).into_response();
    }
    let xml = format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>{ROLE_KEY}</AccessKeyId><SecretAccessKey>role-secret</SecretAccessKey>\
         <SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>\
         <AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:ashiato</AssumedRoleId><Arn>{ROLE}/ashiato</Arn>\
         </AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
    );
    ([("content-type", "text/xml")], xml).into_response()
}
