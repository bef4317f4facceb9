//! From the ranked window to passages: recency into the scores, conditions, the best chunks, their neighbours, the
//! budget, the shape.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::answer::{
    ChunkMetadata, Citation, FileMetadata, HitExtra, Passage, PassageHit, PassagesMetadata, PassagesResponse,
};
use super::{Modality, PassagesRequest};
use crate::cache::{Computed, Entry};
use crate::index::{ChunkInfo, DocumentInfo, Marker};
use crate::query::{ChunkId, Probe, ProbeKind};
use crate::rag::passage::{self, Draft, Found, Source, Span};
use crate::rag::{recency, tokens};
use crate::service::columns::{Bodies, Candidate, Window};
use crate::service::page::{self, Outcome};
use crate::service::{Plan, SearchError};

/// Of all whole documents in one answer.
const MAX_CONTENT_BYTES: usize = 4 << 20;

const PROSE: [&str; 5] = ["markdown", "restructuredtext", "asciidoc", "latex", "text"];

/// The finished body. Degraded answers are not kept: the next one may be whole.
pub(super) fn render(
    plan: &Plan,
    request: &PassagesRequest,
    outcome: Outcome,
    began: Instant,
) -> Result<Computed, SearchError> {
    let search_time = began.elapsed().as_secs_f64();
    let Outcome { window, ranking, degraded, reason, strategy, .. } = outcome;
    let chosen = choose(request, &window, &ranking.scores);
    let shown: Vec<&Chosen<'_>> = chosen.iter().take(request.top_k as usize).collect();
    let mut bodies = Bodies::new(&plan.snapshot);
    bodies.fetch(shown.iter().map(|chosen| &chosen.candidate.chunk))?;

    let (sources, omitted) = passages(plan, request, &shown, &mut bodies)?;
    let mut vectors = embeddings(plan, request, &shown)?;
    let mut contents =
        Contents { left: if request.with_contents { MAX_CONTENT_BYTES } else { 0 }, seen: HashSet::new() };
    let markers = page::markers(&window.runs);
    let mut hits = Vec::with_capacity(shown.len());
    for (at, chosen) in shown.iter().enumerate() {
        let passage = sources.iter().find(|source| source.found.contains(&at)).map(|source| source.number);
        let mut hit = hit(&markers, chosen, passage, &mut bodies)?;
        hit.file_content = contents.of(&chosen.candidate.chunk.document, &mut bodies, &chosen.candidate.chunk)?;
        hit.embedding_vector = vectors.get_mut(at).map(std::mem::take).filter(|vector| !is_zero(vector));
        hits.push(hit);
    }
    let vector_runs = window.runs.iter().filter(|run| matches!(run.probe, Probe::Vector(_)));
    let response = PassagesResponse {
        hits,
        context: passage::context(&sources),
        total: chosen.len() as u32,
        query_time: began.elapsed().as_secs_f64(),
        embedding_time: vector_runs.map(|run| run.took.as_secs_f64()).fold(0.0, f64::max),
        search_time,
        metadata: PassagesMetadata {
            query: request.search.query.text.clone(),
            modality: request.modality,
            strategy: page::plugin_ref(&strategy),
            ranker: page::plugin_ref(&plan.ranker),
            reason,
            truncated: window.truncated,
            degraded: !degraded.is_empty(),
            degraded_reasons: degraded,
            generation: plan.snapshot.generation(),
            tokens: sources.iter().map(|source| source.tokens as u32).sum(),
            max_tokens: request.max_tokens,
            neighbours: request.neighbours,
            omitted_passages: omitted,
            tokenizer: "estimate".into(),
        },
        passages: sources.into_iter().map(shape).collect(),
        answer: None,
        citations: vec![],
        unknown_citations: vec![],
        answer_reason: request.answer_reason.map(str::to_owned),
        answer_model: None,
    };
    let body = serde_json::to_vec(&response).map_err(|error| SearchError::Index(error.to_string()))?;
    let etag: Arc<str> = blake3::hash(&body).to_hex()[..32].into();
    Ok(Computed { entry: Entry { body: body.into(), etag }, keep: !response.metadata.degraded })
}

