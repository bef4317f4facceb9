//! A strategy that was granted a host asks it through the server's own client; here the host is an engine that speaks
//! OpenSearch's search API, on a free port of this machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use corsac::config::{PluginOverrides, Settings};
use corsac::runtime::{LoadError, Runtime, RuntimeOptions};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::support::client::places;
use crate::support::runtime_over;
use crate::support::server::{Local, plugins};
use crate::support::tree::Tree;

const NAME: &str = "strategy-opensearch";
const FILES: [(&str, &str); 5] = [
    ("src/cache.rs", "pub fn evict() {}\n\npub fn keep() {}\n"),
    ("lib/src/cache.rs", "pub fn evict_elsewhere() {}\n"),
    ("docs/guide.md", "# Guide\n\nHow to evict.\n"),
    ("docs/cache-keys.md", "# One\n"),
    ("docs/cache/keys.md", "# Other\n"),
];

/// An engine with one index, which knows better than we do: the guide first, then a line of the code.
struct Engine {
    address: String,
    asked: Arc<AtomicU32>,
}

async fn engine() -> Engine {
    async fn search(State(asked): State<Arc<AtomicU32>>, Json(body): Json<Value>) -> Json<Value> {
        asked.fetch_add(1, Ordering::Relaxed);
        assert_eq!(body["query"]["multi_match"]["query"], "evict");
        let hit =
            |path: &str, line: u32, score: f32| json!({ "_score": score, "_source": { "path": path, "line": line } });
        let mut hits = vec![hit("docs/guide.md", 3, 9.5), hit("src/cache.rs", 3, 4.5), hit("gone.rs", 1, 2.0)];
        // Not to be told from another file by the words of its path.
        hits.push(hit("docs/cache-keys.md", 1, 1.5));
        Json(json!({ "timed_out": false, "_shards": { "failed": 0 }, "hits": { "hits": hits } }))
    }
    let asked = Arc::<AtomicU32>::default();
    let router = Router::new().route("/documents/_search", post(search)).with_state(asked.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Engine { address, asked }
}

/// Grants the strategy a host.
fn grant(settings: &mut Settings, folder: &TempDir, address: &str) {
    settings.server.plugin_folders = vec![folder.path().to_owned()];
    settings.upstream.allowed_hosts = vec![address.parse().unwrap()];
    let own = PluginOverrides {
        http: vec![address.parse().unwrap()],
        settings: [("url", format!("http://{address}")), ("index", "documents".into())]
            .map(|(key, value)| (key.to_owned(), value))
            .into(),
        ..PluginOverrides::default()
    };
    settings.plugins.insert(NAME.into(), own);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_decides_what_comes_and_in_which_order() {
    let (tree, engine, folder) = (Tree::of(&FILES), engine().await, plugins(&[NAME]));
    let server = Local::start(&tree, |settings| grant(settings, &folder, &engine.address)).await;
    assert_eq!(engine.asked.load(Ordering::Relaxed), 0, "the trial at the load asks nobody");
    let answer = server.query("opensearch", "evict").await;
    assert_eq!(places(&answer), ["docs/guide.md:3", "src/cache.rs:3"]);
    assert_eq!((&answer["degraded"], &answer["search_strategies"]), (&json!(false), &json!(["opensearch"])));
    let reason = "1 of the engine's 4 hits are not in this index; \
                  1 of the engine's 4 hits have a path whose words fit several files of this index";
    assert_eq!(answer["reason"], reason);
    // The engine may know more the next time.
    server.query("opensearch", "evict").await;
    assert_eq!(engine.asked.load(Ordering::Relaxed), 2);
    let calls = format!("corsac_upstream_calls_total{{upstream=\"{}\"}}", engine.address);
    assert_eq!(server.metric(&calls).await, 2.0);
    let health = server.get("/api/search/health").await.json();
    assert_eq!(health["parts"]["upstreams"]["state"], "up", "{health}");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_kept_for_as_long_as_the_operator_says() {
    let (tree, engine, folder) = (Tree::of(&FILES), engine().await, plugins(&[NAME]));
    let server = Local::start(&tree, |settings| {
        grant(settings, &folder, &engine.address);
        settings.cache.ttl_seconds.insert("opensearch".into(), 600);
    })
    .await;
    let first = server.query("opensearch", "evict").await;
    assert_eq!(server.query("opensearch", "evict").await, first);
    assert_eq!(engine.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_away_degrades_to_the_servers_own_index() {
    let (tree, folder) = (Tree::of(&FILES), plugins(&[NAME]));
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let server = Local::start(&tree, |settings| grant(settings, &folder, &address)).await;
    let answer = server.query("opensearch", "evict").await;
    assert_eq!(answer["degraded"], true);
    let reasons = answer["degraded_reasons"].to_string();
    assert!(reasons.contains(&format!("opensearch: {address} cannot be reached")), "{reasons}");
    assert!(places(&answer).iter().any(|place| place.starts_with("src/cache.rs")), "{answer}");
}

/// What its settings name is not what it was granted.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_beyond_the_grant_is_denied() {
    let (tree, engine, folder) = (Tree::of(&FILES), engine().await, plugins(&[NAME]));
    let server = Local::start(&tree, |settings| {
        grant(settings, &folder, "127.0.0.1:9");
        // The server itself may call it, this plugin may not.
        settings.upstream.allowed_hosts.push(engine.address.parse().unwrap());
        let own = settings.plugins.get_mut(NAME).unwrap();
        own.settings.insert("url".into(), format!("http://{}", engine.address));
    })
    .await;
    let answer = server.query("opensearch", "evict").await;
    assert!(answer["degraded_reasons"].to_string().contains("denied"), "{answer}");
    assert_eq!(engine.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn without_a_grant_it_is_not_loaded_and_the_error_says_what_to_set() {
    let folder = plugins(&[NAME]);
    let runtime: Arc<Runtime> = runtime_over(&folder).await;
    let registry = runtime.registry();
    let [failure] = registry.failures() else { panic!("{:?}", registry.failures()) };
    assert_eq!(failure.error, LoadError::NoGrant(NAME.into()));
    let text = failure.error.to_string();
    for part in ["`http` in [plugins.strategy-opensearch]", "upstream.allowed_hosts"] {
        assert!(text.contains(part), "{text}");
    }
    // A server without a client loads it with a grant, and denies what it asks for.
    let options = RuntimeOptions {
        folders: vec![folder.path().to_owned()],
        plugins: Arc::new(|name| {
            let mut settings = Settings::default();
            settings.plugins.insert(
                NAME.into(),
                PluginOverrides { http: vec!["a.example".parse().unwrap()], ..PluginOverrides::default() },
            );
            settings.plugin(name)
        }),
        ..RuntimeOptions::default()
    };
    assert!(Runtime::start(options).await.unwrap().registry().get(NAME).is_some());
}
