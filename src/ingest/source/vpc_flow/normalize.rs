//! Fills one row from one flow record: its Network Activity event.
//!
//! Promises: each field of the record is in a column that tells it back, or in
//! `unmapped` under its own name; the event keeps the rules of OCSF 1.1.0, also of
//! records without addresses (NODATA, SKIPDATA).

use std::net::IpAddr;

use super::record::{Field, Line};
use crate::ingest::source::record::{Origin, RecordHead, Records};
use crate::ingest::source::time::{epoch_seconds, plain_number};
use crate::lake::path::AccountId;
use crate::ocsf::class::Class;
use crate::ocsf::columns::Columns;
use crate::ocsf::schema::{self, IntColumn, ListColumn, LongColumn, MapColumn, TextColumn, VPC_FLOW};

const fn text(path: &str) -> TextColumn {
    schema::text(VPC_FLOW, path)
}

const TIME: LongColumn = schema::long(VPC_FLOW, "time");
const TIME_DT: LongColumn = schema::time(VPC_FLOW, "time_dt");
const LOG_NAME: TextColumn = text("metadata.log_name");
const SEQUENCE: IntColumn = schema::int(VPC_FLOW, "metadata.sequence");
const CLOUD_ACCOUNT: TextColumn = text("cloud.account.uid");
const CLOUD_REGION: TextColumn = text("cloud.region");
const START: LongColumn = schema::time(VPC_FLOW, "start_time_dt");
const END: LongColumn = schema::time(VPC_FLOW, "end_time_dt");
const PROTOCOL: IntColumn = schema::int(VPC_FLOW, "connection_info.protocol_num");
const TCP_FLAGS: IntColumn = schema::int(VPC_FLOW, "connection_info.tcp_flags");
const PACKETS: LongColumn = schema::long(VPC_FLOW, "traffic.packets");
const BYTES: LongColumn = schema::long(VPC_FLOW, "traffic.bytes");
const DIRECTION: TextColumn = text("connection_info.direction");
const DIRECTION_ID: IntColumn = schema::int(VPC_FLOW, "connection_info.direction_id");
const BOUNDARY: TextColumn = text("connection_info.boundary");
const BOUNDARY_ID: IntColumn = schema::int(VPC_FLOW, "connection_info.boundary_id");
const ACTION: TextColumn = text("action");
const ACTION_ID: IntColumn = schema::int(VPC_FLOW, "action_id");
const DISPOSITION: TextColumn = text("disposition");
const DISPOSITION_ID: IntColumn = schema::int(VPC_FLOW, "disposition_id");
const ACTIVITY_NAME: TextColumn = text("activity_name");
const ACTIVITY_ID: IntColumn = schema::int(VPC_FLOW, "activity_id");
const TYPE_UID: LongColumn = schema::long(VPC_FLOW, "type_uid");
const TYPE_NAME: TextColumn = text("type_name");
const OBSERVABLES: ListColumn = schema::list(VPC_FLOW, "observables[]");
const OBSERVABLE_NAME: TextColumn = text("observables[].name");
const OBSERVABLE_VALUE: TextColumn = text("observables[].value");
const OBSERVABLE_TYPE: TextColumn = text("observables[].type");
const OBSERVABLE_TYPE_ID: IntColumn = schema::int(VPC_FLOW, "observables[].type_id");
const UNMAPPED: MapColumn = schema::map(VPC_FLOW, "unmapped");

/// Fields whose text goes into one column as it is.
const PLAIN: [(Field, TextColumn); 4] = [
    (Field::Version, text("metadata.product.version")),
    (Field::AzId, text("cloud.zone")),
    (Field::LogStatus, text("status_code")),
    (Field::Type, text("connection_info.protocol_ver")),
];

/// One end of a flow: its columns, and the fields it is told by.
struct End {
    ip: TextColumn,
    ip_path: &'static str,
    intermediate: (ListColumn, TextColumn),
    port: IntColumn,
    svc_name: TextColumn,
    interface: TextColumn,
    vpc: TextColumn,
    subnet: TextColumn,
    instance: TextColumn,
    instance_path: &'static str,
    address: Field,
    packet_address: Field,
    port_field: Field,
    service: Field,
    gateway: [Field; 3],
}

