//! Suggestions while somebody types: completions from the indexed corpus and from what was asked before, then related
//! words. Knows index snapshots, the log of queries and the cache; decides nothing about the ranking of hits and knows
//! nothing of HTTP.

/// The JSON shape of an answer.
pub mod answer;
/// From what was typed to the list.
mod complete;
/// How often texts occur.
mod count;
/// Terms that can be completed.
mod dictionary;
/// How texts are compared.
mod fold;
/// The terms of a corpus.
mod harvest;
/// The heaviest of a range.
mod peaks;
/// Words and phrases of a text.
mod prose;
/// New dictionaries as corpus and history change.
mod renew;
/// Related words.
mod tables;
/// One typing error.
mod typo;

pub use dictionary::{Dictionary, Kind, Term};
pub use harvest::harvest;
pub use tables::Tables;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;

use self::answer::SuggestionsResponse;
use self::complete::Sources;
use crate::cache::{Cache, Computed, Digest, Entry, Source};
use crate::index::Searched;
use crate::usage::QueryLog;

/// Where answers are cached; the configuration says for how long.
const NAMESPACE: &str = "suggestions";

/// What is typed so far, and what is wanted for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuggestRequest {
    /// As it stands: a space at its end says that the last word is whole. Empty: what is popular.
    pub query: String,
    pub max_suggestions: usize,
    /// With refinements of what is meant, all by confidence.
    pub intelligent: bool,
}

/// What goes to the client.
#[derive(Clone, Debug)]
pub struct Suggested {
    pub body: Bytes,
    /// Strong validator, without quotes.
    pub etag: Arc<str>,
    pub cache: Source,
    pub took: Duration,
    /// The store sequence that the dictionary reflects, at least.
    pub generation: u64,
}

/// How large the dictionaries are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SuggestFigures {
    /// Of the corpus.
    pub terms: u64,
    /// Of the history of queries.
    pub queries: u64,
    /// What all of them take in memory.
    pub bytes: u64,
    /// The store sequence that the corpus's dictionary reflects; 0 until it was built for the first time.
    pub generation: u64,
}

/// Who suggests, as the HTTP layer knows it.
pub trait Suggester: Send + Sync + 'static {
    fn suggest(&self, request: SuggestRequest) -> BoxFuture<'_, Result<Suggested, SuggestError>>;

    fn figures(&self) -> SuggestFigures;
}

/// Why there are no suggestions, or no newer ones.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SuggestError {
    #[error("the dictionary of suggestions cannot be built: {0}")]
    Build(String),
    #[error("the tables of suggestions cannot be read: {0}")]
    Tables(String),
    #[error("the suggestions cannot be computed: {0}")]
    Compute(String),
}

/// What bounds the dictionaries, and when they are made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuggestOptions {
    /// Terms of the corpus that are kept.
    pub max_terms: usize,
    /// Queries of the history that are kept.
    pub max_queries: usize,
    /// From one dictionary of the corpus to the next, at least.
    pub refresh: Duration,
    /// From one dictionary of the history to the next, at least.
    pub refresh_history: Duration,
}

/// Suggests over one collection. One for the process.
pub struct Suggest {
    index: Searched,
    log: Arc<dyn QueryLog>,
    cache: Cache,
    tables: Arc<Tables>,
    options: SuggestOptions,
    current: ArcSwap<Dictionaries>,
}

/// What one answer is made from.
#[derive(Clone, Default)]
struct Dictionaries {
    corpus: Arc<Dictionary>,
    generation: u64,
    history: Arc<Dictionary>,
}

impl Suggest {
    /// Without any term until `renew` runs.
    pub fn new(
        index: Searched,
        log: Arc<dyn QueryLog>,
        cache: Cache,
        options: SuggestOptions,
    ) -> Result<Self, SuggestError> {
        let tables = Arc::new(Tables::standard()?);
        Ok(Self { index, log, cache, tables, options, current: ArcSwap::default() })
    }

    /// Serves these terms until the corpus changes.
    pub fn publish(&self, corpus: Dictionary, generation: u64) {
        let corpus = Arc::new(corpus);
        self.current.rcu(|current| Dictionaries { corpus: corpus.clone(), generation, ..(**current).clone() });
    }

    async fn answer(&self, request: SuggestRequest) -> Result<Suggested, SuggestError> {
        let began = Instant::now();
        let dictionaries = self.current.load_full();
        let (generation, key) = (dictionaries.generation, dictionaries.key(&request));
        let tables = self.tables.clone();
        let compute = async move {
            // A long list of equal names is some milliseconds of work, which no connection's thread has.
            let work = tokio::task::spawn_blocking(move || compute(&dictionaries, &tables, &request));
            work.await.map_err(|error| SuggestError::Compute(error.to_string()))?
        };
        let (Entry { body, etag }, cache) = self.cache.get_or_compute(NAMESPACE, key, compute).await?;
        Ok(Suggested { body, etag, cache, took: began.elapsed(), generation })
    }
}

impl Suggester for Suggest {
    fn suggest(&self, request: SuggestRequest) -> BoxFuture<'_, Result<Suggested, SuggestError>> {
        self.answer(request).boxed()
    }

    fn figures(&self) -> SuggestFigures {
        let Dictionaries { corpus, generation, history } = &**self.current.load();
        SuggestFigures {
            terms: corpus.terms() as u64,
            queries: history.terms() as u64,
            bytes: (corpus.bytes() + history.bytes()) as u64,
            generation: *generation,
        }
    }
}

impl Dictionaries {
    /// All that the answer depends on. The dictionaries by their contents: a change of the index that changes no term
    /// leaves the answers where they are, and hosts with the same terms share them. The host's version stands for the
    /// tables and for how they are applied.
    fn key(&self, request: &SuggestRequest) -> Digest {
        let SuggestRequest { query, max_suggestions, intelligent } = request;
        let mut hasher = blake3::Hasher::new();
        hasher.update(env!("CARGO_PKG_VERSION").as_bytes());
        hasher.update(self.corpus.digest()).update(self.history.digest());
        hasher.update(&[u8::from(*intelligent)]).update(&(*max_suggestions as u64).to_le_bytes());
        *hasher.update(query.as_bytes()).finalize().as_bytes()
    }
}

fn compute(dictionaries: &Dictionaries, tables: &Tables, request: &SuggestRequest) -> Result<Computed, SuggestError> {
    let Dictionaries { corpus, history, generation: _ } = dictionaries;
    let sources = Sources { history, corpus, tables };
    let SuggestRequest { query, max_suggestions, intelligent } = request;
    let suggestions = match intelligent {
        false => sources.complete(query, *max_suggestions),
        true => sources.complete_and_refine(query, *max_suggestions),
    };
    let response = SuggestionsResponse { success: true, query: query.clone(), suggestions, error: None };
    let body = serde_json::to_vec(&response).map_err(|error| SuggestError::Compute(error.to_string()))?;
    let etag: Arc<str> = blake3::hash(&body).to_hex()[..32].into();
    Ok(Computed { entry: Entry { body: body.into(), etag }, keep: true })
}

#[cfg(test)]
mod tests;
