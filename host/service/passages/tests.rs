//! Passages over a small index with the standard plugins.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

use super::answer::PassagesResponse;
use super::*;
use crate::app::standard_plugins;
use crate::cache::{Cache, Lifetimes, Source};
use crate::index::{Change, DocumentVersion, Index};
use crate::query::Query;
use crate::runtime::{Runtime, RuntimeOptions};
use crate::service::ServiceLimits;

const DAY: i64 = 86_400;

/// Sections, each long enough to be a chunk of its own.
fn sections(names: &[&str]) -> String {
    let filler = "Some words that say nothing in particular about anything at all.\n".repeat(30);
    names.iter().map(|name| format!("# {name}\n\nThis is about {name}.\n\n{filler}\n")).collect()
}

async fn service(folder: &TempDir) -> Service {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let index = Index::open(folder.path()).unwrap();
    let documents = [
        ("guide.md", now, sections(&["alpacas", "badgers", "chameleons", "dingos", "elephants"])),
        ("old.md", now - 3650 * DAY, "The quokka is a marsupial.\n".to_owned()),
        ("new.md", now, "A quokka, indeed: the quokka.\n".to_owned()),
        ("src/zoo.rs", now, "/// Feeds a quokka.\npub fn feed_quokka() {}\n".to_owned()),
    ];
    for (sequence, (path, modified, content)) in (1..).zip(documents) {
        let path = path.to_owned();
        let (document, root, language, title) = (sequence, 0, None, None);
        let version = DocumentVersion { sequence, document, root, path, language, title, modified, content };
        index.apply(vec![Change::Upsert(Box::new(index.prepare(version)))]).unwrap();
    }
    index.commit(4).unwrap();
    let options = RuntimeOptions { embedded: standard_plugins(), ..RuntimeOptions::default() };
    let runtime = Runtime::start(options).await.unwrap();
    let limits = ServiceLimits { concurrent_searches: 2, timeout: Duration::from_secs(60) };
    Service::new(runtime, Arc::new(index), Cache::new(1 << 20, Lifetimes::default()), limits)
}

fn about(text: &str) -> PassagesRequest {
    PassagesRequest {
        search: SearchRequest {
            strategy: "hybrid".into(),
            ranker: None,
            query: Query::new(text, 50),
            offset: 0,
            max_results: 10,
            context_lines: 0,
            explain: false,
            facets: vec![],
            understand: None,
            persona: None,
        },
        modality: Modality::All,
        top_k: 1,
        temporal_weight: 0.0,
        max_tokens: 10_000,
        neighbours: 0,
        with_embeddings: false,
        with_contents: false,
        answer_reason: None,
    }
}

async fn ask(service: &Service, request: PassagesRequest) -> PassagesResponse {
    serde_json::from_slice(&service.passages(request).await.unwrap().body).unwrap()
}

