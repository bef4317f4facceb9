//! Turns the tables in `data` into constants: a fresh instance serves each call, so whatever is parsed when
//! it starts is paid by every query. Knows the tables' columns, not what they are for.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use toml::Table;

/// Table, its constant, and its columns: texts of one line, or lists. A list of phrases has each phrase
/// taken apart into its words.
const TABLES: [(&str, &str, &str, &[Column]); 3] = [
    (
        "language",
        "LANGUAGES",
        "Language",
        &[Column::Text("name"), Column::List("words"), Column::List("ambiguous"), Column::List("extensions")],
    ),
    ("intent", "INTENTS", "Intent", &[Column::Text("name"), Column::Phrases("phrases"), Column::List("folders")]),
    ("concept", "CONCEPTS", "Concept", &[Column::Text("name"), Column::Phrases("phrases"), Column::List("synonyms")]),
];
const WORDS: [&str; 6] = ["stop", "asking", "before_language", "after_language", "before_folder", "after_folder"];

enum Column {
    Text(&'static str),
    List(&'static str),
    Phrases(&'static str),
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=data");
    let mut code = String::new();
    let words = read("words")?;
    unknown("words", &words, &WORDS)?;
    for name in WORDS {
        let list = format!("{:?}", texts("words", &words, name)?);
        writeln!(code, "pub static {}: &[&str] = &{list};", name.to_uppercase())?;
    }
    for (table, constant, of, columns) in TABLES {
        let file = format!("{table}s");
        let rows = read(&file)?;
        let rows = rows.get(table).and_then(|rows| rows.as_array()).ok_or(format!("{file}: no [[{table}]]"))?;
        writeln!(code, "pub static {constant}: &[{of}] = &[")?;
        for row in rows {
            let row = row.as_table().ok_or(format!("{file}: a row is no table"))?;
            write!(code, "    {of} {{ ")?;
            for column in columns {
                match column {
                    Column::Text(name) => {
                        let text = row.get(*name).and_then(|text| text.as_str());
                        write!(code, "{name}: {:?}, ", text.ok_or(format!("{file}: a row has no {name}"))?)?;
                    }
                    Column::List(name) => write!(code, "{name}: &{:?}, ", texts(&file, row, name)?)?,
                    Column::Phrases(name) => {
                        write!(code, "{name}: &[")?;
                        for phrase in texts(&file, row, name)? {
                            write!(code, "&{:?}, ", phrase.split(' ').collect::<Vec<_>>())?;
                        }
                        write!(code, "], ")?;
                    }
                }
            }
            let known: Vec<&str> = columns.iter().map(Column::name).collect();
            unknown(&file, row, &known)?;
            writeln!(code, "}},")?;
        }
        writeln!(code, "];")?;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    Ok(fs::write(out.join("tables.rs"), code)?)
}

impl Column {
    fn name(&self) -> &'static str {
        match self {
            Self::Text(name) | Self::List(name) | Self::Phrases(name) => name,
        }
    }
}

fn read(file: &str) -> Result<Table, Box<dyn Error>> {
    let path = Path::new("data").join(format!("{file}.toml"));
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.parse::<Table>().map_err(|error| format!("{}: {error}", path.display()))?)
}

/// Lower-case texts; none when the list is left out.
fn texts(file: &str, row: &Table, name: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let Some(list) = row.get(name) else { return Ok(vec![]) };
    let list = list.as_array().ok_or(format!("{file}: {name} is no list"))?;
    let mut found = Vec::with_capacity(list.len());
    for text in list {
        let text = text.as_str().ok_or(format!("{file}: {name} has what is no text"))?;
        if text.is_empty() || text != text.to_lowercase() || text.split(' ').any(str::is_empty) {
            return Err(format!("{file}: {name}: {text:?} must be lower case, with single blanks").into());
        }
        found.push(text.to_owned());
    }
    Ok(found)
}

/// A misspelt column would be an empty one.
fn unknown(file: &str, row: &Table, known: &[&str]) -> Result<(), Box<dyn Error>> {
    match row.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("{file}: unknown column {name}; there are {}", known.join(", ")).into()),
        None => Ok(()),
    }
}
