//! What a server says about its database over HTTP, for both kinds of store and when the database is away.

use std::time::Duration;

use corsac::config::Secret;
use serde_json::{Value, json};
use services::{Postgres, PostgresKind};
use sqlx::{Connection, PgConnection};

use crate::support::client::wait_for;
use crate::support::server::Local;
use crate::support::tree::Tree;

async fn serve(tree: &Tree, url: &str) -> Local {
    let url = Secret::new(url);
    Local::start(tree, |settings| {
        settings.database.url = Some(url);
        settings.database.pool_size = 2;
        settings.database.max_overflow = 3;
        settings.database.pool_timeout_seconds = 2;
        settings.database.slow_query_ms = 1;
    })
    .await
}

async fn post(server: &Local, content: &str) -> u16 {
    let documents = json!({"documents": [{"path": "posted.md", "content": content}]});
    server.post("/api/documents", documents).await.status
}

/// The report is made anew after a few seconds: what was expected comes then.
async fn until(server: &Local, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, async || {
        let database = server.get("/api/search/database").await.json();
        holds(&database).then_some(database)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_is_shown_with_its_plan() {
    let tree = Tree::of(&[("a.md", "# Alpha\n")]);
    let url = Postgres::shared(PostgresKind::Debian).database();
    let server = serve(&tree, &url).await;

    // Somebody holds what every write needs.
    let mut other = PgConnection::connect(&url).await.unwrap();
    let mut held = other.begin().await.unwrap();
    sqlx::query("SELECT value FROM counters FOR UPDATE").execute(&mut *held).await.unwrap();
    let mut watching = PgConnection::connect(&url).await.unwrap();
    let (status, ()) = tokio::join!(post(&server, "never in a statement's text"), async {
        wait_for("the write to wait", async || {
            let waiting =
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut watching).await.unwrap();
            (waiting > 0).then_some(())
        })
        .await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        held.rollback().await.unwrap();
    });
    assert_eq!(status, 200);

    let waited = |query: &&Value| query["statement"].as_str().unwrap().contains("UPDATE counters");
    let slow = |database: &Value| {
        database["slow_queries"]["queries"].as_array().unwrap().iter().find(waited).cloned().unwrap_or_default()
    };
    let database = until(&server, "the plan", |database| slow(database)["plan"].is_object()).await;
    let slow = slow(&database);
    assert!(slow["worst_ms"].as_f64().unwrap() >= 50.0 && slow["times"].as_u64().unwrap() >= 1, "{slow}");
    assert!(slow["plan"]["Node Type"].is_string() && slow["last_at"].as_str().unwrap().ends_with('Z'), "{slow}");
    assert_eq!(database["slow_queries"]["threshold_ms"], 1);
    assert_eq!((&database["backend"], &database["pool"]["max"]), (&json!("postgresql"), &json!(5)));
    assert!(database["version"].as_str().unwrap().starts_with("15."));
    assert!(!database.to_string().contains("never in a statement's text"));

    // The extensions were created by the server; the database counts now.
    let has = |database: &Value, name: &str| {
        database["extensions"].as_array().unwrap().iter().any(|found| found["name"] == name)
    };
    let both = |database: &Value| has(database, "hypopg") && has(database, "pg_stat_statements");
    let database = until(&server, "the extensions", both).await;
    assert_eq!(database["query_statistics"]["source"], "pg_stat_statements");
    let statements = database["query_statistics"]["statements"].as_array().unwrap();
    assert!(statements[0]["calls"].as_u64().unwrap() > 0 && statements[0]["shared_hits"].is_u64(), "{statements:?}");
}

/// Five connections, all in use because nobody gets what they wait for.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_is_shown_and_can_still_be_looked_at() {
    let tree = Tree::of(&[("a.md", "# Alpha\n")]);
    let url = Postgres::shared(PostgresKind::Debian).database();
    let server = serve(&tree, &url).await;
    let mut other = PgConnection::connect(&url).await.unwrap();
    let mut held = other.begin().await.unwrap();
    sqlx::query("SELECT id FROM roots FOR UPDATE").execute(&mut *held).await.unwrap();
    let writers = async {
        let texts = ["1", "2", "3", "4", "5"].map(|text| post(&server, text));
        futures::future::join_all(texts).await
    };
    let look = async {
        let full = until(&server, "a full pool", |database| database["pool"]["warning"] == true).await;
        held.rollback().await.unwrap();
        full
    };
    let (statuses, full) = tokio::join!(writers, look);
    assert!(full["pool"]["usage_percent"].as_f64().unwrap() > 80.0, "{full}");
    assert!(full["pool"]["warnings"].as_u64().unwrap() >= 1, "{full}");
    assert!(statuses.iter().all(|status| [200, 503].contains(status)), "{statuses:?}");
    assert_eq!(post(&server, "6").await, 200);
    until(&server, "an idle pool", |database| database["pool"]["warning"] == false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_is_a_problem_that_tells_nothing() {
    let tree = Tree::of(&[("a.md", "# Alpha\n")]);
    let mut postgres = Postgres::start();
    let server = serve(&tree, &postgres.database().replace("corsac@", "corsac:hidden-word@")).await;
    assert_eq!(server.get("/api/search/database").await.status, 200);
    postgres.kill();
    let reply = wait_for("the answer to be made anew", async || {
        let reply = server.get("/api/search/database").await;
        (reply.status == 503).then_some(reply)
    })
    .await;
    reply.problem(503, "unavailable");
    assert_eq!(reply.header("retry-after"), "1");
    assert!(!reply.text().contains("hidden-word") && !reply.text().contains(&postgres.port().to_string()));
    postgres.restart();
    until(&server, "the database", |database| database["backend"] == "postgresql").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_store_says_what_it_knows() {
    let tree = Tree::of(&[("a.md", "# Alpha\n")]);
    let server = Local::start(&tree, |_| ()).await;
    assert_eq!(post(&server, "one").await, 200);
    let database = server.get("/api/search/database").await.json();
    assert_eq!((&database["backend"], &database["index_advice"]), (&json!("sqlite"), &json!([])));
    assert_eq!(database["query_statistics"]["source"], "host");
    let statements = database["query_statistics"]["statements"].as_array().unwrap();
    assert!(statements.iter().any(|found| found["statement"] == "upsert"), "{statements:?}");
    assert!(database["pool"]["size"].as_u64().unwrap() >= 1 && database["pool"]["warning"] == false);
}