fn paths(response: &PassagesResponse) -> Vec<&str> {
    response.hits.iter().map(|hit| hit.file_path.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_complete_a_passage_and_the_budget_cuts_it() {
    let folder = TempDir::new().unwrap();
    let service = service(&folder).await;
    let alone = ask(&service, about("chameleons")).await;
    let hit = &alone.hits[0];
    assert!(hit.chunk_text.starts_with("# chameleons\n") && hit.file_path == "guide.md", "{hit:?}");
    let (place, chunks) = (hit.chunk_index, hit.file_metadata.chunks);
    assert!(place > 0 && place + 1 < chunks, "{place} of {chunks}");
    let citation = &alone.passages[0].citation;
    let lines = &hit.chunk_metadata;
    assert_eq!((citation.number, citation.path.as_str(), citation.start_line), (1, "guide.md", lines.start_line));
    assert_eq!(alone.passages[0].text, hit.chunk_text.trim_end());
    assert_eq!(hit.extra.passage, Some(1));

    let around = ask(&service, PassagesRequest { neighbours: 1, ..about("chameleons") }).await;
    let text = &around.passages[0].text;
    assert!(text.contains(hit.chunk_text.trim_end()) && text.len() > hit.chunk_text.len(), "{text}");
    assert!(around.passages[0].citation.start_line < lines.start_line);
    let whole = sections(&["alpacas", "badgers", "chameleons", "dingos", "elephants"]);
    let cited: Vec<&str> = whole
        .lines()
        .skip(around.passages[0].citation.start_line as usize - 1)
        .take((around.passages[0].citation.end_line + 1 - around.passages[0].citation.start_line) as usize)
        .collect();
    assert_eq!(cited.join("\n"), *text);

    let cut = ask(&service, PassagesRequest { neighbours: 1, max_tokens: 60, ..about("chameleons") }).await;
    let passage = &cut.passages[0];
    assert!(passage.truncated && passage.text.starts_with("# chameleons\n"), "{passage:?}");
    assert!(cut.metadata.tokens <= 60 && cut.metadata.tokens > 20, "{}", cut.metadata.tokens);
    assert!(cut.context.starts_with(&format!("[1] guide.md:{}-", lines.start_line)), "{}", cut.context);
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_choose_the_documents() {
    let folder = TempDir::new().unwrap();
    let service = service(&folder).await;
    let request = |modality| PassagesRequest { modality, top_k: 100, ..about("quokka") };
    let code = ask(&service, request(Modality::Code)).await;
    assert_eq!(paths(&code), ["src/zoo.rs"]);
    let docs = ask(&service, request(Modality::Docs)).await;
    assert!(!paths(&docs).contains(&"src/zoo.rs") && paths(&docs).contains(&"old.md"), "{:?}", paths(&docs));
    assert_eq!(docs.total as usize, docs.hits.len());

    let mut sure = request(Modality::All);
    sure.search.query.similarity_threshold = Some(0.99);
    assert!(ask(&service, sure).await.hits.is_empty());
    let mut sure = request(Modality::All);
    sure.search.query.similarity_threshold = Some(0.3);
    let similar = ask(&service, sure).await;
    assert!(!similar.hits.is_empty());
    assert!(similar.hits.iter().all(|hit| hit.extra.similarity.unwrap() >= 0.3), "{:?}", similar.hits);
}

#[tokio::test(flavor = "multi_thread")]
async fn recency_is_part_of_the_score() {
    let folder = TempDir::new().unwrap();
    let service = service(&folder).await;
    let request = |temporal_weight| PassagesRequest { temporal_weight, top_k: 100, ..about("quokka marsupial") };
    let plain = ask(&service, request(0.0)).await;
    assert_eq!((paths(&plain)[0], plain.hits[0].score), ("old.md", 1.0));
    let recent = ask(&service, request(1.0)).await;
    assert_ne!(paths(&recent)[0], "old.md");
    let old = recent.hits.iter().find(|hit| hit.file_path == "old.md").unwrap();
    // 2^(−3650 / 30)
    assert!(old.score < 1e-6 && old.extra.ranker_score > 0.0, "{old:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_asked_for_is_not_there() {
    let folder = TempDir::new().unwrap();
    let service = service(&folder).await;
    let plain = ask(&service, about("quokka")).await;
    assert!(plain.hits.iter().all(|hit| hit.embedding_vector.is_none() && hit.file_content.is_none()));
    let full =
        ask(&service, PassagesRequest { with_embeddings: true, with_contents: true, top_k: 3, ..about("quokka") })
            .await;
    for hit in &full.hits {
        assert!(hit.file_content.as_ref().unwrap().contains(&hit.chunk_text));
        let length: f32 = hit.embedding_vector.as_ref().unwrap().iter().map(|value| value * value).sum();
        assert!((length - 1.0).abs() < 0.02, "{length}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_makes_another_question_and_the_same_one_is_kept() {
    let folder = TempDir::new().unwrap();
    let service = service(&folder).await;
    let base = || about("quokka");
    assert_eq!(service.passages(base()).await.unwrap().cache, Source::Miss);
    assert_eq!(service.passages(base()).await.unwrap().cache, Source::Hit);
    for other in [
        PassagesRequest { modality: Modality::Docs, ..base() },
        PassagesRequest { top_k: 2, ..base() },
        PassagesRequest { temporal_weight: 0.5, ..base() },
        PassagesRequest { max_tokens: 9_999, ..base() },
        PassagesRequest { neighbours: 1, ..base() },
        PassagesRequest { with_embeddings: true, ..base() },
        PassagesRequest { with_contents: true, ..base() },
        PassagesRequest { answer_reason: Some("no model"), ..base() },
        about("quokkas"),
    ] {
        let shown = format!("{other:?}");
        assert_eq!(service.passages(other).await.unwrap().cache, Source::Miss, "{shown}");
    }
    let mut unknown = base();
    unknown.search.strategy = "nobody".into();
    assert!(matches!(service.passages(unknown).await, Err(SearchError::UnknownStrategy { .. })));
}
