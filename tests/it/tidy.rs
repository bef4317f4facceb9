//! Rules of the house that a compiler does not know: who may say what, how long a file may be, that it
//! says what it is for.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Source files with their path below `host/`, and their code without tests and comments.
fn host() -> Vec<(String, String)> {
    let host = root().join("host");
    sources(&host)
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&host).unwrap().to_str().unwrap().to_owned();
            (name, without_tests(&fs::read_to_string(path).unwrap()))
        })
        .filter(|(name, _)| !name.ends_with("tests.rs") && !name.contains("tests/"))
        .collect()
}

fn without_tests(source: &str) -> String {
    let code = source.split("\n#[cfg(test)]").next().unwrap();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    code.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

/// A crate's name may be said only where its layer is.
#[test]
fn each_layer_says_its_own_words() {
    let may = [
        ("axum::", &["http", "main.rs", "app"][..]),
        ("sqlx::", &["store"]),
        ("wasmtime", &["runtime"]),
        ("wasmparser", &["runtime"]),
        ("tantivy", &["index"]),
        ("usearch", &["index"]),
        ("tree_sitter", &["index"]),
        ("moka::", &["cache"]),
        ("opentelemetry", &["telemetry"]),
        ("redis::", &["cache/redis"]),
        ("std::env::var", &["config"]),
        ("crate::http", &["http", "app", "main.rs"]),
        ("crate::service", &["service", "http", "app", "eval.rs"]),
        ("crate::store", &["store", "ingest", "access", "ecs", "usage", "app"]),
        ("governor::", &["access"]),
        ("subtle::", &["access"]),
        ("reqwest", &["upstream"]),
        ("ipnet::", &["upstream"]),
    ];
    let mut broken = Vec::new();
    for (name, code) in host() {
        // Its module of that name is no crate.
        let code = code.replace("self::redis::", "self::");
        for (word, layers) in may {
            let allowed = layers.iter().any(|layer| name.starts_with(layer)) || name == "build.rs";
            if code.contains(word) && !allowed {
                broken.push(format!("host/{name} says {word}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Layers know nothing of those above them.
#[test]
fn lower_layers_do_not_look_up() {
    /// Above all that are checked here.
    const TOP: [&str; 3] = ["crate::app", "crate::http", "crate::service"];
    let mut broken = Vec::new();
    for (name, code) in host() {
        for (layer, above) in [
            ("index", &["crate::runtime", "crate::cache", "crate::store", "crate::ingest"][..]),
            ("store", &["crate::runtime", "crate::cache", "crate::ingest", "crate::access"]),
            ("runtime", &["crate::index", "crate::store", "crate::ingest"]),
            ("access", &["crate::runtime", "crate::index", "crate::cache", "crate::config", "crate::ingest"]),
            ("cache", &["crate::runtime", "crate::index", "crate::store", "crate::ingest"]),
            ("ingest", &["crate::runtime", "crate::cache", "crate::config"]),
            ("upstream", &["crate::runtime", "crate::cache", "crate::config", "crate::index", "crate::store"]),
            ("suggest", &["crate::runtime", "crate::store", "crate::ingest", "crate::config"]),
        ] {
            let in_layer = name.starts_with(&format!("{layer}/")) || name == format!("{layer}.rs");
            for word in above.iter().chain(&TOP).filter(|word| in_layer && code.contains(**word)) {
                broken.push(format!("host/{name} says {word}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn files_stay_short_and_say_what_they_are_for() {
    const LONGEST: usize = 400;
    let mut broken = Vec::new();
    for folder in ["host", "plugins", "xtask", "tests", "benches", "examples"] {
        for path in sources(&root().join(folder)) {
            let source = fs::read_to_string(&path).unwrap();
            let lines = source.split("\n#[cfg(test)]").next().unwrap().lines().count();
            let is_test = path.ends_with("tests.rs") || path.components().any(|part| part.as_os_str() == "tests");
            if lines > LONGEST && !is_test {
                broken.push(format!("{} has {lines} lines without its tests, more than {LONGEST}", path.display()));
            }
            if !source.starts_with("//!") && !source.starts_with("#!") {
                broken.push(format!("{} does not say what it is for", path.display()));
            }
            if path.file_name().is_some_and(|name| name == "mod.rs") {
                broken.push(format!("{}: name it after its module", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The top level is fixed.
#[test]
fn nothing_new_at_the_top() {
    let known = [
        "Cargo.toml",
        "Cargo.lock",
        "host",
        "plugins",
        "wit",
        "examples",
        "tests",
        "benches",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "xtask",
        "target",
    ];
    let new: Vec<String> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.') && !known.contains(&name.as_str()))
        .collect();
    assert!(new.is_empty(), "{new:?}");
}
