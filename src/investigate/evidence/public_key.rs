//! The public keys with which CloudTrail's digests are signed.
//!
//! Takes files as `aws cloudtrail list-public-keys` prints them. Whose list it is, is the whole trust there is:
//! no key is fetched, and none comes with the program.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde::Deserialize;

/// One public key.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// As the list has it, base64 of PKCS #1.
    pub value: String,
    der: Vec<u8>,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.value).finish()
    }
}

impl PublicKey {
    /// Says whether a text was signed with the private half: RSA PKCS #1 v1.5 with SHA-256.
    pub(super) fn has_signed(&self, text: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.der).verify(text, signature).is_ok()
    }
}

/// Public keys by their fingerprints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublicKeys(BTreeMap<String, PublicKey>);

/// Why a file is no list of public keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read.
    #[error("read public keys {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no answer of `list-public-keys`.
    #[error("public keys {path}: no answer of `aws cloudtrail list-public-keys`")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What and where.
        #[source]
        source: serde_json::Error,
    },
    /// A key in it is no base64.
    #[error("public keys {path}: the key {fingerprint} is no base64")]
    Key {
        /// The file.
        path: PathBuf,
        /// Which.
        fingerprint: String,
        /// What is wrong.
        #[source]
        source: base64::DecodeError,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    public_key_list: Vec<Listed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    value: String,
    fingerprint: String,
}

impl PublicKeys {
    /// Reads files, of as many Regions as there are: each Region signs with keys of its own.
    ///
    /// # Errors
    /// A file cannot be read, or is no list of keys.
    pub fn read<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<Self, KeyError> {
        let mut keys = Self::default();
        for path in paths {
            let text =
                std::fs::read(path).map_err(|source| KeyError::Read { path: path.to_owned(), source })?;
            keys.add(&text, path)?;
        }
        Ok(keys)
    }

    fn add(&mut self, text: &[u8], path: &Path) -> Result<(), KeyError> {
        let path = || path.to_owned();
        let answer: Answer =
            serde_json::from_slice(text).map_err(|source| KeyError::Parse { path: path(), source })?;
        for Listed { value, fingerprint } in answer.public_key_list {
            let der = STANDARD.decode(value.trim()).map_err(|source| KeyError::Key {
                path: path(),
                fingerprint: fingerprint.clone(),
                source,
            })?;
            self.0.insert(fingerprint.to_ascii_lowercase(), PublicKey { value, der });
        }
        Ok(())
    }

    /// Returns a key by its fingerprint.
    pub fn get(&self, fingerprint: &str) -> Option<&PublicKey> {
        self.0.get(&fingerprint.to_ascii_lowercase())
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_command_prints_and_nothing_else() {
        let mut keys = PublicKeys::default();
        let file = Path::new("keys.json");
        // The first version of the command prints times as numbers.
        let list = br#"{"PublicKeyList":[{"Value":"MIIB","ValidityStartTime":1.7e9,"Fingerprint":"AB12"}]}"#;
        keys.add(list, file).unwrap();
        assert!(keys.get("ab12").is_some() && keys.get("ab13").is_none() && !keys.is_empty());
        assert!(!keys.get("AB12").unwrap().has_signed(b"text", b"no signature"), "no key is no proof");
        for wrong in [&b"[]"[..], b"{}", br#"{"PublicKeyList":[{"Value":"%","Fingerprint":"x"}]}"#] {
            assert!(keys.add(wrong, file).is_err());
        }
    }
}
