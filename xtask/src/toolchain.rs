//! What a machine needs to build plugins and the host, and how to get it: the WebAssembly target from
//! rustup or from Debian's packages, a C++ compiler, rustfmt and clippy.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::ValueEnum;

use crate::process::{Failure, cargo, output, run, succeeds_within};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// A download of 20 MB; a network that is not there must not hold up the fallback for long.
const RUSTUP_LIMIT: Duration = Duration::from_secs(180);

/// Compiler and cargo that can build std for the target from source, that source, and a linker for
/// WebAssembly, which Debian's compiler comes without.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// The target if installed, else through rustup, else Debian's packages.
    Auto,
    /// Debian's packages, whatever else is there.
    Debian,
}

/// A compiler that can build plugins.
#[derive(Debug)]
pub(crate) enum Wasm {
    /// The running toolchain has the target's standard library.
    Installed,
    /// Debian's compiler builds the standard library from source with this linker.
    Debian { linker: PathBuf },
}

/// Finds a compiler for plugins, installing it if need be.
pub(crate) fn wasm(choice: Choice) -> Result<Wasm, Failure> {
    let mut tried = Vec::new();
    if choice == Choice::Auto {
        if installed() {
            return Ok(Wasm::Installed);
        }
        tried.push(format!("the toolchain in use has no standard library for {TARGET}"));
        eprintln!("+ rustup target add {TARGET}");
        if succeeds_within(Command::new("rustup").args(["--quiet", "target", "add", TARGET]), RUSTUP_LIMIT)
            && installed()
        {
            return Ok(Wasm::Installed);
        }
        tried.push(format!("rustup target add {TARGET} did not succeed within {} s", RUSTUP_LIMIT.as_secs()));
    }
    if debian_compiler().is_none() {
        install(&DEBIAN_PACKAGES).map_err(|failure| {
            Failure::new(
                format!("plugins cannot be built: {}", [tried.join("; "), failure.to_string()].join("; ")),
                format!("either of these will do:\n  rustup target add {TARGET}\n  {}", apt_command(&DEBIAN_PACKAGES)),
            )
        })?;
    }
    match debian_compiler() {
        Some(linker) => Ok(Wasm::Debian { linker }),
        None => Err(Failure::new(
            "Debian's packages are installed, but /usr/bin/rustc, its source or a WebAssembly linker is missing",
            format!("try: {}", apt_command(&DEBIAN_PACKAGES)),
        )),
    }
}

/// Whether the compiler in use has the target's standard library.
fn installed() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let folder = output(Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]));
    folder.is_some_and(|folder| has_file(Path::new(&folder), |name| name.starts_with("libstd-")))
}

/// The linker for Debian's compiler, when compiler, cargo, source and linker are all there.
fn debian_compiler() -> Option<PathBuf> {
    let sysroot = PathBuf::from(output(Command::new("/usr/bin/rustc").args(["--print", "sysroot"]))?);
    let source = sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml");
    if !Path::new("/usr/bin/cargo").exists() || !source.exists() {
        return None;
    }
    // The package's number may change: /usr/bin/wasm-ld-19.
    let mut linkers: Vec<PathBuf> = std::fs::read_dir("/usr/bin")
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("wasm-ld")))
        .collect();
    linkers.sort();
    linkers.pop()
}

/// The vector index is C++: its build needs a compiler for it.
pub(crate) fn require_cpp() -> Result<(), Failure> {
    let chosen = std::env::var_os("CXX");
    let works = |program: &std::ffi::OsStr| output(Command::new(program).arg("--version")).is_some();
    if chosen.as_deref().is_some_and(works) || ["c++", "g++", "clang++"].iter().any(|name| works(name.as_ref())) {
        return Ok(());
    }
    install(&["g++"])
}

/// Installs Debian packages when this may be done, else says how.
pub(crate) fn install(packages: &[&str]) -> Result<(), Failure> {
    let command = apt_command(packages);
    let missing = format!("{} is needed and not installed", packages.join(" "));
    if output(Command::new("apt-get").arg("--version")).is_none() {
        return Err(Failure::new(missing, "this is no Debian: install the like of it by your system's own means"));
    }
    if output(Command::new("id").arg("-u")).as_deref() != Some("0") {
        return Err(Failure::new(missing, format!("run: sudo sh -c '{command}'")));
    }
    let remedy = format!("look at apt's message above; by hand: {command}");
    run(apt().arg("update"), &remedy)?;
    run(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages), &remedy)
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.arg("-qq").env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn apt_command(packages: &[&str]) -> String {
    format!("apt-get update && apt-get install --yes {}", packages.join(" "))
}

/// rustfmt and clippy, through rustup when they are missing.
pub(crate) fn require_lints(root: &Path) -> Result<(), Failure> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        let there = || output(cargo(root).args([subcommand, "--version"])).is_some();
        if !there() {
            eprintln!("+ rustup component add {component}");
            let _ = succeeds_within(Command::new("rustup").args(["component", "add", component]), RUSTUP_LIMIT);
            if !there() {
                return Err(Failure::new(
                    format!("cargo {subcommand} is not there and rustup could not add it"),
                    format!("run: rustup component add {component}\nor on Debian: apt-get install rust-{component}"),
                ));
            }
        }
    }
    Ok(())
}

fn has_file(folder: &Path, wanted: impl Fn(&str) -> bool) -> bool {
    std::fs::read_dir(folder)
        .is_ok_and(|entries| entries.flatten().any(|entry| wanted(&entry.file_name().to_string_lossy())))
}
