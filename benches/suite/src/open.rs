//! Open loop: requests are due at a fixed rate, whether or not earlier ones have their answers, as from people who do
//! not know of each other. Latency counts from when a request was due, so a server that stalls pays for all who came
//! meanwhile (what is known as coordinated omission is left to closed loops).

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until};

use crate::exchange::{Answer, Request};
use crate::tally::Tally;

/// Sockets that one process may have; who waits for one waits since they were due.
pub const CONNECTIONS: usize = 256;

/// What an open loop did.
#[derive(Debug)]
pub struct Opened {
    pub tally: Tally,
    /// Requests a second that were due.
    pub offered: f64,
    /// Successes a second, until the last answer.
    pub served: f64,
}

/// `rate` a second for `time`; none from `next` ends it early.
pub async fn run(
    rate: f64,
    time: Duration,
    connections: usize,
    next: impl Fn() -> Option<Request>,
    ask: impl AsyncFn(&Request) -> Answer,
) -> Opened {
    let free = Semaphore::new(connections);
    let (began, due_in_all) = (Instant::now(), (rate * time.as_secs_f64()).round() as u64);
    let one = async |due: Instant, request: Request| {
        // Never closed.
        let _permit = free.acquire().await;
        let answer = ask(&request).await;
        (answer, due.elapsed().as_secs_f64() * 1e3)
    };
    let (mut tally, mut under_way, mut begun) = (Tally::default(), FuturesUnordered::new(), 0_u64);
    while begun < due_in_all {
        let due = began + Duration::from_secs_f64(begun as f64 / rate);
        tokio::select! {
            () = sleep_until(due) => {
                let Some(request) = next() else { break };
                under_way.push(one(due, request));
                begun += 1;
            }
            Some((answer, took)) = under_way.next(), if !under_way.is_empty() => tally.add(&answer, took),
        }
    }
    while let Some((answer, took)) = under_way.next().await {
        tally.add(&answer, took);
    }
    let (planned, lasted) = (begun as f64 / rate, began.elapsed().as_secs_f64());
    Opened {
        offered: if planned > 0.0 { begun as f64 / planned } else { 0.0 },
        // A run that kept up may end before its last interval is over.
        served: tally.samples.len() as f64 / lasted.max(planned).max(f64::MIN_POSITIVE),
        tally,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    async fn at_ten_a_second(connections: usize, takes: impl Fn(u32) -> u64) -> Opened {
        let number = Cell::new(0);
        let ask = async |_: &Request| {
            number.set(number.get() + 1);
            tokio::time::sleep(Duration::from_millis(takes(number.get()))).await;
            Answer { outcome: Ok(()), hit: None, bytes: 0 }
        };
        run(10.0, Duration::from_secs(1), connections, || Some(Request::get("/")), ask).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_keeps_up_serves_what_is_offered() {
        let opened = at_ten_a_second(4, |_| 20).await;
        assert_eq!(opened.tally.samples, [20.0; 10]);
        assert!((opened.offered - 10.0).abs() < 1e-9 && (opened.served - 10.0).abs() < 1e-9, "{opened:?}");
    }

    /// One connection, the first answer takes 450 ms and the others 10: requests due at 100, 200, 300 and 400 ms
    /// wait for it and then for each other, those due from 500 ms on do not.
    #[tokio::test(start_paused = true)]
    async fn who_came_during_a_stall_has_waited() {
        let mut opened = at_ten_a_second(1, |number| if number == 1 { 450 } else { 10 }).await;
        opened.tally.samples.sort_by(f64::total_cmp);
        let expected = [10.0, 10.0, 10.0, 10.0, 10.0, 90.0, 180.0, 270.0, 360.0, 450.0];
        assert_eq!(opened.tally.samples, expected);
    }

    /// Ten are due within a second; at 300 ms each over one connection the last answer comes after three.
    #[tokio::test(start_paused = true)]
    async fn what_is_served_is_told_from_what_is_offered() {
        let opened = at_ten_a_second(1, |_| 300).await;
        assert!((opened.offered - 10.0).abs() < 1e-9, "{opened:?}");
        assert!((opened.served - 10.0 / 3.0).abs() < 1e-2, "{opened:?}");
    }
}
