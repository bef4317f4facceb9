//! What the tables of `data` hold, as constants. Only data; who reads it decides what it means.

/// A programming language.
pub struct Language {
    pub name: &'static str,
    pub words: &'static [&'static str],
    /// Plain words too, which count next to certain words only.
    pub ambiguous: &'static [&'static str],
    pub extensions: &'static [&'static str],
}

/// Words in a row.
pub type Phrase = &'static [&'static str];

/// What people are after.
pub struct Intent {
    pub name: &'static str,
    pub phrases: &'static [Phrase],
    pub folders: &'static [&'static str],
}

/// What code is about.
pub struct Concept {
    pub name: &'static str,
    pub phrases: &'static [Phrase],
    pub synonyms: &'static [&'static str],
}

include!(concat!(env!("OUT_DIR"), "/tables.rs"));
