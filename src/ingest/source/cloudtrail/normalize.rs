//! Fills one row from one CloudTrail record: its OCSF event.
//!
//! Takes the spans that parsing left and the columns of the record's table.
//! Promises: each value of the record is in a column that tells it back, or in
//! `unmapped`; the event keeps the rules of OCSF 1.1.0, also where CloudTrail
//! leaves a required attribute out (the `derived` values below never collide with
//! values of the source, so that the record can still be rebuilt).

use std::borrow::Cow;
use std::net::IpAddr;

use super::classify;
use super::record::{Field, RawRecord};
use crate::ingest::json::{self, Kind, Span};
use crate::ingest::source::record::{Origin, RecordHead, Records};
use crate::ingest::source::time::read_plain_time;
use crate::ingest::source::unmapped::Unmapped;
use crate::lake::path::AccountId;
use crate::lake::table::Table;
use crate::ocsf::class::Class;
use crate::ocsf::columns::Columns;
use crate::ocsf::schema::{
    self, CLOUD_TRAIL, FlagColumn, IntColumn, ListColumn, LongColumn, MapColumn, TextColumn,
};

pub(super) const fn text(path: &str) -> TextColumn {
    schema::text(CLOUD_TRAIL, path)
}

const TIME: LongColumn = schema::long(CLOUD_TRAIL, "time");
const TIME_DT: LongColumn = schema::time(CLOUD_TRAIL, "time_dt");
const LOG_NAME: TextColumn = text("metadata.log_name");
const SEQUENCE: IntColumn = schema::int(CLOUD_TRAIL, "metadata.sequence");
const FEATURE_NAME: TextColumn = text("metadata.product.feature.name");
const REGION: TextColumn = text("cloud.region");
const CLOUD_ACCOUNT: TextColumn = text("cloud.account.uid");
const EVENT_UID: TextColumn = text("metadata.uid");
const OPERATION: TextColumn = text("api.operation");
const USER_NAME: TextColumn = text("actor.user.name");
const SERVICE_NAME: TextColumn = text("api.service.name");
const REQUEST_DATA: TextColumn = text("api.request.data");
const REQUEST_UID: TextColumn = text("api.request.uid");
const RESPONSE_DATA: TextColumn = text("api.response.data");
const USER_UID: TextColumn = text("actor.user.uid");
const CREDENTIAL_UID: TextColumn = text("actor.user.credential_uid");
const SESSION_CREATED: LongColumn = schema::time(CLOUD_TRAIL, "actor.session.created_time_dt");
const SESSION_IS_MFA: FlagColumn = schema::flag(CLOUD_TRAIL, "actor.session.is_mfa");
const IDP_NAME: TextColumn = text("actor.idp.name");
const SRC_IP: TextColumn = text("src_endpoint.ip");
const SRC_DOMAIN: TextColumn = text("src_endpoint.domain");
const SRC_SVC_NAME: TextColumn = text("src_endpoint.svc_name");
const ACTIVITY_ID: IntColumn = schema::int(CLOUD_TRAIL, "activity_id");
const ACTIVITY_NAME: TextColumn = text("activity_name");
const TYPE_UID: LongColumn = schema::long(CLOUD_TRAIL, "type_uid");
const TYPE_NAME: TextColumn = text("type_name");
const STATUS: TextColumn = text("status");
const STATUS_ID: IntColumn = schema::int(CLOUD_TRAIL, "status_id");
const OBSERVABLES: ListColumn = schema::list(CLOUD_TRAIL, "observables[]");
const OBSERVABLE_NAME: TextColumn = text("observables[].name");
const OBSERVABLE_VALUE: TextColumn = text("observables[].value");
const OBSERVABLE_TYPE: TextColumn = text("observables[].type");
const OBSERVABLE_TYPE_ID: IntColumn = schema::int(CLOUD_TRAIL, "observables[].type_id");
const UNMAPPED: MapColumn = schema::map(CLOUD_TRAIL, "unmapped");

