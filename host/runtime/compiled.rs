//! Compiled code on disk, so that a plugin compiles once and loads in under a millisecond afterwards.
//!
//! Loading compiled code means running it, so a file is taken only if this host wrote it: its name is
//! the digest of the wasm and of the engine's compatibility hash, and its content is authenticated with
//! a key that only this data folder has. Anything else (tampered, foreign, of another engine, cut) is
//! ignored and written anew.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use wasmtime::Engine;
use wasmtime::component::Component;

use super::error::LoadError;

const MAC_BYTES: usize = 32;

/// Versions that are kept, the most recently used; a rollback to one of them needs no compiler.
const KEPT: usize = 128;

/// A folder of compiled components.
#[derive(Clone, Debug)]
pub struct CompiledCache {
    folder: PathBuf,
    key: [u8; 32],
}

impl CompiledCache {
    /// Opens or creates the folder and its key.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), key: load_or_make_key(&folder.join("key"))? })
    }

    /// From the cache if it is there and ours, else compiled and kept. A cache that cannot be written is
    /// a warning, not an error.
    pub fn component(&self, engine: &Engine, bytes: &[u8]) -> Result<Component, LoadError> {
        let path = self.path(engine, bytes);
        if let Some(component) = self.load(engine, &path) {
            // Its time of change is the time of its last use, for `prune`; if it cannot be set, it goes earlier.
            let _ = fs::File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
            return Ok(component);
        }
        let component = compile(engine, bytes)?;
        let kept = component.serialize().map_err(|error| format!("{error:#}")).and_then(|code| {
            write_atomically(&path, &[&self.mac(&path, &code), &code]).map_err(|error| error.to_string())
        });
        if let Err(reason) = kept {
            tracing::warn!(path = %path.display(), reason, "compiled plugin not kept, it compiles again at the next start");
        }
        self.prune();
        Ok(component)
    }

    /// Forgets the versions that were not used for longest.
    fn prune(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let mut files: Vec<(SystemTime, PathBuf)> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let is_code = entry.path().extension().is_some_and(|extension| extension == "cwasm");
                is_code.then_some((entry.metadata().ok()?.modified().ok()?, entry.path()))
            })
            .collect();
        files.sort_unstable_by(|left, right| right.cmp(left));
        for (_, path) in files.into_iter().skip(KEPT) {
            // Another process may have been faster.
            let _ = fs::remove_file(path);
        }
    }

    fn path(&self, engine: &Engine, bytes: &[u8]) -> PathBuf {
        let mut compatibility = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut compatibility);
        let digest = blake3::hash(bytes).to_hex();
        self.folder.join(format!("{}-{:016x}.cwasm", &digest[..32], compatibility.finish()))
    }

    fn load(&self, engine: &Engine, path: &Path) -> Option<Component> {
        let file = fs::read(path).ok()?;
        let (mac, code) = file.split_at_checked(MAC_BYTES)?;
        // blake3::Hash compares in constant time.
        let mac: [u8; MAC_BYTES] = mac.try_into().ok()?;
        if blake3::Hash::from(mac) != blake3::Hash::from(self.mac(path, code)) {
            tracing::warn!(path = %path.display(), "compiled plugin is damaged or not from this host, compiling anew");
            return None;
        }
        deserialize(engine, code)
    }

    /// The name is part of what is authenticated, so that one plugin's code cannot stand in for another's.
    fn mac(&self, path: &Path, code: &[u8]) -> [u8; MAC_BYTES] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        hasher.update(&[0]);
        hasher.update(code);
        *hasher.finalize().as_bytes()
    }
}

/// Compiles without any cache.
pub fn compile(engine: &Engine, bytes: &[u8]) -> Result<Component, LoadError> {
    Component::from_binary(engine, bytes).map_err(|error| LoadError::Compile(format!("{error:#}")))
}

#[allow(
    unsafe_code,
    reason = "`deserialize` trusts its input; the caller has authenticated it as this host's own output"
)]
fn deserialize(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: `code` carries a MAC by a key that never leaves this data folder, so it is unchanged output
    // of `Component::serialize`; wasmtime itself checks version and engine configuration.
    unsafe { Component::deserialize(engine, code) }.ok()
}

fn load_or_make_key(path: &Path) -> std::io::Result<[u8; 32]> {
    if let Ok(key) = fs::read(path)
        && let Ok(key) = key.try_into()
    {
        return Ok(key);
    }
    let seed = [*uuid::Uuid::new_v4().as_bytes(), *uuid::Uuid::new_v4().as_bytes()].concat();
    let key = blake3::derive_key("corsac compiled plugin cache", &seed);
    write_atomically(path, &[&key])?;
    Ok(key)
}

/// Temporary file, fsync, rename: a reader sees the old content or the new one, never a part. Only the
/// owner may read it.
fn write_atomically(path: &Path, parts: &[&[u8]]) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let temporary = path.with_extension(format!("{}.tmp", uuid::Uuid::new_v4().simple()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_all()?;
    fs::rename(&temporary, path)
}
