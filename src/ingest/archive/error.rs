//! Why an object or a place of the archive cannot be read, by what becomes of it.

/// Why an object or a place of the archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is not there (any more).
    #[error("it is gone")]
    Gone,
    /// Another object stands under its key now, which is announced by itself.
    #[error("it was replaced before it was read")]
    Replaced,
    /// It is there and will not be given until somebody acts.
    #[error("{what}")]
    Refused {
        /// What is wrong, and what to do.
        what: String,
        /// What was answered.
        #[source]
        source: Cause,
    },
    /// The archive does not answer, or breaks off, again and again.
    #[error("the archive does not answer")]
    Away {
        /// The last that was tried.
        #[source]
        source: Cause,
    },
}

/// What was answered.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

impl ArchiveError {
    /// Says what is wrong and what to do.
    pub fn refused(what: impl Into<String>, source: impl Into<Cause>) -> Self {
        Self::Refused { what: what.into(), source: source.into() }
    }

    /// Says that trying again later is all that helps.
    pub fn away(source: impl Into<Cause>) -> Self {
        Self::Away { source: source.into() }
    }
}

impl From<std::io::Error> for ArchiveError {
    fn from(source: std::io::Error) -> Self {
        if source.kind() == std::io::ErrorKind::NotFound {
            Self::Gone
        } else {
            Self::refused("the file cannot be read; check its permissions", source)
        }
    }
}
