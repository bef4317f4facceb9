//! Runs the probes of one query over one snapshot, all at once, and remembers what each found: rankers
//! and explanations want to know which leg found a candidate, and how well.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use parking_lot::Mutex;
use tracing::{Instrument, debug_span, field};

use super::stages::{Step, Watcher};
use super::turns;
use crate::index::{Deadline, Snapshot};
use crate::query::{Hits, Probe, Query, RetrievalError, Scope, TextField};
use crate::runtime::Retriever;

/// The leg of a text probe over paths alone.
const PATH: &str = "path";
/// The leg of a probe for what the client's context names: it says what is near, not what was asked for.
const CONTEXT: &str = "context";

/// One probe with its outcome.
#[derive(Clone, Debug)]
pub struct ProbeRun {
    pub probe: Probe,
    /// Its kind, or what sets it apart from others of its kind.
    pub leg: &'static str,
    pub result: Result<Hits, RetrievalError>,
    pub took: Duration,
}

pub struct ProbeRunner {
    snapshot: Snapshot,
    scope: Arc<Scope>,
    /// What the client's context names.
    context: Vec<String>,
    deadline: Deadline,
    runs: Mutex<Vec<ProbeRun>>,
    watcher: Option<Watcher>,
}

/// Whoever asked has its answer or has gone away: probes that still run are of no use to anybody.
impl Drop for ProbeRunner {
    fn drop(&mut self) {
        self.deadline.abandon();
    }
}

impl ProbeRunner {
    pub fn new(snapshot: Snapshot, query: &Query, deadline: Instant) -> Self {
        let (scope, deadline) = (Arc::new(query.scope.clone()), deadline.into());
        let context = query.context().map(str::to_owned).collect();
        Self { snapshot, scope, context, deadline, runs: Mutex::default(), watcher: None }
    }

    /// Tells of each probe as soon as it is done.
    pub fn watched(mut self, watcher: Option<Watcher>) -> Self {
        self.watcher = watcher;
        self
    }

    /// What was run so far.
    pub fn runs(&self) -> Vec<ProbeRun> {
        std::mem::take(&mut *self.runs.lock())
    }

    async fn run(&self, probe: Probe) -> Result<Hits, RetrievalError> {
        let began = Instant::now();
        let (snapshot, scope, deadline, job) =
            (self.snapshot.clone(), self.scope.clone(), self.deadline.clone(), probe.clone());
        let span = debug_span!("probe", kind = probe.kind().name(), hits = field::Empty, error = field::Empty);
        // A probe that panics is one failed leg, not a failed query.
        let result = turns::blocking(move || snapshot.probe(&job, &scope, deadline))
            .instrument(span.clone())
            .await
            .unwrap_or_else(|| Err(RetrievalError::Unavailable("the index failed on this probe".into())));
        match &result {
            Ok(hits) => span.record("hits", hits.len()),
            Err(error) => span.record("error", word(error)),
        };
        let leg = leg(&probe, &self.context);
        let run = ProbeRun { probe, leg, result: result.clone(), took: began.elapsed() };
        if let Some(watcher) = &self.watcher {
            let _ = watcher.send(Step::Probed(run.clone()));
        }
        self.runs.lock().push(run);
        result
    }
}

fn leg(probe: &Probe, context: &[String]) -> &'static str {
    let kind = probe.kind().name();
    let (text, is_of_paths) = match probe {
        Probe::Text(probe) => (&probe.text, matches!(probe.fields[..], [(TextField::Path, _)])),
        Probe::Symbol(probe) => (&probe.name, false),
        Probe::Vector(_) | Probe::Pattern(_) => return kind,
    };
    // A folder of the file is near, too.
    let is_around = |file: &str| file.strip_prefix(text.as_str()).is_some_and(|rest| rest.starts_with('/'));
    match context.iter().any(|named| named == text || (is_of_paths && is_around(named))) {
        true => CONTEXT,
        false if is_of_paths => PATH,
        false => kind,
    }
}

/// Without its text, which may quote what was searched for.
pub fn word(error: &RetrievalError) -> &'static str {
    match error {
        RetrievalError::BadProbe(_) => "bad-probe",
        RetrievalError::Unavailable(_) => "unavailable",
        RetrievalError::TimedOut => "timed-out",
        RetrievalError::LimitExceeded(_) => "limit-exceeded",
    }
}

impl Retriever for ProbeRunner {
    fn retrieve(&self, probes: Vec<Probe>) -> BoxFuture<'_, Vec<Result<Hits, RetrievalError>>> {
        join_all(probes.into_iter().map(|probe| self.run(probe))).boxed()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::index::Index;
    use crate::query::{SymbolMatch, SymbolProbe, TermMatch, TextProbe, VectorProbe};

    #[test]
    fn probes_are_abandoned_with_the_one_who_asked() {
        let folder = tempfile::TempDir::new().unwrap();
        let snapshot = Index::open(folder.path()).unwrap().snapshot();
        let runner = ProbeRunner::new(snapshot, &Query::new("a", 1), Instant::now() + Duration::from_secs(3600));
        let deadline = runner.deadline.clone();
        assert!(!deadline.is_over());
        drop(runner);
        assert!(deadline.is_over());
    }

    #[test]
    fn legs_tell_probes_of_one_kind_apart() {
        let text = |text: &str, fields: &[TextField]| {
            let fields = fields.iter().map(|field| (*field, 1.0)).collect();
            let (text, mode) = (text.to_owned(), TermMatch::Any);
            Probe::Text(TextProbe { text, mode, fuzziness: 0, prefix: false, fields, limit: 10 })
        };
        let symbol = |name: &str| {
            let (name, mode) = (name.to_owned(), SymbolMatch::Exact);
            Probe::Symbol(SymbolProbe { name, mode, case_sensitive: false, limit: 10 })
        };
        let vector = |text: &str| Probe::Vector(VectorProbe { text: text.into(), min_similarity: None, limit: 10 });
        let paths = [TextField::Path];
        let mut query = Query::new("how are nodes visited", 10);
        query.parameters = vec![
            ("context_class".into(), "TreeWalker".into()),
            ("context_file".into(), "host/index/text.rs".into()),
            ("rrf_k".into(), "60".into()),
        ];
        let context: Vec<String> = query.context().map(str::to_owned).collect();
        for (probe, expected) in [
            (text("nodes visited", &[]), "text"),
            (text("nodes visited", &[TextField::Body, TextField::Path]), "text"),
            (text("tests", &paths), "path"),
            (text("host/ind", &paths), "path"),
            (text("host/index/text.rs", &paths), "context"),
            (text("host/index", &paths), "context"),
            (text("host/index", &[]), "text"),
            (text("TreeWalker", &[]), "context"),
            (symbol("TreeWalker"), "context"),
            (symbol("Node"), "symbol"),
            (symbol("60"), "symbol"),
            (vector("TreeWalker"), "vector"),
        ] {
            assert_eq!(leg(&probe, &context), expected, "{probe:?}");
        }
        assert_eq!(leg(&symbol("TreeWalker"), &[]), "symbol");
    }
}
