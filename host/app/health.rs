//! Whether each part works. A part that has to be asked is asked at most once a second, however often
//! somebody wants to know, and gets a second to answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::App;
use crate::cache::{Figures, TierState};
use crate::http::{PartState, PartStatus};
use crate::index::ModelStats;
use crate::runtime::PluginKind;
use crate::store::Store;

/// How long an answer holds, and how long one is waited for.
const SECOND: Duration = Duration::from_secs(1);

/// Asks the store whether it is there.
pub(super) struct StoreProbe {
    store: Arc<dyn Store>,
    /// What it is.
    name: &'static str,
    /// Searches are answered by the store itself.
    needed: bool,
    last: Mutex<Option<(Instant, Result<(), &'static str>)>>,
}

impl StoreProbe {
    pub(super) fn new(store: Arc<dyn Store>, name: &'static str, needed: bool) -> Self {
        Self { store, name, needed, last: Mutex::default() }
    }

    async fn status(&self) -> PartStatus {
        let mut last = self.last.lock().await;
        let answer = match *last {
            Some((at, answer)) if at.elapsed() < SECOND => answer,
            _ => {
                let answer = match tokio::time::timeout(SECOND, self.store.ping()).await {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(error)) => {
                        tracing::debug!(%error, "the store is away");
                        Err("cannot be reached")
                    }
                    Err(_) => Err("does not answer"),
                };
                *last = Some((Instant::now(), answer));
                answer
            }
        };
        drop(last);
        let (state, detail) = match answer {
            Ok(()) => (PartState::Up, self.name.to_owned()),
            // It may well be there: calls wait for each other, not for the database.
            Err(_) if self.store.pool().is_some_and(|pool| pool.in_use >= pool.max) => {
                (PartState::Degraded, format!("all connections to {} are in use", self.name))
            }
            Err(reason) if self.needed => (PartState::Away, format!("{} {reason}", self.name)),
            Err(reason) => {
                let detail =
                    format!("{} {reason}; writes are refused, searches answer from this host's index", self.name);
                (PartState::Away, detail)
            }
        };
        PartStatus { name: "store", state, detail, needed: self.needed }
    }
}

impl App {
    /// Every part, in the order of its weight.
    pub(super) async fn parts_now(&self) -> Vec<PartStatus> {
        let (store, cache) = tokio::join!(self.store_probe.status(), self.cache.figures());
        let (own, shared) = (cache_part(&cache), redis_part(&cache));
        vec![store, self.index_part(), self.plugins_part(), self.world_part(), own, shared, self.upstreams.part()]
    }

    fn index_part(&self) -> PartStatus {
        let failing = self.ingest.followed().borrow().failure.is_some();
        let (state, detail) = if failing {
            (PartState::Degraded, "does not take changes at present; searches answer from what it has".to_owned())
        } else {
            let stats = self.index.snapshot().stats();
            (PartState::Up, format!("{} documents at {}{}", stats.documents, stats.generation, models(&stats.models)))
        };
        PartStatus { name: "index", state, detail, needed: false }
    }

    fn plugins_part(&self) -> PartStatus {
        let registry = self.runtime.registry();
        let failing = registry.failures().len();
        let (state, detail) = if registry.names(PluginKind::Strategy).is_empty() {
            let remedy = "no strategy is loaded: run `cargo xtask plugins` and build again, or give --plugins";
            (PartState::Away, remedy.to_owned())
        } else if failing > 0 {
            (PartState::Degraded, format!("{failing} plugin files do not load; /api/plugins says which and why"))
        } else {
            (PartState::Up, format!("{} loaded", registry.plugins().count()))
        };
        PartStatus { name: "plugins", state, detail, needed: true }
    }
}

/// What there is to say of the models; nothing where there is only the built-in one.
fn models(models: &[ModelStats]) -> String {
    let [_, better] = models else { return String::new() };
    let name = &better.name;
    match &better.failure {
        _ if better.answers => format!("; {name} answers vector probes"),
        None => format!("; {name} has {} of {} vectors", better.embedded, better.embedded + better.backlog),
        Some(reason) => format!("; {name} has {} vectors and does not go on: {reason}", better.embedded),
    }
}

fn cache_part(cache: &Figures) -> PartStatus {
    let (state, detail) = match cache.capacity_bytes {
        0 => (PartState::Off, "cache.bytes is 0".to_owned()),
        bytes => (PartState::Up, format!("in process, {} of {bytes} bytes", cache.bytes)),
    };
    PartStatus { name: "cache", state, detail, needed: false }
}

fn redis_part(cache: &Figures) -> PartStatus {
    let (state, detail) = match cache.shared.as_ref().map(|shared| &shared.state) {
        None => (PartState::Off, "REDIS_URL is not set".to_owned()),
        Some(TierState { available: false, since, last_error, .. }) => {
            let seconds = since.elapsed().unwrap_or_default().as_secs();
            let reason = last_error.as_deref().unwrap_or("it does not answer");
            (PartState::Away, format!("away for {seconds} s ({reason}); answers are not shared meanwhile"))
        }
        Some(TierState { writable: false, last_error, .. }) => {
            let reason = last_error.as_deref().unwrap_or("it refuses them");
            (PartState::Degraded, format!("is read, but takes no values at present: {reason}"))
        }
        Some(_) => (PartState::Up, "shared by hosts".to_owned()),
    };
    PartStatus { name: "redis", state, detail, needed: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_says_how_far_the_better_model_is() {
        let built_in = ModelStats { embedded: 8, ..ModelStats::default() };
        let said = |better: ModelStats| models(&[built_in.clone(), better]);
        let better = ModelStats { name: "fine".into(), embedded: 6, backlog: 2, ..ModelStats::default() };
        assert_eq!(said(better.clone()), "; fine has 6 of 8 vectors");
        let failing = ModelStats { failure: Some("no room".into()), ..better.clone() };
        assert_eq!(said(failing), "; fine has 6 vectors and does not go on: no room");
        assert_eq!(said(ModelStats { answers: true, ..better }), "; fine answers vector probes");
        assert_eq!(models(&[built_in]), "");
    }
}