/// What AWS calls the feature of a record older than `eventCategory`.
pub const FEATURE_WITHOUT_CATEGORY: &str = "Management, Data, and Insights";

/// Fields whose text goes into one column as it is.
const PLAIN: [(Field, TextColumn); 13] = [
    (Field::EventVersion, text("metadata.product.version")),
    (Field::EventType, text("metadata.event_code")),
    (Field::ApiVersion, text("api.version")),
    (Field::ErrorCode, text("api.response.error")),
    (Field::ErrorMessage, text("api.response.message")),
    (Field::VpcEndpointId, text("src_endpoint.uid")),
    (Field::UserAgent, text("http_request.user_agent")),
    (Field::UserType, text("actor.user.type")),
    (Field::PrincipalId, text("actor.user.uid_alt")),
    (Field::UserAccountId, text("actor.user.account.uid")),
    (Field::InvokedBy, text("actor.invoked_by")),
    (Field::SessionIssuerArn, text("actor.session.issuer")),
    (Field::EventSource, SERVICE_NAME),
];

/// OCSF's longest string; a longer one has no column and goes into `unmapped`.
pub(super) const STRING_CHARS_MAX: usize = 65_535;

/// Space that rows use one after another.
#[derive(Debug, Default)]
pub struct Scratch {
    path: String,
    /// The account of the row before, as text: rows are ordered by account.
    account: Option<(AccountId, String)>,
}

impl Scratch {
    fn account(&mut self, account: AccountId) -> &str {
        if self.account.as_ref().is_none_or(|(before, _)| *before != account) {
            self.account = None;
        }
        &self.account.get_or_insert_with(|| (account, account.to_string())).1
    }
}

/// Fills one row of the record's table.
pub fn normalize(
    head: &RecordHead,
    records: &Records,
    origin: Origin<'_>,
    columns: &mut Columns,
    scratch: &mut Scratch,
) {
    let Some(record) = records.cloudtrail.records.get(head.body as usize) else {
        return;
    };
    let class = class_of(head.table);
    let mut row = Row { head, record, records, text: origin.text, columns, scratch, class };
    row.columns.long(TIME, head.time);
    row.columns.long(TIME_DT, head.time);
    row.columns.text(LOG_NAME, origin.object);
    row.columns.int(SEQUENCE, i32::try_from(head.index).unwrap_or(i32::MAX));
    for (field, column) in PLAIN {
        if let Some(value) = row.value(field) {
            row.columns.text(column, &value);
        }
    }
    row.when_and_where();
    row.call();
    row.actor();
    row.src_endpoint();
    row.activity_and_status();
    match row.class {
        Class::AccountChange => row.account_change(),
        Class::Authentication => row.authentication(),
        _ => row.resources(),
    }
    row.extras();
    row.columns.end_row();
}

/// Every CloudTrail table has a class; API Activity is that of what is nothing else.
fn class_of(table: Table) -> Class {
    table.class().unwrap_or(Class::ApiActivity)
}

/// Fills the columns that are the same in every row of a table.
pub fn fill_constants(table: Table, columns: &mut Columns) {
    let class = class_of(table);
    const PROFILES: ListColumn = schema::list(CLOUD_TRAIL, "metadata.profiles[]");
    const PROFILE: TextColumn = text("metadata.profiles[]");
    const VERSION: TextColumn = text("metadata.version");
    const CLASS_NAME: TextColumn = text("class_name");
    const CLASS_UID: IntColumn = schema::int(CLOUD_TRAIL, "class_uid");
    const CATEGORY_NAME: TextColumn = text("category_name");
    const CATEGORY_UID: IntColumn = schema::int(CLOUD_TRAIL, "category_uid");
    const SEVERITY_ID: IntColumn = schema::int(CLOUD_TRAIL, "severity_id");
    const CONSTANTS: [(TextColumn, &str); 4] = [
        (text("metadata.product.name"), "CloudTrail"),
        (text("metadata.product.vendor_name"), "AWS"),
        (text("cloud.provider"), "AWS"),
        (text("severity"), "Informational"),
    ];
    for (column, value) in CONSTANTS {
        columns.fill_text(column, value);
    }
    columns.fill_list(PROFILES, PROFILE, &["cloud", "datetime"]);
    columns.fill_text(VERSION, class.version());
    columns.fill_text(CLASS_NAME, class.name());
    columns.fill_int(CLASS_UID, class.uid());
    columns.fill_text(CATEGORY_NAME, class.category().1);
    columns.fill_int(CATEGORY_UID, class.category().0);
    columns.fill_int(SEVERITY_ID, 1);
}

