//! A cached answer against a bare axum handler that returns the same bytes: what is left of the
//! framework's throughput after reading and checking the request, finding the answer, and its headers.
//!
//! ```text
//! cargo bench --bench cached -- [--tree FOLDER] [--connections 16]
//! ```
//!
//! Both sides are served by the same accept loop in one process and get the same requests over keep-alive
//! connections; rounds take turns. The bare handler does not read the body that it is sent. Clients run on
//! one thread of their own and share the processor with the server, so the ratio of requests a second
//! flatters the slower side a little; the ratio of the server's processor time a request (from
//! `/proc`, clients left out) does not, and is the stricter figure. The answer has 20 results, out of
//! this server's own sources unless `--tree` says otherwise.

mod common;

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::ensure;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use axum::routing::post;
use clap::Parser;
use common::client::{Connection, apart};
use common::figures::{Sample, head, row, short};
use common::server::Server;
use common::workload::Question;
use common::{Options, machine};
use futures::future::try_join_all;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Measures cached answers.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
    #[arg(long, default_value_t = 16)]
    connections: usize,
}

/// One round of one side.
struct Round {
    /// Requests a second.
    throughput: f64,
    /// Microseconds of processor time of the server's threads.
    server: f64,
    /// The same of the clients.
    client: f64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    common::runtime()?.block_on(run(&arguments))
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let options = &arguments.options;
    machine::print_facts("cached");
    let server = Server::start(&options.small_tree(), options, |_| {}).await?;
    let question = Question { strategy: "hybrid", text: "cache key of a query".into(), pattern_type: None };
    let request = question.http();
    let body = warm_up(server.address, request.clone()).await?;
    let closing = CancellationToken::new();
    let bare = serve_bare(body.clone(), closing.clone()).await?;

    let (rounds, length) = options.size((20, Duration::from_secs(2)), (2, Duration::from_millis(100)));
    let (mut bare_rounds, mut cached_rounds) = (Vec::new(), Vec::new());
    // The first round of each side warms up.
    for number in 0..=rounds {
        let bare_round = round(bare, &request, arguments.connections, length, false).await?;
        let cached_round = round(server.address, &request, arguments.connections, length, true).await?;
        if number > 0 {
            bare_rounds.push(bare_round);
            cached_rounds.push(cached_round);
        }
    }

    let columns = ["side", "requests/s, median", "p10", "p90", "server, µs a request", "clients, µs a request"];
    head(&format!("{} bytes, {} connections, {rounds} rounds", body.len(), arguments.connections), &columns);
    for (side, rounds) in [("bare handler", &bare_rounds), ("cached answer", &cached_rounds)] {
        let throughput = Sample::of(rounds.iter().map(|round| round.throughput));
        row(&[
            &side,
            &short(throughput.median()),
            &short(throughput.quantile(0.1)),
            &short(throughput.quantile(0.9)),
            &short(Sample::of(rounds.iter().map(|round| round.server)).median()),
            &short(Sample::of(rounds.iter().map(|round| round.client)).median()),
        ]);
    }
    let pairs = || cached_rounds.iter().zip(&bare_rounds);
    let throughput = Sample::of(pairs().map(|(cached, bare)| cached.throughput / bare.throughput));
    let processor = Sample::of(pairs().map(|(cached, bare)| bare.server / cached.server));
    head("Cached against bare", &["ratio of", "median", "p10", "p90"]);
    for (ratio, sample) in [("requests/s", throughput), ("requests a second of server time", processor)] {
        let [median, low, high] = [0.5, 0.1, 0.9].map(|share| format!("{:.3}", sample.quantile(share)));
        row(&[&ratio, &median, &low, &high]);
    }
    closing.cancel();
    server.stop().await
}

/// The body of the answer, once it comes from the cache.
async fn warm_up(address: SocketAddr, request: Vec<u8>) -> anyhow::Result<Bytes> {
    let warm_up = async move || {
        let mut connection = Connection::open(address).await?;
        for _ in 0..2 {
            let status = connection.exchange(&request).await?;
            ensure!(status == 200, "status {status}: {}", String::from_utf8_lossy(connection.body()));
        }
        ensure!(connection.was_hit(), "the answer was not kept in the cache");
        Ok(Bytes::copy_from_slice(connection.body()))
    };
    apart(warm_up).await
}

/// A handler that returns `body` and does nothing else, behind the server's own accept loop.
async fn serve_bare(body: Bytes, closing: CancellationToken) -> anyhow::Result<SocketAddr> {
    let answer = move || {
        let mut response = Response::new(Body::from(body.clone()));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        std::future::ready(response)
    };
    let router = Router::new().route("/api/search/{strategy}", post(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let stopped = closing.clone().cancelled_owned();
    tokio::spawn(corsac::http::serve(listener, router, closing, Duration::from_secs(1), stopped));
    Ok(address)
}

/// As many requests as fit into `length`.
async fn round(
    address: SocketAddr,
    request: &[u8],
    connections: usize,
    length: Duration,
    cached: bool,
) -> anyhow::Result<Round> {
    let request = request.to_vec();
    apart(async move || {
        let count = Cell::new(0_u64);
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(Connection::open(address).await?);
        }
        const SIDES: [&str; 2] = [machine::SERVER_THREADS, machine::CLIENT_THREAD];
        let before = SIDES.map(machine::thread_times);
        let began = Instant::now();
        let client = async |mut connection: Connection| {
            while began.elapsed() < length {
                let status = connection.exchange(&request).await?;
                ensure!(status == 200, "status {status}");
                count.set(count.get() + 1);
            }
            ensure!(!cached || connection.was_hit(), "an answer did not come from the cache");
            Ok(())
        };
        try_join_all(open.into_iter().map(client)).await?;
        let (took, count) = (began.elapsed(), count.get() as f64);
        let microseconds = |side: usize| machine::seconds_since(&before[side], SIDES[side]) * 1e6 / count;
        Ok(Round { throughput: count / took.as_secs_f64(), server: microseconds(0), client: microseconds(1) })
    })
    .await
}
