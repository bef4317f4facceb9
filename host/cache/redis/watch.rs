//! The background work of the shared tier: looks for it while it is away, asks whether another host has
//! cleared something, listens for being told so, and reads how large Redis is.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::StreamExt;
use redis::cmd;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::connections::Request;
use super::{EVERYTHING, SharedTier, TierError};

/// Between looks for a tier that is away: twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Between readings of sizes.
const MEASURED_EVERY: Duration = Duration::from_secs(10);

/// A namespace that another host has cleared; none: all.
pub(in crate::cache) type ClearedElsewhere = Option<String>;

impl SharedTier {
    /// One look, for the start: true when the tier can be used from now on.
    pub async fn open(self: &Arc<Self>) -> bool {
        match self.synchronise().await {
            Ok(_) => {
                self.breaker.close();
                self.measure().await;
            }
            Err(error) => self.breaker.still_away(error),
        }
        self.breaker.allows()
    }

    /// Works until `closing`.
    pub(in crate::cache) async fn watch(
        self: Arc<Self>,
        cleared: UnboundedSender<ClearedElsewhere>,
        closing: CancellationToken,
    ) {
        let work = futures::future::join(self.look_again_and_again(&cleared), self.listen(&cleared));
        tokio::select! {
            () = closing.cancelled() => {}
            _ = work => {}
        }
    }

    async fn look_again_and_again(self: &Arc<Self>, cleared: &UnboundedSender<ClearedElsewhere>) {
        let mut wait = FIRST_WAIT;
        let mut measured: Option<Instant> = None;
        loop {
            let was_open = !self.breaker.allows();
            match self.synchronise().await {
                Ok(news) => {
                    wait = FIRST_WAIT;
                    // Before the breaker closes: nobody may find what another has cleared.
                    news.into_iter().for_each(|namespace| {
                        let _ = cleared.send(namespace);
                    });
                    if was_open {
                        self.breaker.close();
                    }
                    if measured.is_none_or(|at| at.elapsed() >= MEASURED_EVERY) {
                        measured = Some(Instant::now());
                        self.measure().await;
                    }
                }
                Err(error) if was_open => self.breaker.still_away(error),
                Err(error) => self.failed(error),
            }
            if self.breaker.allows() {
                tokio::select! {
                    () = tokio::time::sleep(self.options.poll) => {}
                    () = self.breaker.opened.notified() => {}
                }
            } else {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
    }

    /// Does what is owed, then compares generations; what others have cleared since the last time.
    async fn synchronise(self: &Arc<Self>) -> Result<Vec<ClearedElsewhere>, TierError> {
        self.settle().await?;
        let mut all = cmd("HGETALL");
        all.arg(self.generations_key());
        let there: HashMap<String, u64> = self.connections.ask_patiently(Request::Command(all)).await?;
        let news = there.iter().filter(|(name, generation)| self.adopt(name, **generation));
        let news = news.map(|(name, _)| namespace(name)).collect();
        // It was restarted, or had to make room: without this, hosts that start later would not know.
        let known = self.generations.read().clone();
        for (name, generation) in known {
            if there.get(&name).is_none_or(|there| *there < generation) {
                let mut set = cmd("HSET");
                set.arg(self.generations_key()).arg(name).arg(generation);
                match self.connections.ask_patiently::<u64>(Request::Command(set)).await {
                    // Without room there is nothing to remember either.
                    Ok(_) | Err(TierError::Full) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(news)
    }

    async fn listen(self: &Arc<Self>, cleared: &UnboundedSender<ClearedElsewhere>) {
        loop {
            if self.breaker.allows()
                && let Ok(listener) = self.connections.listen(&self.channel()).await
            {
                let mut messages = listener.into_on_message();
                while let Some(message) = messages.next().await {
                    let Ok(text) = std::str::from_utf8(message.get_payload_bytes()) else { continue };
                    let Some((generation, name)) = text.split_once(' ') else { continue };
                    let Ok(generation) = generation.parse() else { continue };
                    if self.adopt(name, generation) {
                        let _ = cleared.send(namespace(name));
                    }
                }
            }
            tokio::time::sleep(FIRST_WAIT).await;
        }
    }

    /// Sizes over all nodes. Some servers do not tell; then they stay zero.
    async fn measure(&self) {
        let Ok(texts) = self.connections.ask_patiently::<Vec<String>>(Request::Everywhere(cmd("INFO"))).await else {
            return;
        };
        let sum = |field: &str| -> u64 {
            let lines = texts.iter().flat_map(|text| text.lines());
            lines.filter_map(|line| line.strip_prefix(field)?.strip_prefix(':')?.trim().parse::<u64>().ok()).sum()
        };
        self.counters.memory_usage_bytes.store(sum("used_memory"), Ordering::Relaxed);
        self.counters.evictions.store(sum("evicted_keys"), Ordering::Relaxed);
        let sizes = self.connections.ask_patiently::<Vec<u64>>(Request::Everywhere(cmd("DBSIZE"))).await;
        self.counters.key_count.store(sizes.unwrap_or_default().iter().sum(), Ordering::Relaxed);
    }
}

fn namespace(name: &str) -> ClearedElsewhere {
    (name != EVERYTHING).then(|| name.to_owned())
}
