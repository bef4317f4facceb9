//! What an operator's day does to a server beside searches: a folder whose files come, change and go, and plugins that
//! are replaced while they are in use.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::exchange::{Client, Request};
use crate::tally::Tally;

/// Files that the folder has at any time.
const FILES: u64 = 100;

/// A folder of sources that changes.
pub struct Changing {
    folder: TempDir,
    round: u64,
}

impl Changing {
    pub fn new() -> anyhow::Result<Self> {
        let mut changing = Self { folder: tempfile::tempdir()?, round: 0 };
        changing.change()?;
        Ok(changing)
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A tenth of the files is written anew, one goes and another one comes.
    pub fn change(&mut self) -> anyhow::Result<()> {
        let first = self.round == 0;
        let stale = (0..FILES).filter(|number| first || number % 10 == self.round % 10);
        for number in stale {
            self.write(number)?;
        }
        let gone = self.folder.path().join(format!("extra_{}.rs", self.round.saturating_sub(1)));
        if gone.exists() {
            std::fs::remove_file(gone)?;
        }
        let content = format!("//! Came in round {0}.\npub fn extra_{0}() {{}}\n", self.round);
        std::fs::write(self.folder.path().join(format!("extra_{}.rs", self.round)), content)?;
        self.round += 1;
        Ok(())
    }

    fn write(&self, number: u64) -> anyhow::Result<()> {
        let mut content = format!("//! File {number} as it is in round {}.\n", self.round);
        for place in 0..40 {
            content += &format!(
                "\n/// Gives step {place} of what file {number} does.\npub fn step_{number}_{place}_{}() -> u64 {{\n    {place}\n}}\n",
                self.round
            );
        }
        Ok(std::fs::write(self.folder.path().join(format!("file_{number}.rs")), content)?)
    }
}

/// Changes the folder and has it indexed until `end`; what is counted is the time until its changes are searchable.
pub async fn index_while(
    client: &Client,
    changing: &mut Changing,
    pause: Duration,
    end: Instant,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    while Instant::now() < end {
        changing.change()?;
        let began = Instant::now();
        let request = Request::post("/api/search/index", json!({ "project_root": changing.path() }));
        let answer = client.ask(&request).await;
        if answer.outcome.is_ok() {
            finished(client).await?;
        }
        tally.add(&answer, began.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(pause).await;
    }
    Ok(tally)
}

/// Waits until no task is under way.
async fn finished(client: &Client) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let tasks = client.json(&Request::get("/api/tasks")).await?;
        let open = |task: &Value| task["state"] == "queued" || task["state"] == "running";
        if !tasks["tasks"].as_array().context("no list of tasks")?.iter().any(open) {
            return Ok(());
        }
        ensure!(began.elapsed() < Duration::from_secs(600), "waited in vain for the end of indexing");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Replaces one ranker by itself, each time as a file that the server has never seen.
pub struct Swapper {
    folder: TempDir,
    component: Vec<u8>,
    /// Name of the plugin's file, without its end.
    name: &'static str,
    serial: u64,
}

impl Swapper {
    /// `plugins`: where the built plugins are.
    pub fn new(plugins: &Path, name: &'static str) -> anyhow::Result<Self> {
        let file: PathBuf = plugins.join(format!("{name}.wasm"));
        let missing = || format!("{}: build it with cargo xtask plugins", file.display());
        let component = std::fs::read(&file).with_context(missing)?;
        let mut swapper = Self { folder: tempfile::tempdir()?, component, name, serial: 0 };
        swapper.swap()?;
        Ok(swapper)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// As an author should: under another name, then renamed.
    fn swap(&mut self) -> anyhow::Result<()> {
        self.serial += 1;
        let mut bytes = self.component.clone();
        // A custom section, which means nothing: id 0, length, a name with its length, content.
        bytes.extend(b"\0\x0e\x05suite");
        bytes.extend(self.serial.to_le_bytes());
        let partial = self.folder.path().join("swapped.partial");
        std::fs::write(&partial, bytes)?;
        Ok(std::fs::rename(partial, self.folder.path().join(format!("{}.wasm", self.name)))?)
    }

    async fn digest(&self, client: &Client) -> anyhow::Result<Value> {
        let plugins = client.json(&Request::get("/api/plugins")).await?;
        let mut plugins = plugins["plugins"].as_array().into_iter().flatten();
        let active = plugins.find(|plugin| plugin["name"] == self.name && plugin["state"] == "active");
        Ok(active.with_context(|| format!("{} is not active", self.name))?["digest"].clone())
    }

    /// Swaps until `end`; what is counted is the time from a file's renaming until it is the one that serves.
    pub async fn swap_while(&mut self, client: &Client, pause: Duration, end: Instant) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        while Instant::now() < end {
            let before = self.digest(client).await?;
            let began = Instant::now();
            self.swap()?;
            while self.digest(client).await? == before {
                ensure!(began.elapsed() < Duration::from_secs(60), "a new {} is not taken up", self.name);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            tally.samples.push(began.elapsed().as_secs_f64() * 1e3);
            tokio::time::sleep(pause).await;
        }
        Ok(tally)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(changing: &Changing) -> Vec<String> {
        let entries = std::fs::read_dir(changing.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn each_round_changes_a_tenth_and_one_file_goes() {
        let mut changing = Changing::new().unwrap();
        assert_eq!(names(&changing).len(), 101);
        changing.change().unwrap();
        let now = names(&changing);
        assert!(now.len() == 101 && now.contains(&"extra_1.rs".to_owned()) && !now.contains(&"extra_0.rs".to_owned()));
        let rewritten = now.iter().filter(|name| {
            name.starts_with("file_")
                && std::fs::read_to_string(changing.path().join(name)).unwrap().contains("in round 1.")
        });
        assert_eq!(rewritten.count(), 10);
    }

    #[test]
    fn every_swap_is_another_file_and_the_section_is_well_formed() {
        let plugins = tempfile::tempdir().unwrap();
        std::fs::write(plugins.path().join("rank.wasm"), b"component").unwrap();
        let mut swapper = Swapper::new(plugins.path(), "rank").unwrap();
        let read = |swapper: &Swapper| std::fs::read(swapper.folder().join("rank.wasm")).unwrap();
        let first = read(&swapper);
        swapper.swap().unwrap();
        assert_ne!(read(&swapper), first);
        // Length 14 covers the name's length, the name and eight bytes.
        let section = &first[b"component".len()..];
        assert_eq!((section[0], usize::from(section[1])), (0, section.len() - 2));
        let missing = Swapper::new(plugins.path(), "other").err().unwrap().to_string();
        assert!(missing.contains("cargo xtask plugins"), "{missing}");
    }
}
