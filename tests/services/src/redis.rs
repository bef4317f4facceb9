//! Redis, alone or as a cluster.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::certificate::Certificate;
use crate::child::{Guarded, wait_for};
use crate::free_port;

/// One server that keeps nothing on disk. Ends when dropped.
pub struct Redis {
    server: Option<Guarded>,
    port: u16,
    arguments: Vec<String>,
    folder: TempDir,
}

impl Redis {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With more arguments, such as `["--maxmemory", "2mb"]`.
    pub fn start_with(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let folder = tempfile::tempdir().unwrap();
        let mut redis = Self { server: None, port: free_port(), arguments, folder };
        for _ in 0..5 {
            if redis.try_start() {
                return redis;
            }
            redis.port = free_port();
        }
        panic!(
            "Redis does not start: {}",
            std::fs::read_to_string(redis.folder.path().join("log")).unwrap_or_default()
        );
    }

    /// One that speaks TLS as well, and its `rediss://` URL.
    pub fn start_with_tls(certificate: &Certificate) -> (Self, String) {
        let folder = tempfile::tempdir().unwrap();
        let [authority, certificate, key] = certificate.write(folder.path());
        let port = free_port();
        let files = [("--tls-ca-cert-file", authority), ("--tls-cert-file", certificate), ("--tls-key-file", key)];
        let files = files.map(|(name, path)| [name.to_owned(), path.to_str().unwrap().to_owned()]);
        let mut arguments = vec!["--tls-port".to_owned(), port.to_string(), "--tls-auth-clients".into(), "no".into()];
        arguments.extend(files.into_iter().flatten());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        // Redis has read the files when it answers.
        (Self::start_with(&arguments), format!("rediss://127.0.0.1:{port}"))
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Sends one command; the raw answer in Redis's protocol (RESP2), as far as it came in one piece.
    pub fn command(&self, words: &[&str]) -> String {
        ask(self.port, words).expect("Redis answers")
    }

    pub fn kill(&mut self) {
        let Some(server) = self.server.take() else { return };
        server.signal("KILL");
        server.wait_for_end();
    }

    /// Starts again, empty, on the same port after `kill`.
    pub fn restart(&mut self) {
        self.kill();
        wait_for("Redis to start again", || self.try_start().then_some(()));
    }

    /// Freezes it: connections stay open and nobody answers.
    pub fn pause(&self) {
        if let Some(server) = &self.server {
            server.signal("STOP");
        }
    }

    pub fn resume(&self) {
        if let Some(server) = &self.server {
            server.signal("CONT");
        }
    }

    fn try_start(&mut self) -> bool {
        let mut command = Command::new("redis-server");
        let port = self.port.to_string();
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]);
        command.arg(self.folder.path()).args(&self.arguments);
        let installed = Command::new("redis-server").arg("--version").output().is_ok();
        assert!(installed, "redis-server is not installed: run `cargo xtask test` once, it installs it");
        let server = Guarded::start(&command, &self.folder.path().join("log"));
        let started = wait_for("Redis", || match server.is_running() {
            true => ask(self.port, &["PING"]).is_some_and(|answer| answer.contains("PONG")).then_some(true),
            false => Some(false),
        });
        self.server = started.then_some(server);
        started
    }
}

/// Three masters of a Redis Cluster without replicas.
pub struct RedisCluster {
    pub nodes: Vec<Redis>,
}

impl RedisCluster {
    pub fn start() -> Self {
        let nodes: Vec<Redis> = (0..3)
            .map(|_| Redis::start_with(&["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]))
            .collect();
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]).args(nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)));
        let output = create.args(["--cluster-replicas", "0", "--cluster-yes"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        for node in &nodes {
            wait_for("the cluster", || node.command(&["CLUSTER", "INFO"]).contains("cluster_state:ok").then_some(()));
        }
        Self { nodes }
    }

    /// All nodes, as REDIS_URL takes them.
    pub fn url(&self) -> String {
        self.nodes.iter().map(Redis::url).collect::<Vec<_>>().join(",")
    }
}

fn ask(port: u16, words: &[&str]) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut request = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| request.push_str(&format!("${}\r\n{word}\r\n", word.len())));
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = vec![0; 1 << 16];
    let read = stream.read(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer[..read]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Postgres, PostgresKind, PostgresOptions};

    #[test]
    fn redis_comes_and_goes() {
        let mut redis = Redis::start();
        assert_eq!(redis.command(&["SET", "a", "1"]), "+OK\r\n");
        redis.restart();
        assert_eq!(redis.command(&["GET", "a"]), "$-1\r\n");
        let port = redis.port();
        drop(redis);
        assert_eq!(ask(port, &["PING"]), None);
    }

    #[test]
    fn a_cluster_shares_its_slots() {
        let cluster = RedisCluster::start();
        assert!(cluster.nodes[0].command(&["CLUSTER", "INFO"]).contains("cluster_slots_ok:16384"));
    }

    #[test]
    fn postgres_of_both_kinds_keeps_what_it_acknowledged() {
        for (kind, extension) in [(PostgresKind::Debian, "hypopg"), (PostgresKind::Vector, "vector")] {
            let mut postgres = Postgres::start_with(PostgresOptions { kind, ..Default::default() });
            postgres.sql("postgres", &format!("CREATE EXTENSION {extension}; CREATE TABLE a (b int)"));
            postgres.sql("postgres", "INSERT INTO a VALUES (7)");
            postgres.restart();
            assert_eq!(postgres.sql("postgres", "SELECT b FROM a"), "7");
            assert_ne!(postgres.database(), postgres.database());
        }
    }
}
