//! What requests about agents may say. Every rule adds to one list, so that an answer names all that is
//! wrong. Whether a spirit or a style exists is for the world to say.

use axum::body::HttpBody;
use axum::extract::Request;
use serde::de::DeserializeOwned;

use crate::ecs::component::MAP_EDGE;
use crate::http::body;
use crate::http::problem::{Problem, Violation};
use crate::rules::InteractionKind;

const MAX_NAME: usize = 100;
/// Words of the API's own paths, which would hide an agent of that id.
const TAKEN: [&str; 4] = ["batch", "offspring", "positions", "search"];

/// Clients' words for kinds of interaction: those of the earlier API and those of the rules.
pub(super) const KINDS: [(&str, InteractionKind); 11] = [
    ("communication", InteractionKind::Communication),
    ("social", InteractionKind::Social),
    ("playing", InteractionKind::Social),
    ("collaboration", InteractionKind::Collaboration),
    ("conflict", InteractionKind::Competitive),
    ("competitive", InteractionKind::Competitive),
    ("breeding", InteractionKind::Romantic),
    ("romantic", InteractionKind::Romantic),
    ("mentoring", InteractionKind::Teaching),
    ("learning", InteractionKind::Teaching),
    ("teaching", InteractionKind::Teaching),
];

/// What is wrong with a request so far.
pub(super) struct Checks(pub(super) Vec<Violation>);

/// A JSON body, and what hid fields from it.
pub(super) async fn read<T: DeserializeOwned + Default>(
    request: Request,
    fields: &[&str],
) -> Result<(T, Checks), Problem> {
    parse(&body::read_json(request, body::SMALL).await?, fields)
}

/// The same for a body that may be left out, or be `null`.
pub(super) async fn read_if_any<T: DeserializeOwned + Default>(
    request: Request,
    fields: &[&str],
) -> Result<(T, Checks), Problem> {
    if request.body().is_end_stream() {
        return Ok((T::default(), Checks(vec![])));
    }
    let body = body::read_json(request, body::SMALL).await?;
    if body.trim_ascii() == b"null" {
        return Ok((T::default(), Checks(vec![])));
    }
    parse(&body, fields)
}

fn parse<T: DeserializeOwned + Default>(body: &[u8], fields: &[&str]) -> Result<(T, Checks), Problem> {
    let (value, violations) = body::parse(body, fields)?;
    Ok((value, Checks(violations)))
}

impl Checks {
    pub(super) fn refuse(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(Violation::new(field, message));
    }

    /// What is not there, unless it is already said why it cannot be read.
    pub(super) fn required<T: Default>(&mut self, field: &str, value: Option<T>) -> T {
        if value.is_none() && !self.0.iter().any(|violation| violation.field == field) {
            self.refuse(field, "is missing");
        }
        value.unwrap_or_default()
    }

    /// The id of an agent that is about to be.
    pub(super) fn new_id(&mut self, field: &str, id: Option<String>) -> String {
        let given = id.is_some();
        let id = self.required(field, id);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if given && !((3..=50).contains(&id.len()) && id.bytes().all(plain)) {
            self.refuse(field, "must be 3 to 50 letters, digits, `_` or `-`");
        } else if TAKEN.contains(&id.as_str()) {
            let violation = Violation::new(field, "is a word of this API's own paths");
            self.0.push(violation.remedy(format!("choose another than {}", TAKEN.join(", "))));
        }
        id
    }

    /// The id of an agent other than `first`.
    pub(super) fn other(&mut self, field: &str, id: Option<String>, first: &str) -> String {
        let id = self.required(field, id);
        if !id.is_empty() && id == first {
            self.0.push(Violation::new(field, "is the same agent").remedy("name another one"));
        }
        id
    }

    /// A name: something, and not too much of it.
    pub(super) fn name(&mut self, field: &str, name: Option<&str>) {
        let Some(name) = name else { return };
        let message = if name.trim().is_empty() {
            "is empty"
        } else if name.chars().count() > MAX_NAME {
            "is too long"
        } else if name.chars().any(char::is_control) {
            "has a control character"
        } else {
            return;
        };
        let remedy = format!("write 1 to {MAX_NAME} characters, none of them a control character");
        self.0.push(Violation::new(field, message).remedy(remedy));
    }

    pub(super) fn between(&mut self, field: &str, value: Option<f32>, least: f32, most: f32) {
        if let Some(value) = value
            && !(value >= least && value <= most)
        {
            self.refuse(field, format!("is {value}, but must be from {least} to {most}"));
        }
    }

    /// Both coordinates lie on the map.
    pub(super) fn place(&mut self, x: Option<f32>, y: Option<f32>) {
        self.between("x", x, -MAP_EDGE, MAP_EDGE);
        self.between("y", y, -MAP_EDGE, MAP_EDGE);
    }

    /// A kind of interaction and the client's word for it.
    pub(super) fn kind(&mut self, word: Option<String>) -> (InteractionKind, String) {
        let word = word.unwrap_or_else(|| "communication".to_owned());
        let Some((_, kind)) = KINDS.iter().find(|(known, _)| *known == word) else {
            let known = KINDS.map(|(known, _)| known);
            let remedy = match body::nearest(&word, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the kinds are {}", known.join(", ")),
            };
            self.0.push(Violation::new("interaction_type", "is not a kind of interaction").remedy(remedy));
            return (InteractionKind::Communication, word);
        };
        (*kind, word)
    }

    /// 422 when anything was wrong.
    pub(super) fn done(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::invalid(self.0)) }
    }
}
