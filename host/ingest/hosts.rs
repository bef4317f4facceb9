//! What hosts over one store owe each other: one at a time indexes a root, those that live take over what
//! a dead one has left unfinished, and each keeps an ear on the store. With a store of its own, a host
//! gets every right at once and nothing here ever waits. Knows rights and tasks, not how their work is done.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::tasks::Entry;
use super::work::Work;
use super::{Ingest, IngestError, folder, renewal};
use crate::store::{Lease, Task, TaskState};

/// How often a host asks again for a right that another one has.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// How often a host looks for tasks of hosts that are gone.
const TAKE_OVER_EVERY: Duration = Duration::from_secs(4);

/// How often a host listens to a store that it shares, whatever else it does with it.
const LISTEN_EVERY: Duration = Duration::from_secs(1);

/// How often the state of another host's task is read for whoever watches it.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// Tasks that are looked through at the start; older ones are long over.
const RECENT_TASKS: u32 = 1000;

/// Runs a task to its end: as soon as it is its turn here and no other host indexes its root, and again
/// from the beginning when the right or the store was lost on the way; all that is unchanged by then is
/// only looked at.
pub(super) async fn work_off(ingest: &Ingest, entry: &Arc<Entry>) {
    loop {
        let turn = ingest.tasks.turn().await;
        let end = attempt(ingest, entry).await;
        drop(turn);
        match end {
            Err(error) if ingest.config.shared && error.may_pass() && !ingest.stop.is_cancelled() => {
                ingest.tasks.queue_again(entry, &error).await;
            }
            end => return ingest.tasks.end(entry, end, &ingest.stop).await,
        }
        if !pause(ingest, ASK_AGAIN).await {
            return ingest.tasks.end(entry, Err(IngestError::ShuttingDown), &ingest.stop).await;
        }
    }
}

/// Does a task's work, unless another host is at it.
async fn attempt(ingest: &Ingest, entry: &Arc<Entry>) -> Result<(), IngestError> {
    let elsewhere = || IngestError::Elsewhere { folder: entry.work.subject().to_owned() };
    match &entry.work {
        Work::Folder(plan) => {
            let claim = folder::claim(ingest, plan).await?.ok_or_else(elsewhere)?;
            ingest.tasks.run(entry, ingest.followed(), folder::index(ingest, entry, claim)).await
        }
        Work::Renewal => {
            let lease = ingest.store.lease(renewal::RIGHT).await?.ok_or_else(elsewhere)?;
            ingest.tasks.run(entry, ingest.followed(), renewal::renew(ingest, entry, lease)).await
        }
    }
}

/// Waits for a right, and says whether it was there at once. None when the server stops.
pub(super) async fn obtain(ingest: &Ingest, name: &str) -> Option<(Lease, bool)> {
    let mut at_once = true;
    while !ingest.stop.is_cancelled() {
        match ingest.store.lease(name).await {
            Ok(Some(lease)) => return Some((lease, at_once)),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, name, "cannot ask for a right"),
        }
        at_once = false;
        pause(ingest, ASK_AGAIN).await;
    }
    None
}

/// At the start: goes on with what a former life of this host and hosts that are gone have not finished.
pub(super) async fn resume_unfinished(ingest: &Ingest, message: &str) -> Result<(), IngestError> {
    let adopted = ingest.store.adopt_tasks(message).await?;
    let mut unfinished = ingest.store.tasks(RECENT_TASKS).await?;
    unfinished.retain(|task| !task.state.is_finished());
    ingest.store.interrupt_tasks(message).await?;
    let mut own = Vec::new();
    for task in unfinished {
        // What is not interrupted now belongs to a host that lives.
        own.extend(ingest.store.task(&task.id).await?.filter(|task| task.state == TaskState::Interrupted));
    }
    for task in adopted.into_iter().chain(own) {
        resume(ingest, task).await;
    }
    Ok(())
}

/// Takes over what hosts that die leave unfinished, until the server stops.
pub(super) async fn take_over(ingest: Ingest) {
    while pause(&ingest, TAKE_OVER_EVERY).await {
        // Right after an outage a host that lives may only not be back yet.
        if !ingest.follower.store_is_steady() {
            continue;
        }
        match ingest.store.adopt_tasks("the host that ran this task is gone").await {
            Ok(tasks) => {
                for task in tasks {
                    resume(&ingest, task).await;
                }
            }
            Err(error) => tracing::debug!(%error, "cannot look for tasks of hosts that are gone"),
        }
    }
}

/// Starts an interrupted task anew under its old id, or notes why this host cannot.
async fn resume(ingest: &Ingest, mut task: Task) {
    match Work::of(&task, &ingest.config) {
        Ok(work) => match ingest.tasks.readmit(task, work).await {
            Some(entry) => {
                tracing::info!(
                    task = entry.current().id,
                    subject = entry.work.subject(),
                    "takes over an unfinished task"
                );
                ingest.spawn_task(entry);
            }
            None => tracing::debug!("an unfinished task has become a part of another one"),
        },
        Err(error) => {
            let reason = format!("it did not end, and the host that took it over cannot run it: {error}");
            task.state = TaskState::Interrupted;
            task.error = Some(reason);
            if let Err(error) = ingest.store.save_task(&task).await {
                tracing::warn!(%error, task = task.id, "cannot save a task's state");
            }
        }
    }
}

/// Keeps an ear on a shared store until the server stops, also while the index is busy or the feed fails:
/// what the newest change is, and that the store is back.
pub(super) async fn listen(ingest: Ingest) {
    while pause(&ingest, LISTEN_EVERY).await {
        match ingest.store.last_sequence().await {
            Ok(sequence) => ingest.follower.heard(sequence),
            Err(error) => {
                tracing::debug!(%error, "the store does not answer");
                ingest.follower.missed();
            }
        }
    }
}

/// The states of a task that another host runs. The channel closes with the last one in it.
pub(super) fn watch_elsewhere(ingest: &Ingest, task: Task) -> watch::Receiver<Task> {
    let (publish, states) = watch::channel(task.clone());
    if !ingest.config.shared || task.state.is_finished() {
        return states;
    }
    let ingest = ingest.clone();
    tokio::spawn(async move {
        while pause(&ingest, WATCH_EVERY).await && !publish.is_closed() {
            let Ok(Some(now)) = ingest.store.task(&task.id).await else { continue };
            let over = now.state.is_finished();
            publish.send_if_modified(|before| {
                let news = *before != now;
                *before = now;
                news
            });
            if over {
                return;
            }
        }
    });
    states
}

/// Waits about so long, each time a little differently, so that hosts that were started together do not
/// ask together. False when the server stops.
pub(super) async fn pause(ingest: &Ingest, about: Duration) -> bool {
    let share = f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX);
    tokio::select! {
        () = tokio::time::sleep(about.mul_f64(0.75 + share / 2.0)) => true,
        () = ingest.stop.cancelled() => false,
    }
}
