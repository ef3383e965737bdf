//! Reaches buckets: a client for each way in, and the Region each bucket is in.
//!
//! A bucket's Region is what S3 itself answered, else what the configuration declares, else
//! what a notification said, else that of the process. S3 tells in a header where a bucket is
//! when it is asked in the wrong place; that is kept, so that it costs one call a bucket.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::Region;
use aws_config::retry::RetryConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::StalledStreamProtectionConfig;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::types::RequestPayer;

use super::{Aws, BucketAccess, Role};

/// Attempts at one call, with pauses that grow; the client slows down as a whole when S3 asks for it.
const TRIES_MAX: u32 = 5;

/// How long a body may give nothing until it counts as broken off.
const STALLED_FOR: Duration = Duration::from_secs(10);

/// Where S3 is asked when nothing says a Region: it answers with the right one.
const ANY_REGION: &str = "us-east-1";

/// Buckets whose Region is kept. Messages may name any number of buckets.
const REGIONS_KEPT_MAX: usize = 10_000;

/// The header in which S3 says where a bucket is.
const REGION_HEADER: &str = "x-amz-bucket-region";

/// Buckets, as this process reaches them.
#[derive(Debug, Default)]
pub struct Buckets {
    aws: Arc<Aws>,
    clients: Mutex<HashMap<Way, Client>>,
    regions: Mutex<HashMap<String, Known>>,
}

/// What makes one client another than the next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Way {
    role: Option<Role>,
    region: Option<String>,
}

/// What is known of a bucket's Region.
#[derive(Debug, Clone)]
enum Known {
    /// S3 said so.
    Answered(String),
    /// A notification said so.
    Hinted(String),
    /// A notification said so, and nobody answers there.
    Misled,
}

/// A way to a bucket.
#[derive(Debug, Clone)]
pub struct Reached {
    /// The client, with the place's Region and role.
    pub client: Client,
    /// Who pays, where that has to be said.
    pub payer: Option<RequestPayer>,
    region: Option<String>,
}

impl Buckets {
    /// Returns the buckets that this process reaches as `aws` says.
    pub fn new(aws: Arc<Aws>) -> Self {
        Self { aws, ..Self::default() }
    }

    /// Hears from a notification where a bucket is. What S3 answers counts for more.
    pub fn hint(&self, bucket: &str, region: &str) {
        let mut regions = lock(&self.regions);
        if is_region(region) && regions.len() < REGIONS_KEPT_MAX {
            regions.entry(bucket.to_owned()).or_insert_with(|| Known::Hinted(region.to_owned()));
        }
    }

    /// Asks S3 about an object or prefix; where S3 says that the bucket is in another Region, asks there.
    ///
    /// # Errors
    /// What S3 answered in the end.
    pub async fn ask<T, E, Asking>(
        &self,
        bucket: &str,
        key: &str,
        ask: impl Fn(Reached) -> Asking + Send + Sync,
    ) -> Result<T, SdkError<E>>
    where
        Asking: Future<Output = Result<T, SdkError<E>>> + Send,
        T: Send,
        E: Send + Sync,
    {
        let reached = self.reach(bucket, key).await;
        let region = reached.region.clone();
        // The SDK's futures are large; everything that waits for one would be as large.
        match Box::pin(ask(reached)).await {
            Err(error) => match region_in(&error).filter(|answered| Some(answered) != region.as_ref()) {
                Some(answered) => {
                    drop(error);
                    lock(&self.regions).insert(bucket.to_owned(), Known::Answered(answered));
                    Box::pin(ask(self.reach(bucket, key).await)).await
                }
                None if error.raw_response().is_none() && self.was_misled(bucket) => {
                    drop(error);
                    Box::pin(ask(self.reach(bucket, key).await)).await
                }
                None => Err(error),
            },
            answered => answered,
        }
    }

    /// Forgets a hint after which nobody answered: a message may say anything, and must not cut a bucket off.
    fn was_misled(&self, bucket: &str) -> bool {
        let mut regions = lock(&self.regions);
        let known = regions.get_mut(bucket).filter(|known| matches!(known, Known::Hinted(_)));
        known.is_some_and(|known| {
            *known = Known::Misled;
            true
        })
    }

