//! Where a catalog is: a file, or a PostgreSQL database.

use std::path::PathBuf;

/// Where a catalog is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CatalogPlace {
    /// A SQLite file.
    File(PathBuf),
    /// A PostgreSQL database, by its URL, which may hold a password.
    Postgres(Secret),
}

/// A URL that is never shown as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the URL, to connect with.
    pub(super) fn url(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = url::Url::parse(&self.0).map(|mut url| {
            // A URL without a host cannot have a password either.
            if url.password().is_some() && url.set_password(Some("…")).is_err() {
                return "postgres://…".to_owned();
            }
            url.set_query(None);
            url.to_string()
        });
        f.write_str(shown.as_deref().unwrap_or("postgres://…"))
    }
}

impl CatalogPlace {
    /// Reads what a person typed: `postgres://…` or the path of a file.
    pub fn read(text: &str) -> Self {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            Self::Postgres(Secret(text.to_owned()))
        } else {
            Self::File(PathBuf::from(text))
        }
    }
}

impl std::fmt::Display for CatalogPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Postgres(url) => write!(f, "{url}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let place = CatalogPlace::read("postgres://ashiato:s3cret@db.example:5432/lake?password=s3cret");
        for shown in [place.to_string(), format!("{place:?}")] {
            assert!(!shown.contains("s3cret"), "{shown}");
            assert!(shown.contains("db.example:5432/lake"), "{shown}");
        }
        assert_eq!(CatalogPlace::read("a/b.sqlite"), CatalogPlace::File("a/b.sqlite".into()));
    }
}
