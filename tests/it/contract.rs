//! The released contract does not change: a plugin that was built against it goes on working.

use std::path::Path;

/// Files of every released contract with the BLAKE3 digest that they had at release. A new ability is a
/// new interface or a new folder (`wit/README.md`), never another line here.
const RELEASED: &[(&str, &str)] = &[
    ("language-v0.1/understanding.wit", "677d2f6dc8f17e33dbdb9319b12e7f4f0f2df622b804c616f9d80ebbeed35df6"),
    ("v0.1/candidate-generation.wit", "0383900810baa378bba24b5a7a261b8f6d2562b1c1c1dcc6b04eb28893e5baf5"),
    ("v0.1/deps/wasi-config/config.wit", "5107077290cbc1cd35a155b3574bc0772ec4a36bd04ed9e5c3c10a446a4b30d5"),
    ("v0.1/deps/wasi-logging/logging.wit", "17052be432ec15e735d85d733ab6682b1d568c179b9e5f288ba7aa2a7059bea0"),
    ("v0.1/ranking.wit", "3730a60b8c195f47346294a428b6e9d936abde69566d133cfff27f0964627563"),
    ("v0.1/retrieval.wit", "2ebcee6cddac6ded776319f3e9a92f8404e0c783ba2ed1654a7504aefcf7e29e"),
    ("v0.1/trait-model.wit", "6e80608ce29497e80cf812451f6b1a54f5f3744cd8473bfe20b5381e68251c7f"),
    ("v0.1/types.wit", "1e8ba8b2954a03db62a0a1cee6e3b4da8b6f07af8451ec9bda63d815f703995a"),
    ("v0.1/worlds.wit", "549ac5650f5f5f27bab5ac59603fc5fbbecbae87f1a61cb043c344583c711605"),
    ("world-v0.1/grouping.wit", "3e5b96c7d375e134bad15e44ca548d8b6924e4bf31f49592993165a4d7bab29a"),
    ("world-v0.1/matching.wit", "e122e8f12b7765bb7116eba0ff8ae7acc714fbf1031141229d69705b1ea555b5"),
    ("world-v0.1/society.wit", "956106d9f5da3eabcb853e353bc2565ce1d995086ae0d72b31de0bba2790df38"),
    ("world-v0.1/worlds.wit", "a1d18c3919a0787252fc8827aef9508ade0a0639c2f99de8810c2c8d0b31b794"),
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
    let now = |file: &str| blake3::hash(&std::fs::read(root.join(file)).unwrap()).to_hex().to_string();
    let changed: Vec<(&str, String)> = RELEASED
        .iter()
        .map(|(file, digest)| (*file, *digest, now(file)))
        .filter(|(_, digest, now)| digest != now)
        .map(|(file, _, now)| (file, now))
        .collect();
    assert!(changed.is_empty(), "changed after their release, with the digest of now: {changed:#?}");
}
