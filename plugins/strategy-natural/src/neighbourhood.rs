//! Who asks from within a file, a function or a class means what is near it. What the query itself found there
//! is lifted; nothing is found because of its place alone. The same for folders where such things usually are.

use std::collections::HashMap;

use strategy_kit::plan::{Leg, parameter, why};
use strategy_kit::{Hits, Proposal, Query, RetrievalError, SymbolMatch, TermMatch, TextField};

/// Added to the factor of a candidate's score. With ranks fused at k = 60, a factor of 1.15 is worth nine ranks
/// at the top of a leg: 61 × 1.15 ≈ 70.
const FILE: f32 = 0.3;
const FOLDER: f32 = 0.15;
const NAME: f32 = 0.3;
const LIKELY: f32 = 0.05;

/// A probe for what is near, and what being found by it adds.
pub struct Near {
    pub leg: Leg,
    pub lift: f32,
}

/// The parameters `context_file`, `context_function` and `context_class` of the request, and likely folders.
pub fn near(query: &Query, likely_folders: &[&str]) -> Vec<Near> {
    // As deep as an answer's largest window, since where something lies says nothing of its rank.
    let wide = Query { limit: query.limit.max(1000), ..query.clone() };
    let path = |path: &str, mode, lift| {
        let leg = Leg::text(&wide, path, mode, &[(TextField::Path, 1.0)], 1.0);
        Near { leg, lift }
    };
    let given = |name| parameter(query, name).map(str::trim).filter(|value| !value.is_empty());
    let mut near = Vec::new();
    if let Some(file) = given("context_file") {
        near.push(path(file, TermMatch::Phrase, FILE));
        if let Some((folder, _)) = file.rsplit_once('/') {
            near.push(path(folder, TermMatch::Phrase, FOLDER));
        }
    }
    for name in ["context_function", "context_class"].into_iter().filter_map(given) {
        near.push(Near { leg: Leg::symbol(&wide, name, SymbolMatch::Exact, 1.0), lift: NAME });
        near.push(Near { leg: Leg::text(&wide, name, TermMatch::All, &[], 1.0), lift: NAME / 2.0 });
    }
    if !likely_folders.is_empty() {
        near.push(path(&likely_folders.join(" "), TermMatch::Any, LIKELY));
    }
    near
}

/// Multiplies the scores of what is near by 1 + Σ lift and puts the best first; gives the number of those.
/// A place that cannot be looked up lifts nobody, and says so among `degraded`.
pub fn lift(proposal: &mut Proposal, near: &[Near], results: &[Result<Hits, RetrievalError>]) -> usize {
    let mut factors: HashMap<u64, f32> = HashMap::new();
    for (near, result) in near.iter().zip(results) {
        match result {
            Ok(hits) => {
                let mut seen: Vec<u64> = hits.chunks.clone();
                seen.sort_unstable();
                seen.dedup();
                seen.into_iter().for_each(|chunk| *factors.entry(chunk).or_insert(1.0) += near.lift);
            }
            Err(error) => proposal.degraded.push(format!("neighbourhood: {}", why(error))),
        }
    }
    let factor = |chunk: &u64| factors.get(chunk).copied().unwrap_or(1.0);
    let lifted = proposal.chunks.iter().filter(|chunk| factors.contains_key(chunk)).count();
    let mut rows: Vec<(u64, u32, f32)> = (0..proposal.chunks.len())
        .map(|at| (proposal.chunks[at], proposal.lines[at], proposal.scores[at] * factor(&proposal.chunks[at])))
        .collect();
    rows.sort_by(|one, other| other.2.total_cmp(&one.2));
    proposal.chunks = rows.iter().map(|row| row.0).collect();
    proposal.lines = rows.iter().map(|row| row.1).collect();
    proposal.scores = rows.iter().map(|row| row.2).collect();
    lifted
}
