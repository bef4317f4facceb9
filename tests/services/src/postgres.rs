//! PostgreSQL: Debian's (with pg_stat_statements, hypopg and pg_trgm) or the one of a registry package that has
//! pgvector and pg_trgm.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::certificate::Certificate;
use crate::child::{Guarded, signal, wait_for};
use crate::free_port;

/// Where the server's programs come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PostgresKind {
    /// pg_stat_statements (loaded), hypopg, pg_trgm; no pgvector.
    #[default]
    Debian,
    /// pgvector and pg_trgm; neither pg_stat_statements nor hypopg.
    Vector,
}

#[derive(Clone, Debug, Default)]
pub struct PostgresOptions {
    pub kind: PostgresKind,
    /// Wait for the disk on commit, as in production. Without it a power failure may lose data; the death of a
    /// process does not.
    pub durable: bool,
    /// More settings, such as `max_connections=20`.
    pub settings: Vec<String>,
    /// Speak TLS with this, where a client wants it.
    pub tls: Option<Certificate>,
}

/// One server. Ends when dropped.
pub struct Postgres {
    server: Option<Guarded>,
    programs: PathBuf,
    user: Option<User>,
    options: PostgresOptions,
    port: u16,
    folder: TempDir,
}

/// Whom the server runs as when we are root, which PostgreSQL refuses.
#[derive(Clone, Debug)]
struct User {
    uid: u32,
    gid: u32,
}

impl User {
    /// A program that runs as this user.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        let (uid, gid) = (format!("--reuid={}", self.uid), format!("--regid={}", self.gid));
        command.args([&uid, &gid, "--clear-groups", "--"]).arg(program);
        command
    }
}

impl Postgres {
    /// Debian's, quick.
    pub fn start() -> Self {
        Self::start_with(PostgresOptions::default())
    }

    pub fn start_with(options: PostgresOptions) -> Self {
        let user = unprivileged();
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let programs = programs(options.kind, user.as_ref(), folder.path());
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        if let Some(user) = &user {
            chown(&data, Some(user.uid), Some(user.gid)).unwrap();
        }
        let mut postgres = Self { server: None, programs, user, options, port: free_port(), folder };
        let mut initialise = postgres.command("initdb");
        initialise.arg("--pgdata").arg(&data);
        initialise.args(["--no-sync", "--auth=trust", "--username=corsac", "--encoding=UTF8", "--locale=C.UTF-8"]);
        let output = initialise.current_dir("/").output().unwrap();
        assert!(output.status.success(), "initdb failed: {}", String::from_utf8_lossy(&output.stderr));
        if let Some(certificate) = &postgres.options.tls {
            let [_, certificate, key] = certificate.write(&data);
            if let Some(user) = &postgres.user {
                chown(&key, Some(user.uid), Some(user.gid)).unwrap();
            }
            let paths = [("ssl_cert_file", certificate), ("ssl_key_file", key)];
            postgres.options.settings.push("ssl=on".into());
            postgres.options.settings.extend(paths.map(|(name, path)| format!("{name}={}", path.display())));
        }
        for _ in 0..5 {
            if postgres.try_start() {
                return postgres;
            }
            postgres.port = free_port();
        }
        panic!("PostgreSQL does not start: {}", postgres.log());
    }

