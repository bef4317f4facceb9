//! The body of a search and its rules: JSON in, a validated `SearchRequest` or every violation out.
//! Past this file nothing about a request has to be doubted. Knows no plugin: whether a strategy or a
//! ranker exists is the service's to say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::problem::{Code, Problem, Violation};
use crate::http::{body, fields};
use crate::query::{Query, Scope};
use crate::service::facets::Facet;
use crate::service::{DEFAULT_WINDOW, EXPORT_WINDOW, SearchRequest, WINDOW};

/// What differs between an answer and an export.
struct Bounds {
    window: u32,
    most_window: u32,
    /// None: all of the window.
    results: Option<u32>,
    most_results: u32,
}

const ANSWER: Bounds = Bounds { window: DEFAULT_WINDOW, most_window: WINDOW, results: Some(20), most_results: 100 };
const EXPORT: Bounds =
    Bounds { window: EXPORT_WINDOW, most_window: EXPORT_WINDOW, results: None, most_results: EXPORT_WINDOW };

const MAX_PARAMETERS: usize = 32;
const MAX_PARAMETER_BYTES: usize = 1024;
/// A value for either weight when only the other is given; those of the earlier API.
const DEFAULT_WEIGHTS: (f32, f32) = (0.6, 0.4);

/// A search. Only `query` is needed; `null` is the same as leaving a field out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"query": "parse the configuration file", "max_results": 10, "file_types": ["rs"]}))]
pub struct SearchBody {
    /// What to look for; 1 to 4096 bytes.
    #[schema(required = true, nullable = false, min_length = 1, max_length = 4096)]
    pub query: Option<String>,
    /// Of an export (`accept: application/x-ndjson`) up to 10,000, and all of the window when left out.
    #[schema(minimum = 1, maximum = 10000, default = 20)]
    pub max_results: Option<i64>,
    /// Results of the window to skip; at most `window`. A page that reaches over the window's end is cut there.
    #[schema(minimum = 0, maximum = 10000, default = 0)]
    pub offset: Option<i64>,
    /// Candidates that are ranked, and from which all pages of a question are cut: the same for each of them, else
    /// they are pages of different lists. At most 1000; of an export 10,000, which is its default.
    #[schema(minimum = 1, maximum = 10000, default = 100)]
    pub window: Option<i64>,
    /// Count the hits of the window by `language`, `directory`, `file_type`.
    #[schema(max_items = 3, example = json!(["language"]))]
    pub facets: Option<Vec<String>>,
    /// Extensions, with or without a dot; all when empty.
    #[schema(max_items = 32, example = json!(["rs", "py"]))]
    pub file_types: Option<Vec<String>>,
    /// Folders relative to the indexed one; all when empty.
    #[schema(max_items = 64, example = json!(["src/http"]))]
    pub directories: Option<Vec<String>>,
    #[schema(default = false)]
    pub case_sensitive: Option<bool>,
    #[schema(default = false)]
    pub whole_word: Option<bool>,
    /// Lines to show around a hit.
    #[schema(minimum = 0, maximum = 10, default = 0)]
    pub context_lines: Option<i64>,
    /// Least cosine similarity of a semantic hit; the strategy's own when left out.
    #[schema(minimum = 0, maximum = 1)]
    pub similarity_threshold: Option<f64>,
    /// Of `hybrid`; the two weights need not add up to 1, but may not both be 0.
    #[schema(minimum = 0, maximum = 1, example = 0.6)]
    pub semantic_weight: Option<f64>,
    #[schema(minimum = 0, maximum = 1, example = 0.4)]
    pub syntax_weight: Option<f64>,
    /// Name of a loaded ranker, with or without `rank-`; the default ranker when left out.
    pub ranker: Option<String>,
    /// Id of an agent of the world, whose traits a ranker may take into account.
    #[schema(example = "fox-001")]
    pub agent: Option<String>,
    /// Add to each result why it stands where it stands.
    #[schema(default = false)]
    pub explain: Option<bool>,
    /// `literal` or `regex`, for strategies that look for patterns; theirs to guess when left out.
    #[schema(example = "regex")]
    pub pattern_type: Option<String>,
    /// Handed to the strategy as it is.
    pub search_type: Option<String>,
    /// Whatever else the strategy and the ranker know, such as `rrf_k`: text, numbers or booleans.
    #[schema(value_type = Option<BTreeMap<String, Value>>, example = json!({"rrf_k": 60}))]
    pub parameters: Option<BTreeMap<String, Value>>,
    /// Accepted for clients of the earlier API, without effect; so are the fields after it. Boxed, so that
    /// what nobody uses costs every request only a pointer.
    #[schema(value_type = Option<Object>, deprecated)]
    pub model: Option<Box<Value>>,
    #[schema(value_type = Option<Object>, deprecated)]
    pub language: Option<Box<Value>>,
    #[schema(value_type = Option<Object>, deprecated)]
    pub expand_query: Option<Box<Value>>,
    #[schema(value_type = Option<Object>, deprecated)]
    pub search_modes: Option<Box<Value>>,
    /// Look for synonyms too; true when left out. This and the fields after it have an effect where a query is
    /// understood: `natural-language`, `intelligent`, `contextual`.
    #[schema(value_type = Option<bool>, default = true)]
    pub enable_expansion: Option<Box<Value>>,
    /// Below this confidence a query is searched as it was asked.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 1, default = 0.6)]
    pub confidence_threshold: Option<Box<Value>>,
    /// Where the client is while it asks: what is near is preferred. Of `contextual`.
    #[schema(value_type = Option<crate::http::language::SearchContext>)]
    pub context: Option<Box<Value>>,
}

