//! The attributes that only one class of event has: resources, the account changed, the session begun.

use std::borrow::Cow;

use super::normalize::{Row, STRING_CHARS_MAX, found, text};
use super::record::Field;
use crate::ingest::json::{Kind, Scanner, Span};
use crate::ocsf::schema::{self, CLOUD_TRAIL, FlagColumn, ListColumn, TextColumn};

const RESOURCES: ListColumn = schema::list(CLOUD_TRAIL, "resources[]");
const RESOURCE_UID: TextColumn = text("resources[].uid");
const RESOURCE_OWNER: TextColumn = text("resources[].owner.account.uid");
const RESOURCE_TYPE: TextColumn = text("resources[].type");
const AFFECTED_UID: TextColumn = text("user.uid");
const AFFECTED_UID_ALT: TextColumn = text("user.uid_alt");
const AFFECTED_NAME: TextColumn = text("user.name");
const NEW_SESSION_UID: TextColumn = text("session.uid");
const NEW_SESSION_UID_ALT: TextColumn = text("session.uid_alt");
const NEW_SESSION_CREDENTIAL: TextColumn = text("session.credential_uid");
const NEW_SESSION_ISSUER: TextColumn = text("session.issuer");
const POLICY_UID: TextColumn = text("policy.uid");
const SERVICE: TextColumn = text("service.name");
const DST_SVC_NAME: TextColumn = text("dst_endpoint.svc_name");
const IS_MFA: FlagColumn = schema::flag(CLOUD_TRAIL, "is_mfa");

impl Row<'_> {
    /// API Activity: the resources the call named.
    pub(super) fn resources(&mut self) {
        let Some(array) = self.record.field(Field::Resources) else {
            return;
        };
        let mut whole = array.json(self.text) != "[]";
        let (text, mut first) = (self.text, true);
        let mut scanner = Scanner::new(text.as_bytes(), array.start as usize + 1);
        while let Ok(true) = scanner.element(&mut first) {
            let Ok(item) = scanner.value() else { break };
            whole &= self.resource(item);
        }
        if !whole {
            self.keep(Field::Resources, array);
        }
    }

    /// Adds a resource; false when the row alone could not tell it back.
    fn resource(&mut self, item: Span) -> bool {
        if item.kind != Kind::Object {
            return false;
        }
        let (text, mut first, mut whole) = (self.text, true, true);
        let (mut arn, mut owner, mut kind) = (None, None, None);
        let mut scanner = Scanner::new(text.as_bytes(), item.start as usize + 1);
        while let Ok(Some(key)) = scanner.member(&mut first) {
            let Ok(value) = scanner.value() else { return false };
            let slot = match key.of(text) {
                "ARN" => &mut arn,
                "accountId" => &mut owner,
                "type" => &mut kind,
                _ => {
                    whole = false;
                    continue;
                }
            };
            whole &= value.kind == Kind::Plain && slot.is_none() && value.of(text).len() <= STRING_CHARS_MAX;
            *slot = Some(value.of(text)).filter(|_| value.kind == Kind::Plain);
        }
        let Some(arn) = arn else { return false };
        self.columns.item(RESOURCES);
        self.columns.item_text(RESOURCES, RESOURCE_UID, arn);
        for (column, value) in [(RESOURCE_OWNER, owner), (RESOURCE_TYPE, kind)] {
            if let Some(value) = value {
                self.columns.item_text(RESOURCES, column, value);
            }
        }
        self.observable("resources[].uid", arn, ("Resource UID", 10));
        whole
    }

    /// Account Change: which user, role or policy was changed.
    pub(super) fn account_change(&mut self) {
        let request = self.data(Field::RequestParameters);
        let response = self.data(Field::ResponseElements);
        let in_response = |paths: &[&[&str]]| paths.iter().find_map(|path| found(response, path));
        let uid = in_response(&[&["user", "arn"], &["role", "arn"]]);
        let uid_alt = in_response(&[&["user", "userId"], &["role", "roleId"]]);
        let name = found(request, &["userName"]).or_else(|| found(request, &["roleName"])).or_else(|| {
            in_response(&[&["user", "userName"], &["role", "roleName"], &["accessKey", "userName"]])
        });
        self.affected_user((uid, uid_alt, name));
        if let Some(policy) = found(request, &["policyArn"]) {
            self.columns.text(POLICY_UID, &policy);
        }
        self.keep_field(Field::Resources);
    }

    /// Authentication: who signed in, or which role was assumed, and the session that came of it.
    pub(super) fn authentication(&mut self) {
        let request = self.data(Field::RequestParameters);
        let response = self.data(Field::ResponseElements);
        let role = found(request, &["roleArn"]);
        let name =
            found(request, &["roleSessionName"]).or_else(|| self.peek(Field::UserName).map(Cow::into_owned));
        let uid = role.clone().or_else(|| self.peek(Field::UserArn).map(Cow::into_owned));
        self.affected_user((uid, self.peek(Field::PrincipalId).map(Cow::into_owned), name));
        let session = [
            (NEW_SESSION_CREDENTIAL, found(response, &["credentials", "accessKeyId"])),
            (NEW_SESSION_UID, found(response, &["assumedRoleUser", "arn"])),
            (NEW_SESSION_UID_ALT, found(response, &["assumedRoleUser", "assumedRoleId"])),
            (NEW_SESSION_ISSUER, role),
        ];
        for (column, value) in session {
            if let Some(value) = value {
                self.columns.text(column, &value);
            }
        }
        let service = self.peek(Field::EventSource);
        self.columns.text(SERVICE, service.as_deref().unwrap_or("unknown"));
        let additional = self.extra("", "additionalEventData");
        let additional = additional.as_deref().unwrap_or_default();
        if let Some(target) = found(additional, &["LoginTo"]) {
            self.columns.text(DST_SVC_NAME, &target);
        }
        match found(additional, &["MFAUsed"]).as_deref() {
            Some("Yes") => self.columns.flag(IS_MFA, true),
            Some("No") => self.columns.flag(IS_MFA, false),
            _ => {}
        }
        self.keep_field(Field::Resources);
    }

    /// Fills `user`. OCSF wants an id or a name; where the call has neither, the caller acted on itself.
    fn affected_user(&mut self, (uid, uid_alt, name): (Option<String>, Option<String>, Option<String>)) {
        let nobody = uid.is_none() && name.is_none();
        let own = |field: Field, row: &Self| row.peek(field).map(Cow::into_owned);
        let name = if nobody { own(Field::UserName, self) } else { name };
        let uid = if nobody {
            own(Field::UserArn, self).or_else(|| self.derived_uid().map(Cow::into_owned))
        } else {
            uid
        };
        let uid = if uid.is_none() && name.is_none() { own(Field::UserAccountId, self) } else { uid };
        for (column, value) in [(AFFECTED_UID, uid), (AFFECTED_UID_ALT, uid_alt)] {
            if let Some(value) = value {
                self.columns.text(column, &value);
            }
        }
        if let Some(name) = name {
            self.columns.text(AFFECTED_NAME, &name);
            self.observable("user.name", &name, ("User Name", 4));
        }
    }
}
