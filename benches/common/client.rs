//! A lean HTTP/1.1 client: one keep-alive connection, requests as ready bytes, answers into one buffer
//! that is used again. It shares the processor with the server that it measures, so it does only what it
//! must: find the end of the head and the length of the body.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures::future::try_join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::machine::CLIENT_THREAD;

pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Where the body begins.
    body: usize,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(1 << 20), body: 0 })
    }

    /// Sends a request and reads its whole answer; gives the status.
    pub async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut expected = None;
        while expected.is_none_or(|length| self.buffer.len() < length) {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection in the middle of an answer");
            }
            if expected.is_none()
                && let Some(end) = find(&self.buffer, b"\r\n\r\n")
            {
                self.body = end + 4;
                expected = Some(self.body + content_length(&self.buffer[..end])?);
            }
        }
        let status = self.buffer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok());
        status.and_then(|status| status.parse().ok()).context("the answer has no status")
    }

    /// Of the last answer.
    pub fn body(&self) -> &[u8] {
        &self.buffer[self.body..]
    }

    /// Whether the head of the last answer has this text in it; names of fields are in lower case.
    pub fn head_has(&self, text: &str) -> bool {
        find(&self.buffer[..self.body], text.as_bytes()).is_some()
    }

    /// Whether the last answer came from the cache.
    pub fn was_hit(&self) -> bool {
        find(&self.buffer[..self.body], b"cache-status: corsac; hit").is_some()
    }
}

/// Asks each request once: request `n` goes to server `n` modulo their number, by whichever of the clients is free.
/// `note` says what is to be kept of an answer.
pub async fn each<T: Send + 'static>(
    servers: Vec<SocketAddr>,
    requests: Vec<Vec<u8>>,
    clients: usize,
    note: impl Fn(&Connection, Duration) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<Vec<T>> {
    apart(move || async move {
        let (next, noted) =
            (RefCell::new(requests.iter().enumerate()), RefCell::new(Vec::with_capacity(requests.len())));
        let client = async || {
            let mut connections = Vec::new();
            for server in &servers {
                connections.push(Connection::open(*server).await?);
            }
            loop {
                let Some((number, request)) = next.borrow_mut().next() else { return anyhow::Ok(()) };
                let connection = &mut connections[number % servers.len()];
                let began = Instant::now();
                let status = connection.exchange(request).await?;
                let took = began.elapsed();
                let text = String::from_utf8_lossy;
                ensure!(status == 200, "status {status} for {}: {}", text(request), text(connection.body()));
                noted.borrow_mut().push(note(connection, took)?);
            }
        };
        try_join_all((0..clients).map(|_| client())).await?;
        Ok(noted.into_inner())
    })
    .await
}

/// A `GET` as it goes over the wire.
pub fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// A `DELETE` as it goes over the wire.
pub fn delete(path: &str) -> Vec<u8> {
    format!("DELETE {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// A `POST` of JSON as it goes over the wire.
pub fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

fn content_length(head: &[u8]) -> anyhow::Result<usize> {
    const NAME: &[u8] = b"content-length: ";
    // 204 says by its number that there is none.
    if head.get(9..12) == Some(b"204") {
        return Ok(0);
    }
    let start = find(head, NAME).context("the answer has no content-length")? + NAME.len();
    let digits = head[start..].iter().take_while(|byte| byte.is_ascii_digit());
    Ok(digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0')))
}

/// Runs clients on a thread of their own, away from the server's; they take turns on it.
pub async fn apart<T, F>(work: impl FnOnce() -> F + Send + 'static) -> anyhow::Result<T>
where
    T: Send + 'static,
    F: Future<Output = anyhow::Result<T>>,
{
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name(CLIENT_THREAD.into()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let result = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(work()));
        // Nobody waits any more: the program is ending.
        let _ = sender.send(result);
    })?;
    receiver.await.context("the clients' thread failed")?
}
