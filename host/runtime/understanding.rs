//! The optional half of a strategy: what it makes of a query. The call, and the checks that its answer needs
//! before anyone searches by it. Knows nothing of what is done with it.

use super::bindings::natural_strategy::exports::corsac::language::understanding as wire;
use super::convert;
use super::error::CallError;
use super::instance::Guest;
use super::plugin::Plugin;
use crate::query::{Analysis, Entity, Intent, Query, Scope};

const MAX_ENTITIES: usize = 64;
const MAX_EXPANSIONS: usize = 32;
const MAX_FILE_TYPES: usize = 32;
const MAX_FOLDERS: usize = 64;
const MAX_NAME_BYTES: usize = 64;
/// Bytes of a rewritten query, of one path, and of any other text; those of a client's own.
const MAX_QUERY_BYTES: usize = 4096;
const MAX_FOLDER_BYTES: usize = 512;

impl Plugin {
    /// Whether it is a strategy that can be asked what a query means.
    pub fn understands(&self) -> bool {
        self.template.understands()
    }

    /// What the strategy makes of a query; `Unsupported` when it has no understanding.
    pub async fn analyze(&self, query: &Query) -> Result<Analysis, CallError> {
        if !self.understands() {
            return Err(CallError::Unsupported(format!("{} does not say what it understands", self.label())));
        }
        let mut call = self.begin(None).await?;
        let request = convert::query(query);
        let Guest::Strategy { language: Some(guest), .. } = &call.instance.guest else {
            return Err(self.not_a("strategy with understanding"));
        };
        let understanding = guest.corsac_language_understanding();
        let outcome = understanding.call_analyze(&mut call.instance.store, &request).await;
        self.finish(call, outcome, |analysis| check(analysis, &query.text))
    }
}

fn check(analysis: wire::Analysis, text: &str) -> Result<Analysis, CallError> {
    let wire::Analysis {
        normalised,
        intent,
        entities,
        expansions,
        rewritten,
        filters,
        likely_folders,
        suggested_strategy,
        confidence,
    } = analysis;
    text_within("normalised", &normalised, 0)?;
    name("the intent", &intent.name)?;
    share("the intent's confidence", intent.confidence)?;
    share("the confidence", confidence)?;
    at_most("entities", entities.len(), MAX_ENTITIES)?;
    at_most("expansions", expansions.len(), MAX_EXPANSIONS)?;
    at_most("file types", filters.file_types.len(), MAX_FILE_TYPES)?;
    at_most("directories", filters.directories.len(), MAX_FOLDERS)?;
    at_most("likely folders", likely_folders.len(), MAX_FOLDERS)?;
    expansions.iter().try_for_each(|word| text_within("an expansion", word, 1))?;
    rewritten.iter().try_for_each(|query| text_within("the rewritten query", query, 1))?;
    // None of these are quoted: they may be words of the query, which are no log's business.
    for folder in filters.directories.iter().chain(&likely_folders) {
        let inside = |part: &str| !part.is_empty() && part != "." && part != "..";
        if folder.len() > MAX_FOLDER_BYTES || folder.chars().any(char::is_control) || !folder.split('/').all(inside) {
            return Err(CallError::Contract("a folder is no path below an indexed folder".into()));
        }
    }
    for file_type in &filters.file_types {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_+-".contains(&byte);
        if !(1..=16).contains(&file_type.len()) || !file_type.bytes().all(plain) {
            return Err(CallError::Contract("a file type is no file extension of 1 to 16 letters".into()));
        }
    }
    if let Some(strategy) = &suggested_strategy
        && (strategy.is_empty() || strategy.len() > MAX_NAME_BYTES)
    {
        return Err(CallError::Contract("the suggested strategy has no name of 1 to 64 bytes".into()));
    }
    Ok(Analysis {
        normalised,
        intent: Intent { name: intent.name, confidence: intent.confidence },
        entities: entities.into_iter().map(|found| entity(found, text)).collect::<Result<_, _>>()?,
        expansions,
        rewritten,
        filters: Scope { file_types: filters.file_types, directories: filters.directories },
        likely_folders,
        suggested_strategy,
        confidence,
    })
}