/// All names of `SearchBody`, those that clients should use first. A test compares.
pub(in crate::http) const FIELDS: &[&str] = &[
    "query",
    "max_results",
    "offset",
    "window",
    "facets",
    "file_types",
    "directories",
    "case_sensitive",
    "whole_word",
    "context_lines",
    "similarity_threshold",
    "semantic_weight",
    "syntax_weight",
    "ranker",
    "agent",
    "explain",
    "pattern_type",
    "search_type",
    "parameters",
    "model",
    "language",
    "expand_query",
    "search_modes",
    "enable_expansion",
    "confidence_threshold",
    "context",
];

/// A validated request and the agent for whom it is, or a problem with all violations. Whether there is such
/// an agent is the world's to say: `persona` is still none.
pub(in crate::http) fn to_request(strategy: &str, body: &[u8]) -> Result<(SearchRequest, Option<String>), Problem> {
    read(strategy, body, &ANSWER, |_, _| |_| ())
}

/// As `to_request`, for all hits of a large window.
pub(in crate::http) fn to_export(strategy: &str, body: &[u8]) -> Result<(SearchRequest, Option<String>), Problem> {
    read(strategy, body, &EXPORT, |_, _| |_| ())
}

/// `to_request`, or `to_export`, with rules for more fields: `rules` reads them and says what they do to a request.
pub(in crate::http) fn to_request_with<Apply: FnOnce(&mut SearchRequest)>(
    strategy: &str,
    body: &[u8],
    export: bool,
    rules: impl FnOnce(&mut SearchBody, &mut Vec<Violation>) -> Apply,
) -> Result<(SearchRequest, Option<String>), Problem> {
    read(strategy, body, if export { &EXPORT } else { &ANSWER }, rules)
}

fn read<Apply: FnOnce(&mut SearchRequest)>(
    strategy: &str,
    body: &[u8],
    bounds: &Bounds,
    rules: impl FnOnce(&mut SearchBody, &mut Vec<Violation>) -> Apply,
) -> Result<(SearchRequest, Option<String>), Problem> {
    if !fields::is_plugin_name(strategy) {
        return Err(Problem::new(Code::UnknownStrategy, "a strategy's name has letters, digits and dashes"));
    }
    let (mut body, mut violations) = body::parse::<SearchBody>(body, FIELDS)?;
    let agent = body.agent.take();
    let query_was_readable = !violations.iter().any(|violation| violation.field == "query");
    let apply = rules(&mut body, &mut violations);
    let mut request = validate(strategy, body, query_was_readable, bounds, &mut violations);
    apply(&mut request);
    if violations.is_empty() { Ok((request, agent)) } else { Err(Problem::invalid(violations)) }
}

