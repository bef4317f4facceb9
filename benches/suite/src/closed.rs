//! Closed loop: so many requests are under way at any time, each client asks again when it has its answer. What it
//! cannot show is how long others would have waited; `open` does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;

use crate::exchange::{Answer, Request};
use crate::tally::Tally;

/// When a run ends: after this time, once there were enough requests, but at the latest after `most` of them.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    pub time: Duration,
    pub least: u64,
    pub most: u64,
}

/// `next` makes a request (its time does not count) and may do what must come before it; none: there are no more.
pub async fn run(
    clients: usize,
    length: Length,
    next: impl AsyncFn() -> Option<Request>,
    ask: impl AsyncFn(&Request) -> Answer,
) -> (Tally, Duration) {
    let (began, begun) = (Instant::now(), AtomicU64::new(0));
    let client = async || {
        let mut tally = Tally::default();
        loop {
            let number = begun.fetch_add(1, Ordering::Relaxed);
            if number >= length.most || (number >= length.least && began.elapsed() >= length.time) {
                return tally;
            }
            let Some(request) = next().await else { return tally };
            let sent = Instant::now();
            let answer = ask(&request).await;
            tally.add(&answer, sent.elapsed().as_secs_f64() * 1e3);
        }
    };
    let mut whole = Tally::default();
    for tally in join_all((0..clients).map(|_| client())).await {
        whole.merge(tally);
    }
    (whole, began.elapsed())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn as_many_are_under_way_as_there_are_clients_and_no_more_are_asked_than_wished() {
        let (now, most) = (Cell::new(0), Cell::new(0));
        let ask = async |_: &Request| {
            now.set(now.get() + 1);
            most.set(now.get().max(most.get()));
            tokio::task::yield_now().await;
            now.set(now.get() - 1);
            Answer { outcome: Ok(()), hit: None, bytes: 1 }
        };
        let length = Length { time: Duration::ZERO, least: 23, most: 23 };
        let (tally, _) = run(5, length, async || Some(Request::get("/")), ask).await;
        assert_eq!((tally.requests(), most.get()), (23, 5));
    }
}