/// A candidate that meets the request's conditions.
struct Chosen<'a> {
    candidate: &'a Candidate,
    score: f32,
    ranker_score: f32,
}

/// Best first, each chunk once.
fn choose<'a>(request: &PassagesRequest, window: &'a Window, scores: &[f32]) -> Vec<Chosen<'a>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    let age = |candidate: &Candidate| now.saturating_sub(candidate.chunk.document.modified) as f32;
    let ages: Vec<f32> = window.candidates.iter().map(age).collect();
    let blended = recency::blend(scores, &ages, request.temporal_weight);
    // A strategy that asks no vectors has no similarity by which to judge.
    let has_vectors = window.runs.iter().any(|run| matches!(run.probe, Probe::Vector(_)));
    let threshold = request.search.query.similarity_threshold.filter(|_| has_vectors);
    let mut seen = HashSet::new();
    let order = page::order(&blended);
    let chosen = order.into_iter().map(|at| Chosen {
        candidate: &window.candidates[at],
        score: blended[at],
        ranker_score: scores[at],
    });
    chosen
        .filter(|Chosen { candidate, .. }| {
            let similar = || candidate.legs[ProbeKind::Vector as usize];
            admits(request.modality, &candidate.chunk.document)
                && threshold.is_none_or(|least| similar().is_some_and(|leg| leg.score >= least))
                && seen.insert(candidate.chunk.id)
        })
        .collect()
}

fn admits(modality: Modality, document: &DocumentInfo) -> bool {
    let is_prose = document.language.as_deref().is_none_or(|language| PROSE.contains(&language));
    match modality {
        Modality::All => true,
        Modality::Docs => is_prose,
        Modality::Code => !is_prose,
    }
}

