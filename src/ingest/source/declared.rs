//! Places whose logs the configuration declares.

use std::sync::Arc;

use super::custom::mapping::Mapping;
use super::key::{KeyFacts, KeyVerdict, read_key};
use super::log_source::LogSource;
use crate::lake::store::Place;

/// Logs below one place.
#[derive(Debug, Clone)]
pub struct Declared {
    /// Where they lie.
    pub place: Place,
    /// What makes OCSF of them; without it they are OCSF already.
    pub mapping: Option<Arc<Mapping>>,
}

/// What is declared, the first that fits first.
#[derive(Debug, Clone, Default)]
pub struct Declarations(pub Vec<Declared>);

impl Declarations {
    /// Says what an object is: by what is declared of its place, or else by its key.
    pub fn read(&self, bucket: &str, key: &str) -> KeyVerdict {
        let verdict = read_key(key);
        let declared = self.0.iter().find(|declared| declared.holds(bucket, key));
        match (verdict, declared) {
            (KeyVerdict::Read(facts), Some(Declared { mapping, .. })) => {
                let source = if mapping.is_some() { LogSource::Custom } else { LogSource::Ocsf };
                KeyVerdict::Read(KeyFacts { source: Some(source), mapping: mapping.clone(), ..facts })
            }
            (verdict, _) => verdict,
        }
    }
}

impl Declared {
    fn holds(&self, bucket: &str, key: &str) -> bool {
        let (own_bucket, prefix) = match &self.place {
            // The key of a local object is its absolute path.
            Place::Folder(path) => ("file://", path.display().to_string()),
            Place::Bucket { bucket, prefix } => (bucket.as_str(), prefix.clone()),
        };
        let prefix = prefix.trim_matches('/');
        let below = key.strip_prefix(prefix).is_some_and(|rest| prefix.is_empty() || rest.starts_with('/'));
        own_bucket == bucket && below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_what_it_was_declared_to_be() {
        let place = Place::read("s3://archive/onprem/").unwrap();
        let declarations = Declarations(vec![Declared { place, mapping: None }]);
        let source = |bucket, key| match declarations.read(bucket, key) {
            KeyVerdict::Read(facts) => facts.source,
            KeyVerdict::Skip(_) => None,
        };
        assert_eq!(source("archive", "onprem/2026/x.json"), Some(LogSource::Ocsf));
        assert_eq!(source("archive", "onprem-not/x.json"), None);
        assert_eq!(source("other", "onprem/x.json"), None);
    }
}
