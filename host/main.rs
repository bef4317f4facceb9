//! The `corsac` command: reads the command line, and hands over.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use corsac::app::{App, AppError, copy_store, keys, standard_plugins};
use corsac::config::{Command, CommandLine, PluginCommand, ServeArguments, Settings, StoreCommand, StoreLocation};
use corsac::index::BetterModel;
use corsac::ingest::IndexRequest;
use corsac::runtime::{Runtime, RuntimeOptions};
use corsac::store::{Phase, Task, TaskState};
use corsac::telemetry::start_log;
use corsac::{check, eval};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// Queries allocate and free many small things on many threads, which is what it is made for. `--cfg
/// system_allocator` builds the benches without it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Every TLS connection uses it. It fails only when there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start threads")
        .and_then(|runtime| runtime.block_on(run(CommandLine::parse().command)));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("corsac: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(arguments) => serve(&arguments).await,
        Command::Plugin(PluginCommand::Check { file, config }) => {
            let settings = config.as_deref().map(Settings::of_file).transpose()?;
            let report = check::check(&file, settings.as_ref()).await?;
            print!("{}", report.text);
            Ok(if report.loads { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Key(command) => {
            let printed = keys::run(command).await?;
            eprint!("{}", printed.note);
            print!("{}", printed.output);
            Ok(ExitCode::SUCCESS)
        }
        Command::Store(StoreCommand::Copy { from, to }) => copy(&from, &to).await,
        Command::Eval { collection, mode, plugins, model } => {
            evaluate(&collection, mode.as_deref(), plugins, model.as_deref()).await
        }
    }
}

async fn serve(arguments: &ServeArguments) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(arguments)?;
    let log = start_log(settings.server.log_format, &settings.server.log, settings.telemetry.export().as_ref())?;
    let served = serve_until_stopped(arguments, &settings).await;
    tokio::task::spawn_blocking(move || log.finish()).await?;
    served?;
    Ok(ExitCode::SUCCESS)
}

async fn serve_until_stopped(arguments: &ServeArguments, settings: &Settings) -> anyhow::Result<()> {
    let listen = settings.server.listen;
    // Before the long work, so that a port that is taken is known at once.
    let taken = |error: std::io::Error| AppError::Listen { address: listen, reason: error.to_string() };
    let listener = TcpListener::bind(listen).await.map_err(taken)?;
    let address = listener.local_addr()?;
    let tree = arguments.path.as_deref();
    let app = App::start(settings, tree).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    let serving = tokio::spawn({
        let app = app.clone();
        async move { app.serve(listener, stop).await }
    });
    // The first line that names the port: whoever starts the server with port 0 reads it here.
    tracing::info!("listening on http://{address}");
    let started = bring_up(&app, tree.filter(|_| settings.index.on_start)).await;
    // A stop that comes before the start has ended is no failure.
    if !app.is_stopping() {
        started?;
        eprint!("{}", what_next(address, &app));
    }
    serving.await??;
    Ok(())
}

/// What was indexed before can be searched while the tree is looked through again.
async fn bring_up(app: &Arc<App>, tree: Option<&Path>) -> anyhow::Result<()> {
    app.ingest.caught_up().await?;
    app.open().await?;
    match tree {
        Some(tree) => index(app, tree).await,
        None => Ok(()),
    }
}

/// Indexes the tree with a progress bar; a failed task is told, not fatal.
async fn index(app: &Arc<App>, tree: &Path) -> anyhow::Result<()> {
    let request = IndexRequest { path: tree.canonicalize()?.display().to_string(), ..IndexRequest::default() };
    let task = app.index_folder(request).await?;
    let Some(mut progress) = app.ingest.watch_task(&task.id).await? else { return Ok(()) };
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template("{spinner} {msg}")?);
    bar.enable_steady_tick(Duration::from_millis(100));
    loop {
        let task = progress.borrow_and_update().clone();
        bar.set_message(progress_line(&task));
        if task.state.is_finished() || progress.changed().await.is_err() {
            break;
        }
    }
    bar.finish_and_clear();
    let task = progress.borrow().clone();
    match task.state {
        TaskState::Succeeded => eprintln!("{}", progress_line(&task)),
        _ => eprintln!("indexing {}: {}", tree.display(), task.error.unwrap_or_else(|| "it did not finish".into())),
    }
    Ok(())
}

