//! What can be said of an object.

use std::fmt;

use serde::Serialize;

/// What can be said of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It is what CloudTrail wrote: a signed digest has its hash.
    Verified,
    /// It, or the digest that covers it, is not what CloudTrail wrote.
    Altered {
        /// What differs.
        reason: String,
    },
    /// It is not there any more.
    Missing {
        /// Which digest says that it was.
        reason: String,
    },
    /// Nothing proves it.
    NoDigest {
        /// Why not.
        reason: String,
    },
}

impl Verdict {
    /// Returns the word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Altered { .. } => "altered",
            Self::Missing { .. } => "missing",
            Self::NoDigest { .. } => "no digest",
        }
    }

    /// Returns why, where it is not verified.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Verified => None,
            Self::Altered { reason } | Self::Missing { reason } | Self::NoDigest { reason } => Some(reason),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            None => f.write_str(self.word()),
            Some(reason) => write!(f, "{}: {reason}", self.word()),
        }
    }
}

/// Whether the digests before and behind one are there. A gap says that digests, and with them logs, were deleted;
/// it does not touch what the digest itself proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Chain {
    /// Both neighbours are there, or there never were any.
    Whole,
    /// One is not, or not as it was.
    Broken {
        /// Which.
        reason: String,
    },
    /// One cannot be read.
    Unknown {
        /// Which, and why.
        reason: String,
    },
}

/// An object and what can be said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// The object, as it was named.
    pub object: String,
    /// What can be said of it.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The digest that covers it.
    pub digest: Option<String>,
    /// The bucket for which that was signed, when it lies in a copy now.
    pub signed_for: Option<String>,
    /// Its neighbours.
    pub chain: Option<Chain>,
}
