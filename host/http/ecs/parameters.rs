//! What stands behind the question mark: read one by one, so that an answer can name every field that is
//! wrong. Knows no route.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::Query;
use axum::http::Uri;

use crate::ecs::world::PageOf;
use crate::http::problem::{Problem, Violation};
use crate::http::{body, fields};

/// How far into a list a page may begin; there are never as many agents.
const MAX_OFFSET: u64 = 1_000_000_000;

/// The parameters of one request, and what is wrong with them so far.
pub(in crate::http) struct Parameters {
    given: Vec<(String, String)>,
    pub(in crate::http) violations: Vec<Violation>,
}

impl Parameters {
    /// `known` are all that the route takes; others, and one that comes twice, are violations.
    pub(in crate::http) fn of(uri: &Uri, known: &[&str]) -> Self {
        let (mut given, mut violations) = (Vec::<(String, String)>::new(), vec![]);
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(pairs)| pairs).unwrap_or_default();
        for (name, value) in pairs {
            if violations.len() >= body::MAX_VIOLATIONS {
                break;
            }
            if !known.contains(&name.as_str()) {
                violations.push(body::unknown_field(&name, known));
            } else if given.iter().any(|(other, _)| *other == name) {
                violations.push(Violation::new(name, "is there twice").remedy("send it once"));
            } else {
                given.push((name, value));
            }
        }
        Self { given, violations }
    }

    /// As it stands.
    pub(in crate::http) fn given(&self, field: &str) -> Option<&str> {
        self.given.iter().find(|(name, _)| name == field).map(|(_, value)| value.as_str())
    }

    /// None when it is left out or empty.
    pub(in crate::http) fn text(&self, field: &str) -> Option<String> {
        let value = self.given(field)?.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    pub(in crate::http) fn number<T>(&mut self, field: &str, default: T, least: T, most: T) -> T
    where
        T: FromStr + PartialOrd + Copy + Display,
    {
        let Some(text) = self.text(field) else { return default };
        match text.parse() {
            Ok(value) => fields::within(field, Some(value), default, least, most, &mut self.violations),
            Err(_) => {
                let message = format!("is not a number from {least} to {most}");
                self.violations.push(Violation::new(field, message));
                default
            }
        }
    }

    pub(in crate::http) fn flag(&mut self, field: &str, default: bool) -> bool {
        match self.text(field).as_deref() {
            None => default,
            Some("true" | "1") => true,
            Some("false" | "0") => false,
            Some(_) => {
                self.violations.push(Violation::new(field, "is neither true nor false"));
                default
            }
        }
    }

    /// `limit` (1 to 1000) and `offset`.
    pub(in crate::http) fn page(&mut self, default: u32) -> PageOf {
        let limit = self.number("limit", default, 1, 1000);
        PageOf { offset: self.number("offset", 0, 0, MAX_OFFSET), limit }
    }

    /// 422 when anything was wrong.
    pub(in crate::http) fn done(self) -> Result<(), Problem> {
        if self.violations.is_empty() { Ok(()) } else { Err(Problem::invalid(self.violations)) }
    }
}
