//! Where a store is, as an operator writes it on a command line.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::secret::Secret;

/// One store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreLocation {
    /// A server's data folder.
    Folder(PathBuf),
    /// An SQLite file.
    File(PathBuf),
    /// A PostgreSQL URL.
    Database(Secret),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    #[error("the environment variable {0} is not set, or is not UTF-8")]
    NoVariable(String),
    #[error("it is empty; give a data folder, `sqlite:FILE`, `postgres://…` or `env:VARIABLE`")]
    Empty,
}

impl FromStr for StoreLocation {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, LocationError> {
        if let Some(name) = text.strip_prefix("env:") {
            return Self::named(&std::env::var(name).map_err(|_| LocationError::NoVariable(name.to_owned()))?);
        }
        Self::named(text)
    }
}

impl StoreLocation {
    fn named(text: &str) -> Result<Self, LocationError> {
        if text.is_empty() {
            return Err(LocationError::Empty);
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Database(Secret::new(text)));
        }
        Ok(match text.strip_prefix("sqlite:") {
            Some(file) => Self::File(Path::new(file).to_owned()),
            None => Self::Folder(Path::new(text).to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_form_is_understood() {
        let read = |text: &str| text.parse::<StoreLocation>();
        assert_eq!(read("data"), Ok(StoreLocation::Folder("data".into())));
        assert_eq!(read("sqlite:/a/store.sqlite"), Ok(StoreLocation::File("/a/store.sqlite".into())));
        let url = "postgres://a:secret@b/c";
        assert_eq!(read(url), Ok(StoreLocation::Database(Secret::new(url))));
        assert!(!format!("{:?}", read(url)).contains("secret"));
        assert_eq!(read(""), Err(LocationError::Empty));
        let missing = "CORSAC_THERE_IS_NO_SUCH_VARIABLE";
        assert_eq!(read(&format!("env:{missing}")), Err(LocationError::NoVariable(missing.into())));
    }
}