/// Within the budget, and how many it had no room for.
fn passages(
    plan: &Plan,
    request: &PassagesRequest,
    shown: &[&Chosen<'_>],
    bodies: &mut Bodies<'_>,
) -> Result<(Vec<Source>, u32), SearchError> {
    let found: Vec<Found> = shown
        .iter()
        .map(|Chosen { candidate, .. }| Found {
            document: candidate.chunk.document.sequence,
            ordinal: candidate.chunk.id.ordinal(),
            chunks: candidate.chunk.document.chunks,
        })
        .collect();
    let spans = passage::spans(&found, request.neighbours as u16);
    let ends: Vec<ChunkId> = spans
        .iter()
        .flat_map(|span| [span.first, span.last].map(|ordinal| ChunkId::new(span.document, ordinal)))
        .collect();
    let read = plan.snapshot.chunks(&ends).map_err(|error| SearchError::Index(error.to_string()))?;
    let known: HashMap<ChunkId, ChunkInfo> = read.into_iter().flatten().map(|chunk| (chunk.id, chunk)).collect();
    let mut drafts = Vec::with_capacity(spans.len());
    for span in spans {
        drafts.extend(draft(span, shown, &known, bodies)?);
    }
    let count = drafts.len();
    let sources = passage::within(drafts, request.max_tokens as usize);
    let omitted = (count - sources.len()) as u32;
    Ok((sources, omitted))
}

fn draft(
    span: Span,
    shown: &[&Chosen<'_>],
    known: &HashMap<ChunkId, ChunkInfo>,
    bodies: &mut Bodies<'_>,
) -> Result<Option<Draft>, SearchError> {
    let Some(best) = span.found.first().map(|at| shown[*at]) else { return Ok(None) };
    let best_chunk = &best.candidate.chunk;
    // An engine elsewhere may have lost the version meanwhile; the chunk that was found is known in any case.
    let end = |ordinal| known.get(&ChunkId::new(span.document, ordinal)).unwrap_or(best_chunk);
    let (first, last) = (end(span.first), end(span.last));
    let document = bodies.document(best_chunk)?;
    let text = document.get(first.start as usize..last.end as usize).unwrap_or_default();
    Ok((!text.trim().is_empty()).then(|| Draft {
        path: best_chunk.document.path.to_string(),
        start_line: first.first_line,
        text: text.to_owned(),
        best: best_chunk.start.saturating_sub(first.start) as usize,
        score: best.score,
        found: span.found,
    }))
}

fn shape(source: Source) -> Passage {
    let Source { number, path, start_line, end_line, text, tokens, score, truncated, found } = source;
    let citation = Citation { number, path, start_line, end_line };
    let hits = found.into_iter().map(|at| at as u32).collect();
    Passage { citation, text, tokens: tokens as u32, score, truncated, hits }
}

/// One vector a hit; none when they were not asked for.
fn embeddings(plan: &Plan, request: &PassagesRequest, shown: &[&Chosen<'_>]) -> Result<Vec<Vec<f32>>, SearchError> {
    if !request.with_embeddings {
        return Ok(vec![]);
    }
    let ids: Vec<ChunkId> = shown.iter().map(|chosen| chosen.candidate.chunk.id).collect();
    let read = plan.snapshot.embeddings(&ids).map_err(|error| SearchError::Index(error.to_string()))?;
    let (dimension, rows) = read;
    Ok(rows.chunks_exact((dimension as usize).max(1)).map(<[f32]>::to_vec).collect())
}

fn is_zero(vector: &[f32]) -> bool {
    vector.iter().all(|value| *value == 0.0)
}

fn hit(
    markers: &[Marker],
    chosen: &Chosen<'_>,
    passage: Option<u32>,
    bodies: &mut Bodies<'_>,
) -> Result<PassageHit, SearchError> {
    let Chosen { candidate, score, ranker_score } = chosen;
    let (chunk, document) = (&candidate.chunk, &candidate.chunk.document);
    let text = bodies.of(chunk)?;
    let legs: BTreeMap<String, f32> = ProbeKind::ALL
        .into_iter()
        .zip(candidate.legs)
        .filter_map(|(kind, leg)| leg.map(|leg| (kind.name().to_owned(), leg.score)))
        .collect();
    Ok(PassageHit {
        id: page::id(candidate, &text),
        score: *score,
        highlights: page::highlights(markers, &text),
        extra: HitExtra {
            match_type: page::match_type(candidate).into(),
            similarity: candidate.legs[ProbeKind::Vector as usize].map(|leg| leg.score),
            line: candidate.line,
            ranker_score: *ranker_score,
            legs,
            passage,
        },
        file_path: document.path.to_string(),
        file_content: None,
        file_metadata: FileMetadata {
            language: document.language.as_deref().map(str::to_owned),
            title: document.title.as_deref().map(str::to_owned),
            modified: document.modified,
            size: document.size,
            chunks: document.chunks,
        },
        chunk_index: chunk.id.ordinal().into(),
        chunk_tokens: tokens::count(&text) as u32,
        chunk_text: text,
        chunk_metadata: ChunkMetadata {
            start_line: chunk.first_line,
            end_line: chunk.last_line,
            symbols: chunk.symbols.clone(),
        },
        embedding_vector: None,
    })
}

/// Whole documents, each once, as long as there is room.
struct Contents {
    left: usize,
    seen: HashSet<u64>,
}

impl Contents {
    fn of(
        &mut self,
        document: &DocumentInfo,
        bodies: &mut Bodies<'_>,
        chunk: &ChunkInfo,
    ) -> Result<Option<String>, SearchError> {
        if self.left == 0 || !self.seen.insert(document.sequence) {
            return Ok(None);
        }
        let content = bodies.document(chunk)?;
        if content.len() > self.left {
            return Ok(None);
        }
        self.left -= content.len();
        Ok(Some(content.to_string()))
    }
}
