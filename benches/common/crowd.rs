//! A crowd of clients of one host: most search, some post documents and remember what was acknowledged. What
//! they see is noted under the phase in which a request began.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};

use super::client::{self, Connection, apart};

/// Longer than any bound of the server: who gets no answer by then gets none.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between a client's posts: enough of them to hit every moment of a fault, few enough to check them all.
const BETWEEN_POSTS: Duration = Duration::from_millis(40);

/// A search shows a thousand results at most, so no folder has more documents.
const A_FOLDER: usize = 900;

/// What the clients are told.
#[derive(Default)]
pub struct Stage {
    pub phase: AtomicUsize,
    pub over: AtomicBool,
}

/// One acknowledged write or refused one, in the order of their ends.
#[derive(Clone, Copy)]
pub struct Write {
    pub began: Instant,
    pub ended: Instant,
    pub accepted: bool,
}

/// What one phase looked like.
#[derive(Default)]
pub struct Seen {
    pub searches: Vec<Duration>,
    /// By what went wrong.
    pub search_errors: BTreeMap<String, usize>,
    pub stale: usize,
    pub hits: usize,
    pub writes: Vec<Write>,
    pub write_errors: BTreeMap<String, usize>,
}

/// All that the clients saw.
#[derive(Default)]
pub struct Crowd {
    pub phases: Vec<Seen>,
    /// Paths of documents with the phase in which they were acknowledged.
    pub acknowledged: Vec<(String, usize)>,
    /// Numbers of documents that were sent.
    pub sent: usize,
}

impl Crowd {
    fn phase(&mut self, phase: usize) -> &mut Seen {
        if self.phases.len() <= phase {
            self.phases.resize_with(phase + 1, Seen::default);
        }
        &mut self.phases[phase]
    }

    /// Folders of all documents that were sent.
    pub fn folders(&self) -> impl Iterator<Item = String> {
        (0..=self.sent / A_FOLDER).map(|folder| format!("posted/{folder}"))
    }
}

/// Runs until the stage is over.
pub async fn gather(
    address: SocketAddr,
    requests: Vec<Vec<u8>>,
    (searching, posting): (usize, usize),
    stage: Arc<Stage>,
) -> anyhow::Result<Crowd> {
    apart(move || async move {
        let crowd = RefCell::new(Crowd::default());
        let searchers = (0..searching).map(|number| search(address, &requests, number, searching, &stage, &crowd));
        let posters = (0..posting).map(|_| post(address, &stage, &crowd));
        tokio::join!(join_all(searchers), join_all(posters));
        Ok(crowd.into_inner())
    })
    .await
}

async fn search(
    address: SocketAddr,
    requests: &[Vec<u8>],
    number: usize,
    of: usize,
    stage: &Stage,
    crowd: &RefCell<Crowd>,
) {
    let mut connection = None;
    for request in requests.iter().cycle().skip(number * requests.len() / of.max(1)) {
        if stage.over.load(Ordering::SeqCst) {
            return;
        }
        let phase = stage.phase.load(Ordering::SeqCst);
        let began = Instant::now();
        let outcome = exchange(&mut connection, address, request).await;
        let took = began.elapsed();
        let mut crowd = crowd.borrow_mut();
        let seen = crowd.phase(phase);
        seen.searches.push(took);
        match outcome {
            Ok((200, connection)) => {
                seen.stale += usize::from(connection.head_has(", stale\r\n"));
                seen.hits += usize::from(connection.was_hit());
            }
            Ok((status, _)) => *seen.search_errors.entry(status.to_string()).or_default() += 1,
            Err(reason) => *seen.search_errors.entry(reason.to_owned()).or_default() += 1,
        }
    }
}

async fn post(address: SocketAddr, stage: &Stage, crowd: &RefCell<Crowd>) {
    let mut connection = None;
    while !stage.over.load(Ordering::SeqCst) {
        let number = crowd.borrow().sent;
        crowd.borrow_mut().sent += 1;
        let path = format!("posted/{}/{number}.md", number / A_FOLDER);
        let content = format!("postmarker_{number}_ was posted under load\n");
        let request = client::post("/api/documents", &json!([{"path": path, "content": content}]).to_string());
        let phase = stage.phase.load(Ordering::SeqCst);
        let began = Instant::now();
        let outcome = exchange(&mut connection, address, &request).await;
        let ended = Instant::now();
        let accepted = |connection: &Connection| {
            let answer: Value = serde_json::from_slice(connection.body()).unwrap_or_default();
            let state = &answer["results"][0]["state"];
            state == "stored" || state == "pending"
        };
        {
            let mut crowd = crowd.borrow_mut();
            let seen = crowd.phase(phase);
            match outcome {
                Ok((200, connection)) if accepted(connection) => {
                    seen.writes.push(Write { began, ended, accepted: true });
                    crowd.acknowledged.push((path, phase));
                }
                Ok((503, _)) => seen.writes.push(Write { began, ended, accepted: false }),
                Ok((status, _)) => *seen.write_errors.entry(status.to_string()).or_default() += 1,
                Err(reason) => *seen.write_errors.entry(reason.to_owned()).or_default() += 1,
            }
        }
        tokio::time::sleep(BETWEEN_POSTS).await;
    }
}

/// Over the connection of before if it still stands.
async fn exchange<'a>(
    kept: &'a mut Option<Connection>,
    address: SocketAddr,
    request: &[u8],
) -> Result<(u16, &'a Connection), &'static str> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::open(address).await.map_err(|_| "not connected")?,
    };
    match tokio::time::timeout(PATIENCE, connection.exchange(request)).await {
        Ok(Ok(status)) => Ok((status, kept.insert(connection))),
        Ok(Err(_)) => Err("broken off"),
        Err(_) => Err("no answer"),
    }
}
