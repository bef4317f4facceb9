//! From ranked candidates to the page that the client sees: order, cut, fetch, highlight, serialise.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::analysis::QueryAnalysis;
use super::answer::{
    Explanation, Highlight, LegScore, PluginRef, ProbeExplanation, ResultExplanation, ResultMetadata, SearchResponse,
    SearchResult,
};
use super::columns::{Bodies, Candidate, Window};
use super::facets::Facets;
use super::probes::ProbeRun;
use super::{Plan, SearchError, excerpt};
use crate::cache::{Computed, Entry};
use crate::index::Marker;
use crate::query::ProbeKind;
use crate::runtime::{Plugin, Ranking};

/// Highlights of one result at most; a query of one letter would mark half of the text.
const MAX_HIGHLIGHTS: usize = 100;

/// All that came of the query before a page is cut out.
pub struct Outcome {
    pub window: Window,
    pub ranking: Ranking,
    pub strategies: Vec<String>,
    pub degraded: Vec<String>,
    pub reason: Option<String>,
    /// Whose candidates these are.
    pub strategy: Arc<Plugin>,
    /// None when the query was not to be understood.
    pub analysis: Option<QueryAnalysis>,
}

impl Outcome {
    /// Bytes that it takes in memory, about: for a bound, not for the books.
    pub fn bytes(&self) -> usize {
        let hits = |run: &ProbeRun| run.result.as_ref().map_or(0, |hits| hits.len() * 16);
        let explanations: usize = self.ranking.explanations.iter().map(String::len).sum();
        self.window.candidates.len() * 512 + self.window.runs.iter().map(hits).sum::<usize>() + explanations
    }
}

/// The finished body. Degraded answers are not kept: the next one may be whole.
pub fn render(plan: &Plan, outcome: &Outcome, took: Duration) -> Result<Computed, SearchError> {
    let request = &plan.request;
    let Outcome { window, ranking, strategies, degraded, reason, strategy, analysis } = outcome;
    let order = order(&ranking.scores);
    let shown = page_of(&order, request.offset, request.max_results);
    let response = SearchResponse {
        success: true,
        query: request.query.text.clone(),
        total_results: window.candidates.len() as u32,
        truncated: window.truncated,
        window: request.query.limit,
        offset: request.offset,
        agent: request.persona.as_ref().map(|persona| persona.id.clone()),
        results: results(plan, outcome, shown)?,
        facets: Facets::count(&request.facets, &window.candidates),
        search_time: took.as_secs_f64(),
        search_strategies: strategies.clone(),
        degraded: !degraded.is_empty(),
        degraded_reasons: degraded.clone(),
        strategy: plugin_ref(strategy),
        ranker: plugin_ref(&plan.ranker),
        reason: reason.clone(),
        analysis: analysis.clone(),
        error: None,
        explain: request.explain.then(|| explanation(plan, &window.runs)),
    };
    let body = serde_json::to_vec(&response).map_err(|error| SearchError::Index(error.to_string()))?;
    let etag: Arc<str> = blake3::hash(&body).to_hex()[..32].into();
    Ok(Computed { entry: Entry { body: body.into(), etag }, keep: !response.degraded })
}

/// The total of a finished body; 0 of one that cannot be read.
pub fn total(body: &[u8]) -> u32 {
    #[derive(serde::Deserialize)]
    struct Total {
        total_results: u32,
    }
    serde_json::from_slice::<Total>(body).map_or(0, |total| total.total_results)
}

/// The results of these positions, in their order.
pub fn results(plan: &Plan, outcome: &Outcome, shown: &[usize]) -> Result<Vec<SearchResult>, SearchError> {
    let Outcome { window, ranking, .. } = outcome;
    let mut bodies = Bodies::new(&plan.snapshot);
    bodies.fetch(shown.iter().map(|at| &window.candidates[*at].chunk))?;
    let markers = markers(&window.runs);
    let result = |at: &usize| {
        let candidate = &window.candidates[*at];
        let mut result = result(plan, candidate, &markers, &mut bodies)?;
        result.score = ranking.scores[*at];
        result.explain = plan.request.explain.then(|| ResultExplanation {
            legs: legs(candidate),
            strategy_score: candidate.score,
            strategy_rank: *at as u32 + 1,
            ranker_score: ranking.scores[*at],
            ranker: ranking.explanations.get(*at).cloned(),
        });
        Ok(result)
    };
    shown.iter().map(result).collect()
}

/// At most `count` of a list from `offset` on.
pub fn page_of(order: &[usize], offset: u32, count: u32) -> &[usize] {
    let rest = order.get(offset as usize..).unwrap_or_default();
    rest.get(..count as usize).unwrap_or(rest)
}

/// Positions by score, best first; ties keep the strategy's order.
pub fn order(scores: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|left, right| scores[*right].total_cmp(&scores[*left]));
    order
}

