//! Embeds the standard plugins that `cargo xtask plugins` built, so that the binary needs no plugin
//! folder. Without them the build goes on with an empty list and says so.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").context("CARGO_MANIFEST_DIR is not set")?);
    let out = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set")?);
    println!("cargo::rerun-if-changed=host/build.rs");

    let built = root.join("plugins").join(".built");
    // A path that does not exist would rerun this on every build.
    let watched = if built.is_dir() { "plugins/.built" } else { "plugins" };
    println!("cargo::rerun-if-changed={watched}");

    let plugins = components(&built)?;
    if plugins.is_empty() {
        println!("cargo::warning=no standard plugins: run cargo xtask plugins");
    }
    let mut code = String::from(
        "/// The standard plugins, by name: each the WebAssembly file that `cargo xtask plugins` built.\n\
         pub static STANDARD_PLUGINS: &[(&str, &[u8])] = &[\n",
    );
    for (name, path) in plugins {
        writeln!(code, "    ({name:?}, include_bytes!({:?})),", path.display().to_string())?;
    }
    code.push_str("];\n");
    fs::write(out.join("standard_plugins.rs"), code)?;
    Ok(())
}

/// Name and path of each `.wasm` file, by name; empty when the folder does not exist.
fn components(folder: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    if !folder.is_dir() {
        return Ok(vec![]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm")
            && let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
        {
            found.push((name.to_owned(), path));
        }
    }
    found.sort();
    Ok(found)
}
