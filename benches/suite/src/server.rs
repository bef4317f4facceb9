//! `corsac serve` as a child of its own data folder over one tree. Ended when dropped.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tempfile::TempDir;

use crate::contract::Contract;
use crate::exchange::{Client, Request};
use crate::machine::Moment;
use crate::report::Corpus;

const PATIENCE: Duration = Duration::from_secs(1800);

pub struct Server {
    pub client: Client,
    pub contract: Contract,
    pub corpus: Corpus,
    process: Process,
    _data: TempDir,
}

struct Process(Child);

impl Server {
    /// Returns once `tree` can be searched. `more`: further arguments.
    pub async fn start(binary: &Path, tree: &Path, more: &[&std::ffi::OsStr]) -> anyhow::Result<Self> {
        let data = tempfile::tempdir()?;
        let mut command = Command::new(binary);
        command.arg("serve").arg(tree).args(["--listen", "127.0.0.1:0", "--data"]).arg(data.path()).args(more);
        // Settings of whoever runs the suite are not to be measured.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CORSAC_")) {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let missing = || format!("cannot start {}: build it with cargo build --release", binary.display());
        let mut process = Process(command.spawn().with_context(missing)?);
        let lines = BufReader::new(process.0.stderr.take().context("no standard error")?).lines();
        let (sender, receiver) = mpsc::channel();
        // Reads on for ever, so that the pipe does not fill.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listening on http://") {
                    let _ = sender.send(address.trim().to_owned());
                } else if ["panicked", "ERROR", "corsac: "].iter().any(|sign| line.contains(sign)) {
                    eprintln!("server: {line}");
                }
            }
        });
        let address = tokio::task::spawn_blocking(move || receiver.recv_timeout(PATIENCE)).await?;
        let base = format!("http://{}", address.context("the server does not listen; what it said is above")?);
        let client = Client::new(base)?;
        let contract = Contract::new(serde_json::Value::Null);
        let mut server = Self { contract, corpus: Corpus::default(), client, process, _data: data };
        server
            .until("readiness", async |client| Ok(client.ask(&Request::get("/readyz")).await.outcome.is_ok()))
            .await?;
        eprintln!("the server indexes {} …", tree.display());
        server.settled().await?;
        server.contract = Contract::new(server.client.json(&Request::get("/openapi.json")).await?);
        server.corpus = server.stats().await?;
        Ok(server)
    }

    pub fn moment(&self) -> Moment {
        Moment::of(self.process.0.id())
    }

    async fn stats(&self) -> anyhow::Result<Corpus> {
        let stats = self.client.json(&Request::get("/api/search/stats")).await?;
        Ok(Corpus {
            files: stats["total_files_indexed"].as_u64().unwrap_or_default(),
            chunks: stats["total_chunks"].as_u64().unwrap_or_default(),
            content_mb: stats["content_bytes"].as_f64().unwrap_or_default() / 1e6,
        })
    }

    /// Waits until all tasks are over and searches see their results.
    pub async fn settled(&self) -> anyhow::Result<()> {
        self.until("the end of indexing", async |client| {
            let tasks = client.json(&Request::get("/api/tasks")).await?;
            let tasks = tasks["tasks"].as_array().context("no list of tasks")?;
            if let Some(failed) = tasks.iter().find(|task| task["state"] == "failed") {
                bail!("a task failed: {failed}");
            }
            let stats = client.json(&Request::get("/api/search/stats")).await?;
            Ok(tasks.iter().all(|task| task["state"] != "queued" && task["state"] != "running")
                && !tasks.is_empty()
                && stats["stale"] == false
                && stats["latest"] == stats["generation"])
        })
        .await
    }

    async fn until(&self, what: &str, is_so: impl AsyncFn(&Client) -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let began = Instant::now();
        while !is_so(&self.client).await? {
            ensure!(began.elapsed() < PATIENCE, "waited in vain for {what}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone after this.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
