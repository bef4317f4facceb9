//! All figures in one text, for whatever scrapes them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::cache;
use crate::http::Shared;
use crate::http::backend::{PartState, PoolUse};
use crate::http::problem::{Code, Problem};
use crate::suggest::SuggestFigures;
use crate::telemetry::{
    IndexFigures, PartFigures, PluginFigures, PoolFigures, Readings, ServerFigures, SuggestionFigures, export_figures,
    resident_bytes,
};

/// All figures for Prometheus, in the OpenMetrics text format.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "status",
    responses((status = 200, body = String, content_type = "application/openmetrics-text"))
)]
pub(in crate::http) async fn metrics(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let index = shared.backend.index().stats;
    let plugins = shared.backend.plugins().into_iter().map(|plugin| PluginFigures {
        plugin: format!("{}@{}", plugin.name, plugin.version),
        calls: plugin.calls,
        errors: plugin.errors.by_kind(),
        memory_high_water_bytes: plugin.memory_high_water_bytes,
    });
    let cache = shared.backend.cache().await;
    let freshness = shared.backend.freshness();
    let readings = Readings {
        index: IndexFigures {
            documents: index.documents,
            chunks: index.chunks,
            bytes: index.index_bytes,
            generation: index.generation,
            lag: freshness.latest.saturating_sub(index.generation),
            stale: freshness.stale,
        },
        models: index.models,
        plugins: plugins.collect(),
        server: server(&shared, &cache).await,
        cache,
    };
    let text = shared.metrics.render(&readings).map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

async fn server(shared: &Shared, cache: &cache::Figures) -> ServerFigures {
    let parts = shared.backend.parts().await.into_iter().filter(|part| part.state != PartState::Off);
    let pools = [("database", shared.backend.database_pool()), ("redis", cache.shared.as_ref().map(PoolUse::from))];
    let pools = pools.into_iter().filter_map(|(pool, used)| {
        let PoolUse { size, in_use, max, waiting, .. } = used?;
        Some(PoolFigures { pool, size, in_use, max, waiting })
    });
    ServerFigures {
        parts: parts
            .map(|part| PartFigures {
                part: part.name,
                up: part.state != PartState::Away,
                degraded: part.state == PartState::Degraded,
            })
            .collect(),
        pools: pools.collect(),
        memory_bytes: resident_bytes(),
        history: shared.backend.history_figures(),
        traces: export_figures(),
        upstreams: shared.backend.upstreams(),
        suggestions: shared.backend.suggester().map(|suggester| {
            let SuggestFigures { terms, queries, bytes, generation } = suggester.figures();
            SuggestionFigures { terms, queries, bytes, generation }
        }),
    }
}
