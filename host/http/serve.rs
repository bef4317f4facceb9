//! Accepting connections and stopping without losing an answer.

use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// Every request in flight got its answer.
    Drained,
    /// Some connections were still busy when the drain time was over.
    CutOff,
}

/// Serves until `shutdown`, then stops accepting, lets requests in flight finish for at most `drain`, and
/// closes event streams through `closing`, which must be the one in the router's options.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    closing: CancellationToken,
    drain: Duration,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<Stopped> {
    // Answers are written whole: waiting to fill a packet would only delay them.
    let listener = listener.tap_io(|connection| {
        if let Err(error) = connection.set_nodelay(true) {
            tracing::debug!(%error, "cannot turn off the delay of small packets");
        }
    });
    let stop = closing.clone();
    let signal = async move {
        shutdown.await;
        tracing::info!("stopping: no new requests, finishing those in flight");
        stop.cancel();
    };
    let serving = axum::serve(listener, router).with_graceful_shutdown(signal).into_future();
    let out_of_time = async {
        closing.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        ended = serving => ended.map(|()| Stopped::Drained),
        () = out_of_time => {
            tracing::warn!(drain_ms = drain.as_millis() as u64, "some requests did not finish in time");
            Ok(Stopped::CutOff)
        }
    }
}
