//! Retrieval for language models between the parts: passages from the service, vectors from the built-in model or a
//! service elsewhere, documents into the store. Decides nothing but who is asked.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::App;
use super::backend::{backend_error, task_status};
use crate::config::RagSettings;
use crate::http::{BackendError, DocumentOutcome, EmbedError, EmbeddingModel, PostedDocument, Rag, RagConfig, Rebuild};
use crate::index::{IndexError, TextEmbedder};
use crate::ingest::{IndexRequest, IngestError};
use crate::service::passages::PassagesRequest;
use crate::service::{Answer, SearchError};
use crate::upstream::{Embeddings, Generator};

/// What only these routes need.
pub struct Models {
    settings: RagSettings,
    embedder: TextEmbedder,
    /// Answers in words; none when the operator configured none.
    generator: Option<Arc<dyn Generator>>,
    /// Embeds elsewhere.
    embeddings: Option<Arc<dyn Embeddings>>,
}

impl Models {
    pub fn new(
        settings: RagSettings,
        generator: Option<Arc<dyn Generator>>,
        embeddings: Option<Arc<dyn Embeddings>>,
    ) -> Result<Self, IndexError> {
        Ok(Self { settings, embedder: TextEmbedder::built_in()?, generator, embeddings })
    }
}

impl App {
    /// The model that answers searches by meaning now.
    fn active(&self) -> TextEmbedder {
        TextEmbedder::of(self.index.snapshot().embedder())
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
        let active = self.active();
        let better = (active.name() != TextEmbedder::MODEL).then(|| EmbeddingModel {
            id: active.name().to_owned(),
            dimension: Some(active.dimension() as u32),
            is_built_in: false,
        });
        std::iter::once(built_in).chain(better).chain(elsewhere).collect()
    }

    fn embed(&self, model: &str, texts: Vec<String>) -> BoxFuture<'_, Result<Vec<Vec<f32>>, EmbedError>> {
        let active = self.active();
        let here = if model == active.name() { active } else { self.models.embedder.clone() };
        let elsewhere = self.models.embeddings.clone().filter(|_| model != here.name());
        async move {
            if let Some(elsewhere) = elsewhere {
                return Ok(elsewhere.embed(texts).await?);
            }
            let embedding = tokio::task::spawn_blocking(move || here.embed(&texts));
            embedding.await.map_err(|error| EmbedError::Internal(error.to_string()))
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
