//! What rules say of themselves, asked once when they are loaded, under the settings that they will answer
//! with. What does not hold together keeps the version from being served.

use std::sync::Arc;

use super::{ask, convert};
use crate::rules::{About, Catalogue, Customs, Society, TraitNames, checked};
use crate::runtime::error::{CallError, LoadError};
use crate::runtime::plugin::{Plugin, RulesParts};

/// Everything that trait rules have beside what every plugin has; `component` is their file's bytes.
pub async fn describe(plugin: &Plugin, component: &Arc<[u8]>) -> Result<RulesParts, LoadError> {
    let about = about(plugin).await.map_err(|(call, error)| match error {
        CallError::Contract(reason) => LoadError::Description(format!("{call}: {reason}")),
        CallError::Memory { .. } | CallError::Exhausted(_) => LoadError::Resources(format!("{call}: {error}")),
        other => LoadError::Probe(format!("{call}: {other}")),
    })?;
    Ok(RulesParts { about: Arc::new(about), component: component.clone() })
}

async fn about(plugin: &Plugin) -> Result<About, (&'static str, CallError)> {
    let (traits, spirits) = described(plugin).await.map_err(|error| ("describe", error))?;
    let about = About {
        name: plugin.description.name.clone(),
        version: plugin.description.version.clone(),
        digest: *plugin.identity.as_bytes(),
        traits,
        spirits,
        society: None,
    };
    let about = checked::about(about).map_err(|error| ("describe", error))?;
    if !plugin.template.provisions().society {
        return Ok(about);
    }
    let customs = customs(plugin).await.map_err(|error| ("describe-customs", error))?;
    let catalogue = catalogue(plugin).await.map_err(|error| ("describe-catalogue", error))?;
    let society = checked::society(Society { customs, catalogue }, &about.traits, &about.spirits);
    Ok(About { society: Some(society.map_err(|error| ("society", error))?), ..about })
}

async fn described(plugin: &Plugin) -> Result<(TraitNames, Vec<String>), CallError> {
    ask!(plugin, model.call_describe() => Ok, |described| Ok(convert::described(described)))
}

async fn customs(plugin: &Plugin) -> Result<Customs, CallError> {
    ask!(plugin, society.call_describe_customs() => Ok, |customs| Ok(convert::customs(customs)))
}

async fn catalogue(plugin: &Plugin) -> Result<Catalogue, CallError> {
    ask!(plugin, society.call_describe_catalogue() => Ok, |catalogue| Ok(convert::catalogue(catalogue)))
}
