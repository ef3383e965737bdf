//! Flow records as parsing leaves them: the fields of a format, and where they end in each line.

use std::sync::Arc;

/// The fields that have a column of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Field {
    /// `version`
    Version,
    /// `account-id`
    AccountId,
    /// `interface-id`
    InterfaceId,
    /// `srcaddr`
    SrcAddr,
    /// `dstaddr`
    DstAddr,
    /// `srcport`
    SrcPort,
    /// `dstport`
    DstPort,
    /// `protocol`
    Protocol,
    /// `packets`
    Packets,
    /// `bytes`
    Bytes,
    /// `start`
    Start,
    /// `end`
    End,
    /// `action`
    Action,
    /// `log-status`
    LogStatus,
    /// `vpc-id`
    VpcId,
    /// `subnet-id`
    SubnetId,
    /// `instance-id`
    InstanceId,
    /// `tcp-flags`
    TcpFlags,
    /// `type`
    Type,
    /// `pkt-srcaddr`
    PktSrcAddr,
    /// `pkt-dstaddr`
    PktDstAddr,
    /// `region`
    Region,
    /// `az-id`
    AzId,
    /// `pkt-src-aws-service`
    PktSrcAwsService,
    /// `pkt-dst-aws-service`
    PktDstAwsService,
    /// `flow-direction`
    FlowDirection,
    /// `traffic-path`
    TrafficPath,
    /// `tgw-src-vpc-id`
    TgwSrcVpcId,
    /// `tgw-dst-vpc-id`
    TgwDstVpcId,
    /// `tgw-src-subnet-id`
    TgwSrcSubnetId,
    /// `tgw-dst-subnet-id`
    TgwDstSubnetId,
    /// `tgw-src-eni`
    TgwSrcEni,
    /// `tgw-dst-eni`
    TgwDstEni,
}

/// How many fields there are.
pub const FIELDS: usize = Field::TgwDstEni as usize + 1;

impl Field {
    /// Every field, in the order of its number.
    pub const ALL: [Self; FIELDS] = [
        Self::Version,
        Self::AccountId,
        Self::InterfaceId,
        Self::SrcAddr,
        Self::DstAddr,
        Self::SrcPort,
        Self::DstPort,
        Self::Protocol,
        Self::Packets,
        Self::Bytes,
        Self::Start,
        Self::End,
        Self::Action,
        Self::LogStatus,
        Self::VpcId,
        Self::SubnetId,
        Self::InstanceId,
        Self::TcpFlags,
        Self::Type,
        Self::PktSrcAddr,
        Self::PktDstAddr,
        Self::Region,
        Self::AzId,
        Self::PktSrcAwsService,
        Self::PktDstAwsService,
        Self::FlowDirection,
        Self::TrafficPath,
        Self::TgwSrcVpcId,
        Self::TgwDstVpcId,
        Self::TgwSrcSubnetId,
        Self::TgwDstSubnetId,
        Self::TgwSrcEni,
        Self::TgwDstEni,
    ];

    /// Returns its name in a header line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::AccountId => "account-id",
            Self::InterfaceId => "interface-id",
            Self::SrcAddr => "srcaddr",
            Self::DstAddr => "dstaddr",
            Self::SrcPort => "srcport",
            Self::DstPort => "dstport",
            Self::Protocol => "protocol",
            Self::Packets => "packets",
            Self::Bytes => "bytes",
            Self::Start => "start",
            Self::End => "end",
            Self::Action => "action",
            Self::LogStatus => "log-status",
            Self::VpcId => "vpc-id",
            Self::SubnetId => "subnet-id",
            Self::InstanceId => "instance-id",
            Self::TcpFlags => "tcp-flags",
            Self::Type => "type",
            Self::PktSrcAddr => "pkt-srcaddr",
            Self::PktDstAddr => "pkt-dstaddr",
            Self::Region => "region",
            Self::AzId => "az-id",
            Self::PktSrcAwsService => "pkt-src-aws-service",
            Self::PktDstAwsService => "pkt-dst-aws-service",
            Self::FlowDirection => "flow-direction",
            Self::TrafficPath => "traffic-path",
            Self::TgwSrcVpcId => "tgw-src-vpc-id",
            Self::TgwDstVpcId => "tgw-dst-vpc-id",
            Self::TgwSrcSubnetId => "tgw-src-subnet-id",
            Self::TgwDstSubnetId => "tgw-dst-subnet-id",
            Self::TgwSrcEni => "tgw-src-eni",
            Self::TgwDstEni => "tgw-dst-eni",
        }
    }

    /// Finds a field by its name in a header line, or in the columns of a Parquet file, which use underscores.
    pub fn of(name: &str) -> Option<Self> {
        let is = |field: &Self| {
            field.name().len() == name.len()
                && field
                    .name()
                    .bytes()
                    .zip(name.bytes())
                    .all(|(a, b)| a == b.to_ascii_lowercase() || (a == b'-' && b == b'_'))
        };
        Self::ALL.into_iter().find(is)
    }
}

