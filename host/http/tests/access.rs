//! Who is let in: keys and their scopes on every route, rates, pages of other origins.

use super::*;
use crate::access::tests::in_memory;
use crate::access::{Keyring, NewKey, Policy, Scope};

fn server_with(change: impl FnOnce(&mut Options)) -> Server {
    let (fake, mut options) = (Arc::new(Fake::default()), Options::default());
    change(&mut options);
    Server { router: router(fake.clone(), options.clone()), fake, options }
}

fn keyring(required: bool, rate_per_minute: u32) -> Arc<Keyring> {
    Arc::new(in_memory(Policy { required, administrator: None, rate_per_minute }))
}

async fn key(keyring: &Keyring, scopes: &str) -> String {
    let new =
        NewKey { name: "test".into(), scopes: scopes.parse().unwrap(), expires_days: None, rate_per_minute: None };
    keyring.create(new).await.unwrap().text
}

/// What each route wants, written down a second time: whoever adds a route decides here, too.
const WANTED: &[(&str, Option<Scope>)] = &[
    ("/", None),
    ("/api/documents", Some(Scope::Index)),
    ("/api/ecs/agents/search", Some(Scope::Search)),
    ("/api/keys", Some(Scope::Admin)),
    ("/api/keys/{id}", Some(Scope::Admin)),
    ("/api/plugins", Some(Scope::Search)),
    ("/api/plugins/{name}/reload", Some(Scope::Admin)),
    ("/api/rag/admin/clear-cache", Some(Scope::Admin)),
    ("/api/rag/admin/indexing-status", Some(Scope::Admin)),
    ("/api/rag/admin/rebuild-index", Some(Scope::Admin)),
    ("/api/rag/admin/stats", Some(Scope::Admin)),
    ("/api/rag/embed", Some(Scope::Search)),
    ("/api/rag/health", Some(Scope::Search)),
    ("/api/rag/ingest", Some(Scope::Index)),
    ("/api/rag/ingest/stream", Some(Scope::Index)),
    ("/api/rag/query", Some(Scope::Search)),
    ("/api/search/analyze-query", Some(Scope::Search)),
    ("/api/search/cache/clear", Some(Scope::Admin)),
    ("/api/search/contextual", Some(Scope::Search)),
    ("/api/search/database", Some(Scope::Admin)),
    ("/api/search/feedback", Some(Scope::Search)),
    ("/api/search/health", Some(Scope::Search)),
    ("/api/search/index", Some(Scope::Index)),
    ("/api/search/intelligent", Some(Scope::Search)),
    ("/api/search/natural-language", Some(Scope::Search)),
    ("/api/search/performance", Some(Scope::Search)),
    ("/api/search/performance/history", Some(Scope::Admin)),
    ("/api/search/stats", Some(Scope::Search)),
    ("/api/search/suggestions", Some(Scope::Search)),
    ("/api/search/suggestions/intelligent", Some(Scope::Search)),
    ("/api/search/usage", Some(Scope::Admin)),
    ("/api/search/{strategy}", Some(Scope::Search)),
    ("/api/tasks", Some(Scope::Index)),
    ("/api/tasks/{id}", Some(Scope::Index)),
    ("/healthz", None),
    ("/metrics", Some(Scope::Search)),
    ("/openapi.json", None),
    ("/page/{file}", None),
    ("/problems", None),
    ("/readyz", None),
    ("/v1/embeddings", Some(Scope::Search)),
    ("/v1/models", Some(Scope::Search)),
];

