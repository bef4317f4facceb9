//! The candidate window of one query and its columns: only what the ranker asked for is computed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::SearchError;
use super::probes::ProbeRun;
use crate::index::{ChunkInfo, Snapshot};
use crate::query::{ChunkId, Hits, Persona, ProbeKind, Query};
use crate::runtime::features::{Feature, Text};
use crate::runtime::{Candidates, Inputs};
use crate::usage::Affinity;

/// The best score that one kind of probe gave a chunk, and its rank there from 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leg {
    pub score: f32,
    pub rank: u32,
}

/// By kind of probe, in the order of `ProbeKind::ALL`.
pub type Legs = [Option<Leg>; ProbeKind::ALL.len()];

/// One candidate, in the strategy's order.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub chunk: ChunkInfo,
    /// The line to show, from 1.
    pub line: u32,
    pub score: f32,
    pub legs: Legs,
}

/// What the strategy proposed, as far as it exists and fits.
pub struct Window {
    pub candidates: Vec<Candidate>,
    pub runs: Vec<ProbeRun>,
    /// A probe had more hits than it gave, or the strategy proposed more than the window holds.
    pub truncated: bool,
}

/// Who asks what, as far as columns depend on it.
pub struct Asker<'a> {
    pub query: &'a Query,
    pub persona: Option<&'a Persona>,
    pub affinity: &'a Affinity,
}

impl Window {
    /// Keeps proposals that a probe of this query found and that the snapshot still holds, without
    /// repetition, `limit` of them at most. A chunk that nobody retrieved is out of the query's scope by definition.
    pub fn new(snapshot: &Snapshot, hits: Hits, runs: Vec<ProbeRun>, limit: u32) -> Result<Self, SearchError> {
        let limit = limit as usize;
        let legs = legs(&runs);
        let mut seen = HashSet::new();
        let proposed: Vec<(ChunkId, u32, f32)> = (0..hits.len())
            .map(|at| (hits.chunks[at], hits.lines[at], hits.scores[at]))
            .filter(|(chunk, line, _)| legs.contains_key(chunk) && seen.insert((*chunk, *line)))
            .collect();
        let truncated =
            proposed.len() > limit || runs.iter().any(|run| run.result.as_ref().is_ok_and(|hits| hits.truncated));
        let ids: Vec<ChunkId> = proposed.iter().take(limit).map(|(chunk, _, _)| *chunk).collect();
        let candidates = snapshot
            .chunks(&ids)
            .map_err(|error| SearchError::Index(error.to_string()))?
            .into_iter()
            .zip(proposed)
            .filter_map(|(chunk, (id, line, score))| {
                let chunk = chunk?;
                let line = line.clamp(chunk.first_line, chunk.last_line);
                Some(Candidate { chunk, line, score, legs: legs.get(&id).copied().unwrap_or_default() })
            })
            .collect();
        Ok(Self { candidates, runs, truncated })
    }