pub(super) struct Row<'a> {
    head: &'a RecordHead,
    pub(super) record: &'a RawRecord,
    records: &'a Records,
    pub(super) text: &'a str,
    pub(super) columns: &'a mut Columns,
    scratch: &'a mut Scratch,
    class: Class,
}

impl<'a> Row<'a> {
    /// Returns the text of a field. One that no column can hold goes into `unmapped` instead.
    #[inline]
    pub(super) fn value(&mut self, field: Field) -> Option<Cow<'a, str>> {
        let span = self.record.field(field)?;
        let text = plain(self.text, span).filter(|text| text.len() <= STRING_CHARS_MAX);
        if text.is_none() {
            self.keep(field, span);
        }
        text
    }

    /// Keeps a field in `unmapped`, beside its column or instead of it.
    pub(super) fn keep(&mut self, field: Field, span: Span) {
        Unmapped::new(self.columns, UNMAPPED, self.text, &mut self.scratch.path).put(
            field.path(),
            None,
            span,
        );
    }

    /// Returns the text of a field without touching `unmapped`, for what is derived from it.
    pub(super) fn peek(&self, field: Field) -> Option<Cow<'a, str>> {
        self.record.field(field).and_then(|span| plain(self.text, span))
    }

    /// Returns the id of the event, however it is spelled.
    fn event_id(&self) -> Option<Cow<'a, str>> {
        let spelled_otherwise = || self.record.other_id.map(|span| Cow::Borrowed(span.of(self.text)));
        self.peek(Field::EventId).or_else(spelled_otherwise)
    }

    /// Returns the name of the call, or the type of an event that is no call.
    fn event_name(&self) -> Cow<'a, str> {
        self.peek(Field::EventName).or_else(|| self.peek(Field::EventType)).unwrap_or_default()
    }

    fn when_and_where(&mut self) {
        self.value(Field::EventId);
        if let Some(id) = self.event_id().filter(|id| id.len() <= STRING_CHARS_MAX) {
            self.columns.text(EVENT_UID, &id);
        }
        if let Some(span) = self.record.field(Field::EventTime)
            && read_plain_time(span.of(self.text).as_bytes()).is_none()
        {
            self.keep(Field::EventTime, span);
        }
        let category = self.value(Field::EventCategory);
        let feature = match category.as_deref() {
            Some(FEATURE_WITHOUT_CATEGORY) => {
                self.keep_field(Field::EventCategory);
                FEATURE_WITHOUT_CATEGORY
            }
            Some(category) => category,
            None => FEATURE_WITHOUT_CATEGORY,
        };
        self.columns.text(FEATURE_NAME, feature);
        match self.records.regions.get(self.head.region) {
            Some(region) if self.head.region > 0 => self.columns.text(REGION, region.as_str()),
            _ => self.keep_field(Field::AwsRegion),
        }
        if self.head.account != AccountId::EXTERNAL {
            self.columns.text(CLOUD_ACCOUNT, self.scratch.account(self.head.account));
        }
    }

    pub(super) fn keep_field(&mut self, field: Field) {
        if let Some(span) = self.record.field(field) {
            self.keep(field, span);
        }
    }

    fn call(&mut self) {
        self.value(Field::EventName);
        let name = self.event_name();
        let operation = classify::plain_name(&name);
        self.columns.text(OPERATION, operation);
        if operation.len() != name.len() {
            self.keep_field(Field::EventName);
        }
        for (field, column) in
            [(Field::RequestParameters, REQUEST_DATA), (Field::ResponseElements, RESPONSE_DATA)]
        {
            if let Some(span) = self.record.field(field) {
                self.columns.text(column, &json::compact(span.json(self.text)));
            }
        }
        let event_id = self.event_id();
        match self.value(Field::RequestId) {
            Some(request_id) => {
                self.columns.text(REQUEST_UID, &request_id);
                if event_id == Some(request_id) {
                    self.keep_field(Field::RequestId);
                }
            }
            // OCSF wants an id for every request.
            None => self.columns.text(REQUEST_UID, event_id.as_deref().unwrap_or("unknown")),
        }
        if self.record.field(Field::EventSource).is_none() {
            // A service needs a name; the source of the record is the nearest to one.
            self.columns.text(SERVICE_NAME, "unknown");
        }
    }

    fn actor(&mut self) {
        let arn = self.value(Field::UserArn);
        if arn.as_deref().is_some_and(|arn| !arn.starts_with("arn:")) {
            self.keep_field(Field::UserArn);
        }
        let uid = arn.or_else(|| self.derived_uid());
        if let Some(uid) = uid {
            self.columns.text(USER_UID, &uid);
        }
        if let Some(name) = self.value(Field::UserName) {
            self.columns.text(USER_NAME, &name);
            self.observable("actor.user.name", &name, ("User Name", 4));
        }
        let key = self.value(Field::AccessKeyId);
        self.session();
        if let Some(key) = &key {
            self.columns.text(CREDENTIAL_UID, key);
        }
        if self.record.has_provider {
            self.provider(key.is_none());
        }
    }

    /// Identity providers, and the credential id that Identity Center gives in place of a key.
    fn provider(&mut self, has_no_key: bool) {
        if has_no_key && let Some(credential) = self.extra("userIdentity.", "credentialId") {
            self.columns.text(CREDENTIAL_UID, &credential);
        }
        let federated = self
            .extra("userIdentity.sessionContext.", "webIdFederationData")
            .and_then(|data| found(&data, &["federatedProvider"]));
        let named = || self.extra("userIdentity.", "identityProvider").map(Cow::into_owned);
        if let Some(provider) = federated.or_else(named) {
            self.columns.text(IDP_NAME, &provider);
        }
    }

    /// What names the caller where there is no ARN: OCSF wants a user with an id, a name or an account.
    /// It never starts with `arn:`, by which a rebuilt record knows that there was none.
    pub(super) fn derived_uid(&self) -> Option<Cow<'a, str>> {
        if self.record.field(Field::UserAccountId).is_some() || self.record.field(Field::UserName).is_some() {
            return None;
        }
        [Field::InvokedBy, Field::PrincipalId, Field::EventSource]
            .into_iter()
            .find_map(|field| self.peek(field))
            .filter(|uid| !uid.starts_with("arn:"))
            .or(Some(Cow::Borrowed("unknown")))
    }

    fn session(&mut self) {
        if let Some(span) = self.record.field(Field::CreationDate) {
            match read_plain_time(span.of(self.text).as_bytes()) {
                Some(created) => self.columns.long(SESSION_CREATED, created),
                None => self.keep(Field::CreationDate, span),
            }
        }
        if let Some(span) = self.record.field(Field::MfaAuthenticated) {
            match span.of(self.text) {
                "true" => self.columns.flag(SESSION_IS_MFA, true),
                "false" => self.columns.flag(SESSION_IS_MFA, false),
                _ => self.keep(Field::MfaAuthenticated, span),
            }
        }
    }

    fn src_endpoint(&mut self) {
        let source = self.value(Field::SourceIpAddress);
        match source {
            Some(source) if is_ip(&source) => {
                self.columns.text(SRC_IP, &source);
                self.observable("src_endpoint.ip", &source, ("IP Address", 2));
            }
            Some(source) => {
                self.columns.text(SRC_DOMAIN, &source);
                // OCSF 1.1 does not take a domain alone for an endpoint.
                self.columns.text(SRC_SVC_NAME, &source);
                self.observable("src_endpoint.domain", &source, ("Hostname", 1));
            }
            None => {
                let service = self.peek(Field::EventSource);
                self.columns.text(SRC_SVC_NAME, service.as_deref().unwrap_or("unknown"));
            }
        }
    }

    fn activity_and_status(&mut self) {
        let name = self.event_name();
        let operation = classify::plain_name(&name);
        let activity = classify::activity(self.class, operation);
        self.columns.int(ACTIVITY_ID, activity);
        self.columns.text(ACTIVITY_NAME, self.class.activity(activity).unwrap_or(operation));
        self.columns.long(TYPE_UID, self.class.type_uid(activity));
        self.columns.text(TYPE_NAME, self.class.type_name(activity));
        let failed = if name == "ConsoleLogin" {
            let answer = self.record.field(Field::ResponseElements).map(|span| span.json(self.text));
            answer.and_then(|answer| found(answer, &["ConsoleLogin"])).as_deref() == Some("Failure")
        } else {
            self.record.field(Field::ErrorCode).is_some()
        };
        let (status, status_id) = if failed { ("Failure", 2) } else { ("Success", 1) };
        self.columns.text(STATUS, status);
        self.columns.int(STATUS_ID, status_id);
    }

    /// Returns the JSON text of a field, or nothing.
    pub(super) fn data(&self, field: Field) -> &'a str {
        self.record.field(field).map(|span| span.json(self.text)).unwrap_or_default()
    }

    /// Returns the text of a value without a column: of a string its text, of anything else its JSON.
    pub(super) fn extra(&self, prefix: &str, name: &str) -> Option<Cow<'a, str>> {
        let text = self.text;
        let extra = self.records.cloudtrail.extras_of(self.record).iter().find(|extra| {
            !extra.in_envelope && extra.prefix == prefix && extra.key.is_some_and(|key| key.of(text) == name)
        })?;
        if extra.value.kind.is_string() {
            plain(text, extra.value)
        } else {
            Some(Cow::Borrowed(extra.value.json(text)))
        }
    }

    pub(super) fn observable(&mut self, name: &str, value: &str, (kind, kind_id): (&str, i32)) {
        self.columns.item(OBSERVABLES);
        self.columns.item_text(OBSERVABLES, OBSERVABLE_NAME, name);
        self.columns.item_text(OBSERVABLES, OBSERVABLE_VALUE, value);
        self.columns.item_text(OBSERVABLES, OBSERVABLE_TYPE, kind);
        self.columns.item_int(OBSERVABLES, OBSERVABLE_TYPE_ID, kind_id);
    }

    fn extras(&mut self) {
        let mut unmapped = Unmapped::new(self.columns, UNMAPPED, self.text, &mut self.scratch.path);
        for extra in self.records.cloudtrail.extras_of(self.record) {
            if extra.in_envelope {
                unmapped.put(&format!("envelope.{}", extra.prefix), extra.key, extra.value);
            } else {
                unmapped.put(extra.prefix, extra.key, extra.value);
            }
        }
    }
}

/// Returns the text of a string; `None` when no UTF-8 can say it.
#[inline]
fn plain(text: &str, span: Span) -> Option<Cow<'_, str>> {
    match span.kind {
        Kind::Plain => Some(Cow::Borrowed(span.of(text))),
        _ => json::unescape(span.of(text)).map(Cow::Owned),
    }
}

/// Finds a string inside JSON text.
pub(super) fn found(text: &str, path: &[&str]) -> Option<String> {
    let (span, text) = json::find(text, path)?;
    let value = span.kind.is_string().then(|| plain(text, span)).flatten()?;
    (value.len() <= STRING_CHARS_MAX).then(|| value.into_owned())
}

/// Says whether OCSF takes a text for an address.
fn is_ip(text: &str) -> bool {
    text.len() <= 40
        && text.as_bytes().first().is_some_and(u8::is_ascii_hexdigit) | text.starts_with(':')
        && text.parse::<IpAddr>().is_ok()
}
