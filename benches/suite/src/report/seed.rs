//! What the original system claims, and what the reports that were committed beside the claim hold. Read from its
//! stored sources; nothing of it was run by us.

/// One suite of the original.
pub struct Claim {
    /// As our classes of users are called.
    pub name: &'static str,
    /// Requests a second, at least.
    pub rate: f64,
    /// Milliseconds.
    pub p95: f64,
    /// Per cent, at least.
    pub hits: Option<f64>,
    /// What its load test can offer at most: users over their mean wait, requests a second.
    pub offers: f64,
}

pub const CLAIMS: [Claim; 3] = [
    Claim { name: "search", rate: 500.0, p95: 500.0, hits: Some(85.0), offers: 50.0 / 2.0 },
    Claim { name: "ecs", rate: 200.0, p95: 300.0, hits: None, offers: 30.0 / 3.5 },
    Claim { name: "rag", rate: 100.0, p95: 800.0, hits: Some(70.0), offers: 20.0 / 5.5 },
];

pub const COMMITTED_HEAD: [&str; 8] =
    ["committed 21 September 2025", "suite", "ok", "mean, ms", "p95, ms", "p99, ms", "requests/s", "remark"];

/// `None` is written as a dash.
pub const COMMITTED: [[&str; 8]; 12] = [
    [
        "00:16 (with the claim)",
        "search",
        "85 of 85",
        "131.76",
        "202.81",
        "203.54",
        "36.02",
        "its own remark: low throughput",
    ],
    ["00:16 (with the claim)", "ecs", "102 of 104", "35.69", "51.49", "51.63", "266.09", "two reading endpoints only"],
    ["00:16 (with the claim)", "rag", "0 of 18", "–", "–", "–", "–", "status 403"],
    ["08:01", "search", "43 of 85", "128.99", "506.84", "6573.89", "0.15", "semantic and hybrid got no answer"],
    ["08:01", "ecs", "102 of 104", "34.21", "46.71", "–", "279.88", ""],
    [
        "08:45",
        "search",
        "85 of 85",
        "11.66",
        "17.54",
        "23.41",
        "383.63",
        "one request again and again: a cache would answer 20 of 21",
    ],
    ["08:45", "ecs", "102 of 104", "33.56", "46.27", "–", "269.96", ""],
    ["08:45", "rag", "16 of 18", "11.72", "–", "–", "210.81", "a constant vector, and no retrieval"],
    ["08:46", "search", "85 of 85", "21.85", "35.12", "38.28", "208.91", "as 08:45"],
    ["08:46", "rag", "18 of 18", "7.80", "–", "–", "338.42", "as 08:45"],
    ["08:56", "search", "85 of 85", "19.63", "33.81", "42.40", "235.80", "as 08:45"],
    ["08:56", "ecs", "103 of 104", "86.62", "144.70", "–", "100.05", ""],
];

/// What one must know to read the committed figures.
pub const HOW_TO_READ: &str = "The committed runs have one request and then at most ten at once, of at most 104 in all, \
each case one request again and again; `ok` there is status 200, also for a failed search. Processor and memory in \
them are the client's. The claim of 500 requests a second comes with a load test of 50 users who wait 1 to 3 s, which \
cannot offer more than 25. Its machine is not stated.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::users::CLASSES;

    #[test]
    fn what_the_load_test_can_offer_follows_from_its_users() {
        for (class, claim) in CLASSES.iter().zip(&CLAIMS) {
            let mean = (class.wait.0 + class.wait.1) as f64 / 2.0;
            assert_eq!((class.name, class.claimed), (claim.name, claim.rate));
            assert_eq!(class.claimed_hits.map(|hits| hits as f64), claim.hits);
            assert!((claim.offers - class.users as f64 / mean).abs() < 1e-9);
        }
    }
}
