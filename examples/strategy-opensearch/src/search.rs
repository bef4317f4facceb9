//! The search API as far as it is needed: a `multi_match` query, and of each hit its score and where it is. Knows the
//! engine's JSON; nothing of chunks or of how requests travel.

use serde_json::{Value, json};
use strategy_kit::Query;

use crate::Request;

/// What the operator sets, as `settings` of the plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `http://search.internal:9200`, without a slash at its end.
    url: String,
    index: String,
    authorization: Option<String>,
    /// Searched, with boosts if wanted: `title^2`.
    fields: Vec<String>,
    /// Where a hit says its file (as this index names it), and its line from 1 if the engine knows lines.
    path_field: String,
    line_field: String,
    /// Hits asked for at most. Each file among them takes one probe, so not more than `max_probes` of the plugin.
    size: u32,
}

/// Hits in the engine's order.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineHits {
    pub rows: Vec<EngineHit>,
    /// Why there may be more.
    pub partial: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct EngineHit {
    pub path: String,
    pub line: Option<u32>,
    pub score: f32,
}

impl Settings {
    /// Errors name the setting and what it should be.
    pub fn read(setting: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let given = |key: &str| setting(key).filter(|value| !value.trim().is_empty());
        let url = given("url").ok_or("the setting `url` is missing: set it like http://search.internal:9200")?;
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err("the setting `url` must begin with http:// or https://".into());
        }
        let index = given("index").ok_or("the setting `index` is missing: name the engine's index")?;
        if index.contains(['/', '?', '#', ' ']) {
            return Err(format!("the setting `index` is `{index}`, which is no name of an index"));
        }
        let size = given("size").unwrap_or_else(|| "30".into());
        let size = size.parse().ok().filter(|size| (1..=1000).contains(size));
        let fields = given("fields").unwrap_or_else(|| "*".into());
        Ok(Self {
            url: url.trim_end_matches('/').into(),
            index,
            authorization: given("authorization"),
            fields: fields.split(',').map(|field| field.trim().to_owned()).collect(),
            path_field: given("path-field").unwrap_or_else(|| "path".into()),
            line_field: given("line-field").unwrap_or_else(|| "line".into()),
            size: size.ok_or("the setting `size` must be a number from 1 to 1000, at most max_probes of the plugin")?,
        })
    }

    pub fn request(&self, query: &Query) -> Request {
        let body = json!({
            "query": { "multi_match": { "query": query.text, "fields": self.fields } },
            "size": query.limit.clamp(1, self.size),
            "_source": [self.path_field, self.line_field],
        });
        Request {
            url: format!("{}/{}/_search", self.url, self.index),
            authorization: self.authorization.clone(),
            body: body.to_string(),
        }
    }

    /// What an answer says, or why it is none.
    pub fn hits(&self, status: u16, body: &[u8]) -> Result<EngineHits, String> {
        let answer: Value = serde_json::from_slice(body)
            .map_err(|error| format!("the engine answered {status} with something that is no JSON: {error}"))?;
        if status != 200 {
            let reason = &answer["error"]["reason"];
            let reason = reason.as_str().or(answer["error"].as_str()).unwrap_or("without a reason");
            return Err(format!("the engine answered {status}: {reason}"));
        }
        let hits = answer["hits"]["hits"].as_array().ok_or("the engine's answer has no hits.hits")?;
        let count = hits.len();
        let rows = hits.iter().enumerate().filter_map(|(place, hit)| {
            let source = &hit["_source"];
            // Sorted by something else than relevance, hits have no score: then their order is one.
            let score = hit["_score"].as_f64().map_or((count - place) as f32, |score| score as f32);
            Some(EngineHit {
                path: source[&self.path_field].as_str()?.to_owned(),
                line: source[&self.line_field]
                    .as_u64()
                    .and_then(|line| u32::try_from(line).ok())
                    .filter(|line| *line > 0),
                score: if score.is_finite() { score } else { 0.0 },
            })
        });
        let rows: Vec<EngineHit> = rows.collect();
        if rows.is_empty() && count > 0 {
            return Err(format!(
                "none of the engine's hits has the field `{}` (setting `path-field`)",
                self.path_field
            ));
        }
        let mut partial = Vec::new();
        if answer["timed_out"] == true {
            partial.push("the engine ran out of time".to_owned());
        }
        if let Some(failed @ 1..) = answer["_shards"]["failed"].as_u64() {
            partial.push(format!("{failed} of the engine's shards failed"));
        }
        Ok(EngineHits { rows, partial })
    }
}
