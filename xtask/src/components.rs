//! Builds crates to WebAssembly and collects the files: plugins in `plugins/.built`, fixtures in
//! `tests/fixtures/.built`. A file that did not change is not touched, so nothing is rebuilt for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Failure, cargo, run};
use crate::toolchain::{Choice, TARGET, Wasm, wasm};

/// One file to be: a crate, the version it is built as if it comes in versions, and its name.
struct Output {
    package: String,
    version: Option<&'static str>,
    file: String,
}

/// Builds every crate in `plugins/` that is a cdylib; the others are libraries that plugins share.
pub(crate) fn plugins(root: &Path, choice: Choice) -> Result<(), Failure> {
    let folder = root.join("plugins");
    let outputs = plain(cdylibs(&folder)?);
    collect(root, &wasm(choice)?, &outputs, &folder.join(".built"))
}

/// Builds the fixtures, and the examples for the tests that show them; `versioned-ranker` in the two versions that swap
/// tests need.
pub(crate) fn fixtures(root: &Path, choice: Choice) -> Result<(), Failure> {
    let folder = root.join("tests").join("fixtures");
    let mut outputs = plain([cdylibs(&folder)?, cdylibs(&root.join("examples"))?].concat());
    outputs.retain(|output| output.package != "versioned-ranker");
    for version in ["1", "2"] {
        let file = format!("versioned-ranker-v{version}.wasm");
        outputs.push(Output { package: "versioned-ranker".into(), version: Some(version), file });
    }
    collect(root, &wasm(choice)?, &outputs, &folder.join(".built"))
}

fn plain(packages: Vec<String>) -> Vec<Output> {
    packages.into_iter().map(|package| Output { file: format!("{package}.wasm"), version: None, package }).collect()
}

/// Names of the crates right below `folder` whose manifest says cdylib; a crate is named like its folder.
fn cdylibs(folder: &Path) -> Result<Vec<String>, Failure> {
    let entries =
        fs::read_dir(folder).map_err(|error| Failure::new(format!("cannot read {}", folder.display()), error))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| {
            fs::read_to_string(entry.path().join("Cargo.toml")).is_ok_and(|manifest| manifest.contains("\"cdylib\""))
        })
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    Ok(names)
}

fn collect(root: &Path, wasm: &Wasm, outputs: &[Output], into: &Path) -> Result<(), Failure> {
    fs::create_dir_all(into).map_err(|error| Failure::new(format!("cannot create {}", into.display()), error))?;
    let folder = target_folder(root, wasm);
    // One build for all crates that come once, then one for each version of each other.
    let versions = outputs.iter().filter_map(|output| output.version);
    let mut rounds: Vec<Option<&str>> = std::iter::once(None).chain(versions.map(Some)).collect();
    rounds.dedup();
    for round in rounds {
        let of_round: Vec<&Output> = outputs.iter().filter(|output| output.version == round).collect();
        let mut command = build(root, wasm, &folder);
        command.args(of_round.iter().map(|output| format!("--package={}", output.package)));
        if let Some(version) = round {
            command.env("FIXTURE_VERSION", version);
        }
        run(&mut command, "the compiler's message above says what to change")?;
        for output in of_round {
            let name = format!("{}.wasm", output.package.replace('-', "_"));
            copy_if_changed(&folder.join(TARGET).join("plugin").join(name), &into.join(&output.file))?;
        }
    }
    remove_others(into, outputs)
}

fn build(root: &Path, wasm: &Wasm, folder: &Path) -> Command {
    let mut command = match wasm {
        Wasm::Installed => cargo(root),
        Wasm::Debian { linker } => {
            let mut command = Command::new("/usr/bin/cargo");
            command.current_dir(root);
            // Building std needs unstable options of this compiler; nothing of ours does. What rustup set for
            // the cargo that runs us would lead this one to the wrong compiler.
            command
                .env("RUSTC_BOOTSTRAP", "1")
                .env("RUSTC", "/usr/bin/rustc")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                .env_remove("CARGO")
                .env_remove("RUSTUP_TOOLCHAIN")
                .env_remove("LD_LIBRARY_PATH");
            command
        }
    };
    command.args(["build", "--quiet", "--locked", "--target", TARGET, "--profile", "plugin"]);
    command.arg("--target-dir").arg(folder);
    if let Wasm::Debian { .. } = wasm {
        command.arg("-Zbuild-std=std,panic_abort");
    }
    command
}

/// Debian's compiler gets a folder of its own: two compilers in one would rebuild everything at each turn.
fn target_folder(root: &Path, wasm: &Wasm) -> PathBuf {
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder));
    match wasm {
        Wasm::Installed => folder,
        Wasm::Debian { .. } => folder.join("debian"),
    }
}

fn copy_if_changed(from: &Path, to: &Path) -> Result<(), Failure> {
    let built = fs::read(from)
        .map_err(|error| Failure::new(format!("{} was built but cannot be read", from.display()), error))?;
    if fs::read(to).is_ok_and(|present| present == built) {
        return Ok(());
    }
    fs::write(to, &built).map_err(|error| Failure::new(format!("cannot write {}", to.display()), error))?;
    eprintln!("  {} ({} KiB)", to.display(), built.len().div_ceil(1024));
    Ok(())
}

/// Files of crates that are no more; only `.wasm`, whatever else lies there is not ours.
fn remove_others(folder: &Path, outputs: &[Output]) -> Result<(), Failure> {
    let entries =
        fs::read_dir(folder).map_err(|error| Failure::new(format!("cannot read {}", folder.display()), error))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".wasm") && !outputs.iter().any(|output| output.file == name) {
            fs::remove_file(&path).map_err(|error| Failure::new(format!("cannot remove {}", path.display()), error))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A new empty folder, gone at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("xtask-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_standard_plugins_are_found_and_shared_libraries_are_not() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let names = cdylibs(&root.join("plugins")).unwrap();
        assert!(names.contains(&"strategy-smart".to_string()) && names.contains(&"rank-relevance".to_string()));
        assert!(!names.iter().any(|name| name.ends_with("-kit")), "{names:?}");
    }

    #[test]
    fn an_unchanged_file_is_not_touched() {
        let folder = Folder::new("copy");
        let (from, to) = (folder.0.join("from"), folder.0.join("to"));
        fs::write(&from, "one").unwrap();
        copy_if_changed(&from, &to).unwrap();
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1);
        let touch = || fs::File::options().write(true).open(&to).unwrap().set_modified(long_ago).unwrap();
        touch();
        copy_if_changed(&from, &to).unwrap();
        assert_eq!(fs::metadata(&to).unwrap().modified().unwrap(), long_ago);
        fs::write(&from, "two").unwrap();
        copy_if_changed(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"two");
    }

    #[test]
    fn what_is_built_no_more_goes_and_the_rest_stays() {
        let folder = Folder::new("others");
        for name in ["kept.wasm", "stale.wasm", "notes.txt"] {
            fs::write(folder.0.join(name), "").unwrap();
        }
        remove_others(&folder.0, &plain(vec!["kept".into()])).unwrap();
        let there = |name: &str| folder.0.join(name).exists();
        assert!(there("kept.wasm") && there("notes.txt") && !there("stale.wasm"));
    }
}
