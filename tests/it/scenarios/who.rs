//! Who can sign a call: `userIdentity` as CloudTrail has it, and where the calls come from.

use jiff::Timestamp;
use serde_json::{Value, json};

/// Somebody with credentials.
#[derive(Debug, Clone)]
pub(super) struct Who {
    pub(super) identity: Value,
    pub(super) account: String,
    pub(super) ip: String,
    pub(super) agent: &'static str,
    /// The console minted the key.
    pub(super) is_console: bool,
}

/// A session of a role: account, role, name of the session.
pub(super) type Role<'a> = (&'a str, &'a str, &'a str);

pub(super) const CLI: &str =
    "aws-cli/2.22.4 md/awscrt#0.23.4 ua/2.0 os/linux#6.8 md/arch#x86_64 lang/python#3.12";
pub(super) const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0";
pub(super) const TERRAFORM: &str =
    "APN/1.0 HashiCorp/1.0 Terraform/1.9.5 (+https://www.terraform.io) aws-sdk-go-v2/1.32.2";

impl Who {
    pub(super) fn new(identity: Value, account: &str) -> Self {
        let ip = "198.51.100.24".to_owned();
        Self { identity, account: account.to_owned(), ip, agent: CLI, is_console: false }
    }

    pub(super) fn from(mut self, ip: &str) -> Self {
        ip.clone_into(&mut self.ip);
        self
    }

    pub(super) fn with(mut self, agent: &'static str) -> Self {
        self.agent = agent;
        self
    }

    /// The same in the console.
    pub(super) fn in_console(mut self) -> Self {
        (self.is_console, self.agent) = (true, BROWSER);
        self
    }

    /// The same with another key: the console mints new ones as it goes, services forward with their own.
    pub(super) fn with_key(mut self, key: &str) -> Self {
        self.identity["accessKeyId"] = json!(key);
        self
    }

    /// The same session as a service uses it for the caller.
    pub(super) fn by_way_of(mut self, service: &str, key: &str) -> Self {
        self.identity["invokedBy"] = json!(service);
        self.is_console = false;
        self.from(service).with_key(key)
    }

    pub(super) fn key(&self) -> String {
        text(&self.identity, "accessKeyId")
    }

    pub(super) fn arn(&self) -> String {
        text(&self.identity, "arn")
    }

    /// What the account of a role knows of a caller from another account.
    pub(super) fn seen_from_elsewhere(&self) -> Value {
        json!({"type": "AWSAccount", "principalId": text(&self.identity, "principalId"), "accountId": self.account})
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

pub(super) fn user(account: &str, name: &str, key: &str) -> Value {
    json!({
        "type": "IAMUser",
        "principalId": format!("AIDA{}", id_of(&[account, name])),
        "arn": format!("arn:aws:iam::{account}:user/{name}"),
        "accountId": account,
        "accessKeyId": key,
        "userName": name,
    })
}

pub(super) fn root(account: &str, key: &str, created: Timestamp) -> Value {
    json!({
        "type": "Root",
        "principalId": account,
        "arn": format!("arn:aws:iam::{account}:root"),
        "accountId": account,
        "accessKeyId": key,
        "sessionContext": attributes(created, "true"),
    })
}

pub(super) fn service(host: &str) -> Value {
    json!({"type": "AWSService", "invokedBy": host})
}

pub(super) fn attributes(created: Timestamp, mfa: &str) -> Value {
    json!({"attributes": {"creationDate": created.to_string(), "mfaAuthenticated": mfa}})
}

pub(super) fn role_session((account, role, name): Role<'_>, key: &str, created: Timestamp) -> Value {
    let id = format!("AROA{}", id_of(&[account, role]));
    let path = if role.starts_with("AWSReservedSSO") {
        "aws-reserved/sso.amazonaws.com/eu-west-1/"
    } else if role.starts_with("AWSServiceRoleFor") {
        "aws-service-role/"
    } else {
        ""
    };
    let mut context = attributes(created, "false");
    context["sessionIssuer"] = json!({
        "type": "Role",
        "principalId": id,
        "arn": format!("arn:aws:iam::{account}:role/{path}{role}"),
        "accountId": account,
        "userName": role,
    });
    json!({
        "type": "AssumedRole",
        "principalId": format!("{id}:{name}"),
        "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{name}"),
        "accountId": account,
        "accessKeyId": key,
        "sessionContext": context,
    })
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn base32(bits: u64, letters: u32) -> String {
    (0..letters)
        .rev()
        .map(|at| char::from(BASE32[usize::try_from((bits >> (5 * at)) & 31).unwrap()]))
        .collect()
}

/// An access key id in which its account is coded, as in real ones.
pub(super) fn key_of(prefix: &str, account: &str, serial: u64) -> String {
    let account: u64 = account.parse().unwrap();
    let coded = ((1 << 47) | (account << 7) | (serial % 128)) << 2;
    format!("{prefix}{}{}", base32(coded, 10), base32(serial * 7919, 6))
}

/// Letters of an id, the same for the same names.
fn id_of(names: &[&str]) -> String {
    let hash = names
        .iter()
        .flat_map(|name| name.bytes())
        .fold(5381_u64, |hash, byte| (hash.wrapping_mul(33) ^ u64::from(byte)) & 0x00ff_ffff_ffff_ffff);
    format!("X{}", base32(hash, 12))
}