/// What changing something takes; looking takes `search`.
const WORLD: [(&str, Scope); 54] = [
    ("/api/rag/config", Scope::Admin),
    ("/api/ecs/agents", Scope::Index),
    ("/api/ecs/agents/batch", Scope::Index),
    ("/api/ecs/agents/offspring", Scope::Index),
    ("/api/ecs/agents/positions", Scope::Index),
    ("/api/ecs/agents/{id}", Scope::Index),
    ("/api/ecs/agents/{id}/chat", Scope::Index),
    ("/api/ecs/agents/{id}/compatibility/{other}", Scope::Index),
    ("/api/ecs/agents/{id}/distance/{other}", Scope::Index),
    ("/api/ecs/agents/{id}/interact", Scope::Index),
    ("/api/ecs/agents/{id}/interactions", Scope::Index),
    ("/api/ecs/agents/{id}/lineage", Scope::Index),
    ("/api/ecs/agents/{id}/mates", Scope::Index),
    ("/api/ecs/agents/{id}/move", Scope::Index),
    ("/api/ecs/agents/{id}/move_towards", Scope::Index),
    ("/api/ecs/agents/{id}/nearby", Scope::Index),
    ("/api/ecs/agents/{id}/position", Scope::Index),
    ("/api/ecs/agents/{id}/relationships", Scope::Index),
    ("/api/ecs/agents/{id}/social_stats", Scope::Index),
    ("/api/ecs/breeding/enable", Scope::Index),
    ("/api/ecs/breeding/stats", Scope::Index),
    ("/api/ecs/clock", Scope::Admin),
    ("/api/ecs/clock/pause", Scope::Admin),
    ("/api/ecs/clock/resume", Scope::Admin),
    ("/api/ecs/clock/step", Scope::Admin),
    ("/api/ecs/events", Scope::Index),
    ("/api/ecs/health", Scope::Index),
    ("/api/ecs/interactions", Scope::Index),
    ("/api/ecs/naming/animal-spirits", Scope::Index),
    ("/api/ecs/naming/animal-spirits/{spirit}", Scope::Index),
    ("/api/ecs/naming/characters", Scope::Index),
    ("/api/ecs/naming/characters/{id}", Scope::Index),
    ("/api/ecs/naming/components", Scope::Index),
    ("/api/ecs/naming/components/{type}", Scope::Index),
    ("/api/ecs/naming/config", Scope::Index),
    ("/api/ecs/naming/config/schemes", Scope::Index),
    ("/api/ecs/naming/config/spirits", Scope::Index),
    ("/api/ecs/naming/config/styles", Scope::Index),
    ("/api/ecs/naming/enums", Scope::Index),
    ("/api/ecs/naming/generation-numbers", Scope::Index),
    ("/api/ecs/naming/generation-numbers/{spirit}", Scope::Index),
    ("/api/ecs/replay", Scope::Admin),
    ("/api/ecs/rules", Scope::Admin),
    ("/api/ecs/snapshots", Scope::Admin),
    ("/api/ecs/snapshots/{id}/restore", Scope::Admin),
    ("/api/ecs/status", Scope::Index),
    ("/api/ecs/traits/abilities", Scope::Index),
    ("/api/ecs/traits/abilities/{spirit}", Scope::Index),
    ("/api/ecs/traits/config", Scope::Index),
    ("/api/ecs/traits/personality", Scope::Index),
    ("/api/ecs/traits/personality/{spirit}", Scope::Index),
    ("/api/ecs/traits/physical", Scope::Index),
    ("/api/ecs/traits/physical/{spirit}", Scope::Index),
    ("/api/ecs/traits/spirit/{spirit}", Scope::Index),
];

#[tokio::test]
async fn every_route_wants_its_scope_and_nothing_else_opens_it() {
    let mut routes: Vec<&str> = super::super::routes().iter().map(|(path, _)| *path).collect();
    routes.sort();
    let wanted = WANTED.iter().map(|(route, scope)| (*route, *scope, *scope));
    let of_the_world = WORLD.map(|(route, change)| (route, Some(Scope::Search), Some(change)));
    let mut wanted: Vec<_> = wanted.chain(of_the_world).collect();
    wanted.sort_by_key(|(route, ..)| *route);
    assert_eq!(routes, wanted.iter().map(|(route, ..)| *route).collect::<Vec<_>>());

    let keyring = keyring(true, 0);
    let keys = [key(&keyring, "search").await, key(&keyring, "index").await, key(&keyring, "admin").await];
    let server = server_with(|options| options.keyring = Some(keyring));
    for (route, looking, changing) in wanted {
        let path = route.replace(['{', '}'], "");
        // Whatever the method and the body: who may not come learns nothing of either.
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
            let reply = server.call(method.clone(), &path, &[], "").await;
            let Some(scope) = (if method == Method::GET { looking } else { changing }) else {
                assert_ne!(reply.status, 401, "{route}");
                continue;
            };
            reply.problem(401, "unauthorized");
            assert_eq!(reply.header("www-authenticate"), "Bearer realm=\"corsac\"");
            for (key, has) in keys.iter().zip(Scope::ALL) {
                let bearer = format!("Bearer {key}");
                let reply = server.call(method.clone(), &path, &[("authorization", &bearer)], "").await;
                if has == scope || has == Scope::Admin {
                    assert!(![401, 403].contains(&reply.status.as_u16()), "{method} {route}: {}", reply.status);
                } else {
                    let problem = reply.problem(403, "missing-scope");
                    assert!(problem.detail.contains(&format!("`{}`", scope.word())), "{}", problem.detail);
                    let challenge = reply.header("www-authenticate");
                    assert!(challenge.contains(&format!("scope=\"{}\"", scope.word())), "{challenge}");
                }
            }
        }
    }
    server.get("/nowhere").await.problem(404, "not-found");
}

