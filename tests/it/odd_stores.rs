//! Stores and buckets that are not what an endpoint should be: nothing is taken for gone or read without end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::json;

use crate::archive::{REGION, event_id, key};
use crate::from_s3::{ARCHIVE, Cloud};
use crate::s3::{Stored, s3_event};
use crate::sqs::LOGS;

/// A service that is no S3, as long as this lives.
struct NoS3 {
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl NoS3 {
    fn start(answer: impl Fn() -> Response + Clone + Send + Sync + 'static) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(move || std::future::ready(answer()));
        drop(runtime.spawn(async move { axum::serve(listener, router).await }));
        Self { address, _runtime: runtime }
    }

    /// A worker's site whose S3 is this.
    fn cloud(&self) -> Cloud {
        let Cloud { site, s3, sqs } = Cloud::new();
        Cloud { site: site.with("AWS_ENDPOINT_URL_S3", &format!("http://{}", self.address)), s3, sqs }
    }
}

/// An object as messages name it, of a size.
fn named(bytes: usize) -> Stored {
    Stored {
        bytes: Bytes::from(vec![0; bytes]),
        etag: "0123456789abcdef0123456789abcdef".to_owned(),
        version: "null".to_owned(),
        ..Stored::default()
    }
}

/// Announces two objects, one with its ETag, so that it is read at once, and one that is asked about before.
fn announce(cloud: &Cloud, bucket: &str) {
    cloud.sqs.send(LOGS, &s3_event(bucket, &key(REGION, "a"), &named(10)));
    cloud.sqs.send(LOGS, &json!({"s3Bucket": bucket, "s3ObjectKey": [key(REGION, "b")]}).to_string());
}

#[test]
fn behind_a_wrong_endpoint_nothing_is_gone() {
    for status in [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED] {
        let cloud = NoS3::start(move || (status, "<html>nothing here</html>").into_response());
        let (_no_s3, cloud) = (&cloud, cloud.cloud());
        announce(&cloud, ARCHIVE);
        let ran = cloud.work();
        let dead = cloud.dead();
        assert_eq!(dead.len(), 2, "{dead:?} {ran:?}");
        assert!(dead.iter().all(|reason| reason.contains("check the endpoint")), "{dead:?}");
        assert!(!ran.out.contains("gone before it was read"), "{ran:?}");
    }
}

#[test]
fn in_a_bucket_that_is_none_nothing_is_gone() {
    let cloud = Cloud::new();
    announce(&cloud, "no-such-bucket");
    cloud.sqs.send(LOGS, &json!({"s3Bucket": ARCHIVE, "s3ObjectKey": [key(REGION, "gone")]}).to_string());
    let here = key(REGION, "here");
    cloud.sqs.send(LOGS, &s3_event(ARCHIVE, &here, &cloud.put(ARCHIVE, &here, 1)));
    let ran = cloud.work();
    let dead = cloud.dead();
    assert_eq!(dead.len(), 2, "{dead:?} {ran:?}");
    assert!(dead.iter().all(|reason| reason.contains("there is no bucket no-such-bucket")), "{dead:?}");
    assert!(ran.out.contains("1 objects left alone: gone before it was read"), "{ran:?}");
    assert_eq!(cloud.site.uids(), [event_id(1)]);
}

#[test]
fn a_store_that_gives_more_than_was_asked_for_is_not_listened_to() {
    const PIECE: usize = 1 << 20;
    const PIECES: u64 = 512;
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let no_s3 = NoS3::start(move || {
        let counted = Arc::clone(&counted);
        let pieces = futures::stream::iter(0..PIECES).map(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(Bytes::from(vec![7; PIECE]))
        });
        let length = (PIECES * PIECE as u64).to_string();
        ([("content-length", length)], Body::from_stream(pieces)).into_response()
    });
    let cloud = no_s3.cloud();
    cloud.sqs.send(LOGS, &s3_event(ARCHIVE, &key(REGION, "a"), &named(1000)));
    cloud.work();
    let dead = cloud.dead();
    assert!(dead.len() == 1 && dead[0].contains("its store gives no ranges"), "{dead:?}");
    // Deliveries, and what lies in the sockets between.
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent < 128, "{sent} MiB");
}

#[test]
fn a_place_inside_an_error_prints_no_line_of_its_own() {
    let cloud = Cloud::new();
    let ran = cloud.ingest("no-such-bucket/x\nashiato: all is well").ended(1);
    assert!(ran.err.contains("there is no bucket no-such-bucket"), "{ran:?}");
    let lines = ran.err.lines().filter(|line| line.starts_with("ashiato: ")).count();
    assert_eq!(lines, 1, "{ran:?}");
}
