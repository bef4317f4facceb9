//! Retrieval for language models between the parts: passages from the service, vectors from the built-in model or a
//! service elsewhere, documents into the store. Decides nothing but who is asked.

use std::sync::{Arc, OnceLock};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use super::App;
use super::backend::{backend_error, task_status};
use crate::config::RagSettings;
use crate::http::{BackendError, DocumentOutcome, EmbedError, EmbeddingModel, PostedDocument, Rag, RagConfig, Rebuild};
use crate::index::{IndexError, TextEmbedder};
use crate::ingest::{IndexRequest, IngestError};
use crate::service::passages::PassagesRequest;
use crate::service::turns::in_turn;
use crate::service::{Answer, SearchError};
use crate::upstream::{Embeddings, Generator};

/// What only these routes need.
pub struct Models {
    settings: RagSettings,
    embedder: TextEmbedder,
    /// The model of the operator's folder, from when it first answered: while it catches up with changes the built-in
    /// one answers searches, and texts that were asked of this one must not get vectors of that.
    better: OnceLock<TextEmbedder>,
    /// Answers in words; none when the operator configured none.
    generator: Option<Arc<dyn Generator>>,
    /// Embeds elsewhere.
    embeddings: Option<Arc<dyn Embeddings>>,
    /// Texts that are embedded here at once, as many as there are processors: searches need the same threads.
    turns: Arc<Semaphore>,
}

impl Models {
    pub fn new(
        settings: RagSettings,
        generator: Option<Arc<dyn Generator>>,
        embeddings: Option<Arc<dyn Embeddings>>,
    ) -> Result<Self, IndexError> {
        let turns = Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)));
        let (embedder, better) = (TextEmbedder::built_in()?, OnceLock::new());
        Ok(Self { settings, embedder, better, generator, embeddings, turns })
    }
}

impl App {
    /// The model that answers searches by meaning now.
    fn active(&self) -> TextEmbedder {
        TextEmbedder::of(self.index.snapshot().embedder())
    }

    /// The better one of this host, if it has ever answered.
    fn better(&self) -> Option<TextEmbedder> {
        let active = self.active();
        if active.name() != TextEmbedder::MODEL {
            // There is one in a process.
            let _ = self.models.better.set(active);
        }
        self.models.better.get().cloned()
    }
}

impl Rag for App {
    fn passages(&self, request: PassagesRequest) -> BoxFuture<'_, Result<Answer, SearchError>> {
        self.service.passages(request).boxed()
    }

    fn generator(&self) -> Option<Arc<dyn Generator>> {
        self.models.generator.clone()
    }

    fn models(&self) -> Vec<EmbeddingModel> {
        let dimension = Some(self.models.embedder.dimension() as u32);
        let built_in = EmbeddingModel { id: TextEmbedder::MODEL.to_owned(), dimension, is_built_in: true };
        let elsewhere = self.models.embeddings.iter().map(|embeddings| EmbeddingModel {
            id: embeddings.model().to_owned(),
            dimension: None,
            is_built_in: false,
        });
        let better = self.better().map(|better| EmbeddingModel {
            id: better.name().to_owned(),
            dimension: Some(better.dimension() as u32),
            is_built_in: true,
        });
        std::iter::once(built_in).chain(better).chain(elsewhere).collect()
    }

    fn embed(&self, model: &str, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Vec<f32>>, EmbedError>> {
        let here = [Some(self.models.embedder.clone()), self.better()];
        let here = here.into_iter().flatten().find(|here| model == here.name());
        let elsewhere = self.models.embeddings.clone().filter(|elsewhere| model == elsewhere.model());
        async move {
            let Some(here) = here else {
                let gone = || EmbedError::Internal("a model that is not there was asked".to_owned());
                let elsewhere = elsewhere.ok_or_else(gone)?;
                return Ok(elsewhere.embed(texts).await?);
            };
            in_turns(&self.models.turns, here, texts).await
        }
        .boxed()
    }

    fn ingest(
        &self,
        documents: Vec<PostedDocument>,
        again: bool,
    ) -> BoxFuture<'_, Result<Vec<DocumentOutcome>, BackendError>> {
        self.put(documents, again).boxed()
    }

    fn rebuild(&self) -> BoxFuture<'_, Result<Rebuild, BackendError>> {
        async move {
            let roots = self.store.roots().await.map_err(|error| backend_error(IngestError::Store(error)))?;
            let mut rebuild = Rebuild::default();
            for root in roots {
                let request = IndexRequest { path: root.path, force: true, ..IndexRequest::default() };
                match self.index_folder(request).await {
                    Ok(task) => rebuild.tasks.push(task_status(task)),
                    Err(error @ (IngestError::NotAllowed { .. } | IngestError::NotAFolder { .. })) => {
                        rebuild.refused.push(error.to_string());
                    }
                    Err(error) => return Err(backend_error(error)),
                }
            }
            rebuild.tasks.push(task_status(self.ingest.start_renewal().await.map_err(backend_error)?));
            Ok(rebuild)
        }
        .boxed()
    }

    fn config(&self) -> RagConfig {
        let RagSettings { strategy, ranker, top_k, max_tokens, neighbours, answer_tokens } =
            self.models.settings.clone();
        let active = self.active();
        RagConfig {
            strategy,
            ranker,
            top_k,
            max_tokens,
            neighbours,
            answer_tokens,
            embedding_model: active.name().to_owned(),
            embedding_dimension: active.dimension() as u32,
            answer_model: self.models.generator.as_ref().map(|generator| generator.model().to_owned()),
        }
    }
}

/// One vector a text, in their order. A turn for each text: many requests take no more threads than there are turns,
/// and one whose client is gone ends with the text at hand.
async fn in_turns(
    turns: &Arc<Semaphore>,
    embedder: TextEmbedder,
    texts: Vec<String>,
) -> Result<Vec<Vec<f32>>, EmbedError> {
    let mut vectors = Vec::with_capacity(texts.len());
    for text in texts {
        let embedder = embedder.clone();
        let vector = in_turn(turns, move || embedder.embed(&[text])).await;
        vectors.extend(vector.ok_or_else(|| EmbedError::Internal("embedding a text panicked".to_owned()))?);
    }
    Ok(vectors)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn texts_wait_for_a_turn_and_give_it_back() {
        let embedder = TextEmbedder::built_in().unwrap();
        let texts = vec!["a cat".to_owned(), "two dogs".to_owned(), String::new()];
        let turns = Arc::new(Semaphore::new(0));
        let mut embedding = pin!(in_turns(&turns, embedder.clone(), texts.clone()));
        assert!(embedding.as_mut().now_or_never().is_none());
        turns.add_permits(1);
        assert_eq!(embedding.await.unwrap(), embedder.embed(&texts));
        assert_eq!(turns.available_permits(), 1);
    }
}
