//! What S3 promises, held against the tests' own service, and against somebody else's where
//! `ASHIATO_TEST_AWS=http://127.0.0.1:PORT` names one (ministack, for example).

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, CompletedMultipartUpload, CompletedPart, CreateBucketConfiguration,
    EncodingType,
};

use super::{FakeS3, HOME, KEY};
use crate::archive::blocking;

const BUCKET: &str = "contract-archive";

fn client_of(endpoint: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .force_path_style(true)
        .region(Region::new(HOME))
        .credentials_provider(Credentials::new(KEY, "example", None, None, "test"))
        .build();
    Client::from_conf(config)
}

/// Runs a contract on each service there is, in a bucket of its own.
fn keeps(name: &str, contract: impl AsyncFn(Client, String)) {
    let fake = FakeS3::start(&[BUCKET]);
    #[expect(clippy::disallowed_methods, reason = "no setting of the program: only tests read it")]
    let foreign = std::env::var("ASHIATO_TEST_AWS").ok();
    for endpoint in std::iter::once(fake.endpoint()).chain(foreign) {
        blocking(async {
            let (client, bucket) = (client_of(&endpoint), format!("{BUCKET}-{name}"));
            let home = BucketLocationConstraint::from(HOME);
            let home = CreateBucketConfiguration::builder().location_constraint(home).build();
            let create = client.create_bucket().bucket(&bucket).create_bucket_configuration(home);
            create.send().await.unwrap();
            contract(client, bucket).await;
        });
    }
}

async fn put(client: &Client, bucket: &str, key: &str, body: &'static [u8]) -> String {
    let put = client.put_object().bucket(bucket).key(key).body(ByteStream::from_static(body));
    put.send().await.unwrap().e_tag().unwrap().to_owned()
}

#[test]
fn a_range_is_given_of_the_object_that_is_named_and_of_no_other() {
    keeps("ranges", async |client, bucket| {
        let etag = put(&client, &bucket, "a", b"0123456789").await;
        let get = || client.get_object().bucket(&bucket).key("a").range("bytes=2-4");
        let answer = get().if_match(&etag).send().await.unwrap();
        assert_eq!(answer.content_range(), Some("bytes 2-4/10"));
        assert_eq!(answer.e_tag(), Some(etag.as_str()));
        assert_eq!(answer.body.collect().await.unwrap().into_bytes(), "234");
        put(&client, &bucket, "a", b"other").await;
        let replaced = get().if_match(&etag).send().await.unwrap_err();
        assert_eq!(replaced.raw_response().unwrap().status().as_u16(), 412);
        put(&client, &bucket, "empty", b"").await;
        let empty =
            client.get_object().bucket(&bucket).key("empty").range("bytes=0-9").send().await.unwrap_err();
        assert_eq!(empty.code(), Some("InvalidRange"));
        let gone = client.get_object().bucket(&bucket).key("gone").send().await.unwrap_err();
        assert_eq!(gone.code(), Some("NoSuchKey"));
    });
}

#[test]
fn keys_come_back_as_they_were_written_however_they_are_listed() {
    const KEYS: [&str; 5] = ["a b+c%2B", "logs//AWSLogs/x", "logs/Zürich/足跡", "p/=&?#", "p/q"];
    keeps("keys", async |client, bucket| {
        for key in KEYS {
            put(&client, &bucket, key, b"x").await;
        }
        let list = client.list_objects_v2().bucket(&bucket).encoding_type(EncodingType::Url);
        let answer = list.send().await.unwrap();
        let decode = |key: &str| {
            let escaped = key.replace('=', "%3D").replace('&', "%26");
            url::form_urlencoded::parse(escaped.as_bytes()).next().unwrap().0.into_owned()
        };
        let mut keys: Vec<_> = answer.contents().iter().map(|object| decode(object.key().unwrap())).collect();
        keys.sort();
        let mut expected = KEYS.to_vec();
        expected.sort_unstable();
        assert_eq!(keys, expected);
        for key in KEYS {
            client.head_object().bucket(&bucket).key(key).send().await.unwrap();
        }
    });
}

#[test]
fn a_listing_comes_in_pages_and_by_folders() {
    keeps("pages", async |client, bucket| {
        for number in 0..5 {
            put(&client, &bucket, ["a/1", "a/2", "b/1", "c", "d"][number], b"x").await;
        }
        let (mut token, mut pages, mut folders, mut keys) = (None, 0, Vec::new(), Vec::new());
        loop {
            let list = client.list_objects_v2().bucket(&bucket).delimiter("/").max_keys(2);
            let answer = list.set_continuation_token(token).send().await.unwrap();
            pages += 1;
            folders.extend(answer.common_prefixes().iter().map(|folder| folder.prefix().unwrap().to_owned()));
            keys.extend(answer.contents().iter().map(|object| object.key().unwrap().to_owned()));
            token = answer.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        assert_eq!((pages, folders.join(" "), keys.join(" ")), (2, "a/ b/".to_owned(), "c d".to_owned()));
    });
}

#[test]
fn a_conditional_write_never_replaces_whole_or_in_parts() {
    keeps("conditions", async |client, bucket| {
        let write = || client.put_object().bucket(&bucket).key("a").if_none_match("*");
        write().body(ByteStream::from_static(b"first")).send().await.unwrap();
        let refused = write().body(ByteStream::from_static(b"second")).send().await.unwrap_err();
        assert_eq!(refused.raw_response().unwrap().status().as_u16(), 412);
        let upload = client.create_multipart_upload().bucket(&bucket).key("big").send().await.unwrap();
        let id = upload.upload_id().unwrap();
        let mut parts = Vec::new();
        for number in 1..=2 {
            let part = client.upload_part().bucket(&bucket).key("big").upload_id(id).part_number(number);
            let body = ByteStream::from(vec![b'x'; 5 << 20]);
            let part = part.body(body).send().await.unwrap();
            let part = CompletedPart::builder().part_number(number).e_tag(part.e_tag().unwrap());
            parts.push(part.build());
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = client.complete_multipart_upload().bucket(&bucket).key("big").upload_id(id);
        complete.multipart_upload(parts).if_none_match("*").send().await.unwrap();
        let head = client.head_object().bucket(&bucket).key("big").send().await.unwrap();
        assert_eq!(head.content_length(), Some(10 << 20));
    });
}
