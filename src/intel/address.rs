//! What an address is: its kind, where it is registered, whose it is.
//!
//! `sourceIPAddress` of CloudTrail holds addresses, names of services and
//! `AWS Internal`; each gets the kind it has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Intel;
use super::indicators::Indicator;

/// What kind of place calls come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// A network the configuration says is the company's.
    Corporate,
    /// A private network: RFC 1918, RFC 6598, unique local addresses.
    Private,
    /// This host, this link, multicast, documentation: no caller.
    Special,
    /// In AWS's address ranges.
    Aws,
    /// Any other public address.
    Public,
    /// AWS acting by itself: a service's name, `AWS Internal`.
    Service,
    /// No address and no service.
    Unknown,
}

impl AddressKind {
    /// Returns its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Corporate => "corporate",
            Self::Private => "private",
            Self::Special => "special",
            Self::Aws => "aws",
            Self::Public => "public",
            Self::Service => "service",
            Self::Unknown => "unknown",
        }
    }
}

/// All that is known of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known<'a> {
    /// Its kind.
    pub kind: AddressKind,
    /// The country, as ISO 3166 names it in two letters.
    pub country: Option<String>,
    /// What the country rests on: a database and its date, or the registries' delegations.
    pub country_basis: Option<String>,
    /// The city.
    pub city: Option<String>,
    /// The number of the network's owner.
    pub asn: Option<u32>,
    /// Its name.
    pub as_name: Option<String>,
    /// The AWS service the range belongs to.
    pub aws_service: Option<&'a str>,
    /// The AWS Region it is in.
    pub aws_region: Option<&'a str>,
    /// The indicator it matches.
    pub indicator: Option<&'a Indicator>,
}

impl Known<'_> {
    const fn of(kind: AddressKind) -> Self {
        Known {
            kind,
            country: None,
            country_basis: None,
            city: None,
            asn: None,
            as_name: None,
            aws_service: None,
            aws_region: None,
            indicator: None,
        }
    }
}

impl Intel {
    /// Says what is known of what stands where an address may.
    pub fn address(&self, text: &str) -> Known<'_> {
        let Ok(address) = text.parse::<IpAddr>() else {
            let is_service = text == "AWS Internal" || text.ends_with(".amazonaws.com");
            let kind = if is_service { AddressKind::Service } else { AddressKind::Unknown };
            return Known { indicator: self.indicators.domain(text), ..Known::of(kind) };
        };
        let address = address.to_canonical();
        let aws = self.aws.find(address);
        let kind = if self.corporate.find(address).is_some() {
            AddressKind::Corporate
        } else if is_private(address) {
            AddressKind::Private
        } else if is_special(address) {
            AddressKind::Special
        } else if aws.is_some() {
            AddressKind::Aws
        } else {
            AddressKind::Public
        };
        let mut known = Known {
            aws_service: aws.map(|range| range.service.as_str()),
            aws_region: aws.map(|range| range.region.as_str()),
            indicator: self.indicators.address(address),
            ..Known::of(kind)
        };
        if !matches!(kind, AddressKind::Private | AddressKind::Special) {
            self.locate(address, &mut known);
        }
        known
    }

    /// Asks the databases, and the registries where they are silent.
    fn locate(&self, address: IpAddr, known: &mut Known<'_>) {
        for database in &self.databases {
            let found = database.find(address);
            if let (None, Some(country)) = (&known.country, found.country) {
                known.country = Some(country);
                known.country_basis = Some(database.name().to_owned());
            }
            known.city = known.city.take().or(found.city);
            known.asn = known.asn.or(found.asn);
            known.as_name = known.as_name.take().or(found.as_name);
        }
        if known.country.is_none()
            && let Some(country) = iptocc::country_code(address)
        {
            known.country = Some(country.to_string());
            known.country_basis = Some("registry".to_owned());
        }
    }
}

fn is_private(address: IpAddr) -> bool {
    /// RFC 6598: between a carrier and its customers.
    const SHARED: (Ipv4Addr, u32) = (Ipv4Addr::new(100, 64, 0, 0), 10);
    match address {
        IpAddr::V4(v4) => v4.is_private() || (v4.to_bits() ^ SHARED.0.to_bits()) >> (32 - SHARED.1) == 0,
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

fn is_special(address: IpAddr) -> bool {
    const DOCUMENTATION: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0);
    address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || match address {
            IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast() || v4.is_documentation(),
            IpAddr::V6(v6) => {
                v6.is_unicast_link_local() || v6.to_bits() >> 96 == DOCUMENTATION.to_bits() >> 96
            }
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intel::IntelPlaces;
    use crate::intel::networks::Network;

    #[test]
    fn every_text_has_its_kind() {
        let places =
            IntelPlaces { corporate: vec![Network::read("81.2.69.0/24").unwrap()], ..IntelPlaces::default() };
        let intel = Intel::read(&places).unwrap();
        for (text, kind) in [
            ("10.0.0.1", "private"),
            ("100.64.0.1", "private"),
            ("100.128.0.1", "public"),
            ("fd00::1", "private"),
            ("::ffff:10.0.0.1", "private"),
            ("127.0.0.1", "special"),
            ("192.0.2.1", "special"),
            ("169.254.169.254", "special"),
            ("2001:db8::1", "special"),
            ("81.2.69.142", "corporate"),
            ("8.8.8.8", "public"),
            ("AWS Internal", "service"),
            ("cloudformation.amazonaws.com", "service"),
            ("amazonaws.com.evil.example", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(intel.address(text).kind.name(), kind, "{text}");
        }
    }

    #[test]
    fn without_any_file_the_registries_tell_the_country() {
        let intel = Intel::default();
        let known = intel.address("8.8.8.8");
        assert_eq!(
            (known.country.as_deref(), known.country_basis.as_deref()),
            (Some("US"), Some("registry"))
        );
        assert_eq!(intel.address("10.0.0.1").country, None);
    }
}
