//! What is asked of the service, and what makes one question another. Knows no plugin and no index.

use std::sync::Arc;

use super::facets::Facet;
use crate::cache::Digest;
use crate::query::{Persona, Query};

/// A validated request, complete with what the answer shall show.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchRequest {
    /// Name of a loaded strategy, with or without its `strategy-` prefix.
    pub strategy: String,
    /// Name of a loaded ranker, with or without its `rank-` prefix; none: the default ranker.
    pub ranker: Option<String>,
    /// Its limit is the candidate window: the same for every page of a question, 1..=10,000 (`EXPORT_WINDOW`).
    pub query: Query,
    /// Hits of the window to skip.
    pub offset: u32,
    /// 1..=100; of an export 1..=10,000.
    pub max_results: u32,
    /// Lines of context around a hit's line, 0..=10.
    pub context_lines: u32,
    pub explain: bool,
    /// What to count over the window, in order and each once.
    pub facets: Vec<Facet>,
    /// Whom the ranker may please.
    pub persona: Option<Arc<Persona>>,
    /// The strategy is asked what the query means, and what it answers is searched by.
    pub understand: Option<Understand>,
}

/// How far a query shall be understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Understand {
    /// Below this confidence the query is searched as it was asked, 0..=1.
    pub least_confidence: f32,
    /// The strategy for a query of which the request's own says that another suits it better.
    pub otherwise: Option<String>,
}

impl SearchRequest {
    /// All that the answer depends on, except the names of the plugins: their identities stand for them,
    /// and names and aliases of the same plugin are the same question.
    pub(super) fn digest(&self) -> Digest {
        let Self { offset, max_results, context_lines, facets, .. } = self;
        let mut hasher = self.asked();
        for number in [offset, max_results, context_lines] {
            hasher.update(&number.to_le_bytes());
        }
        for facet in facets {
            hasher.update(facet.name().as_bytes());
        }
        *hasher.finalize().as_bytes()
    }

    /// As `digest`, but of what the ranked window depends on: equal for all pages of a question.
    pub(super) fn window_digest(&self) -> Digest {
        *self.asked().finalize().as_bytes()
    }

    fn asked(&self) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new();
        let Self { query, explain, persona, understand, .. } = self;
        let Query { text, limit, scope, case_sensitive, whole_word, similarity_threshold, weights, parameters } = query;
        hasher.update(&limit.to_le_bytes());
        hasher.update(&[u8::from(*explain), u8::from(*case_sensitive), u8::from(*whole_word)]);
        hasher.update(&[u8::from(similarity_threshold.is_some())]);
        hasher.update(&similarity_threshold.unwrap_or_default().to_le_bytes());
        // Not whom `otherwise` names: that plugin's identity is in the key, as those of the others are.
        let wish = understand.as_ref().map_or(0, |wish| 1 + u8::from(wish.otherwise.is_some()));
        hasher.update(&[wish]);
        let least = understand.as_ref().map(|wish| wish.least_confidence).unwrap_or_default();
        hasher.update(&least.to_le_bytes());
        // Lengths in front, so that no two lists of texts look alike.
        let mut texts = |texts: &mut dyn ExactSizeIterator<Item = &str>| {
            hasher.update(&(texts.len() as u64).to_le_bytes());
            for text in texts {
                hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
            }
        };
        texts(&mut std::iter::once(text.as_str()));
        texts(&mut scope.file_types.iter().map(String::as_str));
        texts(&mut scope.directories.iter().map(String::as_str));
        texts(&mut parameters.iter().map(|(name, _)| name.as_str()));
        texts(&mut parameters.iter().map(|(_, value)| value.as_str()));
        texts(&mut weights.iter().map(|(name, _)| name.as_str()));
        // The values and not only whose they are: an agent that changed asks another question.
        let traits = persona.as_deref().map(Persona::traits).unwrap_or_default();
        texts(&mut persona.iter().map(|persona| persona.id.as_str()));
        texts(&mut traits.iter().map(|(name, _)| name.as_str()));
        for (_, number) in weights.iter().chain(traits) {
            hasher.update(&number.to_le_bytes());
        }
        hasher
    }
}
