//! A search by what was understood of its query: the strategy says what that is, the host searches by it, and
//! by the query as it was asked where that finds more. Knows nothing of how a query is understood.

use super::analysis::{QueryAnalysis, QueryForm};
use super::page::Outcome;
use super::{Inner, Plan, SearchError, Service, Stages, Understand, blame};
use crate::query::{Analysis, Query, Scope};
use crate::runtime::{CallError, PluginKind};

/// A query that finds so many has found enough: what the plain one finds beyond is not on a first page. The
/// same for every page and page size, so that all pages of a question are of the same query.
const FIRST_PAGE: usize = 20;

impl Service {
    /// What a strategy makes of a query, without searching.
    pub async fn analyze(&self, strategy: &str, query: &Query) -> Result<Analysis, SearchError> {
        let registry = self.inner.runtime.registry();
        let plugin = registry.find(PluginKind::Strategy, strategy).ok_or_else(|| SearchError::UnknownStrategy {
            name: strategy.to_owned(),
            known: registry.names(PluginKind::Strategy),
        })?;
        let within = self.inner.limits.timeout;
        let analysis = tokio::time::timeout(within, plugin.analyze(query)).await;
        analysis.map_err(|_| SearchError::TimedOut(within))?.map_err(|error| blame(error, &plugin))
    }
}

impl Inner {
    /// All that is known of a query before anything of it is shown: of the plan as it stands, or as its query
    /// is understood where the request wants that.
    pub(super) async fn outcome(&self, plan: &Plan, stages: &mut Stages<'_>) -> Result<Outcome, SearchError> {
        let Some(wish) = &plan.request.understand else { return self.as_planned(plan, stages).await };
        stages.begin("understand");
        let analysis = plan.strategy.analyze(&plan.request.query).await;
        stages.end("understand");
        let analysis = match analysis {
            Ok(analysis) => analysis,
            Err(error @ CallError::BadQuery(_)) => return Err(blame(error, &plan.strategy)),
            // One part of the search that failed: the other still answers.
            Err(error) => {
                let mut outcome = self.as_planned(plan, stages).await?;
                match error {
                    CallError::Unsupported(reason) => outcome.reason = Some(reason),
                    // Its reason may quote backtraces or paths: for the log only.
                    error => {
                        tracing::warn!(plugin = plan.strategy.label(), %error, "a query was not understood");
                        outcome.degraded.push(format!("understanding: {}", error.kind()));
                    }
                }
                return Ok(outcome);
            }
        };
        let (mut outcome, used, why) = self.better(plan, wish, &analysis, stages).await?;
        if wish.otherwise.is_some() {
            let name = outcome.strategy.description.name.trim_start_matches("strategy-");
            let reason = outcome.reason.take().map_or(String::new(), |reason| format!(": {reason}"));
            outcome.reason = Some(format!("{name}{reason}"));
        }
        outcome.analysis = Some(QueryAnalysis::new(analysis, used, why));
        Ok(outcome)
    }

