//! From the world to the index: compares both once, then looks again at the agents that events name, and in
//! turn at all others while time passes. Nothing is remembered of how far it was; a comparison costs seconds
//! and is right whatever happened meanwhile, also after a world that was restored. Blocking work runs on
//! threads made for it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::StreamExt;
use futures::stream::BoxStream;
use parking_lot::RwLock;
use rayon::prelude::*;
use tokio_util::sync::CancellationToken;

use super::directory::Directory;
use super::patience::next_pause;
use super::profile::{self, Spirits};
use crate::ecs::World;
use crate::ecs::view::{AgentDetail, AgentView, EventView, WorldError};
use crate::ecs::world::{AgentFilter, PageOf};
use crate::index::{Change, Index, IndexError};

/// Between two commits, at least; what happens within it is one batch.
const BATCH: Duration = Duration::from_millis(250);
/// Agents that are read and written in one go.
const PAGE: usize = 2000;
/// Pages between two commits of a comparison: each makes a segment of the text index.
const PAGES_A_COMMIT: usize = 8;
/// Between two looks at what ticks do not tell, at least: who died, and whose traits drifted. Each takes one
/// page, so that a large world costs no more than a small one; it only comes round later.
const REVIEW: Duration = Duration::from_secs(5);

/// Why following stopped for a moment.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    World(#[from] WorldError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("the world of agents is {0}")]
    NotThere(String),
    #[error("events were missed")]
    Missed,
}

/// The world can be read: it is no half of one, and it is here.
pub(super) fn serves(world: &dyn World) -> bool {
    matches!(world.status().status.as_str(), "running" | "paused")
}

/// What a batch of events asks for.
#[derive(Default)]
struct Batch {
    agents: HashSet<String>,
    /// All agents may have changed.
    all: bool,
    ticked: bool,
}

/// The one writer of the index.
pub(super) struct Follower {
    world: Arc<dyn World>,
    index: Arc<Index>,
    directory: Arc<RwLock<Directory>>,
    spirits: Spirits,
    /// Of the document that was written last.
    sequence: u64,
    /// The agent up to which the directory was reviewed.
    reviewed: String,
    /// Agents that were not reviewed since the last tick.
    unreviewed: usize,
}

impl Follower {
    pub(super) fn new(world: Arc<dyn World>, index: Arc<Index>, directory: Arc<RwLock<Directory>>) -> Self {
        let sequence = index.applied();
        let spirits = Spirits::default();
        Self { world, index, directory, spirits, sequence, reviewed: String::new(), unreviewed: 0 }
    }

