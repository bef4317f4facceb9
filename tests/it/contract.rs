//! The released contract does not change: a plugin that was built against it goes on working.

use std::path::Path;

/// Files of every released contract with the BLAKE3 digest that they had at release. A new ability is a
/// new interface or a new folder (`wit/README.md`), never another line here.
const RELEASED: &[(&str, &str)] = &[
    ("v0.1/candidate-generation.wit", ""),
    ("v0.1/deps/wasi-config/config.wit", ""),
    ("v0.1/deps/wasi-logging/logging.wit", ""),
    ("v0.1/ranking.wit", ""),
    ("v0.1/retrieval.wit", ""),
    ("v0.1/trait-model.wit", ""),
    ("v0.1/types.wit", ""),
    ("v0.1/worlds.wit", ""),
];

fn files_below(folder: &Path, root: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, root, found);
        } else if path.extension().is_some_and(|extension| extension == "wit") {
            found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
}

#[test]
fn released_files_have_not_changed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
    let mut found = Vec::new();
    files_below(&root, &root, &mut found);
    found.sort();
    let released: Vec<&str> = RELEASED.iter().map(|(file, _)| *file).collect();
    assert_eq!(found, released, "files of the contract were added or removed");
    for (file, digest) in RELEASED {
        let now = blake3::hash(&std::fs::read(root.join(file)).unwrap()).to_hex();
        assert_eq!(now.as_str(), *digest, "wit/{file} changed after its release");
    }
}