fn validate(
    strategy: &str,
    body: SearchBody,
    readable: bool,
    bounds: &Bounds,
    violations: &mut Vec<Violation>,
) -> SearchRequest {
    // Of one that could not be read it is said already.
    let text = if readable { fields::query(body.query, violations) } else { String::new() };
    let (window, most) = (i64::from(bounds.window), i64::from(bounds.most_window));
    let window = fields::within("window", body.window, window, 1, most, violations);
    let results = bounds.results.map_or(window, i64::from);
    let most_results = i64::from(bounds.most_results);
    let max_results = fields::within("max_results", body.max_results, results, 1, most_results, violations) as u32;
    let offset = fields::within("offset", body.offset, 0, 0, most, violations);
    if offset > window {
        let remedy = format!("raise `window` (at most {most}), to the same for every page of the question");
        let message = format!("is beyond the window of {window} candidates");
        violations.push(Violation::new("offset", message).remedy(remedy));
    }
    let context_lines = fields::within("context_lines", body.context_lines, 0, 0, 10, violations) as u32;
    let scope = Scope {
        file_types: fields::file_types(body.file_types.unwrap_or_default(), violations),
        directories: fields::directories(body.directories.unwrap_or_default(), violations),
    };
    let threshold = body.similarity_threshold;
    let threshold =
        threshold.map(|given| fields::within("similarity_threshold", Some(given), 0.0, 0.0, 1.0, violations));
    let weights = weights(body.semantic_weight, body.syntax_weight, violations);
    if let Some(ranker) = &body.ranker
        && (ranker.is_empty() || ranker.len() > 64)
    {
        violations.push(fields::no_plugin("ranker"));
    }
    let parameters = parameters(body.parameters, body.pattern_type, body.search_type, violations);
    SearchRequest {
        // `search` is the earlier API's name of the strategy that chooses.
        strategy: if strategy == "search" { "smart" } else { strategy }.to_owned(),
        ranker: body.ranker,
        query: Query {
            text,
            limit: window as u32,
            scope,
            case_sensitive: body.case_sensitive.unwrap_or(false),
            whole_word: body.whole_word.unwrap_or(false),
            similarity_threshold: threshold.map(|threshold| threshold as f32),
            weights,
            parameters,
        },
        offset: offset as u32,
        max_results,
        context_lines,
        explain: body.explain.unwrap_or(false),
        facets: facets(body.facets.unwrap_or_default(), violations),
        persona: None,
        understand: None,
    }
}

/// In order and each once, so that equal requests have equal cache keys.
fn facets(given: Vec<String>, violations: &mut Vec<Violation>) -> Vec<Facet> {
    if given.len() > Facet::ALL.len() {
        let violation = Violation::new("facets", format!("may have at most {} entries", Facet::ALL.len()));
        violations.push(violation.remedy("write each of them once"));
        return vec![];
    }
    for (index, name) in given.iter().enumerate() {
        if !Facet::ALL.iter().any(|facet| facet.name() == name) {
            let violation = Violation::new(format!("facets[{index}]"), "is nothing that hits can be counted by");
            violations.push(violation.remedy("write `language`, `directory` or `file_type`"));
        }
    }
    Facet::ALL.into_iter().filter(|facet| given.iter().any(|name| name == facet.name())).collect()
}

/// Empty when neither is given, so that the strategy's own weights hold.
fn weights(semantic: Option<f64>, syntax: Option<f64>, violations: &mut Vec<Violation>) -> Vec<(String, f32)> {
    if semantic.is_none() && syntax.is_none() {
        return vec![];
    }
    let (default_semantic, default_syntax) = DEFAULT_WEIGHTS;
    let semantic = fields::within("semantic_weight", semantic, default_semantic.into(), 0.0, 1.0, violations) as f32;
    let syntax = fields::within("syntax_weight", syntax, default_syntax.into(), 0.0, 1.0, violations) as f32;
    if semantic == 0.0 && syntax == 0.0 {
        violations.push(Violation::new("semantic_weight", "and syntax_weight are both 0").remedy("raise one of them"));
    }
    vec![("semantic".to_owned(), semantic), ("syntax".to_owned(), syntax)]
}

/// In the order of their names, so that equal requests have equal cache keys.
fn parameters(
    given: Option<BTreeMap<String, Value>>,
    pattern_type: Option<String>,
    search_type: Option<String>,
    violations: &mut Vec<Violation>,
) -> Vec<(String, String)> {
    let mut usable = BTreeMap::new();
    let given = given.unwrap_or_default();
    if given.len() > MAX_PARAMETERS {
        violations.push(Violation::new("parameters", format!("may have at most {MAX_PARAMETERS} entries")));
        return vec![];
    }
    for (name, value) in given {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            let shown: String = name.chars().filter(|letter| !letter.is_control()).take(64).collect();
            violations.push(Violation::new(format!("parameters.{shown}"), "is not a name of letters, digits, `_-.`"));
            continue;
        }
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null => continue,
            Value::Array(_) | Value::Object(_) => {
                violations.push(Violation::new(format!("parameters.{name}"), "must be text, a number or a boolean"));
                continue;
            }
        };
        if text.len() > MAX_PARAMETER_BYTES {
            violations.push(Violation::new(format!("parameters.{name}"), "is longer than 1024 bytes"));
            continue;
        }
        usable.insert(name, text);
    }
    if let Some(pattern_type) = pattern_type {
        if matches!(pattern_type.as_str(), "literal" | "regex") {
            usable.insert("pattern_type".to_owned(), pattern_type);
        } else {
            violations.push(Violation::new("pattern_type", "is neither `literal` nor `regex`"));
        }
    }
    if let Some(search_type) = search_type {
        if search_type.len() > 64 {
            violations.push(Violation::new("search_type", "is longer than 64 bytes"));
        } else {
            usable.insert("search_type".to_owned(), search_type);
        }
    }
    usable.into_iter().collect()
}
