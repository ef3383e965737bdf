//! Gives credentials to actors, and writes the records of their giving.
//!
//! Takes an actor whose session has ended, gives it a new one together with the records that CloudTrail keeps of
//! it: `AssumeRole` and its kin, console sign-ins, portal sign-ins. Promises that a key given out here is the
//! `accessKeyId` in the response of a record with the same ARN and time, but for those that leave no such record
//! in real life either: keys minted by the console and long-term keys.
//!
//! A record may belong to another account or Region than the one where the actor is about to work (global
//! services, the far side of a cross-account call). Such records are *owed* to that place and lie in its next file.
//!
//! Not here: how people sign in (`sign_in`).

use super::actor::{Actor, Origin, pipeline, scanner};
use super::grant::{Grant, credentials, sts};
use super::identifier;
use super::organization::{BUILD, Organization, Place, SECURITY};
use super::record::{Client, Record};
use super::session::{Identity, RoleIdentity, Session, UserIdentity};
use fastrand::Rng;

/// A record that belongs in the next file of a place.
#[derive(Clone, Debug)]
pub(super) struct Owed {
    /// Where it is recorded.
    pub(super) place: Place,
    /// The JSON of the record.
    pub(super) text: Vec<u8>,
}

/// Where credentials are given out.
#[derive(Debug)]
pub(super) struct Desk {
    /// The organization.
    pub(super) organization: Organization,
    /// The one source of chance while records are written.
    pub(super) rng: Rng,
    /// Records that lie elsewhere.
    pub(super) owed: Vec<Owed>,
    /// The first second of the archive.
    pub(super) start: i64,
    scanner: Option<Box<Actor>>,
    pipeline: Option<Box<Actor>>,
}

impl Desk {
    /// Opens the desk at the first second of the archive.
    pub(super) fn new(organization: Organization, mut rng: Rng, start: i64) -> Self {
        let scanner = Some(Box::new(scanner(SECURITY, &mut rng)));
        let pipeline = Some(Box::new(pipeline(BUILD, &mut rng)));
        Self { organization, rng, owed: Vec::new(), start, scanner, pipeline }
    }

    /// Sees to it that an actor can sign a call, and returns the second at which it can.
    ///
    /// That is the second asked for, or just after the session began if another file opened it later on.
    pub(super) fn ready(&mut self, actor: &mut Actor, place: Place, second: i64) -> i64 {
        match &actor.session {
            Some(session) if second < session.expires => second.max(session.created),
            _ => self.open(actor, place, second),
        }
    }

    fn open(&mut self, actor: &mut Actor, place: Place, second: i64) -> i64 {
        match actor.origin.clone() {
            Origin::Instance => self.open_by_service(actor, place, (second, "ec2.amazonaws.com")),
            Origin::Function => self.open_by_service(actor, place, (second, "lambda.amazonaws.com")),
            Origin::Task => self.open_by_service(actor, place, (second, "ecs-tasks.amazonaws.com")),
            Origin::Linked { host } => self.open_by_service(actor, place, (second, host)),
            Origin::Scanner | Origin::Pipeline => self.open_across(actor, place, second),
            Origin::WebIdentity => self.open_by_token(actor, place, second),
            Origin::Workforce => self.open_by_portal(actor, second),
            Origin::ConsoleUser | Origin::Root => self.open_by_console(actor, second),
            Origin::TokenUser { key } => self.open_by_user_token(actor, (second, &key)),
            Origin::KeyUser { key } => {
                let account = self.organization.account(actor.account).to_owned();
                let identity = user_identity(actor, account, None);
                begin(actor, identity, key, (i64::MIN, i64::MAX));
                second
            }
        }
    }

    /// Records what a place is owed.
    pub(super) fn owe(&mut self, place: Place, record: &Record<'_>) {
        let mut text = Vec::with_capacity(2_048);
        record.write(&mut text, &mut self.rng);
        self.owed.push(Owed { place, text });
    }

    /// Returns the identity of a role's session that begins now.
    pub(super) fn role_identity(&self, actor: &Actor, second: i64) -> RoleIdentity {
        RoleIdentity {
            account: self.organization.account(actor.account).to_owned(),
            path: actor.path,
            role: actor.name.clone(),
            role_id: actor.id.clone(),
            session: actor.label.clone(),
            created: second,
            ..RoleIdentity::default()
        }
    }

    /// Returns a new temporary key of an account.
    pub(super) fn new_key(&mut self, account: &str) -> String {
        identifier::temporary_key(&mut self.rng, account)
    }

