//! The words of the token service: what is asked and answered when a role is assumed.
//!
//! Takes a role's session and the key it gets, gives the request, response and resources that every record of the
//! grant has in common. Promises that the two sides of a cross-account call carry the same.
//!
//! Not here: who asks (`issue`, `sign_in`, `incident`).

use super::identifier;
use super::record::Record;
use super::session::RoleIdentity;
use super::text::long_date;
use fastrand::Rng;

/// A role being assumed.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    second: i64,
    request: String,
    response: String,
    resources: String,
}

impl Grant {
    /// Grants a session that begins when its identity says and lives for `lifetime` seconds.
    pub(super) fn new(role: &RoleIdentity, key: &str, lifetime: i64, rng: &mut Rng) -> Self {
        let RoleIdentity { account, role: name, role_id, session, source_identity, created, .. } = role;
        let arn = role.role_arn();
        let source = if source_identity.is_empty() {
            String::new()
        } else {
            format!(r#","sourceIdentity":"{source_identity}""#)
        };
        let credentials = credentials(key, created + lifetime, rng);
        let user = format!(
            r#"{{"assumedRoleId":"{role_id}:{session}","arn":"arn:aws:sts::{account}:assumed-role/{name}/{session}"}}"#
        );
        Self {
            second: *created,
            request: format!(
                r#"{{"roleArn":"{arn}","roleSessionName":"{session}"{source},"durationSeconds":{lifetime}}}"#
            ),
            response: format!(r#"{{{credentials},"assumedRoleUser":{user}{source}}}"#),
            resources: format!(r#"[{{"accountId":"{account}","type":"AWS::IAM::Role","ARN":"{arn}"}}]"#),
        }
    }

    /// Adds fields, without a comma before or after, at the end of the response.
    pub(super) fn add_to_response(&mut self, fields: &str) {
        self.response.pop();
        self.response.push(',');
        self.response.push_str(fields);
        self.response.push('}');
    }

    /// Returns the record of the grant, but for who asked and from where.
    pub(super) fn record<'a>(&'a self, name: &'a str, region: &'a str, recipient: &'a str) -> Record<'a> {
        Record {
            request: self.request.as_bytes(),
            response: self.response.as_bytes(),
            resources: self.resources.as_bytes(),
            ..sts(name, region, recipient, self.second)
        }
    }
}

/// Returns what all records of the token service share.
pub(super) fn sts<'a>(name: &'a str, region: &'a str, recipient: &'a str, second: i64) -> Record<'a> {
    Record { source: "sts", name, region, recipient, second, ..Record::default() }
}

/// Returns the field `credentials`, with a token that nothing would accept.
pub(super) fn credentials(key: &str, expires: i64, rng: &mut Rng) -> String {
    let token = identifier::owned(|out| identifier::base64(out, rng, 240));
    let expiration = identifier::owned(|out| long_date(out, expires));
    format!(
        r#""credentials":{{"accessKeyId":"{key}","sessionToken":"IQoJb3JpZ2luX2VjE{token}","expiration":"{expiration}"}}"#
    )
}
