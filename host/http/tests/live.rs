//! Over a real socket: progress streams, stopping with requests in flight, ends of patience.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

/// Only against hanging: no test depends on how long something takes.
const PATIENCE: Duration = Duration::from_secs(60);

struct Live {
    address: SocketAddr,
    fake: Arc<Fake>,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<std::io::Result<Stopped>>,
}

async fn live(drain: Duration) -> Live {
    let Server { router, fake, options } = server();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move {
        let _ = stopped.await;
    };
    let served = tokio::spawn(serve(listener, router, options.closing, drain, shutdown));
    Live { address, fake, stop: Some(stop), served }
}

impl Live {
    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    async fn ended(self) -> Stopped {
        tokio::time::timeout(PATIENCE, self.served).await.unwrap().unwrap().unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn slow_search(live: &Live) -> JoinHandle<reqwest::Result<reqwest::Response>> {
    let request = client().post(live.url("/api/search/hybrid")).json(&json!({"query": "slow"}));
    tokio::spawn(request.send())
}

#[tokio::test]
async fn a_stop_lets_the_answer_in_flight_finish() {
    let mut live = live(PATIENCE).await;
    let slow = slow_search(&live);
    live.fake.slow_started.acquire().await.unwrap().forget();
    live.stop();
    // Once the listener is gone new connections are refused; until then the answer must not come.
    let patience = tokio::time::timeout(PATIENCE, async {
        while TcpStream::connect(live.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    patience.await.unwrap();
    assert!(!slow.is_finished());
    live.fake.gate.add_permits(1);
    let answer = slow.await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), BODY);
    assert_eq!(live.ended().await, Stopped::Drained);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let mut live = live(Duration::from_millis(20)).await;
    let slow = slow_search(&live);
    live.fake.slow_started.acquire().await.unwrap().forget();
    live.stop();
    assert_eq!(live.ended().await, Stopped::CutOff);
    slow.abort();
}

#[tokio::test]
async fn progress_is_streamed_up_to_done() {
    let live = live(PATIENCE).await;
    let request = client().get(live.url("/api/tasks/t1")).header("accept", "text/event-stream");
    let mut response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut text = String::new();
    let mut wait_for = async |word: &str| {
        while !text.contains(word) {
            let chunk = tokio::time::timeout(PATIENCE, response.chunk()).await.unwrap().unwrap().unwrap();
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    };
    wait_for(r#""files":0"#).await;
    live.fake.task.send_replace(task_at(TaskState::Running, 10));
    wait_for(r#""files":10"#).await;
    live.fake.task.send_replace(task_at(TaskState::Succeeded, 12));
    wait_for("event: done").await;
    // The stream ends by itself after it.
    while let Some(chunk) = tokio::time::timeout(PATIENCE, response.chunk()).await.unwrap().unwrap() {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let events: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(events, ["progress", "progress", "done"]);
    let last = text.lines().rfind(|line| line.starts_with("data: ")).unwrap();
    let last: TaskStatus = serde_json::from_str(last.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(last, task_at(TaskState::Succeeded, 12));
}

#[tokio::test]
async fn a_finished_task_streams_done_at_once_and_a_missing_one_is_404() {
    let live = live(PATIENCE).await;
    live.fake.task.send_replace(task_at(TaskState::Failed, 3));
    let events =
        |path: &str| client().get(live.url(path)).header("accept", "text/html, text/event-stream;q=0.9").send();
    let text = events("/api/tasks/t1").await.unwrap().text().await.unwrap();
    assert_eq!(text.matches("event: ").count(), 1);
    assert!(text.starts_with("event: done\n"), "{text}");
    assert_eq!(events("/api/tasks/t2").await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_stop_closes_event_streams() {
    let mut live = live(PATIENCE).await;
    let request = client().get(live.url("/api/tasks/t1")).header("accept", "text/event-stream");
    let mut response = request.send().await.unwrap();
    assert!(response.chunk().await.unwrap().is_some());
    live.stop();
    while tokio::time::timeout(PATIENCE, response.chunk()).await.unwrap().unwrap().is_some() {}
    drop(response);
    assert_eq!(live.ended().await, Stopped::Drained);
}

#[tokio::test]
async fn a_client_that_writes_too_much_still_reads_the_refusal() {
    let live = live(PATIENCE).await;
    let body = json!({"query": "x".repeat(10 << 20)}).to_string();
    let request = client().post(live.url("/api/search/hybrid")).header("content-type", "application/json").body(body);
    assert_eq!(request.send().await.unwrap().status(), 413);
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_search() {
    let live = live(PATIENCE).await;
    let mut socket = TcpStream::connect(live.address).await.unwrap();
    let body = r#"{"query":"slow"}"#;
    let head = format!(
        "POST /api/search/hybrid HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    live.fake.slow_started.acquire().await.unwrap().forget();
    drop(socket);
    let in_flight = async || {
        let text = client().get(live.url("/metrics")).send().await.unwrap().text().await.unwrap();
        // The scrape itself is one.
        text.contains("corsac_http_requests_in_flight 1\n")
    };
    let gone = async {
        while !in_flight().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the search went on without its client");
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_ends_its_work() {
    let live = live(PATIENCE).await;
    let request = client().post(live.url("/api/search/hybrid")).header("accept", "text/event-stream");
    let mut response = request.json(&json!({"query": "endless"})).send().await.unwrap();
    assert!(response.chunk().await.unwrap().is_some());
    assert_eq!(live.fake.streams.dropped.load(Ordering::SeqCst), 0);
    drop(response);
    let gone = async {
        while live.fake.streams.dropped.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the search went on without its client");
}

#[tokio::test]
async fn a_stop_closes_the_stream_of_a_search() {
    let mut live = live(PATIENCE).await;
    let request = client().post(live.url("/api/search/hybrid")).header("accept", "text/event-stream");
    let mut response = request.json(&json!({"query": "endless"})).send().await.unwrap();
    assert!(response.chunk().await.unwrap().is_some());
    live.stop();
    while tokio::time::timeout(PATIENCE, response.chunk()).await.unwrap().unwrap().is_some() {}
    drop(response);
    assert_eq!(live.ended().await, Stopped::Drained);
}

#[tokio::test]
async fn several_requests_share_a_connection_and_garbage_gets_400() {
    let live = live(PATIENCE).await;
    let mut socket = TcpStream::connect(live.address).await.unwrap();
    socket
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nhost: x\r\n\r\n\x01\x02\r\n\r\n")
        .await
        .unwrap();
    let mut text = vec![];
    tokio::time::timeout(PATIENCE, socket.read_to_end(&mut text)).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&text);
    let statuses: Vec<&str> = text.match_indices("HTTP/1.1 ").map(|(at, _)| &text[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "404", "400"]);
}
