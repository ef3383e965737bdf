//! MaxMind databases, of whatever maker: country, city, owner of the network.

use std::net::IpAddr;
use std::path::Path;

use maxminddb::{PathElement, Reader, path};

use super::IntelError;

/// A database in memory.
#[derive(Debug)]
pub(super) struct Database {
    reader: Reader<Vec<u8>>,
    name: String,
}

/// What it knows of an address.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) country: Option<String>,
    pub(super) city: Option<String>,
    pub(super) asn: Option<u32>,
    pub(super) as_name: Option<String>,
}

impl Database {
    pub(super) fn open(path: &Path) -> Result<Self, IntelError> {
        let reader = Reader::open_readfile(path)
            .map_err(|error| IntelError::of(path, format!("no MaxMind database: {error}")))?;
        let metadata = reader.metadata();
        let built = i64::try_from(metadata.build_epoch).ok();
        let built = built.and_then(|built| jiff::Timestamp::from_second(built).ok());
        let built = built.map(|built| built.strftime(" %Y-%m-%d").to_string()).unwrap_or_default();
        let name = format!("{}{built}", metadata.database_type);
        Ok(Self { reader, name })
    }

    /// Names it, with the day it was built.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Says what it knows; a record of another form than MaxMind's says nothing.
    pub(super) fn find(&self, address: IpAddr) -> Located {
        let Ok(found) = self.reader.lookup(address) else { return Located::default() };
        let text = |path: &[PathElement<'_>]| {
            found.decode_path::<String>(path).ok().flatten().filter(|text| !text.is_empty())
        };
        // Makers write numbers in whatever width they fit.
        let number = |path: &[PathElement<'_>]| {
            let number = found.decode_path::<serde_json::Value>(path).ok().flatten()?;
            u32::try_from(number.as_u64()?).ok()
        };
        Located {
            // DB-IP, IPinfo and others put the code at the top.
            country: text(&path!["country", "iso_code"])
                .or_else(|| text(&path!["registered_country", "iso_code"]))
                .or_else(|| text(&path!["country_code"]))
                .or_else(|| text(&path!["country"])),
            city: text(&path!["city", "names", "en"]).or_else(|| text(&path!["city"])),
            asn: number(&path!["autonomous_system_number"])
                .or_else(|| text(&path!["asn"])?.trim_start_matches("AS").parse().ok()),
            as_name: text(&path!["autonomous_system_organization"]).or_else(|| text(&path!["as_name"])),
        }
    }
}
