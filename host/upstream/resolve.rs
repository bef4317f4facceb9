//! From names to addresses that may be called. The addresses given are the ones that are connected to, so that a
//! name which is answered differently the next time (DNS rebinding) gains nothing. Knows nothing of requests.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use parking_lot::Mutex;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::policy::Policy;

/// Asks the system, or in tests somebody else.
pub(super) trait Lookup: Send + Sync + 'static {
    fn lookup(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>>;
}

/// What the system's resolver says.
pub(super) struct System;

impl Lookup for System {
    fn lookup(&self, name: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// A name stands for nothing that may be called. Found again as the source of the client's error.
#[derive(Debug, thiserror::Error)]
#[error(
    "{name} has the address {address}, which is not public: add its network to upstream.allowed_networks if it is meant"
)]
pub(super) struct Forbidden {
    name: String,
    address: IpAddr,
}

/// Keeps what it was told for a while. Only names that are listed are ever asked, so it stays small.
pub(super) struct Resolver {
    inner: Arc<Inner>,
}

struct Inner {
    lookup: Box<dyn Lookup>,
    policy: Arc<Policy>,
    life: Duration,
    known: Mutex<HashMap<String, (Instant, Vec<IpAddr>)>>,
}

impl Resolver {
    /// Answers are kept for `life`; zero: not at all.
    pub fn new(lookup: impl Lookup, policy: Arc<Policy>, life: Duration) -> Self {
        Self { inner: Arc::new(Inner { lookup: Box::new(lookup), policy, life, known: Mutex::default() }) }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let inner = self.inner.clone();
        Box::pin(async move {
            let addresses = inner.resolve(name.as_str()).await?;
            let addresses: Addrs = Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(addresses)
        })
    }
}

impl Inner {
    /// At least one address, all of them permitted.
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let known = self.known.lock().get(name).filter(|(until, _)| Instant::now() < *until).cloned();
        let addresses = match known {
            Some((_, addresses)) => addresses,
            None => {
                let found = self.lookup.lookup(name.to_owned()).await?;
                if !found.is_empty() && !self.life.is_zero() {
                    self.known.lock().insert(name.to_owned(), (Instant::now() + self.life, found.clone()));
                }
                found
            }
        };
        let (good, bad): (Vec<IpAddr>, Vec<IpAddr>) =
            addresses.into_iter().partition(|address| self.policy.permits(name, *address));
        match (good.is_empty(), bad.first()) {
            (false, _) => Ok(good),
            (true, Some(address)) => Err(Box::new(Forbidden { name: name.to_owned(), address: *address })),
            (true, None) => Err("the name has no address".into()),
        }
    }
}

#[cfg(test)]
pub(super) mod fake {
    //! A name server that says what tests want, one answer after the other.

    use super::*;

    pub struct Answers(pub Arc<Mutex<(u32, Vec<Vec<IpAddr>>)>>);

    impl Answers {
        /// The last answer is given again and again.
        pub fn new(answers: &[&[&str]]) -> Self {
            let parse = |texts: &&[&str]| texts.iter().filter_map(|text| text.parse().ok()).collect();
            Self(Arc::new(Mutex::new((0, answers.iter().map(parse).collect()))))
        }
    }

    impl Lookup for Answers {
        fn lookup(&self, _: String) -> BoxFuture<'static, std::io::Result<Vec<IpAddr>>> {
            let mut state = self.0.lock();
            state.0 += 1;
            let answer = if state.1.len() > 1 { state.1.remove(0) } else { state.1[0].clone() };
            Box::pin(async move { Ok(answer) })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::fake::Answers;
    use super::*;

    /// How often a name was looked up, and the answers that are left.
    type Asked = Arc<Mutex<(u32, Vec<Vec<IpAddr>>)>>;

    fn inner(answers: &[&[&str]], life: Duration) -> (Inner, Asked) {
        let answers = Answers::new(answers);
        let asked = answers.0.clone();
        (Inner { lookup: Box::new(answers), policy: Arc::default(), life, known: Mutex::default() }, asked)
    }

    #[tokio::test]
    async fn an_answer_is_kept_for_its_life() {
        let (kept, asked) = inner(&[&["8.8.8.8"], &["9.9.9.9"]], Duration::from_secs(300));
        assert_eq!(kept.resolve("a").await.unwrap(), kept.resolve("a").await.unwrap());
        assert_eq!(asked.lock().0, 1);
        let (fresh, asked) = inner(&[&["8.8.8.8"], &["9.9.9.9"]], Duration::ZERO);
        assert_ne!(fresh.resolve("a").await.unwrap(), fresh.resolve("a").await.unwrap());
        assert_eq!(asked.lock().0, 2);
    }

    #[tokio::test]
    async fn an_address_inside_is_left_out_and_one_alone_is_refused() {
        let (mixed, _) = inner(&[&["127.0.0.1", "8.8.8.8"]], Duration::ZERO);
        assert_eq!(mixed.resolve("a").await.unwrap(), ["8.8.8.8".parse::<IpAddr>().unwrap()]);
        let (rebound, _) = inner(&[&["8.8.8.8"], &["169.254.169.254"]], Duration::ZERO);
        assert!(rebound.resolve("a").await.is_ok());
        let error = rebound.resolve("a").await.unwrap_err();
        assert!(error.downcast_ref::<Forbidden>().is_some(), "{error}");
    }
}
