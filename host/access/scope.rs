//! What a key allows: a small set of words.

use std::fmt;
use std::str::FromStr;

use super::AccessError;

/// One kind of doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every search, and how the server fares.
    Search,
    /// Documents, folders, tasks.
    Index,
    /// Plugins, caches, the database, keys; implies the others.
    Admin,
}

impl Scope {
    pub const ALL: [Self; 3] = [Self::Search, Self::Index, Self::Admin];

    pub fn word(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Index => "index",
            Self::Admin => "admin",
        }
    }
}

/// What one key allows; never empty when it was parsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    pub const ADMIN: Self = Self(1 << Scope::Admin as u8);

    pub fn allow(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8 | Self::ADMIN.0) != 0
    }

    /// The words as they were given, without what they imply.
    pub fn words(self) -> Vec<&'static str> {
        Scope::ALL.into_iter().filter(|scope| self.0 & (1 << *scope as u8) != 0).map(Scope::word).collect()
    }

    /// The words that this version knows. A newer one may have written others, which allow nothing here.
    pub(super) fn known_in(text: &str) -> Self {
        let known = Scope::ALL.into_iter().filter(|scope| text.split(',').any(|word| word.trim() == scope.word()));
        Self(known.fold(0, |scopes, scope| scopes | 1 << scope as u8))
    }
}

impl FromStr for Scopes {
    type Err = AccessError;

    fn from_str(text: &str) -> Result<Self, AccessError> {
        for word in text.split(',').map(str::trim) {
            if !Scope::ALL.iter().any(|scope| scope.word() == word) {
                return Err(if text.trim().is_empty() {
                    AccessError::NoScope
                } else {
                    AccessError::Scope(word.chars().take(40).collect())
                });
            }
        }
        Ok(Self::known_in(text))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.words().join(","))
    }
}
