//! Writes one CloudTrail record as JSON text.
//!
//! Takes the parts of a record, gives compact JSON at the end of a buffer, fields in the order CloudTrail writes
//! them. Promises valid JSON as long as the parts are, fresh ids for every record, and no allocation.
//!
//! Not here: what the parts say (`activity`, `issue`, `incident`).

use super::call::{Access, Category};
use super::identifier;
use super::text::{iso, number, put};
use fastrand::Rng;

/// What sort of event a record reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// A call of a public API.
    #[default]
    ApiCall,
    /// A sign-in to the console.
    SignIn,
    /// Something that a service did by itself.
    ServiceEvent,
}

/// How the caller reached AWS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Client {
    /// A tool or an SDK, over TLS.
    #[default]
    Program,
    /// The console: as a program, with credentials that the console minted.
    Console,
    /// From within AWS; no TLS details are recorded.
    Service,
}

/// A VPC endpoint through which a call came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// `vpce-…`.
    pub(super) id: String,
    /// Who owns the endpoint.
    pub(super) account: String,
}

/// The parts of a record. Empty JSON parts are null (request, response) or absent (the rest).
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'a> {
    /// The JSON of `userIdentity`.
    pub(super) identity: &'a str,
    /// `eventTime`.
    pub(super) second: i64,
    /// `eventSource` without `.amazonaws.com`.
    pub(super) source: &'a str,
    /// `eventName`.
    pub(super) name: &'a str,
    /// `awsRegion`.
    pub(super) region: &'a str,
    /// `sourceIPAddress`.
    pub(super) ip: &'a str,
    /// `userAgent`.
    pub(super) agent: &'a str,
    /// `errorCode`, which a failed sign-in leaves empty, and `errorMessage`.
    pub(super) failure: Option<(&'a str, &'a str)>,
    /// `requestParameters`.
    pub(super) request: &'a [u8],
    /// `responseElements`.
    pub(super) response: &'a [u8],
    /// `additionalEventData`.
    pub(super) additional: &'a [u8],
    /// `resources`.
    pub(super) resources: &'a [u8],
    /// `readOnly`.
    pub(super) access: Access,
    /// `eventCategory` and `managementEvent`.
    pub(super) category: Category,
    /// `eventType`.
    pub(super) kind: Kind,
    /// `apiVersion`.
    pub(super) version: &'a str,
    /// `recipientAccountId`.
    pub(super) recipient: &'a str,
    /// `sharedEventID`.
    pub(super) shared: &'a str,
    /// `vpcEndpointId` and `vpcEndpointAccountId`.
    pub(super) endpoint: Option<&'a Endpoint>,
    /// Whether TLS details and the mark of the console are written.
    pub(super) client: Client,
}

impl Default for Record<'_> {
    fn default() -> Self {
        Self {
            identity: "{}",
            second: 0,
            source: "",
            name: "",
            region: "",
            ip: "",
            agent: "",
            failure: None,
            request: b"",
            response: b"",
            additional: b"",
            resources: b"",
            access: Access::Read,
            category: Category::Management,
            kind: Kind::ApiCall,
            version: "",
            recipient: "",
            shared: "",
            endpoint: None,
            client: Client::Program,
        }
    }
}

