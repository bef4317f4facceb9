//! Plugins that misbehave cost their own call an error of the right kind, and nobody else anything.

use std::sync::Arc;
use std::time::Duration;

use corsac::runtime::{CallError, Plugin, PluginKind, PluginOptions, Runtime, RuntimeOptions};

use crate::support::{FixedHits, fixture, folder_of, query, scores};

/// Both hostile fixtures under tight limits.
async fn hostile(deadline_ms: u64) -> (tempfile::TempDir, Arc<Runtime>) {
    let folder = folder_of(&[
        ("hostile-strategy.wasm", fixture("hostile-strategy")),
        ("hostile-ranker.wasm", fixture("hostile-ranker")),
    ]);
    let options =
        PluginOptions { deadline_ms, memory_bytes: 32 << 20, max_output_bytes: 1 << 20, ..Default::default() };
    let options = RuntimeOptions {
        folders: vec![folder.path().to_owned()],
        plugins: Arc::new(move |_| options.clone()),
        ..RuntimeOptions::default()
    };
    (folder, Runtime::start(options).await.unwrap())
}

async fn propose(plugin: &Plugin, text: &str) -> Result<usize, CallError> {
    let retriever = Arc::new(FixedHits(vec![(7, 3, 2.0), (9, 1, 1.0)]));
    plugin.propose(&query(text), retriever).await.map(|proposal| proposal.hits.len())
}

async fn rank(plugin: &Plugin, text: &str) -> Result<usize, CallError> {
    plugin.rank(&query(text), scores(&[3.0, 2.0, 1.0]), true).await.map(|ranking| ranking.scores.len())
}

/// What the fixture does, and the kind of error that the host shall make of it.
const MISDEEDS: [(&str, &str); 11] = [
    ("!loop", "timeout"),
    ("!alloc", "memory"),
    ("!trap", "trap"),
    ("!overflow", "trap"),
    ("!panic", "trap"),
    ("!huge-text", "output"),
    ("!error-bad-query", "bad_query"),
    ("!error-unsupported", "unsupported"),
    ("!error-internal", "internal"),
    ("!nan", "contract"),
    ("!infinite", "contract"),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_misdeed_of_a_strategy_is_one_error_of_its_kind() {
    let (_folder, runtime) = hostile(100).await;
    let strategy = runtime.registry().find(PluginKind::Strategy, "hostile-strategy").unwrap();
    for (at, (text, kind)) in MISDEEDS.into_iter().chain([("!short", "contract"), ("!huge", "output")]).enumerate() {
        let error = propose(&strategy, text).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{text}: {error}");
        assert_eq!(propose(&strategy, "well behaved").await, Ok(2), "after {text}");
        assert_eq!(strategy.statistics.read().calls, 2 * (at as u64 + 1), "after {text}");
    }
    let errors = strategy.statistics.read().errors;
    assert_eq!((errors["trap"], errors["timeout"], errors["memory"], errors["contract"]), (3, 1, 1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_misdeed_of_a_ranker_is_one_error_of_its_kind() {
    let (_folder, runtime) = hostile(100).await;
    let ranker = runtime.registry().find(PluginKind::Ranker, "hostile-ranker").unwrap();
    let more = [("!short", "contract"), ("!long", "contract"), ("!explain", "contract"), ("!huge", "output")];
    for (text, kind) in MISDEEDS.into_iter().chain(more) {
        let error = rank(&ranker, text).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{text}: {error}");
        assert_eq!(rank(&ranker, "well behaved").await, Ok(3), "after {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_says_where() {
    let (_folder, runtime) = hostile(100).await;
    let strategy = runtime.registry().find(PluginKind::Strategy, "hostile-strategy").unwrap();
    let error = propose(&strategy, "!trap").await.unwrap_err().to_string();
    assert!(error.contains("unreachable") && error.contains("propose"), "{error}");
}

/// A log flood, too many probes and made-up chunks are bounded, not fatal.
#[tokio::test(flavor = "multi_thread")]
async fn excess_is_bounded() {
    let (_folder, runtime) = hostile(20_000).await;
    let strategy = runtime.registry().find(PluginKind::Strategy, "hostile-strategy").unwrap();
    for (text, hits) in [("!log", 2), ("!probes", 2), ("!calls", 2), ("!foreign", 3), ("!duplicate", 4)] {
        assert_eq!(propose(&strategy, text).await, Ok(hits), "{text}");
    }
    assert_eq!(propose(&strategy, "!long-log").await.unwrap_err().kind(), "output", "a line of a mebibyte");
}

/// While some queries loop until their deadline, others are answered; on one thread, because a guest
/// that computes must yield to the others.
#[tokio::test(flavor = "current_thread")]
async fn a_looping_guest_yields_to_others() {
    let (_folder, runtime) = hostile(100).await;
    let ranker = runtime.registry().find(PluginKind::Ranker, "hostile-ranker").unwrap();
    let looping = {
        let ranker = ranker.clone();
        tokio::spawn(async move { rank(&ranker, "!loop").await })
    };
    tokio::time::sleep(Duration::from_millis(10)).await;
    let mut answered = 0;
    while !looping.is_finished() {
        assert_eq!(rank(&ranker, "well behaved").await, Ok(3));
        answered += 1;
        tokio::task::yield_now().await;
    }
    assert_eq!(looping.await.unwrap().unwrap_err().kind(), "timeout");
    assert!(answered > 1, "{answered} calls were answered during the loop");
}

/// A client that goes away mid-call leaves nothing behind that counts as running.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_call_is_over() {
    let (_folder, runtime) = hostile(100).await;
    let ranker = runtime.registry().find(PluginKind::Ranker, "hostile-ranker").unwrap();
    let query = query("!loop");
    let call = ranker.rank(&query, scores(&[1.0]), false);
    assert!(tokio::time::timeout(Duration::from_millis(20), call).await.is_err());
    assert_eq!(ranker.statistics.read().in_flight, 0);
    assert_eq!(rank(&ranker, "well behaved").await, Ok(3));
}

/// Collects what a subscriber writes.
#[derive(Clone, Default)]
struct Written(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// On one thread, so that the subscriber of this thread sees the call.
#[tokio::test(flavor = "current_thread")]
async fn a_log_line_of_a_guest_has_its_name_and_version_and_a_flood_ends() {
    let (_folder, runtime) = hostile(20_000).await;
    let strategy = runtime.registry().find(PluginKind::Strategy, "hostile-strategy").unwrap();
    let written = Written::default();
    let lines = written.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || lines.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    propose(&strategy, "!log").await.unwrap();
    drop(guard);
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    let of_plugin: Vec<&str> = text.lines().filter(|line| line.contains(strategy.label())).collect();
    assert!(of_plugin[0].contains("line 0") && of_plugin[0].contains("flood"), "{}", of_plugin[0]);
    // Twenty lines, and one that says that the rest of the hundred thousand is dropped.
    assert_eq!(of_plugin.len(), 21, "{text}");
}
