//! A whole server over a real tree, as `corsac serve` starts it, with its socket on loopback.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use corsac::app::App;
use corsac::config::Settings;
use corsac::http::Backend;
use corsac::ingest::IndexRequest;
use corsac::service::{Answer, SearchRequest};
use corsac::store::{Task, TaskState};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Options, machine};

pub struct Server {
    pub app: Arc<App>,
    pub address: SocketAddr,
    /// The task that indexed the tree.
    pub indexed: Task,
    /// From the start of indexing until everything could be searched.
    pub indexing: Duration,
    /// How long the work on the side went on after that.
    pub settling: Duration,
    pub data: PathBuf,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<anyhow::Result<()>>,
    _temporary: Option<tempfile::TempDir>,
}

impl Server {
    /// Indexes `tree`, waits for quiet, and serves. `adjust` changes the default settings.
    pub async fn start(tree: &Path, options: &Options, adjust: impl FnOnce(&mut Settings)) -> anyhow::Result<Self> {
        let temporary = match &options.data {
            Some(_) => None,
            None => Some(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?),
        };
        let data = options.data.clone().or(temporary.as_ref().map(|folder| folder.path().to_owned()));
        let data = data.context("no data folder")?;
        let mut settings = Settings::default();
        settings.server.data = Some(data.clone());
        adjust(&mut settings);
        let app = App::start(&settings, Some(tree)).await?;
        app.ingest.caught_up().await?;
        app.open().await?;

        eprintln!("indexing {} …", tree.display());
        let began = std::time::Instant::now();
        let indexed = index(&app, tree).await?;
        let indexing = began.elapsed();
        let settling = machine::quiet().await;
        eprintln!("indexed in {:.1} s, quiet after {:.1} s more", indexing.as_secs_f64(), settling.as_secs_f64());

        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let (serving_app, stopped) = (app.clone(), stop.clone());
        let serving = tokio::spawn(async move {
            serving_app.serve(listener, stopped.cancelled_owned()).await?;
            Ok(())
        });
        Ok(Self { app, address, indexed, indexing, settling, data, stop, serving, _temporary: temporary })
    }

    /// Past HTTP.
    pub async fn search(&self, request: SearchRequest) -> anyhow::Result<Answer> {
        let app: &App = &self.app;
        Ok(Backend::search(app, request).await?)
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.serving.await?
    }
}

async fn index(app: &Arc<App>, tree: &Path) -> anyhow::Result<Task> {
    let path = tree.canonicalize()?.to_str().context("the tree's path is not UTF-8")?.to_owned();
    let task = app.index_folder(IndexRequest { path, ..IndexRequest::default() }).await?;
    let mut progress = app.ingest.watch_task(&task.id).await?.context("the indexing task is gone")?;
    let task = progress.wait_for(|task| task.state.is_finished()).await?.clone();
    if task.state != TaskState::Succeeded {
        bail!("indexing failed: {}", task.error.unwrap_or_default());
    }
    Ok(task)
}
