//! What one plugin may use, and how its instances live. Every limit has a default; the operator's
//! configuration overrides it by plugin.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::upstream::Host;

/// Limits and settings of one plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginOptions {
    /// Milliseconds that a guest may run in one call; time in host calls does not count.
    pub deadline_ms: u64,
    /// Bytes of linear memory of one instance.
    pub memory_bytes: u64,
    /// Bytes that may cross from the guest to the host in one step.
    pub max_output_bytes: u64,
    /// Probes that one call of a strategy may make.
    pub max_probes: u32,
    /// Calls of this plugin at the same time; further ones wait.
    pub concurrent_calls: u32,
    pub instances: InstancePolicy,
    /// Hosts that it may call; empty: none. Granted to one plugin, never to all.
    #[serde(skip)]
    pub http: Vec<Host>,
    /// Milliseconds of one such call, from its start to the end of its answer.
    pub http_timeout_ms: u64,
    /// What the plugin reads as `wasi:config/store`.
    pub settings: std::collections::BTreeMap<String, String>,
}

/// How long an instance lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InstancePolicy {
    /// A new instance each call: nothing survives from one query to the next.
    #[default]
    Fresh,
    /// Instances are kept and used again, for guests whose start is expensive.
    Warm,
}

impl Default for PluginOptions {
    fn default() -> Self {
        Self {
            deadline_ms: 1000,
            memory_bytes: 64 << 20,
            max_output_bytes: 8 << 20,
            max_probes: 32,
            concurrent_calls: 64,
            instances: InstancePolicy::Fresh,
            http: vec![],
            http_timeout_ms: 5000,
            settings: Default::default(),
        }
    }
}

impl PluginOptions {
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}
