//! What parsing leaves of a CloudTrail record: where its fields stand in the text.

use crate::ingest::json::Span;

/// The fields that have a column of their own, by where they stand in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Field {
    /// `eventTime`
    EventTime,
    /// `eventVersion`
    EventVersion,
    /// `eventType`
    EventType,
    /// `eventID`
    EventId,
    /// `eventCategory`
    EventCategory,
    /// `eventName`
    EventName,
    /// `eventSource`
    EventSource,
    /// `apiVersion`
    ApiVersion,
    /// `awsRegion`
    AwsRegion,
    /// `requestID`
    RequestId,
    /// `requestParameters`
    RequestParameters,
    /// `responseElements`
    ResponseElements,
    /// `errorCode`
    ErrorCode,
    /// `errorMessage`
    ErrorMessage,
    /// `sourceIPAddress`
    SourceIpAddress,
    /// `vpcEndpointId`
    VpcEndpointId,
    /// `userAgent`
    UserAgent,
    /// `resources`
    Resources,
    /// `userIdentity.type`
    UserType,
    /// `userIdentity.userName`
    UserName,
    /// `userIdentity.arn`
    UserArn,
    /// `userIdentity.principalId`
    PrincipalId,
    /// `userIdentity.accountId`
    UserAccountId,
    /// `userIdentity.accessKeyId`
    AccessKeyId,
    /// `userIdentity.invokedBy`
    InvokedBy,
    /// `userIdentity.sessionContext.sessionIssuer.arn`
    SessionIssuerArn,
    /// `userIdentity.sessionContext.attributes.creationDate`
    CreationDate,
    /// `userIdentity.sessionContext.attributes.mfaAuthenticated`
    MfaAuthenticated,
}

/// How many fields there are.
pub const FIELDS: usize = Field::MfaAuthenticated as usize + 1;

impl Field {
    /// Every field, in the order of its number.
    pub const ALL: [Self; FIELDS] = [
        Self::EventTime,
        Self::EventVersion,
        Self::EventType,
        Self::EventId,
        Self::EventCategory,
        Self::EventName,
        Self::EventSource,
        Self::ApiVersion,
        Self::AwsRegion,
        Self::RequestId,
        Self::RequestParameters,
        Self::ResponseElements,
        Self::ErrorCode,
        Self::ErrorMessage,
        Self::SourceIpAddress,
        Self::VpcEndpointId,
        Self::UserAgent,
        Self::Resources,
        Self::UserType,
        Self::UserName,
        Self::UserArn,
        Self::PrincipalId,
        Self::UserAccountId,
        Self::AccessKeyId,
        Self::InvokedBy,
        Self::SessionIssuerArn,
        Self::CreationDate,
        Self::MfaAuthenticated,
    ];

    /// Returns where the field stands in a record.
    pub const fn path(self) -> &'static str {
        match self {
            Self::EventTime => "eventTime",
            Self::EventVersion => "eventVersion",
            Self::EventType => "eventType",
            Self::EventId => "eventID",
            Self::EventCategory => "eventCategory",
            Self::EventName => "eventName",
            Self::EventSource => "eventSource",
            Self::ApiVersion => "apiVersion",
            Self::AwsRegion => "awsRegion",
            Self::RequestId => "requestID",
            Self::RequestParameters => "requestParameters",
            Self::ResponseElements => "responseElements",
            Self::ErrorCode => "errorCode",
            Self::ErrorMessage => "errorMessage",
            Self::SourceIpAddress => "sourceIPAddress",
            Self::VpcEndpointId => "vpcEndpointId",
            Self::UserAgent => "userAgent",
            Self::Resources => "resources",
            Self::UserType => "userIdentity.type",
            Self::UserName => "userIdentity.userName",
            Self::UserArn => "userIdentity.arn",
            Self::PrincipalId => "userIdentity.principalId",
            Self::UserAccountId => "userIdentity.accountId",
            Self::AccessKeyId => "userIdentity.accessKeyId",
            Self::InvokedBy => "userIdentity.invokedBy",
            Self::SessionIssuerArn => "userIdentity.sessionContext.sessionIssuer.arn",
            Self::CreationDate => "userIdentity.sessionContext.attributes.creationDate",
            Self::MfaAuthenticated => "userIdentity.sessionContext.attributes.mfaAuthenticated",
        }
    }
}

/// A value that has no column: it goes into `unmapped`.
#[derive(Debug, Clone, Copy)]
pub struct Extra {
    /// Where it stands: a fixed path, or what comes before its key.
    pub prefix: &'static str,
    /// It is part of the envelope around the record, not of the record.
    pub in_envelope: bool,
    /// Its key in the text, where the path is not fixed.
    pub key: Option<Span>,
    /// Its value.
    pub value: Span,
}

/// One record, as spans into the text of its segment.
#[derive(Debug, Clone)]
pub struct RawRecord {
    /// The fields that have a column.
    pub fields: [Option<Span>; FIELDS],
    /// `eventId`, as aggregated events spell `eventID`.
    pub other_id: Option<Span>,
    /// A credential id or an identity provider is among its other values.
    pub has_provider: bool,
    /// Where its other values stand in [`Bodies::extras`].
    pub extras: std::ops::Range<u32>,
}

impl RawRecord {
    /// Returns the span of a field.
    #[inline]
    pub fn field(&self, field: Field) -> Option<Span> {
        self.fields.get(field as usize).copied().flatten()
    }
}

/// The CloudTrail records of a segment.
#[derive(Debug, Default)]
pub struct Bodies {
    /// The records.
    pub records: Vec<RawRecord>,
    /// Their values without a column, record by record.
    pub extras: Vec<Extra>,
}

impl Bodies {
    /// Returns the values of a record that have no column.
    pub fn extras_of(&self, record: &RawRecord) -> &[Extra] {
        self.extras.get(record.extras.start as usize..record.extras.end as usize).unwrap_or_default()
    }

    /// Returns the id of a record's event.
    pub fn event_id<'t>(&self, body: u32, text: &'t str) -> Option<&'t str> {
        let record = self.records.get(body as usize)?;
        record.field(Field::EventId).or(record.other_id).map(|id| id.of(text))
    }

    /// Forgets all records, keeping the space they took.
    pub fn clear(&mut self) {
        self.records.clear();
        self.extras.clear();
    }
}
