//! Flags that all programs take. Without `--bench`, which `cargo bench` adds by itself, a program runs on
//! tiny sizes and shows only that it works; that is what `cargo test --benches` does.

use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// Tiny sizes: shows that the program works; its numbers mean nothing.
    #[arg(long)]
    quick: bool,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
    /// Folder to index [default: what the program's description says].
    #[arg(long, value_name = "FOLDER")]
    tree: Option<PathBuf>,
    /// Where the index of the tree is kept for the next run [default: a temporary folder].
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
}

impl Options {
    pub fn is_quick(&self) -> bool {
        self.quick || !self.bench
    }

    /// `full`, unless the run is a quick one.
    pub fn size<T>(&self, full: T, quick: T) -> T {
        if self.is_quick() { quick } else { full }
    }

    /// The tree that the command line names, else this server's own sources.
    pub fn small_tree(&self) -> PathBuf {
        self.tree.clone().unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("host"))
    }

    /// The tree that the command line names, else the sources of all crates that cargo has fetched.
    pub fn large_tree(&self) -> PathBuf {
        if self.is_quick() {
            return self.small_tree();
        }
        let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).unwrap_or_default();
        self.tree.clone().unwrap_or_else(|| home.join("registry/src"))
    }
}
