//! Clearing on all hosts. A namespace has a generation, which is part of its keys: a newer one makes what
//! was before unfindable at once, and the keys themselves are then found with SCAN and given back with
//! UNLINK, in batches. Generations only grow; a Redis that has lost them is told them again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::cmd;

use super::connections::{Connections, Request};
use super::{EVERYTHING, SharedTier, TierError, unix_ms};

/// Keys that one SCAN looks at.
const SCANNED: usize = 1000;
/// How long the caller waits for the count; the rest is removed in the background.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a clear did beyond this host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cache) struct SharedCleared {
    /// Keys that were removed, as far as they were counted within two seconds.
    pub entries: u64,
    /// Other hosts that were told at once. Any that was not notices within a second.
    pub hosts: u64,
}

impl SharedTier {
    /// Forgets a namespace, or with none everything, as far as this host is concerned; `tell` does the rest.
    pub(in crate::cache) fn outdate(&self, namespace: Option<&str>) {
        let name = namespace.unwrap_or(EVERYTHING);
        let mut generations = self.generations.write();
        // Newer than all that are known: hosts' clocks differ, and of a namespace's own generation and that of
        // everything the newer one counts.
        let newest = generations.values().max().copied().unwrap_or(0);
        let generation = unix_ms().max(newest.saturating_add(1));
        generations.insert(name.to_owned(), generation);
        self.owed.lock().insert(name.to_owned(), generation);
    }

    /// Tells the tier and the other hosts what was outdated here. While the tier is away this is left to the
    /// background, which does it before the tier is used again.
    pub(in crate::cache) async fn tell(self: &Arc<Self>) -> SharedCleared {
        if !self.breaker.allows() {
            return SharedCleared::default();
        }
        match self.settle().await {
            Ok(cleared) => cleared,
            Err(error) => {
                self.failed(error);
                SharedCleared::default()
            }
        }
    }

    /// Does what is owed.
    pub(super) async fn settle(self: &Arc<Self>) -> Result<SharedCleared, TierError> {
        let mut cleared = SharedCleared::default();
        loop {
            let next = self.owed.lock().first_key_value().map(|(name, generation)| (name.clone(), *generation));
            let Some((name, generation)) = next else { return Ok(cleared) };
            let mut set = cmd("HSET");
            set.arg(self.generations_key()).arg(&name).arg(generation);
            match self.connections.ask_patiently::<u64>(Request::Command(set)).await {
                // Without room hosts are told by the message alone, and removing the keys makes room.
                Ok(_) | Err(TierError::Full) => {}
                Err(error) => return Err(error),
            }
            let mut publish = cmd("PUBLISH");
            publish.arg(self.channel()).arg(format!("{generation} {name}"));
            let told: u64 = self.connections.ask_patiently(Request::Command(publish)).await?;
            // Unless it was cleared once more meanwhile.
            self.owed.lock().retain(|owed, newest| *owed != name || *newest != generation);
            cleared.hosts = cleared.hosts.max(self.other_hosts(told).await);
            cleared.entries += self.sweep_for_a_while(name).await;
        }
    }

    /// Takes a generation in that another host has set; true if it is news.
    pub(super) fn adopt(&self, name: &str, generation: u64) -> bool {
        let mut generations = self.generations.write();
        let known = generations.get(name).copied().unwrap_or(0);
        if generation > known {
            generations.insert(name.to_owned(), generation);
        }
        generation > known
    }

    pub(super) fn generations_key(&self) -> String {
        format!("{}:generations", self.options.prefix)
    }

    pub(super) fn channel(&self) -> String {
        format!("{}:cleared", self.options.prefix)
    }

    /// Hosts that listen, without this one. A cluster's node counts only its own listeners, so all are asked.
    async fn other_hosts(&self, told: u64) -> u64 {
        let mut listeners = told;
        if self.connections.is_cluster() {
            let mut count = cmd("PUBSUB");
            count.arg("NUMSUB").arg(self.channel());
            let counts: Vec<(String, u64)> =
                self.connections.ask_patiently(Request::Everywhere(count)).await.unwrap_or_default();
            listeners = counts.iter().map(|(_, listeners)| listeners).sum();
        }
        listeners.saturating_sub(1)
    }