fn progress_line(task: &Task) -> String {
    let progress = &task.progress;
    let skipped: u64 = progress.skipped.values().map(|skipped| skipped.count).sum();
    let phase = match progress.phase {
        Phase::Waiting => "waiting",
        Phase::Elsewhere => "waiting for another host that indexes this folder",
        Phase::Walking => "reading",
        Phase::Indexing => "indexing",
        Phase::Committing => "committing",
        Phase::Done => "done",
    };
    format!(
        "{phase}: {} files, {} new or changed, {} unchanged, {} removed, {skipped} skipped, {:.1} MB, {} chunks, {:.0} files/s",
        progress.files_seen,
        progress.indexed,
        progress.unchanged,
        progress.removed,
        progress.bytes as f64 / 1e6,
        progress.chunks,
        progress.files_per_second
    )
}

fn what_next(address: std::net::SocketAddr, app: &App) -> String {
    let plugins: Vec<String> = app.runtime.registry().plugins().map(|plugin| plugin.label().to_owned()).collect();
    format!(
        "serving on http://{address} with {}\n\
         try:\n  \
         curl -s http://{address}/api/search/search -H 'content-type: application/json' -d '{{\"query\": \"where is the cache key made\"}}'\n  \
         curl -s http://{address}/api/search/syntax -H 'content-type: application/json' -d '{{\"query\": \"fn \\\\w+_key\", \"context_lines\": 2}}'\n  \
         curl -s http://{address}/api/plugins\n  \
         curl -s http://{address}/openapi.json\n",
        plugins.join(", ")
    )
}

async fn copy(from: &StoreLocation, to: &StoreLocation) -> anyhow::Result<ExitCode> {
    let bar = ProgressBar::no_length()
        .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} documents and tombstones, {eta} left")?);
    let progress = |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let copied = copy_store(from, to, &progress).await;
    bar.finish_and_clear();
    let (what, was_there) = copied?;
    println!(
        "{}: {} documents, {} tombstones, {} roots, {} tasks, {} API keys, {} rows of history, up to change {}, {} events of the world, {} snapshots, {} rules; both stores have the same contents, {}",
        if was_there { "nothing to copy" } else { "copied" },
        what.documents,
        what.tombstones,
        what.roots,
        what.tasks,
        what.keys,
        what.history,
        what.last_sequence,
        what.events,
        what.snapshots,
        what.rules,
        what.digest
    );
    Ok(ExitCode::SUCCESS)
}

async fn evaluate(
    collection: &Path,
    mode: Option<&str>,
    plugins: Vec<PathBuf>,
    model: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let all = eval::modes();
    let modes: Vec<eval::Mode> = match mode {
        None => all.into_iter().map(|(_, mode)| mode).collect(),
        Some(name) => vec![
            all.into_iter()
                .find(|(known, _)| *known == name)
                .map_or_else(|| eval::Mode::Strategy(name.to_owned()), |(_, mode)| mode),
        ],
    };
    let judged = eval::Collection::read(collection)?;
    let model = model.map(|folder| BetterModel::load(folder, 100)).transpose()?;
    let options = RuntimeOptions { embedded: standard_plugins(), folders: plugins, ..RuntimeOptions::default() };
    let runtime = Runtime::start(options).await?;
    let folder = std::env::temp_dir().join(format!("corsac-eval-{}", std::process::id()));
    let figures = eval::evaluate(&judged, runtime, &folder, model, &modes).await;
    std::fs::remove_dir_all(&folder).ok();
    print!("{}", eval::report(&collection.display().to_string(), &figures?));
    Ok(ExitCode::SUCCESS)
}