/// The fields of a version 2 log, which a file without a header has.
pub const DEFAULT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

/// Fields a line may have. AWS knows some eighty, and lets nobody add any.
const FIELDS_MAX: usize = 250;

/// The fields of a line, in the order of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// What stands between two fields: a space, or a tab in lines made of Parquet rows.
    pub delimiter: u8,
    /// How many fields a line has.
    pub fields: usize,
    at: [Option<u8>; FIELDS],
    /// Fields without a column: their places and names.
    pub others: Vec<(u8, String)>,
}

impl Format {
    /// Reads a header line.
    ///
    /// # Errors
    /// A name stands twice, or there are too many.
    pub fn read(header: &str) -> Result<Self, &'static str> {
        let delimiter = if header.contains('\t') { b'\t' } else { b' ' };
        let names: Vec<&str> = header.split(char::from(delimiter)).collect();
        let mut format = Self { delimiter, fields: names.len(), at: [None; FIELDS], others: Vec::new() };
        for (place, name) in names.iter().enumerate() {
            let place = u8::try_from(place).ok().filter(|place| usize::from(*place) < FIELDS_MAX);
            let place = place.ok_or("a header of more than 250 fields")?;
            let slot = Field::of(name).and_then(|field| format.at.get_mut(field as usize));
            let is_twice = match slot {
                Some(slot) => slot.replace(place).is_some(),
                None => {
                    // One name, whether it comes from a header or from the columns of a Parquet file.
                    let name = name.replace('_', "-");
                    let is_twice = format.others.iter().any(|(_, other)| *other == name);
                    format.others.push((place, name));
                    is_twice
                }
            };
            if is_twice {
                return Err("a header with one name twice");
            }
        }
        Ok(format)
    }

    /// Returns where in a line a field is.
    #[inline]
    pub fn at(&self, field: Field) -> Option<u8> {
        self.at.get(field as usize).copied().flatten()
    }
}

/// One flow record.
#[derive(Debug, Clone, Copy)]
pub struct Flow {
    /// The number of its format in [`Bodies::formats`].
    pub format: u32,
    /// Where in [`Bodies::ends`] the ends of its fields begin.
    pub ends: u32,
}

/// The flow records of a segment.
#[derive(Debug, Default)]
pub struct Bodies {
    /// The records.
    pub flows: Vec<Flow>,
    /// Of each field of each record, where it ends in its line.
    pub ends: Vec<u16>,
    /// The formats they are in.
    pub formats: Vec<Arc<Format>>,
}

impl Bodies {
    /// Returns the number of a format.
    pub fn format_number(&mut self, format: &Arc<Format>) -> u32 {
        // The records of an object come one after another, and most objects are in one format.
        if !self.formats.last().is_some_and(|last| Arc::ptr_eq(last, format)) {
            self.formats.push(Arc::clone(format));
        }
        u32::try_from(self.formats.len() - 1).unwrap_or(u32::MAX)
    }

    /// Forgets all records, keeping the space they took.
    pub fn clear(&mut self) {
        self.flows.clear();
        self.ends.clear();
        self.formats.clear();
    }
}

/// One record with its text.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Its text.
    pub text: &'a str,
    /// Its fields.
    pub format: &'a Format,
    /// Where each of them ends.
    pub ends: &'a [u16],
}

impl<'a> Line<'a> {
    /// Returns the text of the field at a place; `-` is none.
    #[inline]
    pub fn at(&self, place: u8) -> Option<&'a str> {
        let place = usize::from(place);
        let end = usize::from(*self.ends.get(place)?);
        let start = match place.checked_sub(1) {
            Some(before) => usize::from(*self.ends.get(before)?) + 1,
            None => 0,
        };
        self.text.get(start..end).filter(|text| *text != "-")
    }

    /// Returns the text of a field.
    #[inline]
    pub fn get(&self, field: Field) -> Option<&'a str> {
        self.at(self.format.at(field)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_binds_fields_in_any_order_and_spelling() {
        let format = Format::read("dstaddr log_status reject-reason srcaddr").unwrap();
        assert_eq!((format.at(Field::SrcAddr), format.at(Field::LogStatus)), (Some(3), Some(1)));
        assert_eq!(format.others, [(2, "reject-reason".to_owned())]);
        assert!(Format::read("srcaddr srcaddr").is_err());
        assert!(Format::read("a b a").is_err());
        assert_eq!(Format::read("srcaddr\tdstaddr").unwrap().delimiter, b'\t');
        for (number, field) in Field::ALL.into_iter().enumerate() {
            assert_eq!((field as usize, Field::of(field.name())), (number, Some(field)));
        }
    }
}
