//! Embedding models of the index, by name: the built-in one, and the better one where there is one.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::whole;
use crate::index::ModelStats;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Model {
    model: String,
}

pub(super) fn add(models: &[ModelStats], registry: &mut Registry) {
    let [chunks, backlog, answers, failing] = std::array::from_fn(|_| Family::<Model, Gauge>::default());
    for stats in models {
        let label = Model { model: stats.name.clone() };
        for (gauge, value) in [
            (&chunks, whole(stats.embedded)),
            (&backlog, whole(stats.backlog)),
            (&answers, i64::from(stats.answers)),
            (&failing, i64::from(stats.failure.is_some())),
        ] {
            gauge.get_or_create(&label).set(value);
        }
    }
    registry.register("embedding_model_chunks", "Chunks that an embedding model has embedded", chunks);
    registry.register("embedding_model_backlog", "Chunks that it has still to embed", backlog);
    registry.register("embedding_model_answers", "1 while vector probes are answered from its vectors", answers);
    registry.register("embedding_model_failing", "1 while its backlog does not shrink because it fails", failing);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::telemetry::{Metrics, Readings};

    #[test]
    fn each_model_becomes_lines() {
        let built_in = ModelStats { name: "static".into(), embedded: 8, answers: true, ..ModelStats::default() };
        let failure = Some("no room".into());
        let better = ModelStats { name: "fine".into(), embedded: 6, backlog: 2, failure, ..ModelStats::default() };
        let readings = Readings { models: vec![built_in, better], ..Readings::default() };
        let text = Metrics::default().render(&readings).unwrap();
        for (model, figures) in [("static", [8, 0, 1, 0]), ("fine", [6, 2, 0, 1])] {
            for (name, value) in ["chunks", "backlog", "answers", "failing"].into_iter().zip(figures) {
                let line = format!("corsac_embedding_model_{name}{{model=\"{model}\"}} {value}");
                assert!(text.lines().any(|written| written == line), "no line {line} in\n{text}");
            }
        }
    }
}
