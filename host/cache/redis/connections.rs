//! Connections to Redis, alone or as a cluster: opened when they are needed, as many as calls are under
//! way at the same time up to a limit, each call within its time. Errors are told in words of our own,
//! because the driver's may quote addresses and passwords.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo};
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, Value};
use tokio::sync::Mutex;

/// Looks in the background may take longer than requests: a connection with TLS is several round trips.
const LEAST_BACKGROUND_TIMEOUT: Duration = Duration::from_secs(1);

/// Why a call gave nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TierError {
    #[error("redis did not answer in time")]
    TimedOut,
    #[error("redis cannot be reached; check its address, and with `rediss://` that its certificate is trusted here")]
    Unreachable,
    #[error("redis has no room left or is read-only; raise maxmemory, or set a maxmemory-policy that evicts")]
    Full,
    #[error("redis refuses the credentials or the command; check the url's user and password and its rights")]
    Refused,
    #[error("redis holds something else under the key")]
    Foreign,
    #[error("what answers does not speak the protocol of redis")]
    Garbage,
    #[error("redis answers with an error")]
    Failed,
}

impl TierError {
    /// Whether asking again is likely to fail too.
    pub(super) fn means_away(self) -> bool {
        !matches!(self, Self::Full | Self::Foreign)
    }
}