    async fn sweep_for_a_while(self: &Arc<Self>, name: String) -> u64 {
        let removed = Arc::new(AtomicU64::new(0));
        let sweep = tokio::spawn({
            let (tier, removed) = (self.clone(), removed.clone());
            async move {
                if let Err(error) = tier.sweep(&name, &removed).await {
                    // Nobody finds the keys that are left; their life times end them.
                    tracing::debug!(%error, "clearing the shared cache ended early");
                }
                tier.counters.deletes.fetch_add(removed.load(Ordering::Relaxed), Ordering::Relaxed);
            }
        });
        let _ = tokio::time::timeout(PATIENCE, sweep).await;
        removed.load(Ordering::Relaxed)
    }

    async fn sweep(&self, name: &str, removed: &AtomicU64) -> Result<(), TierError> {
        let start = format!("{}:v1:", self.options.prefix);
        let pattern = match name {
            EVERYTHING => format!("{}*", escaped(&start)),
            name => format!("{}*", escaped(&self.start_of(name))),
        };
        for node in masters(&self.connections).await? {
            let mut cursor = 0_u64;
            loop {
                let mut scan = cmd("SCAN");
                scan.arg(cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SCANNED);
                let (next, mut keys): (u64, Vec<String>) =
                    self.connections.ask_patiently(Request::At(scan, node.clone())).await?;
                keys.retain(|key| key.strip_prefix(&start).is_some_and(|rest| self.is_outdated(rest)));
                if !keys.is_empty() {
                    let mut unlink = cmd("UNLINK");
                    unlink.arg(&keys);
                    let count: u64 = self.connections.ask_patiently(Request::Command(unlink)).await?;
                    removed.fetch_add(count, Ordering::Relaxed);
                }
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Of `namespace:generation:digest`: what was written after the clear stays.
    fn is_outdated(&self, rest: &str) -> bool {
        let Some((namespace, rest)) = rest.split_once(':') else { return false };
        let generation = rest.split_once(':').and_then(|(generation, _)| generation.parse::<u64>().ok());
        generation.is_some_and(|generation| generation < self.generation(namespace))
    }
}

/// Where to scan: every master of a cluster, else the one server.
async fn masters(connections: &Connections) -> Result<Vec<Option<(String, u16)>>, TierError> {
    if !connections.is_cluster() {
        return Ok(vec![None]);
    }
    let mut nodes = cmd("CLUSTER");
    nodes.arg("NODES");
    let list: String = connections.ask_patiently(Request::Command(nodes)).await?;
    Ok(list.lines().filter_map(master).map(Some).collect())
}

/// Of a line such as `07c3 127.0.0.1:30004@31004,host master - 0 1426238317239 4 connected 0-5460`.
fn master(line: &str) -> Option<(String, u16)> {
    let mut fields = line.split(' ').skip(1);
    let (address, flags) = (fields.next()?, fields.next()?);
    let mut flags = flags.split(',');
    if !flags.clone().any(|flag| flag == "master") || flags.any(|flag| flag.starts_with("fail")) {
        return None;
    }
    let (host, port) = address.split(['@', ',']).next()?.rsplit_once(':')?;
    Some((host.to_owned(), port.parse().ok()?))
}

/// As SCAN's patterns want letters that would mean something.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if "*?[]\\^".contains(letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masters_are_read_from_the_list_of_nodes() {
        // From the documentation of CLUSTER NODES.
        let lines = [
            "07c37dfeb235213a872192d90877d0cd55635b91 127.0.0.1:30004@31004,hostname4 slave e7d1eec 0 1426238317239 4 connected",
            "67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1 127.0.0.1:30002@31002,hostname2 master - 0 1426238316232 2 connected 5461-10922",
            "e7d1eecce10fd6bb5eb35b9f99a514335d9ba9ca 127.0.0.1:30001@31001 myself,master - 0 0 1 connected 0-5460",
            "292f8b365bb7edb5e285caf0b7e6ddc7265d2f4f 127.0.0.1:30003@31003 master,fail - 0 1426238318243 3 disconnected",
        ];
        let ports: Vec<u16> = lines.iter().filter_map(|line| master(line)).map(|(_, port)| port).collect();
        assert_eq!(ports, [30002, 30001]);
    }

    #[test]
    fn patterns_mean_what_they_say() {
        assert_eq!(escaped("a*b?[c]"), "a\\*b\\?\\[c\\]");
    }
}
