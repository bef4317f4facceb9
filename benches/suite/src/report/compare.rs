//! Rows of two runs that stand for the same thing, by their ratios.

use std::collections::BTreeMap;

use super::{Report, Row};

/// Worse by more than this is marked.
const TOLERATED: f64 = 1.10;

/// Later over earlier.
#[derive(Clone, Debug, PartialEq)]
pub struct Ratio {
    pub name: String,
    /// Of p50 and p95 (more is worse); of the median, twice, for micro benchmarks.
    pub p50: Option<f64>,
    pub p95: Option<f64>,
    /// Of successes a second (less is worse). None where the load says how many there are.
    pub served: Option<f64>,
    /// Failures of the earlier run and of the later one.
    pub failed: (u64, u64),
}

impl Ratio {
    pub fn is_worse(&self) -> bool {
        let slower = [self.p50, self.p95].into_iter().flatten().any(|ratio| ratio > TOLERATED);
        slower || self.served.is_some_and(|ratio| ratio < 1.0 / TOLERATED) || self.failed.1 > self.failed.0
    }
}

/// In the order of the later run; what only one of them has is left out.
pub fn ratios(later: &Report, earlier: &Report) -> Vec<Ratio> {
    let micro: BTreeMap<&str, f64> = earlier.micro.iter().map(|micro| (micro.name.as_str(), micro.median)).collect();
    let micro = later.micro.iter().filter_map(|now| {
        let ratio = over(now.median, *micro.get(now.name.as_str())?);
        Some(Ratio { name: now.name.clone(), p50: ratio, p95: None, served: None, failed: (0, 0) })
    });
    let rows: BTreeMap<_, &Row> = earlier.rows.iter().map(|row| (key(row), row)).collect();
    let rows = later.rows.iter().filter_map(|now| {
        let then = rows.get(&key(now))?;
        let latency = now.latency.zip(then.latency);
        Some(Ratio {
            name: now.title(),
            p50: latency.and_then(|(now, then)| over(now.p50, then.p50)),
            p95: latency.and_then(|(now, then)| over(now.p95, then.p95)),
            served: if now.offered.is_none() { over(now.served, then.served) } else { None },
            failed: (then.failed(), now.failed()),
        })
    });
    micro.chain(rows).collect()
}

fn key(row: &Row) -> (super::Part, &str, &str, &str) {
    (row.part, &row.name, &row.state, &row.load)
}

fn over(now: f64, then: f64) -> Option<f64> {
    (then > 0.0).then(|| now / then)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{report, row};
    use super::*;

    #[test]
    fn rows_are_compared_with_their_like_and_worse_ones_are_marked() {
        let earlier = report(vec![row("a", 10.0), row("b", 10.0), row("gone", 1.0)]);
        let later = report(vec![row("b", 11.5), row("a", 10.5), row("new", 1.0)]);
        let ratios = ratios(&later, &earlier);
        let names: Vec<&str> = ratios.iter().map(|ratio| ratio.name.as_str()).collect();
        assert_eq!(names, ["b, cold, 5 clients", "a, cold, 5 clients"]);
        assert!((ratios[0].p95.unwrap() - 1.15).abs() < 1e-9);
        assert_eq!(ratios.iter().map(Ratio::is_worse).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn other_loads_are_other_rows() {
        let mut other = row("a", 10.0);
        other.load = "10 clients".into();
        assert!(ratios(&report(vec![other]), &report(vec![row("a", 10.0)])).is_empty());
    }

    #[test]
    fn fewer_answers_and_more_failures_are_worse() {
        let same = Ratio { name: "a".into(), p50: Some(1.0), p95: Some(1.0), served: Some(0.95), failed: (1, 1) };
        assert!(!same.is_worse());
        assert!(Ratio { served: Some(0.9), ..same.clone() }.is_worse());
        assert!(Ratio { failed: (1, 2), ..same.clone() }.is_worse());
        assert!(Ratio { p50: Some(1.11), ..same }.is_worse());
    }
}