/// The URL is no address of Redis; says why without repeating it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "redis.url (REDIS_URL) {0}; it is like `redis://:password@host:6379/1`, or several of them with commas between"
)]
pub struct BadUrl(pub(super) &'static str);

enum Target {
    Single(Box<Client>),
    Cluster { client: Box<ClusterClient>, nodes: Vec<Client> },
}

/// One connection; clones share it.
#[derive(Clone)]
enum Link {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// What is sent.
pub(super) enum Request {
    Command(Cmd),
    /// In a cluster, all keys must lie in one slot. Answers with a list, one value a command.
    Pipeline(Pipeline),
    /// In a cluster to every master. Answers with a list, one value a node.
    Everywhere(Cmd),
    /// In a cluster to the master that is meant; elsewhere to the only one.
    At(Cmd, Option<(String, u16)>),
}

/// Room for one connection.
#[derive(Default)]
struct Slot {
    link: Option<Link>,
    /// Counts the connections that were made here, so that only the broken one is given up, not the next.
    number: u64,
}

pub(super) struct Connections {
    target: Target,
    slots: Vec<Mutex<Slot>>,
    under_way: AtomicUsize,
    timeout: Duration,
}

/// Counts a call as under way until dropped.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connections {
    /// Connects to nobody yet. Several URLs, separated by commas, are nodes of a cluster.
    pub fn new(url: &str, most: usize, timeout: Duration) -> Result<Self, BadUrl> {
        // An error means that some other part of the process was first, with the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let urls: Vec<&str> = url.split(',').map(str::trim).filter(|url| !url.is_empty()).collect();
        let client = |url: &str| Client::open(url).map_err(|_| BadUrl("is not understood"));
        let target = match urls[..] {
            [] => return Err(BadUrl("is empty")),
            [url] => Target::Single(Box::new(client(url)?)),
            _ => {
                let nodes = urls.iter().map(|url| client(url)).collect::<Result<_, _>>()?;
                let cluster = ClusterClient::builder(urls)
                    .connection_timeout(timeout.max(LEAST_BACKGROUND_TIMEOUT))
                    .response_timeout(timeout)
                    .overall_response_timeout(Some(timeout))
                    .retries(1)
                    .build()
                    .map_err(|_| BadUrl("names nodes that differ in user, password or protocol"))?;
                Target::Cluster { client: Box::new(cluster), nodes }
            }
        };
        let slots = (0..most.max(1)).map(|_| Mutex::default()).collect();
        Ok(Self { target, slots, under_way: AtomicUsize::new(0), timeout })
    }

    pub fn is_cluster(&self) -> bool {
        matches!(self.target, Target::Cluster { .. })
    }

    /// Open connections (one to a cluster counts once), and how many there may be.
    pub fn counts(&self) -> (u64, u64) {
        let open = self.slots.iter().filter(|slot| slot.try_lock().is_ok_and(|slot| slot.link.is_some())).count();
        (open as u64, self.slots.len() as u64)
    }

    /// For a request that waits.
    pub async fn ask<T: FromRedisValue>(&self, request: Request) -> Result<T, TierError> {
        self.within(self.timeout, request).await
    }

    /// For work in the background.
    pub async fn ask_patiently<T: FromRedisValue>(&self, request: Request) -> Result<T, TierError> {
        self.within(self.timeout.max(LEAST_BACKGROUND_TIMEOUT), request).await
    }

    /// A connection that only listens to a channel.
    pub async fn listen(&self, channel: &str) -> Result<PubSub, TierError> {
        let clients = match &self.target {
            Target::Single(client) => std::slice::from_ref(&**client),
            // A cluster passes messages on between its nodes.
            Target::Cluster { nodes, .. } => nodes,
        };
        let mut outcome = Err(TierError::Unreachable);
        for client in clients {
            let subscribe = async {
                let mut listener = client.get_async_pubsub().await?;
                listener.subscribe(channel).await?;
                Ok(listener)
            };
            outcome = match tokio::time::timeout(self.timeout.max(LEAST_BACKGROUND_TIMEOUT), subscribe).await {
                Ok(listening) => listening.map_err(|error| classify(&error)),
                Err(_) => Err(TierError::TimedOut),
            };
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    async fn within<T: FromRedisValue>(&self, time: Duration, request: Request) -> Result<T, TierError> {
        let others = self.under_way.fetch_add(1, Ordering::Relaxed);
        let _under_way = UnderWay(&self.under_way);
        // As many connections as calls at once; while there is one call, there is one connection.
        let Some(slot) = self.slots.get(others.min(self.slots.len() - 1)) else { return Err(TierError::Unreachable) };
        // The number of the connection that was used last.
        let mut used = 0;
        let exchange = async {
            let (link, number, is_new) = self.link(slot).await?;
            used = number;
            match link.send(&request).await {
                // It was closed while nobody used it, by a restart or an idle time-out: that says nothing of now.
                Err(error) if !is_new && classify(&error) == TierError::Unreachable => {
                    {
                        let mut slot = slot.lock().await;
                        if slot.number == number {
                            slot.link = None;
                        }
                    }
                    let (link, number, _) = self.link(slot).await?;
                    used = number;
                    link.send(&request).await
                }
                outcome => outcome,
            }
        };
        let error = match tokio::time::timeout(time, exchange).await {
            Ok(Ok(value)) => match redis::from_redis_value(value) {
                Ok(value) => return Ok(value),
                Err(_) => TierError::Garbage,
            },
            Ok(Err(error)) => classify(&error),
            Err(_) => TierError::TimedOut,
        };
        // What hung or broke is not used again; a cluster's connection mends itself, node by node.
        let broken = matches!(error, TierError::TimedOut | TierError::Unreachable | TierError::Garbage);
        if broken
            && let Ok(mut slot) = slot.try_lock()
            && slot.number == used
        {
            slot.link.take_if(|link| matches!(link, Link::Single(_)) || error == TierError::Unreachable);
        }
        Err(error)
    }

    /// Its number in the slot, and whether it was just made.
    async fn link(&self, slot: &Mutex<Slot>) -> RedisResult<(Link, u64, bool)> {
        let mut slot = slot.lock().await;
        if let Some(link) = &slot.link {
            return Ok((link.clone(), slot.number, false));
        }
        let patience = self.timeout.max(LEAST_BACKGROUND_TIMEOUT);
        let link = match &self.target {
            Target::Single(client) => {
                // Times are kept here, around connecting and answering together.
                let options = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(patience))
                    .set_response_timeout(Some(patience));
                Link::Single(client.get_multiplexed_async_connection_with_config(&options).await?)
            }
            Target::Cluster { client, .. } => Link::Cluster(client.get_async_connection().await?),
        };
        slot.link = Some(link.clone());
        slot.number += 1;
        Ok((link, slot.number, true))
    }
}

impl Link {
    async fn send(self, request: &Request) -> RedisResult<Value> {
        match (self, request) {
            (Self::Single(mut link), Request::Command(command) | Request::At(command, _)) => {
                command.query_async(&mut link).await
            }
            (Self::Single(mut link), Request::Everywhere(command)) => {
                Ok(Value::Array(vec![command.query_async(&mut link).await?]))
            }
            (Self::Single(mut link), Request::Pipeline(pipeline)) => pipeline.query_async(&mut link).await,
            (Self::Cluster(mut link), Request::Pipeline(pipeline)) => pipeline.query_async(&mut link).await,
            (Self::Cluster(mut link), Request::Command(command) | Request::At(command, None)) => {
                command.query_async(&mut link).await
            }
            (Self::Cluster(mut link), Request::At(command, Some((host, port)))) => {
                let node = SingleNodeRoutingInfo::ByAddress { host: host.clone(), port: *port };
                link.route_command(command.clone(), RoutingInfo::SingleNode(node)).await?.extract_error()
            }
            (Self::Cluster(mut link), Request::Everywhere(command)) => {
                let nodes = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
                // Without a policy the answers come as a map from the node's address.
                match link.route_command(command.clone(), nodes).await? {
                    Value::Map(answers) => Ok(Value::Array(answers.into_iter().map(|(_, answer)| answer).collect())),
                    other => Ok(Value::Array(vec![other])),
                }
            }
        }
    }
}

fn classify(error: &RedisError) -> TierError {
    match (error.code(), error.kind()) {
        _ if error.is_timeout() => TierError::TimedOut,
        (Some("OOM" | "READONLY" | "MISCONF"), _) => TierError::Full,
        (Some("WRONGTYPE"), _) => TierError::Foreign,
        (Some("NOAUTH" | "WRONGPASS" | "NOPERM"), _) | (_, ErrorKind::AuthenticationFailed) => TierError::Refused,
        (_, ErrorKind::Parse | ErrorKind::UnexpectedReturnType) => TierError::Garbage,
        (_, ErrorKind::Io | ErrorKind::ClusterConnectionNotFound) => TierError::Unreachable,
        _ => TierError::Failed,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use tokio::io::AsyncReadExt;

    use super::*;

    #[test]
    fn a_bad_url_is_not_repeated() {
        for url in ["", ",", "http://user:secret@host", "redis://user:secret@host:port", "not a url with secret"] {
            let Err(error) = Connections::new(url, 1, Duration::from_secs(1)) else { panic!("{url} was taken") };
            assert!(error.to_string().contains("REDIS_URL") && !error.to_string().contains("secret"), "{error}");
        }
    }

    #[tokio::test]
    async fn nobody_there_is_unreachable() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let connections = Connections::new(&format!("redis://127.0.0.1:{port}"), 4, Duration::from_secs(5)).unwrap();
        let answer: Result<String, _> = connections.ask(Request::Command(redis::cmd("PING"))).await;
        assert_eq!(answer, Err(TierError::Unreachable));
    }

    #[tokio::test]
    async fn a_url_with_two_s_speaks_tls() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("rediss://:secret@localhost:{}", listener.local_addr().unwrap().port());
        let connections = Connections::new(&url, 1, Duration::from_secs(30)).unwrap();
        let hello = async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut first = [0; 3];
            stream.read_exact(&mut first).await.unwrap();
            first
        };
        let ask = connections.ask::<String>(Request::Command(redis::cmd("PING")));
        let (first, answer) = futures::future::join(hello, ask).await;
        // RFC 8446, section 5.1: a handshake record, with the legacy version of a first hello.
        assert_eq!(first, [22, 3, 1]);
        assert_eq!(answer, Err(TierError::Unreachable));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_connection_that_a_restart_has_closed_costs_no_failure() {
        let mut server = services::Redis::start();
        let connections = Connections::new(&server.url(), 1, Duration::from_secs(30)).unwrap();
        let ping = || connections.ask::<String>(Request::Command(redis::cmd("PING")));
        assert_eq!(ping().await, Ok("PONG".to_owned()));
        server.restart();
        assert_eq!(ping().await, Ok("PONG".to_owned()));
        server.kill();
        assert_eq!(ping().await, Err(TierError::Unreachable));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn as_many_connections_as_calls_at_once_up_to_the_limit() {
        let server = services::Redis::start();
        let connections = Connections::new(&server.url(), 3, Duration::from_secs(30)).unwrap();
        for _ in 0..5 {
            let answer: String = connections.ask(Request::Command(redis::cmd("PING"))).await.unwrap();
            assert_eq!(answer, "PONG");
        }
        assert_eq!(connections.counts(), (1, 3));
        server.pause();
        let many =
            futures::future::join_all((0..50).map(|_| connections.ask::<String>(Request::Command(redis::cmd("PING")))));
        let (answers, ()) = futures::future::join(many, async {
            tokio::task::yield_now().await;
            server.resume();
        })
        .await;
        assert!(answers.iter().all(|answer| answer == &Ok("PONG".to_owned())), "{answers:?}");
        assert_eq!(connections.counts(), (3, 3));
    }
}
