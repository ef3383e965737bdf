//! Who a record says was calling: `userIdentity`, and the session behind it.
//!
//! Takes an identity, gives its JSON for a key. Promises that all records of a session agree in principal, ARN and
//! creation date, and that the calls a service forwards for the session differ in nothing but key and `invokedBy`.
//!
//! Not here: the records that issue a session's key (`issue`).

use super::record::{Client, Endpoint};
use super::text::iso_string;

/// Someone who can sign a call.
#[derive(Clone, Debug)]
pub(super) enum Identity {
    /// A session of a role.
    Role(RoleIdentity),
    /// An IAM user, with its own key or in a session of its own.
    User(UserIdentity),
    /// The root user of an account.
    Root {
        /// The account.
        account: String,
        /// When the session began.
        created: i64,
    },
    /// A service acting as itself.
    Service {
        /// For example `cloudtrail.amazonaws.com`.
        host: &'static str,
    },
}

/// A session of a role.
#[derive(Clone, Debug, Default)]
pub(super) struct RoleIdentity {
    /// The account of the role.
    pub(super) account: String,
    /// The role's path without the leading slash, for example `aws-service-role/…/`.
    pub(super) path: &'static str,
    /// The role's name.
    pub(super) role: String,
    /// The role's principal id.
    pub(super) role_id: String,
    /// The name of the session.
    pub(super) session: String,
    /// When the session began.
    pub(super) created: i64,
    /// The name that stays with every session down the chain.
    pub(super) source_identity: String,
    /// The version of the instance metadata service that gave out the key; empty off EC2.
    pub(super) delivery: &'static str,
    /// The identity provider's ARN of a federated session.
    pub(super) provider: String,
    /// The function or task the session belongs to: type and ARN.
    pub(super) scope: Option<(&'static str, String)>,
}

/// An IAM user.
#[derive(Clone, Debug)]
pub(super) struct UserIdentity {
    /// The account of the user.
    pub(super) account: String,
    /// The user's name.
    pub(super) user: String,
    /// The user's principal id.
    pub(super) user_id: String,
    /// When the session began and whether with a second factor; none for the user's own key.
    pub(super) session: Option<(i64, bool)>,
}

impl RoleIdentity {
    /// Returns the ARN of the role itself.
    pub(super) fn role_arn(&self) -> String {
        format!("arn:aws:iam::{}:role/{}{}", self.account, self.path, self.role)
    }

    fn json(&self, key: &str, invoked_by: &str) -> String {
        let Self { account, role, role_id, session, .. } = self;
        let provider = if self.provider.is_empty() {
            String::new()
        } else {
            let provider = &self.provider;
            format!(",\"webIdFederationData\":{{\"federatedProvider\":\"{provider}\",\"attributes\":{{}}}}")
        };
        let mut text = format!(
            "{{\"type\":\"AssumedRole\",\"principalId\":\"{role_id}:{session}\",\
             \"arn\":\"arn:aws:sts::{account}:assumed-role/{role}/{session}\",\"accountId\":\"{account}\",\
             \"accessKeyId\":\"{key}\",\"sessionContext\":{{\"sessionIssuer\":{{\"type\":\"Role\",\
             \"principalId\":\"{role_id}\",\"arn\":\"{}\",\"accountId\":\"{account}\",\"userName\":\"{role}\"}}\
             {provider},\"attributes\":{{\"creationDate\":\"{}\",\"mfaAuthenticated\":\"false\"}}",
            self.role_arn(),
            iso_string(self.created),
        );
        if !self.source_identity.is_empty() {
            text.push_str(&format!(",\"sourceIdentity\":\"{}\"", self.source_identity));
        }
        if !self.delivery.is_empty() {
            text.push_str(&format!(",\"ec2RoleDelivery\":\"{}\"", self.delivery));
        }
        text.push('}');
        if let Some((kind, arn)) = &self.scope {
            text.push_str(&format!(
                ",\"inScopeOf\":{{\"issuerType\":\"{kind}\",\"credentialsIssuedTo\":\"{arn}\"}}"
            ));
        }
        close(text, invoked_by)
    }
}

impl UserIdentity {
    fn json(&self, key: &str, invoked_by: &str) -> String {
        let Self { account, user, user_id, .. } = self;
        let key = if key.is_empty() { String::new() } else { format!("\"accessKeyId\":\"{key}\",") };
        let mut text = format!(
            "{{\"type\":\"IAMUser\",\"principalId\":\"{user_id}\",\
             \"arn\":\"arn:aws:iam::{account}:user/{user}\",\"accountId\":\"{account}\",{key}\"userName\":\"{user}\""
        );
        if let Some((created, mfa)) = self.session {
            text.push_str(&format!(
                ",\"sessionContext\":{{\"attributes\":{{\"creationDate\":\"{}\",\"mfaAuthenticated\":\"{mfa}\"}}}}",
                iso_string(created)
            ));
        }
        close(text, invoked_by)
    }
}

impl Identity {
    /// Returns the JSON of `userIdentity` for a key, forwarded by a service unless `invoked_by` is empty.
    pub(super) fn json(&self, key: &str, invoked_by: &str) -> String {
        match self {
            Self::Role(role) => role.json(key, invoked_by),
            Self::User(user) => user.json(key, invoked_by),
            Self::Service { host } => format!("{{\"type\":\"AWSService\",\"invokedBy\":\"{host}\"}}"),
            Self::Root { account, created } => close(
                format!(
                    "{{\"type\":\"Root\",\"principalId\":\"{account}\",\"arn\":\"arn:aws:iam::{account}:root\",\
                     \"accountId\":\"{account}\",\"accessKeyId\":\"{key}\",\"sessionContext\":{{\"attributes\":\
                     {{\"creationDate\":\"{}\",\"mfaAuthenticated\":\"true\"}}}}",
                    iso_string(*created)
                ),
                invoked_by,
            ),
        }
    }