const SRC: End = End {
    ip: text("src_endpoint.ip"),
    ip_path: "src_endpoint.ip",
    intermediate: (
        schema::list(VPC_FLOW, "src_endpoint.intermediate_ips[]"),
        text("src_endpoint.intermediate_ips[]"),
    ),
    port: schema::int(VPC_FLOW, "src_endpoint.port"),
    svc_name: text("src_endpoint.svc_name"),
    interface: text("src_endpoint.interface_uid"),
    vpc: text("src_endpoint.vpc_uid"),
    subnet: text("src_endpoint.subnet_uid"),
    instance: text("src_endpoint.instance_uid"),
    instance_path: "src_endpoint.instance_uid",
    address: Field::SrcAddr,
    packet_address: Field::PktSrcAddr,
    port_field: Field::SrcPort,
    service: Field::PktSrcAwsService,
    gateway: [Field::TgwSrcEni, Field::TgwSrcVpcId, Field::TgwSrcSubnetId],
};

const DST: End = End {
    ip: text("dst_endpoint.ip"),
    ip_path: "dst_endpoint.ip",
    intermediate: (
        schema::list(VPC_FLOW, "dst_endpoint.intermediate_ips[]"),
        text("dst_endpoint.intermediate_ips[]"),
    ),
    port: schema::int(VPC_FLOW, "dst_endpoint.port"),
    svc_name: text("dst_endpoint.svc_name"),
    interface: text("dst_endpoint.interface_uid"),
    vpc: text("dst_endpoint.vpc_uid"),
    subnet: text("dst_endpoint.subnet_uid"),
    instance: text("dst_endpoint.instance_uid"),
    instance_path: "dst_endpoint.instance_uid",
    address: Field::DstAddr,
    packet_address: Field::PktDstAddr,
    port_field: Field::DstPort,
    service: Field::PktDstAwsService,
    gateway: [Field::TgwDstEni, Field::TgwDstVpcId, Field::TgwDstSubnetId],
};

/// Space that rows use one after another.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The account of the row before, as text: rows are ordered by account.
    account: Option<(AccountId, String)>,
}

/// Fills one row.
pub fn normalize(
    head: &RecordHead,
    records: &Records,
    origin: Origin<'_>,
    columns: &mut Columns,
    scratch: &mut Scratch,
) {
    let bodies = &records.vpc_flow;
    let Some((flow, format)) = bodies
        .flows
        .get(head.body as usize)
        .and_then(|flow| Some((flow, bodies.formats.get(flow.format as usize)?)))
    else {
        return;
    };
    let first = flow.ends as usize;
    let line = Line {
        text: origin.text.get(head.range.start as usize..head.range.end as usize).unwrap_or_default(),
        format,
        ends: bodies.ends.get(first..first + format.fields).unwrap_or_default(),
    };
    let mut row = Row { line, columns };
    row.columns.long(TIME, head.time);
    row.columns.long(TIME_DT, head.time);
    row.columns.text(LOG_NAME, origin.object);
    row.columns.int(SEQUENCE, i32::try_from(head.index).unwrap_or(i32::MAX));
    for (field, column) in PLAIN {
        if let Some(value) = line.get(field) {
            row.columns.text(column, value);
        }
    }
    row.times();
    match records.regions.get(head.region) {
        Some(region) if head.region > 0 => row.columns.text(CLOUD_REGION, region.as_str()),
        _ => row.keep(Field::Region),
    }
    row.account(head.account, scratch);
    row.endpoints();
    row.connection();
    row.action();
    for (place, name) in &format.others {
        if let Some(value) = line.at(*place) {
            row.columns.entry(UNMAPPED, name, value);
        }
    }
    row.columns.end_row();
}

/// Fills the columns that are the same in every row.
pub fn fill_constants(columns: &mut Columns) {
    const CLASS: Class = Class::NetworkActivity;
    const PROFILES: ListColumn = schema::list(VPC_FLOW, "metadata.profiles[]");
    const PROFILE: TextColumn = text("metadata.profiles[]");
    const NUMBERS: [(IntColumn, i32); 3] = [
        (schema::int(VPC_FLOW, "class_uid"), CLASS.uid()),
        (schema::int(VPC_FLOW, "category_uid"), CLASS.category().0),
        (schema::int(VPC_FLOW, "severity_id"), 1),
    ];
    const CONSTANTS: [(TextColumn, &str); 8] = [
        (text("metadata.product.name"), "Amazon VPC"),
        (text("metadata.product.feature.name"), "Flowlogs"),
        (text("metadata.product.vendor_name"), "AWS"),
        (text("metadata.version"), CLASS.version()),
        (text("cloud.provider"), "AWS"),
        (text("severity"), "Informational"),
        (text("class_name"), CLASS.name()),
        (text("category_name"), CLASS.category().1),
    ];
    for (column, value) in CONSTANTS {
        columns.fill_text(column, value);
    }
    columns.fill_list(PROFILES, PROFILE, &["cloud", "security_control", "datetime"]);
    for (column, value) in NUMBERS {
        columns.fill_int(column, value);
    }
}

