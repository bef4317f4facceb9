//! Turns for index work. It is computation: more of it at once than processors can do makes none of it faster, and
//! each thread keeps some megabytes for itself.

use std::sync::{Arc, LazyLock};

use tokio::sync::Semaphore;

/// Pieces of work at once for each processor: enough that some that take seconds do not stand in the way of all others.
const PER_PROCESSOR: usize = 8;

static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    Arc::new(Semaphore::new(PER_PROCESSOR * processors))
});

/// Does it off the threads that serve connections, when it is its turn. None if it panicked.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    in_turn(&TURNS, work).await
}

/// As `blocking`, with turns of one's own.
pub(crate) async fn in_turn<T: Send + 'static>(
    turns: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    // The turn goes with the work, which goes on when whoever waits for it is gone.
    let turn = turns.clone().acquire_owned().await.ok()?;
    let working = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    working.await.ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn no_more_at_once_than_there_are_turns_and_all_in_the_end() {
        let (turns, at_once, most) = (Arc::new(Semaphore::new(3)), AtomicUsize::new(0), AtomicUsize::new(0));
        let counts = Arc::new((at_once, most));
        let work = |number: usize| {
            let counts = counts.clone();
            in_turn(&turns, move || {
                let now = counts.0.fetch_add(1, Ordering::SeqCst) + 1;
                counts.1.fetch_max(now, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_millis(1));
                counts.0.fetch_sub(1, Ordering::SeqCst);
                number
            })
        };
        let done = futures::future::join_all((0..100).map(work)).await;
        assert_eq!(done, (0..100).map(Some).collect::<Vec<_>>());
        assert!((1..=3).contains(&counts.1.load(Ordering::SeqCst)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_panics_gives_its_turn_back() {
        let turns = Arc::new(Semaphore::new(1));
        assert_eq!(in_turn(&turns, || -> u8 { panic!("on purpose") }).await, None);
        assert_eq!(in_turn(&turns, || 1).await, Some(1));
    }
}
