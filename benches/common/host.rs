//! Hosts as they are in production: the binary as processes of their own, over a database and a cache that
//! they share. Killed when dropped.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::{self, Connection};
use super::machine;

const PATIENCE: Duration = Duration::from_secs(600);

pub struct Host {
    pub address: SocketAddr,
    child: Child,
    data: TempDir,
}

impl Host {
    /// Starts `corsac serve` with a data folder of its own; it may index `tree`. Returns when it listens.
    pub async fn start(tree: &Path, environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_corsac"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data.path()).arg("--allow-root").arg(tree);
        command.env_clear().envs(environment.iter().copied()).stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().context("cannot start the server")?;
        let lines = BufReader::new(child.stderr.take().context("no standard error")?).lines();
        let (sender, receiver) = mpsc::channel();
        // Also reads on when nobody wants to know any more, so that the pipe does not fill.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listening on http://") {
                    let _ = sender.send(address.trim().to_owned());
                } else if line.contains("panicked") {
                    eprintln!("a host: {line}");
                }
            }
        });
        let address = tokio::task::spawn_blocking(move || receiver.recv_timeout(PATIENCE)).await?;
        let address = address.context("the server does not listen")?.parse()?;
        let host = Self { address, child, data };
        host.until("ready", async || Ok(host.get("/readyz").await?.0 == 200)).await?;
        Ok(host)
    }

    /// Status and JSON, null when it is none.
    pub async fn get(&self, path: &str) -> anyhow::Result<(u16, Value)> {
        self.ask(&client::get(path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<(u16, Value)> {
        self.ask(&client::post(path, &body.to_string())).await
    }

    async fn ask(&self, request: &[u8]) -> anyhow::Result<(u16, Value)> {
        let mut connection = Connection::open(self.address).await?;
        let status = connection.exchange(request).await?;
        Ok((status, serde_json::from_slice(connection.body()).unwrap_or_default()))
    }

    /// Megabytes that the process has resident, and seconds that it has computed.
    pub fn use_of_machine(&self) -> (f64, f64) {
        machine::of_process(self.child.id())
    }

    /// Bytes of its data folder.
    pub fn data_bytes(&self) -> u64 {
        machine::bytes_below(self.data.path())
    }

    /// Has a folder indexed and waits for it.
    pub async fn index(&self, tree: &Path) -> anyhow::Result<()> {
        let (status, task) = self.post("/api/search/index", &json!({ "project_root": tree })).await?;
        ensure!(status == 202, "indexing was refused: {task}");
        let path = format!("/api/tasks/{}", task["id"].as_str().context("a task without id")?);
        self.until("the end of indexing", async || {
            let (_, task) = self.get(&path).await?;
            ensure!(task["state"] != "failed", "indexing failed: {task}");
            Ok(task["state"] == "succeeded")
        })
        .await
    }

    /// The newest change that searches see, as soon as there is no newer one.
    pub async fn caught_up(&self) -> anyhow::Result<u64> {
        let mut generation = 0;
        self.until("an index that has caught up", async || {
            let (_, stats) = self.get("/api/search/stats").await?;
            generation = stats["generation"].as_u64().context("no generation")?;
            Ok(stats["stale"] == false && stats["latest"] == generation)
        })
        .await?;
        Ok(generation)
    }

    async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let began = Instant::now();
        while !is_so().await? {
            if began.elapsed() > PATIENCE {
                bail!("waited in vain for {what}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
