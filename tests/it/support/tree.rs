//! Folders of source files that tests index.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

/// A temporary folder with files.
pub struct Tree(TempDir);

impl Tree {
    pub fn of(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|(path, content)| tree.write(path, content));
        tree
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// As text, for JSON and command lines.
    pub fn name(&self) -> &str {
        self.path().to_str().unwrap()
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path().join(path)).unwrap();
    }
}