    /// One server for the whole process, for tests that only need a database of their own.
    pub fn shared(kind: PostgresKind) -> &'static Self {
        static DEBIAN: OnceLock<Postgres> = OnceLock::new();
        static VECTOR: OnceLock<Postgres> = OnceLock::new();
        let server = match kind {
            PostgresKind::Debian => &DEBIAN,
            PostgresKind::Vector => &VECTOR,
        };
        server.get_or_init(|| Self::start_with(PostgresOptions { kind, ..Default::default() }))
    }

    /// Creates an empty database; its URL.
    pub fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://corsac@127.0.0.1:{}/{database}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs a statement with the server's own client; what it prints, unaligned and without headings.
    pub fn sql(&self, database: &str, statement: &str) -> String {
        let mut client = self.command("psql");
        client.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        client.args(["--dbname", &self.url(database), "--command", statement]);
        let output = client.current_dir("/").output().unwrap();
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// As `kill -9` of the server and all its processes: what was acknowledged is in its log.
    pub fn kill(&mut self) {
        let Some(server) = self.server.take() else { return };
        for child in children(server.id()) {
            // It may have ended by itself meanwhile.
            signal(child, "KILL");
        }
        server.signal("KILL");
        server.wait_for_end();
    }

    /// A stop as an operator's: connections are closed at once, everything is written.
    pub fn stop(&mut self) {
        let Some(server) = self.server.take() else { return };
        server.signal("INT");
        server.wait_for_end();
    }

    /// Starts again on the same port and data after `kill` or `stop`.
    pub fn restart(&mut self) {
        self.kill();
        let _ = std::fs::remove_file(self.folder.path().join("data/postmaster.pid"));
        wait_for("PostgreSQL to start again", || self.try_start().then_some(()));
    }

    /// Freezes the server and all its processes: connections stay open and nobody answers.
    pub fn pause(&self) {
        self.signal_all("STOP");
    }

    pub fn resume(&self) {
        self.signal_all("CONT");
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn signal_all(&self, name: &str) {
        let Some(server) = &self.server else { return };
        server.signal(name);
        for child in children(server.id()) {
            signal(child, name);
        }
    }

    fn try_start(&mut self) -> bool {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.folder.path().join("data"));
        let mut settings = vec![
            format!("port={}", self.port),
            "listen_addresses=127.0.0.1".into(),
            "unix_socket_directories=".into(),
            "max_connections=200".into(),
        ];
        if self.options.kind == PostgresKind::Debian {
            settings.push("shared_preload_libraries=pg_stat_statements".into());
        }
        if !self.options.durable {
            settings.extend(["fsync=off", "full_page_writes=off"].map(String::from));
        }
        settings.extend(self.options.settings.clone());
        settings.iter().for_each(|setting| {
            command.arg("-c").arg(setting);
        });
        let server = Guarded::start(&command, &self.folder.path().join("log"));
        let answers = || {
            let mut ask = self.command("pg_isready");
            ask.args(["--quiet", "--host=127.0.0.1", "--dbname=postgres", &format!("--port={}", self.port)]);
            ask.status().is_ok_and(|status| status.success())
        };
        let started = wait_for("PostgreSQL", || match server.is_running() {
            true => answers().then_some(true),
            false => Some(false),
        });
        self.server = started.then_some(server);
        started
    }

    /// A program of the server, as the user that it may run as.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = match &self.user {
            None => Command::new(program),
            Some(user) => user.command(&program),
        };
        command.env("LC_ALL", "C.UTF-8").env("PGCONNECT_TIMEOUT", "5");
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

fn children(parent: u32) -> Vec<u32> {
    let listed = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

fn programs(kind: PostgresKind, user: Option<&User>, folder: &Path) -> PathBuf {
    match kind {
        PostgresKind::Debian => {
            let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
            let mut versions: Vec<(u32, PathBuf)> = versions
                .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
                .filter(|(_, programs)| programs.join("postgres").exists())
                .collect();
            versions.sort();
            versions.pop().expect("PostgreSQL is not installed: run `cargo xtask test` once, it installs it").1
        }
        PostgresKind::Vector => {
            const PROGRAMS: &str = "pgserver/pginstall/bin";
            let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join(".installed");
            let programs = installed.join(PROGRAMS);
            assert!(
                programs.join("postgres").exists(),
                "{} is missing: run `cargo xtask test` once, it installs it",
                programs.display()
            );
            if user.is_none_or(|user| can_run(user, &programs.join("initdb"))) {
                return programs;
            }
            // Our checkout lies where that user may not look.
            let copied = Command::new("cp").arg("-r").arg(&installed).arg(folder.join("programs")).status().unwrap();
            assert!(copied.success());
            folder.join("programs").join(PROGRAMS)
        }
    }
}

fn can_run(user: &User, program: &Path) -> bool {
    let output = user.command(program).arg("--version").current_dir("/").output();
    output.is_ok_and(|output| output.status.success())
}

/// None when we are not root.
fn unprivileged() -> Option<User> {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let fields: Vec<&str> = users
            .lines()
            .map(|line| line.split(':'))
            .find_map(|mut fields| (fields.next() == Some(name)).then(|| fields.collect()))?;
        Some(User { uid: fields.get(1)?.parse().ok()?, gid: fields.get(2)?.parse().ok()? })
    };
    Some(find("postgres").or_else(|| find("nobody")).expect("a user other than root"))
}