struct Row<'a> {
    line: Line<'a>,
    columns: &'a mut Columns,
}

impl Row<'_> {
    /// Keeps a field in `unmapped`, since no column tells it back.
    fn keep(&mut self, field: Field) {
        if let Some(value) = self.line.get(field) {
            self.columns.entry(UNMAPPED, field.name(), value);
        }
    }

    fn int(&mut self, field: Field, column: IntColumn) {
        match self
            .line
            .get(field)
            .map(|value| plain_number(value).and_then(|number| i32::try_from(number).ok()))
        {
            Some(Some(number)) => self.columns.int(column, number),
            Some(None) => self.keep(field),
            None => {}
        }
    }

    fn long(&mut self, field: Field, column: LongColumn, read: fn(&str) -> Option<i64>) {
        match self.line.get(field).map(read) {
            Some(Some(number)) => self.columns.long(column, number),
            Some(None) => self.keep(field),
            None => {}
        }
    }

    fn times(&mut self) {
        self.long(Field::Start, START, epoch_seconds);
        self.long(Field::End, END, epoch_seconds);
    }

    fn account(&mut self, account: AccountId, scratch: &mut Scratch) {
        if account == AccountId::EXTERNAL {
            return self.keep(Field::AccountId);
        }
        if scratch.account.as_ref().is_none_or(|(before, _)| *before != account) {
            scratch.account = Some((account, account.to_string()));
        }
        if let Some((_, text)) = &scratch.account {
            self.columns.text(CLOUD_ACCOUNT, text);
            if self.line.get(Field::AccountId).is_some_and(|written| written != text) {
                self.keep(Field::AccountId);
            }
        }
    }

    fn endpoints(&mut self) {
        // The interface that saw the flow is the destination's when traffic came in, else the source's; of a
        // record without addresses it stands for both.
        let own = if self.line.get(Field::FlowDirection) == Some("ingress") { &DST } else { &SRC };
        for (field, column) in [
            (Field::InterfaceId, own.interface),
            (Field::VpcId, own.vpc),
            (Field::SubnetId, own.subnet),
            (Field::InstanceId, own.instance),
        ] {
            if let Some(value) = self.line.get(field) {
                self.columns.text(column, value);
            }
        }
        let has_own =
            self.line.get(Field::InterfaceId).is_some() || self.line.get(Field::InstanceId).is_some();
        for end in [&SRC, &DST] {
            let is_own = has_own && end.interface == own.interface;
            let is_known = self.endpoint(end);
            if !is_known && !is_own {
                // OCSF wants something that names each end.
                match self.line.get(Field::InterfaceId) {
                    Some(interface) => self.columns.text(end.interface, interface),
                    None => self.columns.text(end.svc_name, "unknown"),
                }
            }
        }
        for (field, path) in [(Field::InstanceId, own.instance_path)] {
            if let Some(value) = self.line.get(field) {
                self.observable(path, value, ("Resource UID", 10));
            }
        }
    }

    /// Fills one end; false when nothing names it.
    fn endpoint(&mut self, end: &End) -> bool {
        match self
            .line
            .get(end.port_field)
            .map(|port| port.parse::<u16>().ok().filter(|_| plain_number(port).is_some()))
        {
            Some(Some(port)) => self.columns.int(end.port, i32::from(port)),
            Some(None) => self.keep(end.port_field),
            None => {}
        }
        let (address, packet) = (self.line.get(end.address), self.line.get(end.packet_address));
        let ip = packet.or(address);
        let mut is_known = false;
        if let Some(ip) = ip {
            if is_ip(ip) {
                self.columns.text(end.ip, ip);
                self.observable(end.ip_path, ip, ("IP Address", 2));
                is_known = true;
            } else {
                self.keep(if packet.is_some() { end.packet_address } else { end.address });
            }
        }
        if packet.is_some() {
            match address {
                Some(address) if packet != Some(address) && is_ip(address) => {
                    self.columns.item(end.intermediate.0);
                    self.columns.item_text(end.intermediate.0, end.intermediate.1, address);
                }
                Some(_) if packet == address => {}
                _ => self.keep(end.address),
            }
        }
        if let Some(service) = self.line.get(end.service) {
            self.columns.text(end.svc_name, service);
            is_known = true;
        }
        for (field, column) in end.gateway.into_iter().zip([end.interface, end.vpc, end.subnet]) {
            if let Some(value) = self.line.get(field) {
                self.columns.text(column, value);
                is_known |= column == end.interface;
            }
        }
        is_known
    }

    fn connection(&mut self) {
        self.int(Field::Protocol, PROTOCOL);
        self.int(Field::TcpFlags, TCP_FLAGS);
        self.long(Field::Packets, PACKETS, plain_number);
        self.long(Field::Bytes, BYTES, plain_number);
        let (direction, direction_id) = match self.line.get(Field::FlowDirection) {
            Some("ingress") => ("Inbound", 1),
            Some("egress") => ("Outbound", 2),
            Some(other) => (other, 99),
            None => ("Unknown", 0),
        };
        self.columns.text(DIRECTION, direction);
        self.columns.int(DIRECTION_ID, direction_id);
        let boundary = self.line.get(Field::TrafficPath).map(|path| match path {
            "1" => ("Same VPC", 4),
            "2" => ("Internet/VPC Gateway", 5),
            "3" => ("Virtual Private Gateway", 6),
            "4" => ("Intra-region VPC", 7),
            "5" => ("Inter-region VPC", 8),
            "6" => ("Local Gateway", 9),
            "7" => ("Gateway VPC", 10),
            "8" => ("Internet Gateway", 11),
            other => (other, 99),
        });
        if let Some((boundary, boundary_id)) = boundary {
            self.columns.text(BOUNDARY, boundary);
            self.columns.int(BOUNDARY_ID, boundary_id);
        }
    }

    fn action(&mut self) {
        let has_data = !matches!(self.line.get(Field::LogStatus), Some("NODATA" | "SKIPDATA"));
        let (activity, action, disposition) = match self.line.get(Field::Action) {
            Some("ACCEPT") => (6, ("Allowed", 1), ("Allowed", 1)),
            Some("REJECT") => (5, ("Denied", 2), ("Blocked", 2)),
            Some(other) => (6, (other, 99), (other, 99)),
            None if has_data => (6, ("Unknown", 0), ("Unknown", 0)),
            None => (0, ("Unknown", 0), ("Unknown", 0)),
        };
        self.columns.text(ACTION, action.0);
        self.columns.int(ACTION_ID, action.1);
        self.columns.text(DISPOSITION, disposition.0);
        self.columns.int(DISPOSITION_ID, disposition.1);
        self.columns.int(ACTIVITY_ID, activity);
        self.columns.text(ACTIVITY_NAME, Class::NetworkActivity.activity(activity).unwrap_or("Other"));
        self.columns.long(TYPE_UID, Class::NetworkActivity.type_uid(activity));
        self.columns.text(TYPE_NAME, Class::NetworkActivity.type_name(activity));
    }

    fn observable(&mut self, name: &str, value: &str, (kind, kind_id): (&str, i32)) {
        self.columns.item(OBSERVABLES);
        self.columns.item_text(OBSERVABLES, OBSERVABLE_NAME, name);
        self.columns.item_text(OBSERVABLES, OBSERVABLE_VALUE, value);
        self.columns.item_text(OBSERVABLES, OBSERVABLE_TYPE, kind);
        self.columns.item_int(OBSERVABLES, OBSERVABLE_TYPE_ID, kind_id);
    }
}

/// Says whether OCSF takes a text for an address. Four numbers are told without the library, for speed.
fn is_ip(text: &str) -> bool {
    is_plain_v4(text.as_bytes()) || (text.len() <= 45 && text.parse::<IpAddr>().is_ok())
}

fn is_plain_v4(text: &[u8]) -> bool {
    let (mut dots, mut number, mut digits) = (0, 0_u32, 0);
    for byte in text {
        match byte {
            b'0'..=b'9' if digits < 3 && !(digits == 1 && number == 0) => {
                number = number * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && number < 256 => {
                dots += 1;
                (number, digits) = (0, 0);
            }
            _ => return false,
        }
    }
    dots == 3 && digits > 0 && number < 256
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn plain_addresses_are_those_of_the_library(text in "([0-9]{0,4}[.]){0,4}[0-9]{0,4}|[0-9a-f:.]{0,20}") {
            let theirs = text.parse::<std::net::Ipv4Addr>().is_ok();
            prop_assert_eq!(is_plain_v4(text.as_bytes()), theirs, "{}", text);
        }
    }
}
