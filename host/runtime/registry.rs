//! Which plugins serve: an immutable snapshot that a query takes once, so that it sees one set of
//! plugins however many swaps happen meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::component::PluginKind;
use super::error::LoadError;
use super::plugin::{Plugin, Source};

/// A source that does not load now. If an earlier version of it serves, it goes on serving.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub source: Source,
    pub error: LoadError,
    pub since: SystemTime,
}

#[derive(Default)]
pub struct Registry {
    plugins: BTreeMap<String, Arc<Plugin>>,
    failures: Vec<Failure>,
    /// Counts publications.
    pub generation: u64,
}

impl Registry {
    /// Puts the plugins of all sources together. Sources come in order of precedence, lowest first:
    /// a file replaces what is embedded or in an earlier folder under the same name; of two files in the
    /// same folder, the first keeps it.
    pub fn assemble<'a>(
        sources: impl IntoIterator<Item = (&'a Source, &'a [Arc<Plugin>])>,
        mut failures: Vec<Failure>,
        generation: u64,
    ) -> Self {
        let mut plugins: BTreeMap<String, Arc<Plugin>> = BTreeMap::new();
        for (source, provided) in sources {
            for plugin in provided {
                let name = &plugin.description.name;
                match plugins.get(name) {
                    Some(earlier) if in_one_folder(&earlier.source, source) => {
                        let error = LoadError::NameTaken { name: name.clone(), by: earlier.source.label() };
                        failures.push(Failure { source: source.clone(), error, since: plugin.since });
                    }
                    _ => {
                        plugins.insert(name.clone(), plugin.clone());
                    }
                }
            }
        }
        Self { plugins, failures, generation }
    }

    /// By its name, or by its name without the prefix that its kind has by custom (`strategy-`, `rank-`).
    pub fn find(&self, kind: PluginKind, name: &str) -> Option<Arc<Plugin>> {
        let prefix = match kind {
            PluginKind::Strategy => "strategy-",
            PluginKind::Ranker => "rank-",
            PluginKind::TraitRules => "traits-",
        };
        let of_kind = |name: &str| self.plugins.get(name).filter(|plugin| plugin.kind == kind).cloned();
        of_kind(name).or_else(|| of_kind(&format!("{prefix}{name}")))
    }

    /// Names of one kind, sorted.
    pub fn names(&self, kind: PluginKind) -> Vec<String> {
        self.plugins
            .values()
            .filter(|plugin| plugin.kind == kind)
            .map(|plugin| plugin.description.name.clone())
            .collect()
    }

    pub fn plugins(&self) -> impl Iterator<Item = &Arc<Plugin>> {
        self.plugins.values()
    }

    pub fn get(&self, name: &str) -> Option<&Arc<Plugin>> {
        self.plugins.get(name)
    }

    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }
}

fn in_one_folder(first: &Source, second: &Source) -> bool {
    matches!((first, second), (Source::File(first), Source::File(second)) if first.parent() == second.parent())
}