fn entity(found: wire::Entity, text: &str) -> Result<Entity, CallError> {
    let wire::Entity { kind, text: words, value, confidence, start, end } = found;
    name("the kind of an entity", &kind)?;
    share("the confidence of an entity", confidence)?;
    text_within("the text of an entity", &words, 0)?;
    text_within("the value of an entity", &value, 0)?;
    if text.get(start as usize..end as usize).is_none() {
        return Err(CallError::Contract(format!("an entity is from byte {start} to {end}, which the query has not")));
    }
    Ok(Entity { kind, text: words, value, confidence, start, end })
}

fn name(what: &str, name: &str) -> Result<(), CallError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(CallError::Contract(format!("{what} is {name:?}, which is not 1 to 64 of a-z, 0-9 and _")))
}

fn share(what: &str, value: f32) -> Result<(), CallError> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(CallError::Contract(format!("{what} is {value}, it must be from 0 to 1")))
}

fn at_most(what: &str, count: usize, most: usize) -> Result<(), CallError> {
    if count <= most {
        return Ok(());
    }
    Err(CallError::Contract(format!("{count} {what}, at most {most} are taken")))
}

/// Without NUL, of at least `least` and at most 4096 bytes.
fn text_within(what: &str, text: &str, least: usize) -> Result<(), CallError> {
    if text.trim().len() >= least && text.len() <= MAX_QUERY_BYTES && !text.contains('\0') {
        return Ok(());
    }
    Err(CallError::Contract(format!("{what} has {} bytes, it must have {least} to {MAX_QUERY_BYTES}", text.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "größe in rust";

    fn good() -> wire::Analysis {
        let entity = wire::Entity {
            kind: "programming_language".into(),
            text: "rust".into(),
            value: "rust".into(),
            confidence: 0.8,
            start: 11,
            end: 15,
        };
        wire::Analysis {
            normalised: "größe rust".into(),
            intent: wire::Intent { name: "general_search".into(), confidence: 0.0 },
            entities: vec![entity],
            expansions: vec!["size".into()],
            rewritten: Some("größe".into()),
            filters: wire::Filters { file_types: vec!["rs".into()], directories: vec!["src/http".into()] },
            likely_folders: vec!["tests".into()],
            suggested_strategy: None,
            confidence: 1.0,
        }
    }

    #[test]
    fn a_good_analysis_passes_as_it_is() {
        let analysis = check(good(), TEXT).unwrap();
        assert_eq!(analysis.filters.file_types, ["rs"]);
        assert_eq!((analysis.entities[0].start, analysis.rewritten.as_deref()), (11, Some("größe")));
    }

    #[test]
    fn what_breaks_the_contract_is_named() {
        type Break = fn(&mut wire::Analysis);
        let broken: [(&str, Break); 12] = [
            ("confidence", |analysis| analysis.confidence = f32::NAN),
            ("confidence", |analysis| analysis.intent.confidence = 1.5),
            ("intent", |analysis| analysis.intent.name = "Two words".into()),
            // Within the two bytes of ö.
            ("byte 3 to 7", |analysis| (analysis.entities[0].start, analysis.entities[0].end) = (3, 7)),
            ("byte 11 to 99", |analysis| analysis.entities[0].end = 99),
            ("65 entities", |analysis| analysis.entities = vec![analysis.entities[0].clone(); 65]),
            ("expansion", |analysis| analysis.expansions = vec![" ".into()]),
            ("rewritten", |analysis| analysis.rewritten = Some("x".repeat(4097))),
            ("rewritten", |analysis| analysis.rewritten = Some("a\0b".into())),
            ("no path", |analysis| analysis.filters.directories = vec!["../etc".into()]),
            ("no path", |analysis| analysis.likely_folders = vec!["/etc".into()]),
            ("extension", |analysis| analysis.filters.file_types = vec![".RS".into()]),
        ];
        for (word, change) in broken {
            let mut analysis = good();
            change(&mut analysis);
            let error = check(analysis, TEXT).unwrap_err().to_string();
            assert!(error.contains(word), "{word}: {error}");
        }
    }
}
