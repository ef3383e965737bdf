//! Reaches AWS: Region, endpoint and credentials, and the roles that some buckets want.
//!
//! All of it comes from where every AWS tool finds it (environment, profile, web
//! identity, container, instance); a place of the configuration may name a role, a
//! Region and who pays. Nothing is looked for until the first service is asked, so that
//! work on folders never waits for a metadata service.

pub mod buckets;

use std::collections::HashMap;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sqs::config::SharedCredentialsProvider;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_types::service_config::ServiceConfigKey;
use tokio::sync::{Mutex, OnceCell};

/// What a role's sessions are called; CloudTrail shows it.
const SESSION_NAME: &str = "ashiato";

/// How the objects below a prefix of a bucket are reached, where that differs from everything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketAccess {
    /// The bucket.
    pub bucket: String,
    /// The prefix, without a slash at either end; empty for the whole bucket.
    pub prefix: String,
    /// The role to take on.
    pub role: Option<Role>,
    /// The Region the bucket is in.
    pub region: Option<String>,
    /// The requester pays for transfer, as the bucket's owner demands.
    pub request_payer: bool,
}

/// A role to take on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// What its trust policy wants to hear (`sts:ExternalId`).
    pub external_id: Option<String>,
}

/// AWS, as this process reaches it.
#[derive(Debug, Default)]
pub struct Aws {
    accesses: Vec<BucketAccess>,
    shared: OnceCell<SdkConfig>,
    roles: Mutex<HashMap<Role, SharedCredentialsProvider>>,
}

impl Aws {
    /// Returns AWS with what is declared of some buckets.
    pub fn new(accesses: Vec<BucketAccess>) -> Self {
        Self { accesses, ..Self::default() }
    }

    /// Returns what is declared of an object's place; of several, the longest prefix.
    pub fn access(&self, bucket: &str, key: &str) -> Option<&BucketAccess> {
        self.accesses
            .iter()
            .filter(|access| access.holds(bucket, key))
            .max_by_key(|access| access.prefix.len())
    }

    /// Returns all that is declared.
    pub fn accesses(&self) -> &[BucketAccess] {
        &self.accesses
    }

    /// Returns the settings all clients share, without any declared role.
    pub async fn shared(&self) -> &SdkConfig {
        // The SDK's futures are large; everything that waits for one would be as large.
        self.shared.get_or_init(|| Box::pin(load())).await
    }

    /// Returns the settings for a place: its role's credentials, its Region.
    pub async fn settings(&self, access: Option<&BucketAccess>) -> SdkConfig {
        let mut settings = self.shared().await.clone().into_builder();
        if let Some(role) = access.and_then(|access| access.role.as_ref()) {
            settings = settings.credentials_provider(self.role(role).await);
        }
        if let Some(region) = access.and_then(|access| access.region.clone()) {
            settings = settings.region(Region::new(region));
        }
        settings.build()
    }

    /// Returns where S3 is, when that is not AWS's own: an emulator, a private endpoint.
    pub fn s3_endpoint(settings: &SdkConfig) -> Option<String> {
        let mut key = ServiceConfigKey::builder();
        key = key.service_id("S3").env("AWS_ENDPOINT_URL").profile("endpoint_url");
        let of_service = key.build().ok().and_then(|key| settings.service_config()?.load_config(key));
        of_service.or_else(|| settings.endpoint_url().map(str::to_owned))
    }

    /// Returns the credentials of a role, each role's once, so that all clients share one cache.
    async fn role(&self, role: &Role) -> SharedCredentialsProvider {
        let mut roles = self.roles.lock().await;
        if let Some(provider) = roles.get(role) {
            return provider.clone();
        }
        let mut builder =
            AssumeRoleProvider::builder(&role.arn).session_name(SESSION_NAME).configure(self.shared().await);
        if let Some(external_id) = &role.external_id {
            builder = builder.external_id(external_id);
        }
        let provider = SharedCredentialsProvider::new(Box::pin(builder.build()).await);
        roles.insert(role.clone(), provider.clone());
        provider
    }
}

impl BucketAccess {
    fn holds(&self, bucket: &str, key: &str) -> bool {
        let below = key.strip_prefix(self.prefix.as_str());
        self.bucket == bucket && below.is_some_and(|rest| self.prefix.is_empty() || rest.starts_with('/'))
    }
}

async fn load() -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(Duration::from_secs(30))
        .build();
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard())
        .load()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_places_the_longest_prefix_decides() {
        let access = |prefix: &str| BucketAccess {
            bucket: "archive".to_owned(),
            prefix: prefix.to_owned(),
            role: None,
            region: Some(prefix.to_owned()),
            request_payer: false,
        };
        let aws = Aws::new(vec![access(""), access("a/b"), access("a")]);
        let found = |bucket, key| aws.access(bucket, key).map(|access| access.prefix.as_str());
        assert_eq!(found("archive", "a/b/c"), Some("a/b"));
        assert_eq!(found("archive", "a/bc"), Some("a"));
        assert_eq!(found("archive", "ab/c"), Some(""));
        assert_eq!(found("other", "a/b/c"), None);
    }
}