    /// A service assumes a role and hands the key to what runs under it.
    fn open_by_service(&mut self, actor: &mut Actor, place: Place, (second, host): (i64, &str)) -> i64 {
        let mut role = self.role_identity(actor, second);
        let region = self.organization.region(place);
        match actor.origin {
            Origin::Instance => role.delivery = "2.0",
            // Lambda tells the scope on newer platforms only: on every other function here.
            Origin::Function if role.session.len().is_multiple_of(2) => {
                let (account, function) = (&role.account, &role.session);
                let arn = format!("arn:aws:lambda:{region}:{account}:function:{function}");
                role.scope = Some(("AWS::Lambda::Function", arn));
            }
            _ => {}
        }
        let key = self.new_key(&role.account);
        let grant = Grant::new(&role, &key, actor.lifetime, &mut self.rng);
        let shared = identifier::uuid_string(&mut self.rng);
        let record = Record {
            identity: &format!(r#"{{"type":"AWSService","invokedBy":"{host}"}}"#),
            ip: host,
            agent: host,
            shared: &shared,
            client: Client::Service,
            ..grant.record("AssumeRole", region, &role.account)
        };
        self.owe(place, &record);
        let until = second + actor.lifetime;
        begin(actor, Identity::Role(role), key, (second, until));
        second
    }

    /// A session of one account assumes a role of another: a record in each, tied by `sharedEventID`.
    fn open_across(&mut self, actor: &mut Actor, place: Place, second: i64) -> i64 {
        let (caller, account) = match actor.origin {
            Origin::Scanner => (self.scanner.take(), SECURITY),
            _ => (self.pipeline.take(), BUILD),
        };
        let Some(mut caller) = caller else { return second };
        let from = Place { account, ..place };
        let second = self.ready(&mut caller, from, second);
        let mut role = self.role_identity(actor, second);
        if let Origin::Pipeline = actor.origin {
            role.source_identity = "release-pipeline".to_owned();
        }
        let key = self.new_key(&role.account);
        let grant = Grant::new(&role, &key, actor.lifetime, &mut self.rng);
        if let Some(session) = &caller.session {
            self.owe_pair(session, (from, place), &grant);
        }
        let until = second + actor.lifetime;
        begin(actor, Identity::Role(role), key, (second, until));
        match actor.origin {
            Origin::Scanner => self.scanner = Some(caller),
            _ => self.pipeline = Some(caller),
        }
        second
    }

    /// Owes both accounts their record of one cross-account `AssumeRole`.
    pub(super) fn owe_pair(&mut self, caller: &Session, (from, to): (Place, Place), grant: &Grant) {
        let region = self.organization.region(to);
        let home = self.organization.account(from.account).to_owned();
        let host = self.organization.account(to.account).to_owned();
        let shared = identifier::uuid_string(&mut self.rng);
        let principal = caller.identity.principal();
        let far = format!(r#"{{"type":"AWSAccount","principalId":"{principal}","accountId":"{home}"}}"#);
        let details =
            format!(r#"{{"RequestDetails":{{"awsServingRegion":"{region}","endpointType":"regional"}}}}"#);
        let near = Record {
            identity: &caller.text,
            ip: &caller.ip,
            agent: caller.agent,
            additional: details.as_bytes(),
            shared: &shared,
            ..grant.record("AssumeRole", region, &home)
        };
        self.owe(from, &near);
        if from != to {
            let record = Record { identity: &far, recipient: &host, ..near };
            self.owe(to, &record);
        }
    }

    /// A job outside AWS trades its identity token for a session.
    fn open_by_token(&mut self, actor: &mut Actor, place: Place, second: i64) -> i64 {
        const SUBJECT: &str = "repo:asahi-example/orders:ref:refs/heads/main";
        let mut role = self.role_identity(actor, second);
        let issuer = "token.actions.githubusercontent.com";
        let provider = format!("arn:aws:iam::{}:oidc-provider/{issuer}", role.account);
        role.provider.clone_from(&provider);
        let key = self.new_key(&role.account);
        let identity = format!(
            r#"{{"type":"WebIdentityUser","principalId":"{provider}:sts.amazonaws.com:{SUBJECT}","userName":"{SUBJECT}","identityProvider":"{provider}"}}"#
        );
        let mut grant = Grant::new(&role, &key, actor.lifetime, &mut self.rng);
        grant.add_to_response(&format!(
            r#""subjectFromWebIdentityToken":"{SUBJECT}","provider":"{provider}","audience":"sts.amazonaws.com""#
        ));
        let region = self.organization.region(place);
        let record = Record {
            identity: &identity,
            ip: &actor.ip,
            agent: actor.agent,
            ..grant.record("AssumeRoleWithWebIdentity", region, &role.account)
        };
        self.owe(place, &record);
        let until = second + actor.lifetime;
        begin(actor, Identity::Role(role), key, (second, until));
        second
    }

    /// A user trades its own key and a second factor for a session.
    fn open_by_user_token(&mut self, actor: &mut Actor, (second, own): (i64, &str)) -> i64 {
        let place = Place { account: actor.account, region: 0 };
        let account = self.organization.account(actor.account).to_owned();
        let key = self.new_key(&account);
        let caller = user_identity(actor, account.clone(), None).json(own, "");
        let (user, lifetime) = (&actor.name, actor.lifetime);
        let request =
            format!(r#"{{"serialNumber":"arn:aws:iam::{account}:mfa/{user}","durationSeconds":{lifetime}}}"#);
        let response = format!("{{{}}}", credentials(&key, second + lifetime, &mut self.rng));
        let record = Record {
            identity: &caller,
            ip: &actor.ip,
            agent: actor.agent,
            request: request.as_bytes(),
            response: response.as_bytes(),
            ..sts("GetSessionToken", "us-east-1", &account, second)
        };
        self.owe(place, &record);
        let identity = user_identity(actor, account, Some((second, true)));
        begin(actor, identity, key, (second, second + lifetime));
        second
    }
}

/// Returns the identity of an actor that is an IAM user.
pub(super) fn user_identity(actor: &Actor, account: String, session: Option<(i64, bool)>) -> Identity {
    let (user, user_id) = (actor.name.clone(), actor.id.clone());
    Identity::User(UserIdentity { account, user, user_id, session })
}

/// Hands an actor its session.
pub(super) fn begin(actor: &mut Actor, identity: Identity, key: String, (created, expires): (i64, i64)) {
    let (client, invoked_by) = match actor.origin {
        Origin::Linked { host } => (Client::Service, host),
        _ => (Client::Program, ""),
    };
    actor.session = Some(Session {
        text: identity.json(&key, invoked_by),
        arn: identity.arn(),
        identity,
        key,
        created,
        expires,
        ip: actor.ip.clone(),
        agent: actor.agent,
        endpoint: actor.endpoint.clone(),
        client,
    });
}
