//! Standard plugins outside of a server, and the index as their strategies see it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use corsac::app::standard_plugins;
use corsac::index::Snapshot;
use corsac::query::{Hits, Probe, Query, RetrievalError, Scope};
use corsac::runtime::{InstancePolicy, Loader, Plugin, PluginOptions, Retriever, Source};
use corsac::service::DEFAULT_WINDOW;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};

/// The file of a plugin that this binary carries.
pub fn bytes(name: &str) -> anyhow::Result<&'static [u8]> {
    let found = standard_plugins().iter().find(|(known, _)| *known == name);
    let missing = || format!("{name} is not built in; run `cargo xtask plugins` and build again");
    found.map(|(_, bytes)| *bytes).with_context(missing)
}

/// A plugin with the default limits, whose instances live as `instances` says.
pub async fn load(name: &str, instances: InstancePolicy) -> anyhow::Result<Plugin> {
    let loader = Arc::new(Loader::new(None)?);
    let options = move |_: &str| PluginOptions { instances, ..PluginOptions::default() };
    let loaded = loader.load(bytes(name)?.into(), &Source::Embedded(name.into()), &options).await?;
    loaded.into_iter().next().with_context(|| format!("{name} has no plugin in it"))
}

/// A query with the defaults of the HTTP face.
pub fn query(text: &str) -> Query {
    Query::new(text, DEFAULT_WINDOW)
}

/// Runs probes as the service does: each on a blocking thread, all at once.
pub struct SnapshotRetriever {
    pub snapshot: Snapshot,
    /// Hits of one probe at most, whatever it asks for.
    pub most: u32,
}

impl Retriever for SnapshotRetriever {
    fn retrieve(&self, probes: Vec<Probe>) -> BoxFuture<'_, Vec<Result<Hits, RetrievalError>>> {
        let deadline = Instant::now() + Duration::from_secs(10);
        let run = move |probe: Probe| {
            let (snapshot, most) = (self.snapshot.clone(), self.most);
            let work =
                tokio::task::spawn_blocking(move || snapshot.probe(&limited(probe, most), &Scope::default(), deadline));
            async move { work.await.unwrap_or_else(|error| Err(RetrievalError::Unavailable(error.to_string()))) }
        };
        // Lazy, so that the blocking work starts where it is awaited.
        async move { join_all(probes.into_iter().map(run)).await }.boxed()
    }
}

fn limited(mut probe: Probe, most: u32) -> Probe {
    let limit = match &mut probe {
        Probe::Text(probe) => &mut probe.limit,
        Probe::Vector(probe) => &mut probe.limit,
        Probe::Pattern(probe) => &mut probe.limit,
        Probe::Symbol(probe) => &mut probe.limit,
    };
    *limit = most.min(*limit);
    probe
}

/// Every probe finds nothing.
pub struct NothingFound;

impl Retriever for NothingFound {
    fn retrieve(&self, probes: Vec<Probe>) -> BoxFuture<'_, Vec<Result<Hits, RetrievalError>>> {
        std::future::ready(probes.iter().map(|_| Ok(Hits::default())).collect()).boxed()
    }
}
