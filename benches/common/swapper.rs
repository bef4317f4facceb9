//! Two versions of one ranker that take turns in a plugin folder, each time as a file never seen before.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;

/// The plugin folder, and whose turn it is.
pub struct Swapper {
    pub folder: tempfile::TempDir,
    /// Of the file that is in place.
    pub version: u32,
    serial: u64,
}

impl Swapper {
    pub fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let mut swapper = Self { folder, version: 2, serial: 0 };
        swapper.swap()?;
        Ok(swapper)
    }

    /// Puts the other version in place as an author should: under another name, then renamed. Says when.
    pub fn swap(&mut self) -> anyhow::Result<Instant> {
        self.version = 3 - self.version;
        self.serial += 1;
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/.built");
        let file = fixtures.join(format!("versioned-ranker-v{}.wasm", self.version));
        let read = std::fs::read(&file);
        let mut bytes = read.with_context(|| format!("{}; run `cargo xtask test` once", file.display()))?;
        // A custom section, which means nothing: id 0, length, a name with its length, content.
        bytes.extend(b"\0\x0e\x05bench");
        bytes.extend(self.serial.to_le_bytes());
        let partial = self.folder.path().join("versioned.partial");
        std::fs::write(&partial, bytes)?;
        let renamed = Instant::now();
        std::fs::rename(partial, self.folder.path().join("versioned.wasm"))?;
        Ok(renamed)
    }
}
