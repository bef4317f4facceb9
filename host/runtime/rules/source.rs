//! Where a world finds its rules: those that serve now by name, and those of an archive, which no file may
//! provide any more.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::TraitRules;
use crate::rules::{ArchivedRules, Rules, RulesDigest, RulesError, RulesSource};
use crate::runtime::component::PluginKind;
use crate::runtime::error::CallError;
use crate::runtime::reload::Runtime;

/// Versions that are held because they were revived: a replay goes through rules in the order in which
/// they were swapped, so few are enough.
const MOST_REVIVED: usize = 4;

/// The rules among the plugins of a runtime.
pub struct RulesOfPlugins {
    runtime: Arc<Runtime>,
    /// The latest last.
    revived: Mutex<VecDeque<(RulesDigest, Arc<dyn Rules>)>>,
}

impl RulesOfPlugins {
    pub fn new(runtime: Arc<Runtime>) -> Self {
        Self { runtime, revived: Mutex::default() }
    }

    /// What serves now or was revived lately.
    fn held(&self, digest: &RulesDigest) -> Option<Arc<dyn Rules>> {
        let registry = self.runtime.registry();
        let serving = registry.plugins().find(|plugin| plugin.rules().is_some_and(|about| about.digest == *digest));
        if let Some(rules) = serving.and_then(|plugin| TraitRules::of(plugin.clone())) {
            return Some(Arc::new(rules));
        }
        self.revived.lock().iter().find(|(known, _)| known == digest).map(|(_, rules)| rules.clone())
    }

    async fn load(&self, archived: &ArchivedRules) -> Result<TraitRules, CallError> {
        let loaded = self.runtime.load_apart(&archived.component, &archived.name, &archived.settings).await;
        let plugins =
            loaded.map_err(|error| CallError::Internal(format!("their archived component does not load: {error}")))?;
        let rules = plugins.into_iter().find_map(|plugin| TraitRules::of(Arc::new(plugin)));
        let rules = rules.ok_or_else(|| CallError::Contract("their archived component holds no trait rules".into()))?;
        if rules.about().digest != archived.digest {
            return Err(CallError::Contract(
                "their archived component has another digest than the archive says, so it would not give the same world"
                    .into(),
            ));
        }
        Ok(rules)
    }
}

#[async_trait]
impl RulesSource for RulesOfPlugins {
    fn current(&self, name: &str) -> Option<Arc<dyn Rules>> {
        let plugin = self.runtime.registry().find(PluginKind::TraitRules, name)?;
        Some(Arc::new(TraitRules::of(plugin)?))
    }

    fn known(&self) -> Vec<String> {
        self.runtime.registry().names(PluginKind::TraitRules)
    }

    async fn revive(&self, archived: &ArchivedRules) -> Result<Arc<dyn Rules>, RulesError> {
        if let Some(rules) = self.held(&archived.digest) {
            return Ok(rules);
        }
        let rules: Arc<dyn Rules> = match self.load(archived).await {
            Ok(rules) => Arc::new(rules),
            Err(error) => {
                let rules = format!("{}@{}", archived.name, archived.version);
                return Err(RulesError { rules, call: "revive", error });
            }
        };
        let mut revived = self.revived.lock();
        if revived.len() == MOST_REVIVED {
            revived.pop_front();
        }
        revived.push_back((archived.digest, rules.clone()));
        Ok(rules)
    }
}
