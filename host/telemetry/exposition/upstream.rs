//! Calls to services elsewhere, by service. Their number is bounded by what the operator allows.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::whole;
use crate::upstream::{BreakerState, UpstreamFigures};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Upstream {
    upstream: String,
}

pub(super) fn add(upstreams: &[UpstreamFigures], registry: &mut Registry) {
    if upstreams.is_empty() {
        return;
    }
    let [calls, failures, retries, refused] = std::array::from_fn(|_| Family::<Upstream, Counter>::default());
    let [in_flight, open] = std::array::from_fn(|_| Family::<Upstream, Gauge>::default());
    for figures in upstreams {
        let label = Upstream { upstream: figures.upstream.clone() };
        for (counter, value) in [
            (&calls, figures.calls),
            (&failures, figures.failures),
            (&retries, figures.retries),
            (&refused, figures.refused),
        ] {
            counter.get_or_create(&label).inc_by(value);
        }
        in_flight.get_or_create(&label).set(whole(figures.in_flight));
        open.get_or_create(&label).set((figures.breaker != BreakerState::Closed).into());
    }
    registry.register("upstream_calls", "Requests to a service elsewhere, retries included", calls);
    registry.register("upstream_failures", "Of these, without an answer or with a status of 500 and more", failures);
    registry.register("upstream_retries", "Requests that were repeated", retries);
    registry.register("upstream_refused", "Calls not made because the service failed too often", refused);
    registry.register("upstream_in_flight", "Calls under way", in_flight);
    registry.register("upstream_open", "1 while the service is left alone because it fails", open);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::telemetry::{Metrics, Readings, ServerFigures};

    #[test]
    fn each_service_becomes_lines() {
        let upstreams = vec![UpstreamFigures {
            upstream: "a.example:443".into(),
            calls: 9,
            failures: 5,
            retries: 2,
            refused: 3,
            in_flight: 1,
            breaker: BreakerState::HalfOpen,
        }];
        let server = ServerFigures { upstreams, ..ServerFigures::default() };
        let text = Metrics::default().render(&Readings { server, ..Readings::default() }).unwrap();
        for (name, value) in [
            ("calls_total", 9),
            ("failures_total", 5),
            ("retries_total", 2),
            ("refused_total", 3),
            ("in_flight", 1),
            ("open", 1),
        ] {
            let line = format!("corsac_upstream_{name}{{upstream=\"a.example:443\"}} {value}");
            assert!(text.lines().any(|written| written == line), "no line {line} in\n{text}");
        }
        assert!(!Metrics::default().render(&Readings::default()).unwrap().contains("corsac_upstream"));
    }
}
