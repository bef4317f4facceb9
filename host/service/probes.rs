//! Runs the probes of one query over one snapshot, all at once, and remembers what each found: rankers
//! and explanations want to know which leg found a candidate, and how well.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use parking_lot::Mutex;
use tracing::{Instrument, debug_span, field};

use super::stages::{Step, Watcher};
use crate::index::{Deadline, Snapshot};
use crate::query::{Hits, Probe, RetrievalError, Scope};
use crate::runtime::Retriever;

/// One probe with its outcome.
#[derive(Clone, Debug)]
pub struct ProbeRun {
    pub probe: Probe,
    pub result: Result<Hits, RetrievalError>,
    pub took: Duration,
}

pub struct ProbeRunner {
    snapshot: Snapshot,
    scope: Arc<Scope>,
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
    pub fn new(snapshot: Snapshot, scope: &Scope, deadline: Instant) -> Self {
        let (scope, deadline) = (Arc::new(scope.clone()), deadline.into());
        Self { snapshot, scope, deadline, runs: Mutex::default(), watcher: None }
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
        let result = tokio::task::spawn_blocking(move || snapshot.probe(&job, &scope, deadline))
            .instrument(span.clone())
            .await
            .unwrap_or_else(|_| Err(RetrievalError::Unavailable("the index failed on this probe".into())));
        match &result {
            Ok(hits) => span.record("hits", hits.len()),
            Err(error) => span.record("error", word(error)),
        };
        let run = ProbeRun { probe, result: result.clone(), took: began.elapsed() };
        if let Some(watcher) = &self.watcher {
            let _ = watcher.send(Step::Probed(run.clone()));
        }
        self.runs.lock().push(run);
        result
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

    #[test]
    fn probes_are_abandoned_with_the_one_who_asked() {
        let folder = tempfile::TempDir::new().unwrap();
        let snapshot = Index::open(folder.path()).unwrap().snapshot();
        let runner = ProbeRunner::new(snapshot, &Scope::default(), Instant::now() + Duration::from_secs(3600));
        let deadline = runner.deadline.clone();
        assert!(!deadline.is_over());
        drop(runner);
        assert!(deadline.is_over());
    }
}
