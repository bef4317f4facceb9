//! Writes a new plugin: a crate that stands alone, with a copy of the contract beside it.

use std::fs;
use std::path::Path;

use clap::ValueEnum;

use crate::process::Failure;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Strategy,
    Ranker,
}

const STRATEGY: &str = include_str!("scaffold/strategy.rs.txt");
const RANKER: &str = include_str!("scaffold/ranker.rs.txt");

/// Creates `within/name` with Cargo.toml, src/lib.rs and wit/, and says what to do next.
pub(crate) fn create(root: &Path, kind: Kind, name: &str, within: &Path) -> Result<(), Failure> {
    check_name(name)?;
    let folder = within.join(name);
    let io = |error: std::io::Error| Failure::new(format!("cannot write {}", folder.display()), error);
    if folder.exists() {
        return Err(Failure::new(format!("{} exists already", folder.display()), "choose another name, or remove it"));
    }
    let source = match kind {
        Kind::Strategy => STRATEGY,
        Kind::Ranker => RANKER,
    };
    fs::create_dir_all(folder.join("src")).map_err(io)?;
    fs::create_dir_all(folder.join(".cargo")).map_err(io)?;
    fs::write(folder.join("Cargo.toml"), manifest(name)).map_err(io)?;
    fs::write(folder.join(".cargo/config.toml"), CONFIG).map_err(io)?;
    fs::write(folder.join("src/lib.rs"), source.replace("PLUGIN_NAME", name)).map_err(io)?;
    copy_folder(&root.join("wit/v0.1"), &folder.join("wit")).map_err(io)?;
    let file = name.replace('-', "_");
    eprintln!(
        "created {folder}\n  cd {folder}\n  cargo build --release\n  \
         corsac plugin check target/wasm32-unknown-unknown/release/{file}.wasm\n\
         copy that file into the folder that corsac serves with --plugins; it is live within a second",
        folder = folder.display()
    );
    Ok(())
}

const CONFIG: &str = "[build]\ntarget = \"wasm32-unknown-unknown\"\n\n\
    [target.wasm32-unknown-unknown]\nrustflags = [\"-Ctarget-feature=+simd128\"]\n";

fn manifest(name: &str) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n\n\
         [dependencies]\nwit-bindgen = {{ version = \"0.63\", default-features = false, features = [\"macros\", \"realloc\"] }}\n\n\
         [profile.release]\nlto = true\ncodegen-units = 1\npanic = \"abort\"\nstrip = \"debuginfo\"\n\n\
         # Not part of a workspace that happens to be around it.\n[workspace]\n"
    )
}

fn check_name(name: &str) -> Result<(), Failure> {
    let valid = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if valid {
        return Ok(());
    }
    Err(Failure::new(
        format!("`{name}` is no name for a plugin"),
        "use 1 to 64 characters of a-z, 0-9 and `-`, starting with a letter",
    ))
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_the_contract_allows() {
        for name in ["a", "rank-mine", "v2"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "Rank", "2fast", "-a", "a_b", "../a", "ä", &"a".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
