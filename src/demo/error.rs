//! What can go wrong while a demo archive is written.
//!
//! Gives [`DemoError`]. Nothing here is retried: a half-written archive is thrown away and written again.

use std::path::PathBuf;

/// A demo archive could not be written.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A file or its folder could not be written.
    #[error("write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file's records could not be compressed.
    #[error("compress the records of {key}")]
    Compress {
        /// The key of the object.
        key: String,
        /// What the compressor said.
        #[source]
        source: libdeflater::CompressionError,
    },
    /// A table compiled into the program does not follow its own format.
    #[error("line {line} of {file} is not understood")]
    Table {
        /// The table.
        file: &'static str,
        /// The line, counted from one.
        line: usize,
    },
}