fn result(
    plan: &Plan,
    candidate: &Candidate,
    markers: &[Marker],
    bodies: &mut Bodies<'_>,
) -> Result<SearchResult, SearchError> {
    let chunk = &candidate.chunk;
    let document = bodies.document(chunk)?;
    let text = document.get(chunk.start as usize..chunk.end as usize).unwrap_or_default();
    let hit_line = candidate.line - chunk.first_line;
    let match_type = match_type(candidate);
    let is_line = match_type == "syntax" && candidate.legs[ProbeKind::Pattern as usize].is_some();
    let whole = if is_line { line_of(text, hit_line) } else { text };
    let marks = highlights(markers, whole);
    let first = marks.first().map(|mark| mark.start as usize);
    let snippet = if is_line {
        excerpt::snippet(text, &[], hit_line as usize, first)
    } else {
        excerpt::snippet(text, &marks, hit_line as usize, None)
    };
    let part = excerpt::part(whole, first, excerpt::MOST_CONTENT);
    let content = &whole[part.clone()];
    let context_lines = plan.request.context_lines as usize;
    Ok(SearchResult {
        id: id(candidate, text),
        file_path: chunk.document.path.to_string(),
        line_number: candidate.line,
        end_line: if is_line { candidate.line } else { chunk.last_line },
        content: content.to_owned(),
        content_truncated: content.len() < whole.len(),
        score: 0.0,
        match_type: match_type.into(),
        context: (context_lines > 0).then(|| context(&document, candidate.line as usize, context_lines)),
        snippet: Some(snippet),
        highlights: excerpt::within(marks, &part),
        metadata: ResultMetadata {
            language: chunk.document.language.as_deref().map(str::to_owned),
            title: chunk.document.title.as_deref().map(str::to_owned),
            symbols: chunk.symbols.clone(),
            chunk_start: chunk.first_line,
            modified: chunk.document.modified,
        },
        explain: None,
    })
}

pub(super) fn match_type(candidate: &Candidate) -> &'static str {
    let found = |kind: ProbeKind| candidate.legs[kind as usize].is_some();
    let semantic = found(ProbeKind::Text) || found(ProbeKind::Vector);
    let syntax = found(ProbeKind::Pattern) || found(ProbeKind::Symbol);
    match (semantic, syntax) {
        (true, true) => "hybrid",
        (false, true) => "syntax",
        _ => "semantic",
    }
}

/// Depends on the chunk and not on where in the document it stands, so edits elsewhere keep it.
pub(super) fn id(candidate: &Candidate, text: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    let document = &candidate.chunk.document;
    hasher.update(&document.root.to_le_bytes());
    hasher.update(document.path.as_bytes());
    hasher.update(&[0]);
    hasher.update(text.as_bytes());
    hasher.update(&(candidate.line - candidate.chunk.first_line).to_le_bytes());
    hasher.finalize().to_hex()[..24].into()
}

/// `number` from 0; without its line break.
fn line_of(text: &str, number: u32) -> &str {
    text.lines().nth(number as usize).unwrap_or_default()
}

fn context(document: &str, line: usize, around: usize) -> String {
    let first = line.saturating_sub(around).max(1);
    let lines: Vec<&str> = document.lines().skip(first - 1).take(line + around + 1 - first).collect();
    lines.join("\n")
}

/// What the query's probes match, ready to be marked.
pub(super) fn markers(runs: &[ProbeRun]) -> Vec<Marker> {
    runs.iter().filter(|run| run.result.is_ok()).filter_map(|run| Marker::of(&run.probe)).collect()
}

/// Where they match in the content, in order, overlaps merged.
pub(super) fn highlights(markers: &[Marker], content: &str) -> Vec<Highlight> {
    let mut ranges: Vec<std::ops::Range<usize>> =
        markers.iter().flat_map(|marker| marker.ranges(content, MAX_HIGHLIGHTS)).collect();
    ranges.sort_by_key(|range| (range.start, range.end));
    let mut merged: Vec<Highlight> = Vec::new();
    for range in ranges {
        let (start, end) = (range.start as u32, range.end as u32);
        match merged.last_mut() {
            Some(last) if start <= last.end => last.end = last.end.max(end),
            _ => merged.push(Highlight { start, end }),
        }
    }
    merged.truncate(MAX_HIGHLIGHTS);
    merged
}

fn legs(candidate: &Candidate) -> BTreeMap<String, LegScore> {
    ProbeKind::ALL
        .into_iter()
        .zip(candidate.legs)
        .filter_map(|(kind, leg)| {
            leg.map(|leg| (kind.name().to_owned(), LegScore { score: leg.score, rank: leg.rank }))
        })
        .collect()
}

pub(super) fn plugin_ref(plugin: &Plugin) -> PluginRef {
    PluginRef {
        name: plugin.description.name.clone(),
        version: plugin.description.version.clone(),
        digest: plugin.digest.to_hex()[..16].into(),
    }
}

fn explanation(plan: &Plan, runs: &[ProbeRun]) -> Explanation {
    let probes = runs
        .iter()
        .map(|run| ProbeExplanation {
            kind: run.leg.into(),
            hits: run.result.as_ref().map_or(0, |hits| hits.len() as u32),
            milliseconds: run.took.as_secs_f64() * 1e3,
            error: run.result.as_ref().err().map(ToString::to_string),
        })
        .collect();
    Explanation { generation: plan.snapshot.generation(), probes }
}
