//! Servers for tests: the real binary as a process, and the same parts within the test's process.
//! Plugins compile once for all of them: their data folders share one folder of compiled code.

use std::fs;
use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Once};

use corsac::app::App;
use corsac::config::Settings;
use corsac::ingest::IndexRequest;
use corsac::runtime::{CompiledCache, Loader};
use corsac::store::TaskState;
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::client::{Client, wait_for};
use super::tree::Tree;

/// A data folder in which all built plugins are compiled already.
pub fn data_folder() -> TempDir {
    static COMPILED: Once = Once::new();
    let compiled = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    COMPILED.call_once(|| {
        let loader = Loader::new(Some(CompiledCache::open(&compiled).unwrap())).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for folder in ["plugins/.built", "tests/fixtures/.built"] {
            for entry in fs::read_dir(root.join(folder)).unwrap() {
                // Those that are no plugins are compiled by the tests that mean them.
                let _ = loader.compile(&fs::read(entry.unwrap().path()).unwrap());
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(compiled, folder.path().join("compiled")).unwrap();
    folder
}

/// The parts of the server in this process, behind a real socket. Stops when dropped.
pub struct Local {
    client: Client,
    stop: CancellationToken,
    _data: TempDir,
}

impl Local {
    /// Serves a tree, indexed; `change` has the last word on the settings.
    pub async fn start(tree: &Tree, change: impl FnOnce(&mut Settings)) -> Self {
        let data = data_folder();
        let mut settings = Settings::default();
        settings.server.data = Some(data.path().to_owned());
        // Tests tell hits from misses; what was answered ahead would be neither.
        settings.cache.warm_queries = 0;
        change(&mut settings);
        let app = App::start(&settings, Some(tree.path())).await.unwrap();
        app.open().await.unwrap();
        let task = app.index_folder(IndexRequest { path: tree.name().into(), ..Default::default() }).await.unwrap();
        let mut progress = app.ingest.watch_task(&task.id).await.unwrap().unwrap();
        let task = progress.wait_for(|task| task.state.is_finished()).await.unwrap().clone();
        assert_eq!(task.state, TaskState::Succeeded, "{task:?}");

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(format!("http://{}", listener.local_addr().unwrap()));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move { app.serve(listener, stopped).await.unwrap() });
        Self { client, stop, _data: data }
    }
}

impl Deref for Local {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The real binary. Killed when dropped.
pub struct Process {
    client: Client,
    child: Child,
    /// What it has written to standard error so far.
    log: Arc<Mutex<String>>,
}

/// A configuration in which a busy machine is not taken for a slow Redis: its path, for `--config`.
pub fn patient(data: &Path) -> String {
    let file = data.join("patient.toml");
    fs::write(&file, "[redis]\ntimeout_ms = 30000\n").unwrap();
    file.to_str().unwrap().to_owned()
}

/// The binary with arguments, free of this process's environment.
pub fn corsac<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corsac"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

impl Process {
    /// `corsac serve` on a free port, as soon as it listens; the index may still be catching up.
    pub async fn serve(data: &Path, arguments: &[&str]) -> Self {
        Self::serve_with(data, arguments, &[]).await
    }

    /// The same with variables of the environment, such as `DATABASE_URL`.
    pub async fn serve_with(data: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let always = ["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
        let mut command = corsac(always.iter().chain(arguments).copied());
        command.envs(environment.iter().copied());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, sink) = (BufReader::new(child.stderr.take().unwrap()).lines(), log.clone());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                sink.lock().push_str(&(line + "\n"));
            }
        });
        let address = wait_for("a server that listens", async || {
            let text = log.lock().clone();
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the server ended with {status}:\n{text}");
            }
            let (_, rest) = text.split_once("listening on ")?;
            let (address, _) = rest.split_once('\n')?;
            Some(address.to_owned())
        })
        .await;
        Self { client: Client::new(address), child, log }
    }

    /// Waits for the end of the start: the tree is indexed, unless that was turned off.
    pub async fn started(&self) {
        wait_for("the end of the start", async || self.log().contains("serving on http").then_some(())).await;
    }

    pub fn log(&self) -> String {
        self.log.lock().clone()
    }

    /// As `kill -9`: nothing is said, nothing is finished.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        // A shell's own `kill` is on every machine.
        let told = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status().unwrap();
        assert!(told.success());
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        wait_for("the server's end", async || self.child.try_wait().unwrap()).await
    }
}

impl Deref for Process {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A plugin folder with fixtures under their own names.
pub fn plugins(names: &[&str]) -> TempDir {
    let files: Vec<(String, PathBuf)> =
        names.iter().map(|name| (format!("{name}.wasm"), super::fixture(name))).collect();
    let files: Vec<(&str, PathBuf)> = files.iter().map(|(name, file)| (name.as_str(), file.clone())).collect();
    super::folder_of(&files)
}
