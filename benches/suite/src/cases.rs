//! One table of every endpoint that is measured, with requests that its OpenAPI document allows.

/// Agents, their time and their rules.
mod ecs;
/// Passages, vectors and documents for language models.
mod rag;
/// What requests may refer to.
pub mod scene;
/// Searches and what is beside them.
mod search;
/// Three kinds of users.
pub mod users;

use reqwest::Method;

pub use scene::{Ask, Scene};

use crate::exchange::Request;

/// How an endpoint is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Depends on a text: cold with texts that were never asked for, warm with a few that were.
    Text,
    /// Any number of times, from any number of clients.
    Any,
    /// Once: it concerns everything at once, such as building the index again.
    Once,
}

/// An endpoint, or one way to use it. `path` is as in the OpenAPI document.
pub struct Case {
    pub method: Method,
    pub path: &'static str,
    /// Which way, if there are several.
    pub way: &'static str,
    pub kind: Kind,
    /// None: no text is left that was never asked for.
    pub request: Make,
    /// What has to be done before each request, beside the clock.
    pub before: Option<Make>,
    /// The type of content that is asked for, unless it is JSON.
    pub form: Option<&'static str>,
}

pub type Make = fn(&Scene, Ask) -> Option<Request>;

impl Case {
    fn new(method: Method, path: &'static str, kind: Kind, request: Make) -> Self {
        Self { method, path, way: "", kind, request, before: None, form: None }
    }

    fn get(path: &'static str, request: Make) -> Self {
        Self::new(Method::GET, path, Kind::Any, request)
    }

    fn post(path: &'static str, request: Make) -> Self {
        Self::new(Method::POST, path, Kind::Any, request)
    }

    fn text(self) -> Self {
        Self { kind: Kind::Text, ..self }
    }

    fn once(self) -> Self {
        Self { kind: Kind::Once, ..self }
    }

    fn way(self, way: &'static str) -> Self {
        Self { way, ..self }
    }

    fn after(self, before: Make) -> Self {
        Self { before: Some(before), ..self }
    }

    fn form(self, form: &'static str) -> Self {
        Self { form: Some(form), ..self }
    }

    /// Whether the world, or what is indexed, is another one afterwards.
    pub fn writes(&self) -> bool {
        self.kind != Kind::Text && self.method != Method::GET
    }

    /// As it is shown.
    pub fn name(&self) -> String {
        match self.way {
            "" => format!("{} {}", self.method, self.path),
            way => format!("{} {} ({way})", self.method, self.path),
        }
    }

    /// The request, in the form that is asked for.
    pub fn make(&self, scene: &Scene, ask: Ask) -> Option<Request> {
        let mut request = (self.request)(scene, ask)?;
        request.accept = self.form;
        Some(request)
    }
}

pub fn table() -> Vec<Case> {
    [search::cases(), ecs::cases(), rag::cases()].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_case_asks_the_path_that_it_stands_for() {
        let (scene, mut names) = (Scene::for_tests(), BTreeSet::new());
        for case in table() {
            assert!(names.insert(case.name()), "{} is there twice", case.name());
            let request = case.make(&scene, Ask { number: 3, fresh: true }).unwrap();
            assert_eq!(request.method, case.method, "{}", case.name());
            let asked = request.path.split('?').next().unwrap();
            let parts = || case.path.split('/').zip(asked.split('/'));
            assert_eq!(case.path.split('/').count(), asked.split('/').count(), "{asked}");
            assert!(parts().all(|(wanted, given)| wanted == given || wanted.starts_with('{')), "{asked}");
        }
    }

    #[test]
    fn cold_requests_never_repeat_and_warm_ones_do() {
        let scene = Scene::for_tests();
        for case in table().into_iter().filter(|case| case.kind == Kind::Text) {
            let made = |fresh| {
                let requests = (0..200).filter_map(|number| case.make(&scene, Ask { number, fresh }));
                requests.map(|request| format!("{request:?}")).collect::<Vec<_>>()
            };
            let (cold, warm) = (made(true), made(false));
            assert_eq!(cold.iter().collect::<BTreeSet<_>>().len(), cold.len(), "{}", case.name());
            assert!(warm.iter().collect::<BTreeSet<_>>().len() <= scene::WARM, "{}", case.name());
            assert!(!cold.is_empty() && warm.len() == 200, "{}", case.name());
        }
    }
}
