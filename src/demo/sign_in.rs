//! How people sign in: to the portal of Identity Center, or to the console with a password.
//!
//! Takes a person whose session has ended, gives a new one and the records of the sign-in, owed to the places where
//! they lie: the portal's in the management account, the console's in us-east-1. Promises that a sign-in stands in
//! the archive for every session of a person, tied to it by ARN and time where the console minted the key.
//!
//! Not here: credentials that machines get (`issue`).

use super::actor::{Actor, Origin};
use super::call::Access;
use super::grant::Grant;
use super::identifier;
use super::issue::{Desk, begin, user_identity};
use super::organization::{MANAGEMENT, Place};
use super::record::{Client, Kind, Record};
use super::session::{Identity, UserIdentity};

/// How a sign-in went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Success,
    Failure,
}

impl Desk {
    /// A person signs in at the portal, which then gives a role session for the console or a tool.
    pub(super) fn open_by_portal(&mut self, actor: &mut Actor, second: i64) -> i64 {
        // Signing in takes a moment, and nothing may lie before the archive.
        let second = second.max(self.start + 20);
        self.owe_portal(actor, second);
        let role = self.role_identity(actor, second);
        let key = self.new_key(&role.account);
        let (role_id, person) = (&role.role_id, &role.session);
        let saml = format!(
            r#"{{"type":"SAMLUser","principalId":"{role_id}:{person}","userName":"{person}","identityProvider":"AWSSSO_0123456789abcdef_DO_NOT_DELETE"}}"#
        );
        let grant = Grant::new(&role, &key, actor.lifetime, &mut self.rng);
        let place = Place { account: actor.account, region: 0 };
        let region = self.organization.region(place);
        let record = Record {
            identity: &saml,
            ip: &actor.ip,
            agent: actor.agent,
            ..grant.record("AssumeRoleWithSAML", region, &role.account)
        };
        self.owe(place, &record);
        let identity = Identity::Role(role);
        if in_browser(actor) {
            self.owe_login(&identity, actor, (second, Outcome::Success));
        }
        let until = second + actor.lifetime;
        begin(actor, identity, key, (second, until));
        mark_console(actor);
        second
    }

    /// Owes the management account the records of Identity Center.
    fn owe_portal(&mut self, actor: &Actor, second: i64) {
        let place = self.organization.home(MANAGEMENT);
        let recipient = self.organization.account(MANAGEMENT).to_owned();
        let session = identifier::uuid_string(&mut self.rng);
        let person = identifier::uuid_string(&mut self.rng);
        let store = format!("arn:aws:identitystore::{recipient}:identitystore/d-9900112233");
        let identity = format!(
            r#"{{"type":"IdentityCenterUser","accountId":"{recipient}","onBehalfOf":{{"userId":"{person}","identityStoreArn":"{store}"}},"credentialId":"{session}"}}"#
        );
        let base = Record {
            identity: &identity,
            region: self.organization.region(place),
            ip: &actor.ip,
            agent: actor.agent,
            recipient: &recipient,
            ..Record::default()
        };
        let details = format!(r#"{{"UserName":"{}","CredentialType":"PASSWORD"}}"#, actor.label);
        let verified = Record {
            second: second - 9,
            source: "signin",
            name: "CredentialVerification",
            additional: details.as_bytes(),
            response: br#"{"CredentialVerification":"Success"}"#,
            access: Access::Write,
            kind: Kind::SignIn,
            ..base
        };
        self.owe(place, &verified);
        let account = self.organization.account(actor.account);
        // The set's name stands between the marks of a reserved role's name.
        let set = actor.name.split('_').nth(1).unwrap_or_default();
        let request = format!(r#"{{"role_name":"{set}","account_id":"{account}"}}"#);
        let federated = Record {
            second: second - 1,
            source: "sso",
            name: if in_browser(actor) { "Federate" } else { "GetRoleCredentials" },
            request: request.as_bytes(),
            ..base
        };
        self.owe(place, &federated);
    }

    /// A user signs in to the console with a password; the console mints the key.
    pub(super) fn open_by_console(&mut self, actor: &mut Actor, second: i64) -> i64 {
        let second = second.max(self.start + 40);
        let account = self.organization.account(actor.account).to_owned();
        let key = self.new_key(&account);
        let identity = match actor.origin {
            Origin::Root => Identity::Root { account, created: second },
            _ => user_identity(actor, account, Some((second, true))),
        };
        if self.rng.u8(0..6) == 0 {
            self.owe_login(&identity, actor, (second - 25, Outcome::Failure));
        }
        self.owe_login(&identity, actor, (second, Outcome::Success));
        let until = second + actor.lifetime;
        begin(actor, identity, key, (second, until));
        mark_console(actor);
        second
    }

    /// Owes an account the record of a console sign-in.
    fn owe_login(&mut self, identity: &Identity, actor: &Actor, (second, outcome): (i64, Outcome)) {
        let place = Place { account: actor.account, region: 0 };
        let recipient = self.organization.account(actor.account).to_owned();
        // Who signs in has no key and, as a user, no session yet.
        let text = match identity {
            Identity::User(user) => {
                Identity::User(UserIdentity { session: None, ..user.clone() }).json("", "")
            }
            other => other.json("", ""),
        };
        let factor = match identity {
            Identity::Role(_) => r#""No""#.to_owned(),
            Identity::User(UserIdentity { account, user, .. }) => {
                format!(r#""Yes","MFAIdentifier":"arn:aws:iam::{account}:mfa/{user}""#)
            }
            Identity::Root { .. } | Identity::Service { .. } => r#""Yes""#.to_owned(),
        };
        let target =
            "https://console.aws.amazon.com/console/home?hashArgs=%23&isauthcode=true&state=hashArgs";
        let details = format!(r#"{{"LoginTo":"{target}","MobileVersion":"No","MFAUsed":{factor}}}"#);
        let response = format!(r#"{{"ConsoleLogin":"{outcome:?}"}}"#);
        let record = Record {
            identity: &text,
            second,
            source: "signin",
            name: "ConsoleLogin",
            region: self.organization.region(place),
            ip: &actor.ip,
            agent: actor.agent,
            // The failure has a message but no code of its own: what happened stands in the response.
            failure: (outcome == Outcome::Failure).then_some(("", "Failed authentication")),
            response: response.as_bytes(),
            additional: details.as_bytes(),
            access: Access::Write,
            kind: Kind::SignIn,
            recipient: &recipient,
            ..Record::default()
        };
        self.owe(place, &record);
    }
}

fn in_browser(actor: &Actor) -> bool {
    actor.agent.starts_with("Mozilla")
}

/// Marks the credentials of someone in a browser as minted by the console.
fn mark_console(actor: &mut Actor) {
    let browser = in_browser(actor);
    if let Some(session) = actor.session.as_mut().filter(|_| browser) {
        session.client = Client::Console;
    }
}