#[tokio::test]
async fn keys_come_in_either_header_and_wrong_ones_are_counted() {
    let keyring = keyring(true, 0);
    let key = key(&keyring, "search").await;
    let server = server_with(|options| options.keyring = Some(keyring));
    let ask = async |name: &str, value: &str| server.call(Method::GET, "/api/search/stats", &[(name, value)], "").await;
    for (name, value) in [
        ("authorization", format!("Bearer {key}")),
        ("authorization", format!("bearer   {key} ")),
        ("x-api-key", key.clone()),
    ] {
        assert_eq!(ask(name, &value).await.status, 200, "{name}");
    }
    let flipped = format!("{}{}", &key[..key.len() - 1], if key.ends_with('a') { 'b' } else { 'a' });
    for (name, value) in
        [("authorization", format!("Bearer {flipped}")), ("x-api-key", String::new()), ("x-api-key", "x".repeat(5000))]
    {
        let reply = ask(name, &value).await;
        let problem = reply.problem(401, "unauthorized");
        assert!(!problem.detail.contains("corsac_"), "{}", problem.detail);
        assert!(reply.header("www-authenticate").contains("invalid_token"));
    }
    // Another scheme is no key at all.
    assert_eq!(
        ask("authorization", &format!("Basic {key}")).await.header("www-authenticate"),
        "Bearer realm=\"corsac\""
    );
    let metrics = ask("x-api-key", &key).await;
    assert_eq!(metrics.status, 200);
    let text = server.call(Method::GET, "/metrics", &[("x-api-key", &key)], "").await;
    let text = String::from_utf8(text.body.to_vec()).unwrap();
    for line in [r#"corsac_refusals_total{reason="unknown-key"} 3"#, r#"corsac_refusals_total{reason="no-key"} 1"#] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
}

#[tokio::test]
async fn a_rate_is_shown_and_ends_in_429() {
    let keyring = keyring(true, 2);
    let (one, two) = (key(&keyring, "search").await, key(&keyring, "search").await);
    let server = server_with(|options| options.keyring = Some(keyring));
    let ask = async |key: &str| server.call(Method::GET, "/api/search/stats", &[("x-api-key", key)], "").await;
    for (remaining, full_in) in [(1, 30), (0, 60)] {
        let reply = ask(&one).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("ratelimit-policy"), "\"requests\";q=2;w=60");
        assert_eq!(reply.header("ratelimit"), format!("\"requests\";r={remaining};t={full_in}"));
    }
    let reply = ask(&one).await;
    reply.problem(429, "rate-limited");
    let wait: u64 = reply.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(reply.header("ratelimit"), format!("\"requests\";r=0;t={wait}"));
    assert_eq!(ask(&two).await.status, 200);
    assert_eq!(server.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn without_keys_a_rate_holds_for_all_together() {
    let server = server_with(|options| options.keyring = Some(keyring(false, 1)));
    assert_eq!(server.get("/api/search/stats").await.status, 200);
    server.get("/api/search/stats").await.problem(429, "rate-limited");
    assert_eq!(server.get("/readyz").await.header("ratelimit"), "");
}

const PAGE: &str = "https://page.example";

fn cross_origin(origins: &[&str]) -> Server {
    let origins: Vec<String> = origins.iter().map(|origin| (*origin).to_owned()).collect();
    server_with(|options| options.cors = Cors::new(&origins))
}

const PREFLIGHT: [(&str, &str); 3] = [
    ("origin", PAGE),
    ("access-control-request-method", "POST"),
    ("access-control-request-headers", "authorization,content-type"),
];

#[tokio::test]
async fn a_page_that_is_let_in_gets_its_preflight_and_its_answer() {
    let keyring = keyring(true, 0);
    let key = key(&keyring, "search").await;
    let server = server_with(|options| {
        options.cors = Cors::new(&["https://other.example".to_owned(), PAGE.to_owned()]);
        options.keyring = Some(keyring);
    });
    let reply = server.call(Method::OPTIONS, "/api/search/hybrid", &PREFLIGHT, "").await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (204, 0));
    assert_eq!(reply.header("access-control-allow-origin"), PAGE);
    let methods = reply.header("access-control-allow-methods");
    // What the API's description has is what a page may call.
    let document = server.get("/openapi.json").await.json();
    for operation in document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().keys()) {
        let method = operation.to_uppercase();
        assert!(methods.split(", ").any(|allowed| allowed == method), "{method} is not among {methods}");
    }
    for name in ["authorization", "content-type", "traceparent", "x-api-key"] {
        assert!(reply.header("access-control-allow-headers").contains(name), "{name}");
    }
    assert!(reply.header("access-control-max-age").parse::<u32>().unwrap() > 0);
    assert_eq!(reply.header("vary"), "origin");

    let headers = [("origin", PAGE), ("content-type", "application/json"), ("x-api-key", key.as_str())];
    let reply = server.call(Method::POST, "/api/search/hybrid", &headers, r#"{"query":"a"}"#).await;
    assert_eq!((reply.status.as_u16(), reply.header("access-control-allow-origin")), (200, PAGE));
    for name in ["x-request-id", "corsac-freshness"] {
        assert!(reply.header("access-control-expose-headers").contains(name), "{name}");
    }
    assert_eq!(reply.header("access-control-allow-credentials"), "");
    // A page can read why it was refused.
    let reply = server.call(Method::POST, "/api/search/hybrid", &headers[..2], r#"{"query":"a"}"#).await;
    reply.problem(401, "unauthorized");
    assert_eq!((reply.header("access-control-allow-origin"), reply.header("vary")), (PAGE, "origin"));
    // What has no origin may be kept by caches, so it says that it depends on it.
    assert_eq!(server.get("/healthz").await.header("vary"), "origin");
}

#[tokio::test]
async fn other_pages_are_refused() {
    let server = cross_origin(&["https://page.example:8443", "http://page.example"]);
    let reply = server.call(Method::OPTIONS, "/api/search/hybrid", &PREFLIGHT, "").await;
    reply.problem(403, "forbidden");
    let headers = [("origin", PAGE), ("content-type", "application/json")];
    let reply = server.call(Method::POST, "/api/search/hybrid", &headers, r#"{"query":"a"}"#).await;
    reply.problem(403, "forbidden");
    assert_eq!(reply.header("access-control-allow-origin"), "");
    assert!(server.fake.seen.lock().is_empty());

    // Nothing is let in by default, and nothing is said about it.
    let server = cross_origin(&[]);
    let reply = server.call(Method::OPTIONS, "/api/search/hybrid", &PREFLIGHT, "").await;
    reply.problem(403, "forbidden");
    assert_eq!(server.get("/healthz").await.header("vary"), "");
}

#[tokio::test]
async fn a_star_lets_every_page_in_but_no_foreign_host() {
    let server = server_with(|options| {
        options.cors = Cors::new(&["*".to_owned()]);
        options.hosts = Hosts::Loopback;
    });
    let reply = server.call(Method::GET, "/healthz", &[("origin", "null"), ("host", "localhost:8000")], "").await;
    assert_eq!((reply.status.as_u16(), reply.header("access-control-allow-origin")), (200, "*"));
    assert_eq!(reply.header("vary"), "");
    let reply = server.call(Method::GET, "/healthz", &[("origin", PAGE), ("host", "evil.example")], "").await;
    reply.problem(403, "forbidden");
}

#[tokio::test]
async fn keys_are_listed_made_and_revoked() {
    let server = server();
    assert_eq!(server.get("/api/keys").await.json()["keys"][0]["id"], "0a1b");
    let reply = server.post("/api/keys", json!({"name": "n", "scopes": ["index"], "rate_per_minute": 9})).await;
    assert_eq!((reply.status.as_u16(), reply.header("cache-control")), (201, "no-store"));
    let made = reply.json();
    assert_eq!((&made["key"], &made["id"]), (&json!("corsac_0a1b_ff"), &json!("0a1b")));
    assert_eq!((&made["scopes"], &made["rate_per_minute"]), (&json!(["index"]), &json!(9)));
    assert_eq!(server.post("/api/keys", json!({})).await.violated(), ["name", "scopes"]);
    let wrong = server.post("/api/keys", json!({"name": 1, "scopes": ["search"], "scope": "x"})).await;
    let mut fields = wrong.violated();
    fields.sort();
    assert_eq!(fields, ["name", "scope"]);
    assert_eq!(server.call(Method::DELETE, "/api/keys/0a1b", &[], "").await.status, 204);
    server.call(Method::DELETE, "/api/keys/none", &[], "").await.problem(404, "unknown-key");
}
