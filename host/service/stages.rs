//! The stages of one search: how long each took, and news of them for whoever watches. Knows nothing of what a
//! stage does.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::probes::ProbeRun;

/// Stage name and time, in the order of the stages.
pub type Timings = Vec<(&'static str, Duration)>;

/// What happened within a search, for those who watch it.
#[derive(Debug)]
pub enum Step {
    Began(&'static str),
    Ended {
        stage: &'static str,
        took: Duration,
        /// Of what the stage found, if it finds anything.
        count: Option<usize>,
    },
    /// A probe is done, well or not.
    Probed(ProbeRun),
}

/// A search has few steps (its stages, and its probes, which have a limit), so nothing has to wait.
pub type Watcher = UnboundedSender<Step>;

pub struct Stages<'a> {
    pub began: Instant,
    last: Instant,
    timings: &'a mut Timings,
    watcher: Option<Watcher>,
}

impl<'a> Stages<'a> {
    /// Begins now.
    pub fn new(timings: &'a mut Timings) -> Self {
        let now = Instant::now();
        Self { began: now, last: now, timings, watcher: None }
    }

    pub fn watched(mut self, watcher: Option<Watcher>) -> Self {
        self.watcher = watcher;
        self
    }

    pub fn watcher(&self) -> Option<Watcher> {
        self.watcher.clone()
    }

    /// Only news: the time of a stage counts from the end of the one before.
    pub fn begin(&self, stage: &'static str) {
        self.tell(|| Step::Began(stage));
    }

    pub fn end(&mut self, stage: &'static str) {
        self.end_with(stage, None);
    }

    /// As `end`, with how much was found.
    pub fn end_with(&mut self, stage: &'static str, count: Option<usize>) {
        let took = self.last.elapsed();
        self.timings.push((stage, took));
        self.last = Instant::now();
        self.tell(|| Step::Ended { stage, took, count });
    }

    fn tell(&self, step: impl FnOnce() -> Step) {
        if let Some(watcher) = &self.watcher {
            // Nobody there any more is no failure of the search.
            let _ = watcher.send(step());
        }
    }
}
