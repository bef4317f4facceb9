//! Which folders a client may have indexed. The only place that turns a client's path into one of ours;
//! a refusal says the same whether its target exists or not, so nobody can probe the disk with it.

use std::path::{Component, Path, PathBuf};

use super::IngestError;

/// Longer than any path that Linux takes.
const MAX_PATH_BYTES: usize = 4096;

/// The canonical folder that a client means. A relative path is looked for in each allowed root in
/// turn, an absolute one must lie in one of them; symbolic links count as what they point to.
pub(super) fn resolve(path: &str, allowed_roots: &[PathBuf]) -> Result<PathBuf, IngestError> {
    let refused = || IngestError::NotAllowed { path: path.chars().take(200).collect() };
    if path.is_empty() || path.len() > MAX_PATH_BYTES || path.contains(char::is_control) {
        return Err(refused());
    }
    let wanted = Path::new(path);
    if wanted.components().any(|part| part == Component::ParentDir) {
        return Err(refused());
    }
    for root in allowed_roots.iter().filter_map(|root| root.canonicalize().ok()) {
        // Joining an absolute path gives that path.
        let Ok(found) = root.join(wanted).canonicalize() else { continue };
        if found.starts_with(&root) {
            return if found.is_dir() { Ok(found) } else { Err(IngestError::NotAFolder { path: path.to_owned() }) };
        }
    }
    Err(refused())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn only_what_is_inside_gets_through() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        for inner in ["allowed/src", "second/docs", "secret", "allowed-not"] {
            std::fs::create_dir_all(base.join(inner)).unwrap();
        }
        std::fs::write(base.join("allowed/file.rs"), "x").unwrap();
        std::os::unix::fs::symlink(base.join("secret"), base.join("allowed/escape")).unwrap();
        std::os::unix::fs::symlink(base.join("allowed/src"), base.join("allowed/within")).unwrap();
        let roots = [base.join("allowed"), base.join("second"), base.join("not-there")];
        let absolute = |path: &str| base.join(path).to_str().unwrap().to_owned();

        for (path, expected) in [
            (".".to_owned(), "allowed"),
            ("src".to_owned(), "allowed/src"),
            ("src/".to_owned(), "allowed/src"),
            ("within".to_owned(), "allowed/src"),
            ("docs".to_owned(), "second/docs"),
            (absolute("allowed"), "allowed"),
            (absolute("second/docs"), "second/docs"),
        ] {
            assert_eq!(resolve(&path, &roots).unwrap(), base.join(expected), "{path}");
        }
        let long = "x/".repeat(3000);
        for path in [
            "",
            "..",
            "src/../../secret",
            "src/..",
            "escape",
            "missing",
            "/",
            "/etc",
            "a\0b",
            "-rf",
            "~",
            &long,
            &absolute("secret"),
            &absolute("missing"),
            &absolute("allowed-not"),
            &absolute("allowed/escape"),
        ] {
            let error = resolve(path, &roots).unwrap_err();
            assert!(matches!(error, IngestError::NotAllowed { .. }), "{path}: {error}");
        }
        // What exists outside and what does not exist are refused in the same words.
        let words = |path: String| resolve(&path, &roots).unwrap_err().to_string().replace(&path, "");
        assert_eq!(words(absolute("secret")), words(absolute("missing")));
        assert!(matches!(resolve("file.rs", &roots), Err(IngestError::NotAFolder { .. })));
        assert!(matches!(resolve("src", &[]), Err(IngestError::NotAllowed { .. })));
    }
}
