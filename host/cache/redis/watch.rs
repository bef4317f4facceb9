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
use super::{EVERYTHING, SharedTier, TierError, count};

/// Between looks for a tier that is away: twice as long each time.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// In use for so long, it counts as well again.
const STEADY: Duration = Duration::from_secs(10);
/// Between readings of sizes.
const MEASURED_EVERY: Duration = Duration::from_secs(10);

/// Beside the generations: a number that is gone when Redis has lost what it had. Not the name of a namespace.
const MARK: &str = "~";

/// A namespace that another host has cleared; none: all.
pub(in crate::cache) type ClearedElsewhere = Option<String>;

impl SharedTier {
    /// One look, for the start: true when the tier can be used from now on.
    pub async fn open(self: &Arc<Self>) -> bool {
        match self.synchronise().await {
            Ok(_) if self.is_prompt().await => {
                self.breaker.close();
                self.measure().await;
            }
            Ok(_) => self.breaker.still_away(TierError::TimedOut),
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
        let (mut wait, mut closed, mut measured) = (FIRST_WAIT, Instant::now(), None::<Instant>);
        loop {
            if self.breaker.allows() {
                tokio::select! {
                    () = tokio::time::sleep(self.options.poll) => {}
                    () = self.breaker.opened.notified() => {}
                }
            }
            let was_away = !self.breaker.allows();
            if was_away {
                // What goes away again as soon as it has come back is left alone for longer and longer.
                if closed.elapsed() > STEADY {
                    wait = FIRST_WAIT;
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            match self.synchronise().await {
                // Before the breaker closes: nobody may find what another has cleared.
                Ok(news) => news.into_iter().for_each(|namespace| {
                    let _ = cleared.send(namespace);
                }),
                Err(error) if was_away => {
                    self.breaker.still_away(error);
                    continue;
                }
                Err(error) => {
                    self.failed(error);
                    continue;
                }
            }
            if was_away {
                if !self.is_prompt().await {
                    self.breaker.still_away(TierError::TimedOut);
                    continue;
                }
                closed = Instant::now();
                self.breaker.close();
            }
            if measured.is_none_or(|at| at.elapsed() >= MEASURED_EVERY) {
                measured = Some(Instant::now());
                self.measure().await;
            }
        }
    }

    /// Whether it answers in the time that a request has.
    async fn is_prompt(&self) -> bool {
        self.connections.ask::<redis::Value>(Request::Command(cmd("PING"))).await.is_ok()
    }

    /// Does what is owed, then compares generations; what others have cleared since the last time.
    async fn synchronise(self: &Arc<Self>) -> Result<Vec<ClearedElsewhere>, TierError> {
        self.settle().await?;
        let mut all = cmd("HGETALL");
        all.arg(self.generations_key());
        let mut there: HashMap<String, u64> = self.connections.ask_patiently(Request::Command(all)).await?;
        self.notice_loss(there.remove(MARK)).await?;
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
        // Last, because what was adopted is news only once: no failure may come between it and who has to know.
        let news = there.iter().filter(|(name, generation)| self.adopt(name, **generation));
        Ok(news.map(|(name, _)| namespace(name)).collect())
    }

    /// A restart can be over before anybody notices it; then the mark is another, or none.
    async fn notice_loss(&self, mark: Option<u64>) -> Result<(), TierError> {
        let mark = match mark {
            Some(mark) => mark,
            None => {
                let mut random = [0; 8];
                let _ = getrandom::fill(&mut random);
                // A positive signed number, as Redis knows them.
                let mark = (u64::from_le_bytes(random) >> 1).max(1);
                let mut set = cmd("HSETNX");
                set.arg(self.generations_key()).arg(MARK).arg(mark);
                match self.connections.ask_patiently::<u64>(Request::Command(set)).await {
                    Ok(1) => mark,
                    // Another host was first, or there is no room; the next look tells.
                    Ok(_) | Err(TierError::Full) => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        };
        let before = self.mark.swap(mark, Ordering::Relaxed);
        if before != 0 && before != mark {
            count(&self.losses);
        }
        Ok(())
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
