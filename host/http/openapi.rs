//! The description of the API that clients can read. Made from the handlers' own annotations; a test
//! holds it against the routes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr, Response as ApiResponse, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use crate::http::authorise::scope_of;
use crate::http::{
    database, ecs, feedback, indexing, keys, language, page, plugins, problem, rag, search, status, suggest, tasks,
};

const JSON: &str = "application/json";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Corsac",
        description = "A search server whose retrieval strategies and rankers are hot-swappable WebAssembly components. Failures are problem documents (RFC 9457) with a stable `code`; `/problems` says what each means and what to do."
    ),
    paths(
        search::search,
        suggest::suggestions,
        suggest::intelligent,
        language::natural_language,
        language::intelligent,
        language::contextual,
        language::analyze_query,
        ecs::search::search,
        rag::query::query,
        rag::embed::embed,
        rag::ingest::ingest,
        rag::stream::ingest,
        rag::status::config,
        rag::status::set_config,
        rag::status::health,
        rag::status::stats,
        rag::status::indexing,
        rag::status::rebuild,
        rag::status::clear_cache,
        rag::openai::embeddings,
        rag::openai::models,
        indexing::index,
        indexing::post_documents,
        tasks::list,
        tasks::task,
        status::stats,
        status::health::health,
        status::performance::performance,
        status::history::history,
        status::clear_cache,
        database::database,
        status::metrics::metrics,
        status::health::alive,
        status::health::ready,
        plugins::list,
        plugins::reload,
        keys::list,
        keys::create,
        keys::revoke,
        ecs::clock::status,
        ecs::clock::health,
        ecs::clock::clock,
        ecs::clock::set,
        ecs::clock::pause,
        ecs::clock::resume,
        ecs::clock::step,
        ecs::agents::list,
        ecs::agents::agent,
        ecs::agents::create,
        ecs::agents::create_many,
        ecs::agents::breed,
        ecs::agents::retire,
        ecs::kin::mates,
        ecs::kin::compatibility,
        ecs::kin::lineage,
        ecs::kin::enable_breeding,
        ecs::kin::breeding_stats,
        ecs::space::position,
        ecs::space::positions,
        ecs::space::send,
        ecs::space::send_towards,
        ecs::space::distance,
        ecs::space::nearby,
        ecs::social::interact,
        ecs::social::interact_pair,
        ecs::social::chat,
        ecs::social::interactions,
        ecs::social::relationships,
        ecs::social::social_stats,
        ecs::naming::spirits,
        ecs::naming::spirit,
        ecs::naming::components,
        ecs::naming::component,
        ecs::naming::config,
        ecs::naming::schemes,
        ecs::naming::styles,
        ecs::naming::spirit_names,
        ecs::naming::generation_numbers,
        ecs::naming::generation_numbers_of,
        ecs::naming::enums,
        ecs::naming::characters,
        ecs::naming::character,
        ecs::traits::personality,
        ecs::traits::personality_of,
        ecs::traits::physical,
        ecs::traits::physical_of,
        ecs::traits::abilities,
        ecs::traits::abilities_of,
        ecs::traits::of_spirit,
        ecs::traits::config,
        ecs::history::rules,
        ecs::history::set_rules,
        ecs::history::snapshots,
        ecs::history::save,
        ecs::history::restore,
        ecs::history::replay,
        ecs::events::events,
        feedback::choose,
        feedback::remembered,
        feedback::forget,
        page::index,
        page::file,
        problem::list::problems,
        document,
    ),
    tags(
        (name = "search", description = "ask"),
        (name = "rag", description = "passages, answers and vectors for language models"),
        (name = "indexing", description = "bring documents in"),
        (name = "ecs", description = "the world of agents"),
        (name = "plugins", description = "what answers"),
        (name = "keys", description = "who may ask"),
        (name = "status", description = "how the server fares"),
    ),
    components(schemas(
        search::events::Done,
        search::lines::Exported,
        crate::service::stream::Matches,
        crate::service::stream::Progress,
        crate::suggest::answer::SuggestionsResponse,
    )),
    modifiers(&Keys, &Problems),
    security((), ("bearer" = []), ("header" = []))
)]
pub(super) struct Api;

