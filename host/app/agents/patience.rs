//! When following is tried again that has ended. Knows nothing of what was followed.

use std::time::Duration;

/// After the world was away, or the index failed for the first time.
const RETRY: Duration = Duration::from_secs(1);
/// After the index failed again and again: each try compares all agents with it.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// How long to wait after following ended: for the world a moment, for an index that is `broken` each time twice as
/// long, unless it went well for as long as one would wait at most.
pub(super) fn next_pause(last: Duration, broken: bool, went_well: Duration) -> Duration {
    match broken && went_well < LONGEST_RETRY {
        true => (last * 2).clamp(RETRY, LONGEST_RETRY),
        false => RETRY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_fails_again_is_tried_less_often() {
        let (short, long) = (Duration::from_secs(5), Duration::from_secs(60));
        let mut pause = Duration::ZERO;
        let pauses = [true; 9].map(|broken| {
            pause = next_pause(pause, broken, short);
            pause.as_secs()
        });
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(next_pause(pause, true, long), RETRY);
        assert_eq!(next_pause(pause, false, short), RETRY);
    }
}