    /// Returns the ARN of the caller; a service has none.
    pub(super) fn arn(&self) -> String {
        match self {
            Self::Role(RoleIdentity { account, role, session, .. }) => {
                format!("arn:aws:sts::{account}:assumed-role/{role}/{session}")
            }
            Self::User(UserIdentity { account, user, .. }) => format!("arn:aws:iam::{account}:user/{user}"),
            Self::Root { account, .. } => format!("arn:aws:iam::{account}:root"),
            Self::Service { .. } => String::new(),
        }
    }

    /// Returns the caller's principal id.
    pub(super) fn principal(&self) -> String {
        match self {
            Self::Role(RoleIdentity { role_id, session, .. }) => format!("{role_id}:{session}"),
            Self::User(user) => user.user_id.clone(),
            Self::Root { account, .. } => account.clone(),
            Self::Service { .. } => String::new(),
        }
    }

    /// Returns the short name of the caller.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Role(role) => &role.session,
            Self::User(user) => &user.user,
            Self::Root { .. } => "root",
            Self::Service { host } => host,
        }
    }
}

fn close(mut text: String, invoked_by: &str) -> String {
    if !invoked_by.is_empty() {
        text.push_str(&format!(",\"invokedBy\":\"{invoked_by}\""));
    }
    text.push('}');
    text
}

/// An identity with a key, for as long as the key lives.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Who it is.
    pub(super) identity: Identity,
    /// The JSON of `userIdentity`, written once.
    pub(super) text: String,
    /// The ARN of the caller.
    pub(super) arn: String,
    /// The access key id; empty for a service.
    pub(super) key: String,
    /// When the key was given out.
    pub(super) created: i64,
    /// When the key ends.
    pub(super) expires: i64,
    /// Where the calls come from.
    pub(super) ip: String,
    /// The user agent of the calls.
    pub(super) agent: &'static str,
    /// The endpoint the calls come through.
    pub(super) endpoint: Option<Endpoint>,
    /// How the caller reaches AWS.
    pub(super) client: Client,
}

impl Session {
    /// Returns a service acting as itself, which needs no credentials.
    pub(super) fn of_service(host: &'static str) -> Self {
        let identity = Identity::Service { host };
        Self {
            text: identity.json("", ""),
            arn: String::new(),
            identity,
            key: String::new(),
            created: i64::MIN,
            expires: i64::MAX,
            ip: host.to_owned(),
            agent: host,
            endpoint: None,
            client: Client::Service,
        }
    }

    /// Returns the session as a service uses it on its behalf: the same in all but key and way.
    pub(super) fn forwarded(&self, key: String, host: &'static str) -> Self {
        Self {
            text: self.identity.json(&key, host),
            key,
            ip: host.to_owned(),
            agent: host,
            endpoint: None,
            client: Client::Service,
            ..self.clone()
        }
    }
}
