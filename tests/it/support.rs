//! What tests share: built plugins and fixtures, a runtime over them, a fake index; servers and trees.

/// A browser.
pub mod browser;
/// What a test asks a server, and what it gets back.
pub mod client;
/// A tiny embedding model.
pub mod encoder;
/// Clients that post documents and remember what they were promised.
pub mod posting;
/// Servers: the binary as a process, and the same parts within the test.
pub mod server;
/// Folders of source files.
pub mod tree;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use corsac::query::{ChunkId, Hits, Probe, Query, RetrievalError};
use corsac::runtime::{Candidates, Retriever, Runtime, RuntimeOptions};
use futures::FutureExt;
use futures::future::BoxFuture;

fn built(folder: &str, name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder).join(".built").join(format!("{name}.wasm"));
    assert!(
        path.exists(),
        "{} is missing: run `cargo xtask test` once, it builds plugins and fixtures",
        path.display()
    );
    path
}

/// A standard plugin as `cargo xtask plugins` built it.
pub fn plugin(name: &str) -> PathBuf {
    built("plugins", name)
}

/// A plugin of `tests/fixtures` as `cargo xtask test` built it.
pub fn fixture(name: &str) -> PathBuf {
    built("tests/fixtures", name)
}

/// Puts a plugin's file in its place as an author should: under another name, then renamed.
pub fn put(from: &Path, to: &Path) {
    let partial = to.with_extension("partial");
    std::fs::copy(from, &partial).unwrap();
    std::fs::rename(&partial, to).unwrap();
}

/// A folder with copies of files under given names.
pub fn folder_of(files: &[(&str, PathBuf)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, file) in files {
        std::fs::copy(file, folder.path().join(name)).unwrap();
    }
    folder
}

/// A runtime over one folder, without embedded plugins and without compiled code on disk.
pub async fn runtime_over(folder: &tempfile::TempDir) -> Arc<Runtime> {
    let options = RuntimeOptions { folders: vec![folder.path().to_owned()], ..RuntimeOptions::default() };
    Runtime::start(options).await.unwrap()
}

pub fn query(text: &str) -> Query {
    Query::new(text, 10)
}

/// Every probe finds the same few chunks.
pub struct FixedHits(pub Vec<(u64, u32, f32)>);

impl Retriever for FixedHits {
    fn retrieve(&self, probes: Vec<Probe>) -> BoxFuture<'_, Vec<Result<Hits, RetrievalError>>> {
        let mut hits = Hits::default();
        self.0.iter().for_each(|(chunk, line, score)| hits.push(ChunkId(*chunk), *line, *score));
        async move { vec![Ok(hits); probes.len()] }.boxed()
    }
}

/// One column of numbers.
pub fn scores(values: &[f32]) -> Candidates {
    Candidates { count: values.len() as u32, features: values.to_vec(), ..Candidates::default() }
}