    /// Returns the Region a bucket is in, asking S3 when nothing says it.
    pub async fn region(&self, bucket: &str, prefix: &str) -> Option<String> {
        let access = self.aws.access(bucket, prefix);
        if access.is_none_or(|access| access.region.is_none()) && !self.is_elsewhere().await {
            // Whatever the answer is, a wrong Region is in it. Without the permission the process's own has to do.
            let asked = self.ask(bucket, prefix, |reached| async move {
                reached.client.head_bucket().bucket(bucket).send().await
            });
            if let Err(error) = asked.await {
                tracing::debug!(bucket, error = &error as &dyn std::error::Error, "Region not asked");
            }
        }
        self.reach(bucket, prefix).await.region
    }

    /// Says whether S3 is not AWS's own.
    async fn is_elsewhere(&self) -> bool {
        Aws::s3_endpoint(self.aws.shared().await).is_some()
    }

    /// Returns the way to an object's place.
    pub async fn reach(&self, bucket: &str, key: &str) -> Reached {
        let access = self.aws.access(bucket, key);
        let known = lock(&self.regions).get(bucket).cloned();
        let declared = access.and_then(|access| access.region.clone());
        let region = match known {
            Some(Known::Answered(region)) => Some(region),
            Some(Known::Hinted(region)) => declared.or(Some(region)),
            Some(Known::Misled) | None => declared,
        };
        let own = self.aws.shared().await.region().map(ToString::to_string);
        let region = region.or(own).unwrap_or_else(|| ANY_REGION.to_owned());
        let way = Way { role: access.and_then(|access| access.role.clone()), region: Some(region) };
        let payer = access.filter(|access| access.request_payer).map(|_| RequestPayer::Requester);
        let (client, region) = (self.client(&way, access).await, way.region);
        Reached { client, payer, region }
    }

    async fn client(&self, way: &Way, access: Option<&BucketAccess>) -> Client {
        if let Some(client) = lock(&self.clients).get(way) {
            return client.clone();
        }
        let settings = self.aws.settings(access).await;
        let config = aws_sdk_s3::config::Builder::from(&settings)
            .retry_config(RetryConfig::adaptive().with_max_attempts(TRIES_MAX))
            .stalled_stream_protection(
                StalledStreamProtectionConfig::enabled().grace_period(STALLED_FOR).build(),
            )
            // Emulators and private endpoints answer for one name, not for one a bucket.
            .force_path_style(Aws::s3_endpoint(&settings).is_some())
            .region(way.region.clone().map(Region::new))
            .build();
        let mut clients = lock(&self.clients);
        clients.entry(way.clone()).or_insert_with(|| Client::from_conf(config)).clone()
    }
}

/// A panic while a lock is held leaves whole entries behind: each change is one insert.
fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The Region that an answer names. It becomes part of a host name, so nothing else may be in it.
fn region_in<E>(error: &SdkError<E>) -> Option<String> {
    let region = error.raw_response()?.headers().get(REGION_HEADER)?;
    is_region(region).then(|| region.to_owned())
}

fn is_region(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (4..=32).contains(&text.len()) && text.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_s3_answered_goes_over_what_was_declared_and_that_over_a_hint() {
        let declared = BucketAccess {
            bucket: "declared".to_owned(),
            prefix: String::new(),
            role: None,
            region: Some("eu-central-1".to_owned()),
            request_payer: true,
        };
        let buckets = Buckets::new(Arc::new(Aws::new(vec![declared])));
        let region = async |bucket| buckets.reach(bucket, "k").await.region.unwrap();
        for bucket in ["declared", "hinted"] {
            buckets.hint(bucket, "ap-northeast-1");
            buckets.hint(bucket, "us-west-2");
            buckets.hint("odd", "evil.example/");
        }
        assert_eq!(region("declared").await, "eu-central-1");
        assert_eq!(region("hinted").await, "ap-northeast-1");
        assert!(!region("odd").await.contains("evil"));
        let answered = Known::Answered("eu-west-3".to_owned());
        lock(&buckets.regions).insert("declared".to_owned(), answered);
        assert_eq!(region("declared").await, "eu-west-3");
        assert!(buckets.reach("declared", "k").await.payer.is_some());
    }

    #[tokio::test]
    async fn a_hint_after_which_nobody_answers_is_forgotten() {
        let buckets = Buckets::new(Arc::new(Aws::default()));
        buckets.hint("b", "xx-nowhere-1");
        let ask = |reached: Reached| async move {
            match reached.region.as_deref() {
                Some("xx-nowhere-1") => Err(SdkError::<std::io::Error>::timeout_error("no such host")),
                _ => Ok(()),
            }
        };
        buckets.ask("b", "k", ask).await.unwrap();
        buckets.hint("b", "xx-nowhere-1");
        assert_ne!(buckets.reach("b", "k").await.region.as_deref(), Some("xx-nowhere-1"));
    }
}