/// Both ways to present a key.
struct Keys;

impl Modify for Keys {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("`corsac_<id>_<secret>`"));
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer.build()));
        let header = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("x-api-key")));
        components.add_security_scheme("header", header);
    }
}

/// What happens to every request before its handler sees it, and the media type of all problems.
struct Problems;

impl Modify for Problems {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            let methods = [
                (Method::GET, &mut item.get),
                (Method::POST, &mut item.post),
                (Method::PUT, &mut item.put),
                (Method::DELETE, &mut item.delete),
            ];
            for (method, operation) in methods {
                let Some(operation) = operation else { continue };
                let mut refusals = vec![("403", "a page of another origin asks".to_owned())];
                if let Some(scope) = scope_of(path, &method) {
                    let missing =
                        format!("the key does not allow `{}`, or a page of another origin asks", scope.word());
                    refusals = vec![
                        ("401", "the server wants a key and got none that is good".to_owned()),
                        ("403", missing),
                        ("429", "more requests than the key's rate; see `retry-after`".to_owned()),
                    ];
                }
                if operation.request_body.is_some() {
                    refusals.extend([
                        ("400", "not JSON, or not UTF-8".to_owned()),
                        ("408", "the body took too long to arrive".to_owned()),
                        ("413", "the body is too large".to_owned()),
                        ("415", "not `application/json`".to_owned()),
                    ]);
                }
                if path.starts_with("/api/ecs/") {
                    refusals.extend(of_the_world(operation));
                }
                let responses = &mut operation.responses.responses;
                let problem = || Some(Ref::from_schema_name("Problem").into());
                for (status, description) in refusals {
                    let content = ContentBuilder::new().schema(problem()).build();
                    let response = ResponseBuilder::new().description(description).content(JSON, content).build();
                    responses.entry(status.to_owned()).or_insert(response.into());
                }
                for response in responses.values_mut() {
                    let RefOr::T(response) = response else { continue };
                    let is_problem =
                        |content: &RefOr<Content>| matches!(content, RefOr::T(content) if content.schema == problem());
                    if response.content.get(JSON).is_some_and(is_problem)
                        && let Some(content) = response.content.swap_remove(JSON)
                    {
                        response.content.insert("application/problem+json".to_owned(), content);
                    }
                }
            }
        }
    }
}

/// Problems that several routes may answer with, by status.
pub(super) fn problems<const COUNT: usize>(list: [(&str, &str); COUNT]) -> BTreeMap<String, RefOr<ApiResponse>> {
    let problem = || ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response = |(status, description): (&str, &str)| {
        let response = ResponseBuilder::new().description(description).content(JSON, problem());
        (status.to_owned(), response.build().into())
    };
    list.map(response).into()
}

/// What every answer about the world may be instead.
fn of_the_world(operation: &Operation) -> Vec<(&'static str, String)> {
    let mut refusals = vec![
        ("404", "nobody and nothing of that name, or the world is turned off".to_owned()),
        ("503", "the world cannot answer now; see `retry-after`".to_owned()),
    ];
    let in_query = |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query);
    if operation.request_body.is_some() || operation.parameters.iter().flatten().any(in_query) {
        refusals.push(("422", "every field that is not valid, at once".to_owned()));
    }
    refusals
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "status", responses((status = 200, body = Object)))]
pub(super) async fn document() -> Response {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| Api::openapi().to_json().unwrap_or_default().into());
    let kind = HeaderValue::from_static(JSON);
    ([(header::CONTENT_TYPE, kind)], DOCUMENT.clone()).into_response()
}