impl Record<'_> {
    /// Appends the record, after a comma if it is not the first in its file.
    pub(super) fn write(&self, out: &mut Vec<u8>, rng: &mut Rng) {
        if out.last() == Some(&b'}') {
            out.push(b',');
        }
        put(
            out,
            &["{\"eventVersion\":\"", event_version(self.source), "\",\"userIdentity\":", self.identity],
        );
        put(out, &[",\"eventTime\":\""]);
        iso(out, self.second);
        put(out, &["\",\"eventSource\":\"", self.source, ".amazonaws.com\",\"eventName\":\"", self.name]);
        put(out, &["\",\"awsRegion\":\"", self.region, "\",\"sourceIPAddress\":\"", self.ip]);
        put(out, &["\",\"userAgent\":\"", self.agent]);
        if let Some((code, message)) = self.failure {
            if !code.is_empty() {
                put(out, &["\",\"errorCode\":\"", code]);
            }
            put(out, &["\",\"errorMessage\":\"", message]);
        }
        put(out, &["\",\"requestParameters\":"]);
        or_null(out, self.request);
        put(out, &[",\"responseElements\":"]);
        or_null(out, if self.failure.is_some() && self.kind == Kind::ApiCall { b"" } else { self.response });
        if !self.additional.is_empty() {
            let field =
                if self.kind == Kind::ServiceEvent { "serviceEventDetails" } else { "additionalEventData" };
            put(out, &[",\"", field, "\":"]);
            out.extend_from_slice(self.additional);
        }
        self.write_ids(out, rng);
        self.write_class(out);
        self.write_way(out);
        out.push(b'}');
    }

    fn write_ids(&self, out: &mut Vec<u8>, rng: &mut Rng) {
        if self.kind == Kind::ApiCall {
            put(out, &[",\"requestID\":\""]);
            match self.source {
                "s3" => identifier::upper(out, rng, 16),
                "dynamodb" => identifier::upper(out, rng, 52),
                _ => identifier::uuid(out, rng),
            }
            out.push(b'"');
        }
        put(out, &[",\"eventID\":\""]);
        identifier::uuid(out, rng);
        put(out, &["\",\"readOnly\":", if self.access == Access::Read { "true" } else { "false" }]);
    }

    fn write_class(&self, out: &mut Vec<u8>) {
        if !self.resources.is_empty() {
            put(out, &[",\"resources\":"]);
            out.extend_from_slice(self.resources);
        }
        let kind = match self.kind {
            Kind::ApiCall => "AwsApiCall",
            Kind::SignIn => "AwsConsoleSignIn",
            Kind::ServiceEvent => "AwsServiceEvent",
        };
        put(out, &[",\"eventType\":\"", kind]);
        if !self.version.is_empty() {
            put(out, &["\",\"apiVersion\":\"", self.version]);
        }
        let management = if self.category == Category::Management { "true" } else { "false" };
        put(out, &["\",\"managementEvent\":", management, ",\"recipientAccountId\":\"", self.recipient]);
        if !self.shared.is_empty() {
            put(out, &["\",\"sharedEventID\":\"", self.shared]);
        }
    }

    fn write_way(&self, out: &mut Vec<u8>) {
        if let Some(endpoint) = self.endpoint {
            put(out, &["\",\"vpcEndpointId\":\"", &endpoint.id]);
            put(out, &["\",\"vpcEndpointAccountId\":\"", &endpoint.account]);
        }
        let category = if self.category == Category::Management { "Management" } else { "Data" };
        put(out, &["\",\"eventCategory\":\"", category, "\""]);
        if self.client != Client::Service && self.kind != Kind::ServiceEvent {
            self.write_tls(out);
        }
        if self.client == Client::Console && self.kind == Kind::ApiCall {
            put(out, &[",\"sessionCredentialFromConsole\":\"true\""]);
        }
    }

    fn write_tls(&self, out: &mut Vec<u8>) {
        put(out, &[",\"tlsDetails\":{\"tlsVersion\":\"TLSv1.3\",\"cipherSuite\":\"TLS_AES_128_GCM_SHA256\""]);
        put(out, &[",\"clientProvidedHostHeader\":\""]);
        match self.source {
            "iam" | "organizations" | "cloudfront" | "route53" => put(out, &[self.source]),
            "signin" => put(out, &[self.region, ".signin.aws"]),
            _ => put(out, &[self.source, ".", self.region]),
        }
        put(out, &[if self.source == "signin" { ".amazon.com\"}" } else { ".amazonaws.com\"}" }]);
    }
}

/// Appends what S3 adds to each of its records: the transfer and the signature.
pub(super) fn s3_details(out: &mut Vec<u8>, rng: &mut Rng, (bytes_in, bytes_out): (u64, u64)) {
    put(out, &["{\"SignatureVersion\":\"SigV4\",\"CipherSuite\":\"TLS_AES_128_GCM_SHA256\""]);
    put(out, &[",\"bytesTransferredIn\":"]);
    number(out, bytes_in);
    put(out, &[",\"AuthenticationMethod\":\"AuthHeader\",\"x-amz-id-2\":\""]);
    identifier::base64(out, rng, 75);
    put(out, &["=\",\"bytesTransferredOut\":"]);
    number(out, bytes_out);
    out.push(b'}');
}

fn or_null(out: &mut Vec<u8>, json: &[u8]) {
    out.extend_from_slice(if json.is_empty() { b"null" } else { json });
}

/// Returns the record format a service writes; they moved on at different times.
fn event_version(source: &str) -> &'static str {
    match source {
        "sts" | "signin" | "sso" | "glue" | "athena" | "organizations" => "1.08",
        "ec2" | "s3" | "iam" | "kms" | "dynamodb" | "lambda" => "1.11",
        "logs" | "monitoring" | "ssm" | "ecs" | "secretsmanager" => "1.10",
        _ => "1.09",
    }
}
