//! The whole server in one process: standard plugins, two posted documents, one query, the answer.
//!
//! `cargo run --example quickstart` (after `cargo xtask plugins`).

use corsac::app::App;
use corsac::config::Settings;
use corsac::http::Backend;
use corsac::ingest::PostedDocument;
use corsac::query::Query;
use corsac::service::SearchRequest;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let mut settings = Settings::default();
    settings.server.data = Some(data.path().to_owned());
    let app = App::start(&settings, None).await?;

    let document = |path: &str, content: &str| PostedDocument {
        path: path.into(),
        title: None,
        language: None,
        content: content.into(),
        modified: None,
    };
    let documents = vec![
        document(
            "src/retry.rs",
            "/// Waits longer after each failure.\nfn back_off(attempt: u32) -> Duration { Duration::from_secs(1 << attempt) }\n",
        ),
        document("docs/cooking.md", "# Soup\n\nBoil water, add salt.\n"),
    ];
    app.ingest.put_documents(documents).await?;

    let request = SearchRequest {
        strategy: "smart".into(),
        ranker: None,
        query: Query::new("increase the delay when a request fails again", 100),
        offset: 0,
        max_results: 5,
        context_lines: 0,
        explain: true,
        facets: vec![],
        persona: None,
        understand: None,
    };
    let answer = app.search(request).await?;
    println!("{}", String::from_utf8_lossy(&answer.body));
    app.stop().await;
    Ok(())
}