    pub(super) async fn run(self, closing: CancellationToken) {
        let (mut follower, mut pause) = (self, Duration::ZERO);
        loop {
            let begun = Instant::now();
            // Between batches only: one that has begun ends.
            let (back, result) = follower.follow(&closing).await;
            let Some(back) = back else { return };
            follower = back;
            let broken = matches!(result, Err(FollowError::Index(_)));
            pause = next_pause(pause, broken, begun.elapsed());
            match result {
                Ok(()) if closing.is_cancelled() => return,
                Ok(()) => tracing::debug!("the world ended its events; they are asked for again"),
                Err(error @ FollowError::Index(_)) => {
                    // It may claim what the index has not taken in; the comparison reads the index then.
                    follower.directory.write().clear();
                    tracing::warn!(%error, "agents cannot be indexed");
                }
                Err(error) => tracing::debug!(%error, "agents are not followed for a moment"),
            }
            tokio::select! {
                () = closing.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Until the events end, something fails or `closing`. Gives the follower back, unless a thread of it
    /// panicked.
    async fn follow(self, closing: &CancellationToken) -> (Option<Self>, Result<(), FollowError>) {
        // Before the comparison, so that nothing falls between them.
        let events = match self.world.watch(None).await {
            Ok(events) => events,
            Err(error) => return (Some(self), Err(error.into())),
        };
        let mut source = Events { events, last: None };
        let mut follower = match self.blocking(Self::compare).await {
            (Some(follower), Ok(())) => follower,
            ended => return ended,
        };
        let mut reviewed = Instant::now();
        loop {
            // Also when no tick follows: a clock that was stopped leaves what its last ticks did.
            let due = (follower.unreviewed > 0).then(|| reviewed + REVIEW);
            let batch = tokio::select! {
                () = closing.cancelled() => return (Some(follower), Ok(())),
                batch = source.batch(due) => batch,
            };
            let batch = match batch {
                Ok(Some(batch)) => batch,
                Ok(None) => return (Some(follower), Ok(())),
                Err(error) => return (Some(follower), Err(error)),
            };
            if batch.ticked {
                follower.unreviewed = follower.directory.read().len();
            }
            let Batch { agents, all, .. } = batch;
            let review = follower.unreviewed > 0 && reviewed.elapsed() >= REVIEW;
            let result = match all {
                true => follower.blocking(Self::compare).await,
                false => follower.blocking(move |follower| follower.look_at(agents, review)).await,
            };
            match result {
                (Some(back), Ok(())) => follower = back,
                ended => return ended,
            }
            if all || review {
                reviewed = Instant::now();
            }
        }
    }

    async fn blocking(
        mut self,
        work: impl FnOnce(&mut Self) -> Result<(), FollowError> + Send + 'static,
    ) -> (Option<Self>, Result<(), FollowError>) {
        let run = move || {
            let result = work(&mut self);
            (self, result)
        };
        match tokio::task::spawn_blocking(run).await {
            Ok((follower, result)) => (Some(follower), result),
            Err(error) => (None, Err(IndexError::Write(error.to_string()).into())),
        }
    }

    /// Makes index and directory what the world is, whatever they were.
    fn compare(&mut self) -> Result<(), FollowError> {
        let began = Instant::now();
        self.check()?;
        self.spirits = Spirits::of(self.world.catalogue());
        self.unreviewed = 0;
        let known = self.indexed()?;
        let (mut seen, mut written) = (HashSet::new(), 0);
        let filter = AgentFilter { active_only: true, ..AgentFilter::default() };
        for page in 0.. {
            let offset = (page * PAGE) as u64;
            let agents = self.world.agents(&filter, PageOf { offset, limit: PAGE as u32 }).items;
            if agents.is_empty() {
                break;
            }
            seen.extend(agents.iter().map(|agent| agent.agent_id.clone()));
            written += self.write(agents, &known)?;
            if page % PAGES_A_COMMIT == PAGES_A_COMMIT - 1 {
                self.commit()?;
            }
        }
        // A world that went away meanwhile has shown fewer agents than there are.
        self.check()?;
        // One that left lets others change places, behind the page that was being read.
        let unseen: Vec<String> = {
            let directory = self.directory.read();
            let names = known.keys().map(String::as_str).chain(directory.ids());
            let unseen: HashSet<&str> = names.filter(|id| !seen.contains(*id)).collect();
            unseen.into_iter().map(str::to_owned).collect()
        };
        let unseen_count = unseen.len();
        for ids in unseen.chunks(PAGE) {
            self.replace(ids, &known)?;
        }
        self.commit()?;
        let took = began.elapsed();
        tracing::info!(agents = seen.len(), written, unseen = unseen_count, ?took, "the index of agents is up to date");
        Ok(())
    }

    fn check(&self) -> Result<(), FollowError> {
        if serves(&*self.world) { Ok(()) } else { Err(FollowError::NotThere(self.world.status().status)) }
    }

    /// Digests of what the index holds, by agent; from the directory where that knows it.
    fn indexed(&self) -> Result<HashMap<String, u64>, IndexError> {
        let snapshot = self.index.snapshot();
        let documents = snapshot.documents()?;
        let mut indexed = HashMap::with_capacity(documents.len());
        let mut unknown = Vec::new();
        {
            let directory = self.directory.read();
            for document in documents {
                let Some(id) = document.path.strip_prefix(super::PATH).map(str::to_owned) else { continue };
                match directory.digest(&id) {
                    Some(digest) => drop(indexed.insert(id, digest)),
                    None => unknown.push((id, document)),
                }
            }
        }
        for part in unknown.chunks(PAGE) {
            let sequences: Vec<u64> = part.iter().map(|(_, document)| document.sequence).collect();
            let contents = snapshot.contents(&sequences)?;
            for (id, document) in part {
                let content = contents.get(&document.sequence).map(AsRef::as_ref).unwrap_or_default();
                let digest = profile::digest(document.title.as_deref().unwrap_or_default(), content);
                indexed.insert(id.clone(), digest);
            }
        }
        Ok(indexed)
    }

    /// Those in the directory that have died, if there are more in it than live. While births wait to be
    /// followed they hide deaths, until the next review.
    fn departed(&self) -> Vec<String> {
        let ids: Vec<String> = {
            let directory = self.directory.read();
            if directory.len() as u64 <= self.world.status().agent_count {
                return vec![];
            }
            directory.ids().map(str::to_owned).collect()
        };
        let mut departed = Vec::new();
        for ids in ids.chunks(PAGE) {
            let living = self.world.agents_by_id(ids).into_iter().filter(|agent| agent.active);
            let living: HashSet<String> = living.map(|agent| agent.agent_id).collect();
            departed.extend(ids.iter().filter(|id| !living.contains(*id)).cloned());
        }
        departed
    }

    /// The agents whose turn it is.
    fn next_page(&mut self) -> Vec<String> {
        let directory = self.directory.read();
        let page = directory.after(&self.reviewed, PAGE);
        // Fewer when agents have left meanwhile: none are owed that are not there.
        self.unreviewed = self.unreviewed.saturating_sub(page.len()).min(directory.len());
        drop(directory);
        // A short page is the last one.
        self.reviewed = page.last().filter(|_| page.len() == PAGE).cloned().unwrap_or_default();
        page
    }

    /// Looks again at a few agents, and with `review` at what ticks did; not visible until the commit at its
    /// end.
    fn look_at(&mut self, mut ids: HashSet<String>, review: bool) -> Result<(), FollowError> {
        if review {
            ids.extend(self.departed());
            ids.extend(self.next_page());
        }
        let ids: Vec<String> = ids.into_iter().collect();
        for ids in ids.chunks(PAGE) {
            let directory = self.directory.read();
            let known = ids.iter().filter_map(|id| Some((id.clone(), directory.digest(id)?))).collect();
            drop(directory);
            self.check()?;
            self.replace(ids, &known)?;
        }
        Ok(self.commit()?)
    }

    /// Writes those of `ids` that live and removes the others.
    fn replace(&mut self, ids: &[String], known: &HashMap<String, u64>) -> Result<(), FollowError> {
        let agents: Vec<AgentView> = self.world.agents_by_id(ids).into_iter().filter(|agent| agent.active).collect();
        let living: HashSet<&str> = agents.iter().map(|agent| agent.agent_id.as_str()).collect();
        let gone: Vec<&String> = ids.iter().filter(|id| !living.contains(id.as_str())).collect();
        let mut directory = self.directory.write();
        let gone = gone.into_iter().filter(|id| directory.remove(id) | known.contains_key(*id));
        let gone: Vec<u64> = gone.map(|id| profile::document_of(id)).collect();
        drop(directory);
        let removals = gone.into_iter().map(|document| {
            self.sequence += 1;
            Change::Remove { document, sequence: self.sequence }
        });
        let removals: Vec<Change> = removals.collect();
        self.index.apply(removals)?;
        self.write(agents, known)?;
        Ok(())
    }

    /// Writes those whose document is another than the known one; says how many.
    fn write(&mut self, agents: Vec<AgentView>, known: &HashMap<String, u64>) -> Result<usize, FollowError> {
        let (world, spirits) = (&self.world, &self.spirits);
        let texts: Vec<(AgentView, String, u64)> = agents
            .into_par_iter()
            .filter_map(|agent| {
                // One that has just left is told by an event, or by the next review. Of it the world keeps only
                // a name.
                let detail: AgentDetail = world.agent(&agent.agent_id).ok().filter(|detail| detail.agent.active)?;
                let content = profile::content(&detail, spirits);
                let digest = profile::digest(&agent.name, &content);
                Some((agent, content, digest))
            })
            .collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let mut versions = Vec::new();
        let mut digests = Vec::with_capacity(texts.len());
        for (agent, content, digest) in texts {
            if known.get(&agent.agent_id) != Some(&digest) {
                self.sequence += 1;
                versions.push(profile::document(&agent, content, self.sequence, now));
            }
            digests.push((agent, digest));
        }
        let written = versions.len();
        let index = &self.index;
        let prepare = |version| Change::Upsert(Box::new(index.prepare(version)));
        index.apply(versions.into_par_iter().map(prepare).collect())?;
        let mut directory = self.directory.write();
        digests.iter().for_each(|(agent, digest)| directory.insert(agent, *digest));
        Ok(written)
    }

    fn commit(&self) -> Result<(), IndexError> {
        if self.sequence == self.index.applied() { Ok(()) } else { self.index.commit(self.sequence) }
    }
}

/// The world's events in batches, without a gap.
struct Events {
    events: BoxStream<'static, EventView>,
    last: Option<u64>,
}

impl Events {
    /// Waits for the first event, until `due`, then for what comes within `BATCH`. None: they ended. Cancel safe
    /// as long as nobody goes on after it.
    async fn batch(&mut self, due: Option<Instant>) -> Result<Option<Batch>, FollowError> {
        let mut batch = Batch::default();
        let first = match due {
            None => self.events.next().await,
            Some(due) => match tokio::time::timeout_at(due.into(), self.events.next()).await {
                Ok(first) => first,
                Err(_) => return Ok(Some(batch)),
            },
        };
        let Some(first) = first else { return Ok(None) };
        self.take(first, &mut batch)?;
        let until = tokio::time::sleep(BATCH);
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => return Ok(Some(batch)),
                event = self.events.next() => match event {
                    Some(event) => self.take(event, &mut batch)?,
                    // The end comes again at the next call.
                    None => return Ok(Some(batch)),
                },
            }
        }
    }

    fn take(&mut self, event: EventView, batch: &mut Batch) -> Result<(), FollowError> {
        if self.last.is_some_and(|last| event.sequence > last + 1) {
            return Err(FollowError::Missed);
        }
        self.last = Some(event.sequence);
        match event.kind.as_str() {
            "created" | "bred" | "retired" => batch.agents.extend(event.agents),
            "ticked" => {
                batch.ticked = true;
                batch.agents.extend(event.agents);
            }
            "ruled" | "restored" | "genesis" => batch.all = true,
            _ => {}
        }
        Ok(())
    }
}