    pub fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// The columns of `inputs` for the first `count` candidates, row by row.
    pub fn columns(
        &self,
        count: usize,
        snapshot: &Snapshot,
        inputs: &Inputs,
        asker: &Asker<'_>,
        now: SystemTime,
    ) -> Result<Candidates, SearchError> {
        let features: Vec<Feature> = inputs.features.iter().filter_map(|name| Feature::from_name(name)).collect();
        let texts: Vec<Text> = inputs.texts.iter().filter_map(|name| Text::from_name(name)).collect();
        let needs_body = texts.contains(&Text::Body) || features.contains(&Feature::FieldBody);
        let needs_terms = features.iter().any(|feature| {
            matches!(feature, Feature::FieldPath | Feature::FieldTitle | Feature::FieldSymbol | Feature::FieldBody)
        });
        let terms: HashSet<String> =
            if needs_terms { snapshot.terms(&asker.query.text).into_iter().collect() } else { HashSet::new() };
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
        let ranked = self.candidates.get(..count).unwrap_or(&self.candidates);
        let mut bodies = Bodies::new(snapshot);
        if needs_body {
            bodies.fetch(ranked.iter().map(|candidate| &candidate.chunk))?;
        }
        let mut columns = Candidates { count: ranked.len() as u32, ..Candidates::default() };
        for (rank, candidate) in ranked.iter().enumerate() {
            let body = if needs_body { bodies.of(&candidate.chunk)? } else { String::new() };
            let share = |text: &str| share_of_terms(&terms, snapshot, text);
            for feature in &features {
                columns.features.push(match feature {
                    Feature::Score => candidate.score,
                    Feature::TextScore => candidate.leg(ProbeKind::Text),
                    Feature::VectorScore => candidate.leg(ProbeKind::Vector),
                    Feature::PatternScore => candidate.leg(ProbeKind::Pattern),
                    Feature::SymbolScore => candidate.leg(ProbeKind::Symbol),
                    Feature::Rank => rank as f32,
                    Feature::AgeSeconds => (now - candidate.chunk.document.modified).max(0) as f32,
                    Feature::PathDepth => candidate.chunk.document.path.matches('/').count() as f32,
                    Feature::Length => (candidate.chunk.end - candidate.chunk.start) as f32,
                    Feature::Line => candidate.line as f32,
                    Feature::FieldPath => share(&candidate.chunk.document.path),
                    Feature::FieldTitle => share(candidate.chunk.document.title.as_deref().unwrap_or_default()),
                    Feature::FieldSymbol => share(&candidate.chunk.symbols.join(" ")),
                    Feature::FieldBody => share(&body),
                    Feature::Affinity => {
                        asker.affinity.of.get(&*candidate.chunk.document.path).copied().unwrap_or_default()
                    }
                    Feature::Agent(name) => asker.persona.map_or(f32::NAN, |persona| persona.value(name)),
                });
            }
            for text in &texts {
                columns.texts.push(match text {
                    Text::Path => candidate.chunk.document.path.to_string(),
                    Text::Title => candidate.chunk.document.title.as_deref().unwrap_or_default().to_owned(),
                    Text::Symbol => candidate.chunk.symbols.join(" "),
                    Text::Language => candidate.chunk.document.language.as_deref().unwrap_or_default().to_owned(),
                    Text::Body => body.clone(),
                });
            }
        }
        if inputs.embeddings {
            let ids: Vec<ChunkId> = ranked.iter().map(|candidate| candidate.chunk.id).collect();
            let embeddings = snapshot.embeddings(&ids).map_err(|error| SearchError::Index(error.to_string()))?;
            (columns.dimension, columns.embeddings) = embeddings;
        }
        Ok(columns)
    }
}

impl Candidate {
    /// NaN where this kind of probe did not find it.
    fn leg(&self, kind: ProbeKind) -> f32 {
        self.legs[kind as usize].map_or(f32::NAN, |leg| leg.score)
    }
}

/// Text of chunks, reading each document once.
pub struct Bodies<'a> {
    snapshot: &'a Snapshot,
    documents: HashMap<u64, Arc<str>>,
}

impl<'a> Bodies<'a> {
    pub fn new(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, documents: HashMap::new() }
    }

    /// Reads the documents of chunks that will be asked for, all in one go.
    pub fn fetch<'c>(&mut self, chunks: impl Iterator<Item = &'c ChunkInfo>) -> Result<(), SearchError> {
        let sequences: HashSet<u64> = chunks.map(|chunk| chunk.document.sequence).collect();
        let wanted: Vec<u64> =
            sequences.into_iter().filter(|sequence| !self.documents.contains_key(sequence)).collect();
        let read = self.snapshot.contents(&wanted).map_err(|error| SearchError::Index(error.to_string()))?;
        self.documents.extend(read);
        Ok(())
    }

    /// The whole document.
    pub fn document(&mut self, chunk: &ChunkInfo) -> Result<Arc<str>, SearchError> {
        let sequence = chunk.document.sequence;
        if let Some(content) = self.documents.get(&sequence) {
            return Ok(content.clone());
        }
        let read = self.snapshot.content(sequence).map_err(|error| SearchError::Index(error.to_string()))?;
        let content = read.unwrap_or_default();
        self.documents.insert(sequence, content.clone());
        Ok(content)
    }

    pub fn of(&mut self, chunk: &ChunkInfo) -> Result<String, SearchError> {
        let document = self.document(chunk)?;
        Ok(document.get(chunk.start as usize..chunk.end as usize).unwrap_or_default().to_owned())
    }
}

fn legs(runs: &[ProbeRun]) -> HashMap<ChunkId, Legs> {
    let mut legs: HashMap<ChunkId, Legs> = HashMap::new();
    for run in runs {
        let Ok(hits) = &run.result else { continue };
        for (at, (chunk, score)) in hits.chunks.iter().zip(&hits.scores).enumerate() {
            let leg = &mut legs.entry(*chunk).or_default()[run.probe.kind() as usize];
            let found = Leg { score: *score, rank: at as u32 + 1 };
            *leg = Some(
                leg.map_or(found, |best| Leg { score: best.score.max(found.score), rank: best.rank.min(found.rank) }),
            );
        }
    }
    legs
}

fn share_of_terms(terms: &HashSet<String>, snapshot: &Snapshot, text: &str) -> f32 {
    if terms.is_empty() || text.is_empty() {
        return 0.0;
    }
    let found: HashSet<String> = snapshot.terms(text).into_iter().collect();
    terms.intersection(&found).count() as f32 / terms.len() as f32
}