    /// The outcome to serve, of which form of the query it is, and why.
    async fn better(
        &self,
        plan: &Plan,
        wish: &Understand,
        analysis: &Analysis,
        stages: &mut Stages<'_>,
    ) -> Result<(Outcome, QueryForm, String), SearchError> {
        let plain = |outcome, why: String| Ok((outcome, QueryForm::Plain, why));
        if analysis.suggested_strategy.is_some() {
            let strategy = plan.otherwise.clone().unwrap_or_else(|| plan.strategy.clone());
            let outcome = self.as_planned(&Plan { strategy, ..plan.clone() }, stages).await?;
            return plain(outcome, "the query is no language".into());
        }
        if analysis.confidence < wish.least_confidence {
            let why = format!(
                "a confidence of {:.2} is below the {:.2} asked for",
                analysis.confidence, wish.least_confidence
            );
            return plain(self.as_planned(plan, stages).await?, why);
        }
        let Some(query) = rewritten(&plan.request.query, analysis) else {
            return plain(self.as_planned(plan, stages).await?, "there is nothing to rewrite".into());
        };
        let mut narrowed = plan.clone();
        narrowed.request.query = query;
        let mut outcome = match self.as_planned(&narrowed, stages).await {
            Ok(outcome) => outcome,
            // The plugin does not take its own words: the client's are still there.
            Err(SearchError::BadQuery { reason, .. }) => {
                return plain(self.as_planned(plan, stages).await?, format!("the rewritten query is bad: {reason}"));
            }
            Err(error) => return Err(error),
        };
        let found = found(&outcome);
        if found >= FIRST_PAGE {
            return Ok((outcome, QueryForm::Rewritten, format!("the rewritten query finds {FIRST_PAGE} and more")));
        }
        let mut asked = match self.as_planned(plan, stages).await {
            Ok(asked) => asked,
            // The first search took the time of both: what it found is an answer all the same.
            Err(SearchError::TimedOut(_)) if found > 0 => {
                outcome.degraded.push("the query as it was asked: no time was left for it".into());
                let why = format!("the rewritten query finds {found}, the plain one was not searched in time");
                return Ok((outcome, QueryForm::Rewritten, why));
            }
            Err(error) => return Err(error),
        };
        let as_asked = self::found(&asked);
        // A part that failed, of either, may have been the better one: such an answer is not kept.
        if as_asked > found {
            let failed = outcome.degraded.iter().map(|reason| format!("the rewritten query: {reason}"));
            asked.degraded.extend(failed);
            return plain(asked, format!("the rewritten query finds {found}, the plain one {as_asked}"));
        }
        let failed = asked.degraded.iter().map(|reason| format!("the query as it was asked: {reason}"));
        outcome.degraded.extend(failed);
        Ok((outcome, QueryForm::Rewritten, format!("the rewritten query finds {found}, the plain one no more")))
    }
}

/// The query with what was understood of it; none when that changes nothing. What the request restricts by
/// itself stays as it is.
fn rewritten(query: &Query, analysis: &Analysis) -> Option<Query> {
    let own_or = |own: &Vec<String>, derived: &Vec<String>| if own.is_empty() { derived.clone() } else { own.clone() };
    let scope = Scope {
        file_types: own_or(&query.scope.file_types, &analysis.filters.file_types),
        directories: own_or(&query.scope.directories, &analysis.filters.directories),
    };
    let text = analysis.rewritten.clone().unwrap_or_else(|| query.text.clone());
    (text != query.text || scope != query.scope).then(|| Query { text, scope, ..query.clone() })
}

/// Candidates that say something of what was asked. Neighbours of a vector always exist, however far, so those
/// that no other probe found do not count, if there was another.
fn found(outcome: &Outcome) -> usize {
    use crate::query::ProbeKind::Vector;
    let window = &outcome.window;
    let others = window.runs.iter().any(|run| run.probe.kind() != Vector && run.result.is_ok());
    let counts = |legs: &super::columns::Legs| {
        !others || legs.iter().enumerate().any(|(kind, leg)| kind != Vector as usize && leg.is_some())
    };
    window.candidates.iter().filter(|candidate| counts(&candidate.legs)).count().min(FIRST_PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Intent;

    fn analysis(rewritten: Option<&str>, types: &[&str], folders: &[&str]) -> Analysis {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Analysis {
            normalised: String::new(),
            intent: Intent { name: "general_search".into(), confidence: 0.0 },
            entities: vec![],
            expansions: vec![],
            rewritten: rewritten.map(str::to_owned),
            filters: Scope { file_types: list(types), directories: list(folders) },
            likely_folders: vec![],
            suggested_strategy: None,
            confidence: 1.0,
        }
    }

    #[test]
    fn the_clients_own_restrictions_win_each_for_itself() {
        let mut query = Query::new("dates in rust below src", 10);
        query.scope.directories = vec!["docs".into()];
        query.parameters = vec![("rrf_k".into(), "10".into())];
        let found = rewritten(&query, &analysis(Some("dates"), &["rs"], &["src"])).unwrap();
        let scope = Scope { file_types: vec!["rs".into()], directories: vec!["docs".into()] };
        assert_eq!(found, Query { text: "dates".into(), scope, ..query });
    }

    #[test]
    fn what_changes_nothing_is_no_rewriting() {
        let mut query = Query::new("dates", 10);
        assert_eq!(rewritten(&query, &analysis(None, &[], &[])), None);
        assert_eq!(rewritten(&query, &analysis(Some("dates"), &[], &[])), None);
        query.scope.file_types = vec!["rs".into()];
        assert_eq!(rewritten(&query, &analysis(None, &["py"], &[])), None);
    }
}
