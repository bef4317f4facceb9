//! Who is indexed: names for looking up whole or in part, and what each agent's document says. Holds one
//! short text an agent, about a hundred bytes.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::ecs::view::AgentView;

/// Living agents by id.
#[derive(Default)]
pub(super) struct Directory {
    agents: BTreeMap<Box<str>, Known>,
}

struct Known {
    /// Id, name and spirit in lower case, a line each: what is looked for has no line break.
    folded: Box<str>,
    /// Of its document.
    digest: u64,
}

impl Directory {
    pub(super) fn insert(&mut self, agent: &AgentView, digest: u64) {
        let folded = format!("{}\n{}\n{}", agent.agent_id, agent.name, agent.spirit).to_lowercase().into();
        self.agents.insert(agent.agent_id.as_str().into(), Known { folded, digest });
    }

    pub(super) fn remove(&mut self, id: &str) -> bool {
        self.agents.remove(id).is_some()
    }

    pub(super) fn clear(&mut self) {
        self.agents.clear();
    }

    /// Of the document that is indexed for an agent.
    pub(super) fn digest(&self, id: &str) -> Option<u64> {
        self.agents.get(id).map(|known| known.digest)
    }

    pub(super) fn len(&self) -> usize {
        self.agents.len()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.agents.keys().map(AsRef::as_ref)
    }

    /// Ids after one, in their order, at most `limit`.
    pub(super) fn after(&self, id: &str, limit: usize) -> Vec<String> {
        let after = self.agents.range::<str, _>((Bound::Excluded(id), Bound::Unbounded));
        after.take(limit).map(|(id, _)| id.to_string()).collect()
    }

    /// Those whose id or name is `query` (true), then those of which id, name or spirit contains it (false),
    /// whatever the case, each in the order of ids; at most `limit`.
    pub(super) fn find(&self, query: &str, limit: usize) -> Vec<(String, bool)> {
        let query = query.to_lowercase();
        if query.contains('\n') {
            return vec![];
        }
        let (mut exact, mut partial) = (Vec::new(), Vec::new());
        for (id, known) in &self.agents {
            if !known.folded.contains(&query) {
                continue;
            }
            let whole = known.folded.lines().take(2).any(|text| text == query);
            let list = if whole { &mut exact } else { &mut partial };
            if list.len() < limit {
                list.push((id.to_string(), whole));
            }
        }
        exact.append(&mut partial);
        exact.truncate(limit);
        exact
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Directory {
        let mut directory = Directory::default();
        for (id, name, spirit) in [
            ("fox-2", "Ember", "fox"),
            ("ember", "Ash", "wolf"),
            ("otter-1", "November", "otter"),
            ("a-9", "Fox", "owl"),
        ] {
            let agent = AgentView {
                agent_id: id.into(),
                name: name.into(),
                spirit: spirit.into(),
                style: "foundation".into(),
                active: true,
                generation: 1,
            };
            directory.insert(&agent, 7);
        }
        directory
    }

    fn found(query: &str, limit: usize) -> Vec<(String, bool)> {
        directory().find(query, limit)
    }

    #[test]
    fn whole_ids_and_names_come_before_parts() {
        let expected = [("ember".into(), true), ("fox-2".into(), true), ("otter-1".into(), false)];
        assert_eq!(found("EMBER", 10), expected);
        assert_eq!(found("ember", 2), expected[..2]);
        assert_eq!(found("ember", 1), expected[..1]);
    }

    #[test]
    fn a_spirit_counts_as_a_part_only() {
        assert_eq!(found("fox", 10), [("a-9".into(), true), ("fox-2".into(), false)]);
        assert_eq!(found("wolf", 10), [("ember".into(), false)]);
    }

    #[test]
    fn nothing_matches_across_fields_or_after_removal() {
        assert_eq!(found("ember\nfox", 10), []);
        assert_eq!(found("emberfox", 10), []);
        let mut directory = directory();
        assert!(directory.remove("ember") && !directory.remove("ember"));
        assert_eq!(directory.find("wolf", 10), []);
        assert_eq!(directory.after("", 2), ["a-9", "fox-2"]);
        assert_eq!(directory.after("fox-2", 2), ["otter-1"]);
        assert_eq!((directory.len(), directory.digest("fox-2"), directory.digest("ember")), (3, Some(7), None));
    }
}
