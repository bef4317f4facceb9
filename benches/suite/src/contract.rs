//! What the server's own OpenAPI document asks of requests. A benchmark of requests that are refused measures nothing,
//! so every kind of request is held against it before anything is measured.

use std::collections::BTreeSet;

use anyhow::{Context, anyhow, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::exchange::{Body, Request};

/// Endpoints below these must be measured.
const COVERED: [&str; 4] = ["/api/search/", "/api/ecs/", "/api/rag/", "/v1/"];

#[derive(Debug)]
pub struct Contract(Value);

impl Contract {
    /// `document`: that of `/openapi.json`.
    pub fn new(document: Value) -> Self {
        Self(document)
    }

    /// The operation of a path as the document writes it.
    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        self.0["paths"].get(path)?.get(method.as_str().to_lowercase())
    }

    pub fn has(&self, method: &Method, path: &str) -> bool {
        self.operation(method, path).is_some()
    }

    /// Whether a success may have this type of content.
    pub fn answers_with(&self, method: &Method, path: &str, content: &str) -> bool {
        let responses = self.operation(method, path).and_then(|operation| operation["responses"].as_object());
        responses.is_some_and(|responses| {
            responses
                .iter()
                .any(|(status, response)| status.starts_with('2') && !response["content"][content].is_null())
        })
    }

    /// Operations that ought to be measured and are not among those `measured`.
    pub fn uncovered(&self, measured: &BTreeSet<(String, String)>) -> Vec<String> {
        let paths = self.0["paths"].as_object().into_iter().flatten();
        let operations = paths.filter(|(path, _)| COVERED.iter().any(|start| path.starts_with(start))).flat_map(
            |(path, operations)| {
                let methods = operations.as_object().into_iter().flatten().map(|(method, _)| method.to_uppercase());
                methods.map(move |method| (method, path.clone()))
            },
        );
        let missing = operations.filter(|operation| !measured.contains(operation));
        missing.map(|(method, path)| format!("{method} {path}")).collect()
    }

    /// Fails, naming each field, unless the document allows this request to `path`, which is as the document
    /// writes it.
    pub fn check(&self, path: &str, request: &Request) -> anyhow::Result<()> {
        let Request { method, .. } = request;
        let operation = self.operation(method, path).with_context(|| format!("no {method} {path} in /openapi.json"))?;
        let query = request.path.split_once('?').map_or("", |(_, query)| query);
        let given: BTreeSet<&str> =
            query.split('&').filter_map(|part| Some(part.split_once('=')?.0)).filter(|name| !name.is_empty()).collect();
        let mut known = BTreeSet::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let (name, place) = (parameter["name"].as_str().unwrap_or_default(), parameter["in"].as_str());
            if place == Some("query") {
                known.insert(name);
                let wanted = parameter["required"] == true && !given.contains(name);
                ensure!(!wanted, "{method} {path}: the parameter `{name}` is required");
            }
        }
        if let Some(unknown) = given.difference(&known).next() {
            bail!("{method} {path}: there is no parameter `{unknown}`");
        }
        let asked = &operation["requestBody"];
        let content = &asked["content"];
        match &request.body {
            Body::Nothing => ensure!(asked["required"] != true, "{method} {path} wants a body"),
            Body::Lines(_) => ensure!(!content["application/x-ndjson"].is_null(), "{method} {path} takes no lines"),
            Body::Json(body) => {
                self.check_body(&content["application/json"]["schema"], body).map_err(|violations| {
                    anyhow!("{method} {path}: the document does not allow {body}: {}", violations.join("; "))
                })?
            }
        }
        Ok(())
    }

    fn check_body(&self, schema: &Value, body: &Value) -> Result<(), Vec<String>> {
        if schema.is_null() {
            return Err(vec!["there is no body in JSON".into()]);
        }
        // References are relative to the whole document.
        let whole = json!({ "allOf": [schema], "components": self.0["components"] });
        let validator = jsonschema::draft202012::new(&whole).map_err(|error| vec![error.to_string()])?;
        let violations: Vec<String> =
            validator.iter_errors(body).map(|error| format!("{} at `{}`", error, error.instance_path())).collect();
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract() -> Contract {
        let search = json!({
            "type": "object", "required": ["query"], "additionalProperties": false,
            "properties": {
                "query": { "type": "string", "minLength": 1 },
                "max_results": { "type": ["integer", "null"], "minimum": 1, "maximum": 100 },
            },
        });
        let answers = json!({ "200": { "content": { "application/json": {}, "text/event-stream": {} } } });
        Contract::new(json!({
            "components": { "schemas": { "SearchBody": search } },
            "paths": {
                "/api/search/{strategy}": { "post": {
                    "responses": answers,
                    "requestBody": {
                        "required": true,
                        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/SearchBody" } } },
                    },
                } },
                "/api/search/suggestions": { "get": { "parameters": [
                    { "name": "query", "in": "query", "required": true },
                    { "name": "max_suggestions", "in": "query", "required": false },
                ] } },
                "/metrics": { "get": {} },
            },
        }))
    }

    #[test]
    fn bodies_are_held_against_the_schema_that_the_document_refers_to() {
        let check = |body| contract().check("/api/search/{strategy}", &Request::post("/api/search/hybrid", body));
        assert!(check(json!({ "query": "a", "max_results": 100 })).is_ok());
        for (body, part) in [
            (json!({ "q": "a" }), "query"),
            (json!({ "query": "a", "max_results": 101 }), "max_results"),
            (json!({ "query": 1 }), "query"),
            (json!({ "query": "a", "persona": 1 }), "persona"),
        ] {
            let refused = check(body).unwrap_err().to_string();
            assert!(refused.contains(part), "{refused}");
        }
        assert!(contract().check("/api/search/{strategy}", &Request::call("/api/search/hybrid")).is_err());
    }

    #[test]
    fn parameters_must_be_known_and_complete() {
        let check = |path: &str| contract().check("/api/search/suggestions", &Request::get(path));
        assert!(check("/api/search/suggestions?query=a&max_suggestions=3").is_ok());
        assert!(check("/api/search/suggestions?max_suggestions=3").unwrap_err().to_string().contains("`query`"));
        assert!(check("/api/search/suggestions?query=a&limit=3").unwrap_err().to_string().contains("`limit`"));
        assert!(contract().check("/api/search/other", &Request::get("/api/search/other")).is_err());
    }

    #[test]
    fn what_is_not_measured_is_named() {
        let measured = BTreeSet::from([("POST".to_owned(), "/api/search/{strategy}".to_owned())]);
        assert_eq!(contract().uncovered(&measured), ["GET /api/search/suggestions"]);
    }

    #[test]
    fn forms_of_an_answer_are_known() {
        let search = |content| contract().answers_with(&Method::POST, "/api/search/{strategy}", content);
        assert!(search("text/event-stream") && !search("application/x-ndjson"));
    }
}
