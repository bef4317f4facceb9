//! Every endpoint under more and more clients, then mixes of them at the rates that the original claims.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::ensure;

use crate::cases::users::{CLASSES, Class};
use crate::cases::{Ask, Case, Kind, Scene, scene, table};
use crate::closed::{self, Length};
use crate::contract::Contract;
use crate::exchange::Client;
use crate::report::{Part, Report, Row};
use crate::server::Server;
use crate::{Options, open};

const CLIENTS: [usize; 6] = [1, 5, 10, 25, 50, 100];
const QUICK_CLIENTS: [usize; 2] = [1, 5];

pub async fn run(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let server = Server::start(&options.server, &options.tree, &[]).await?;
    report.corpus = server.corpus.clone();
    let scene = Scene::prepare(&server.client, &options.tree).await?;
    let cases = known(&server.contract, &scene, report)?;
    report.notes.push(
        "`cold` texts were asked for by nobody before, `warm` ones by an uncounted round before; whether the server had \
         them in its cache is in the column of hits. Percentiles are of all successful answers of a row."
            .into(),
    );
    report.notes.push(
        "Offspring and retired agents are made for each request: what is served a second contains that, latencies do not."
            .into(),
    );
    let run = Run { options, server: &server, scene: &scene, number: AtomicU64::new(1000) };
    // What writes comes later: readers shall not find other worlds than those of an earlier run.
    for case in cases.iter().filter(|case| !case.writes()) {
        run.endpoint(case, report).await;
    }
    for class in &CLASSES {
        run.mix(class, report).await;
    }
    for case in cases.iter().filter(|case| case.writes() && case.kind != Kind::Once) {
        run.endpoint(case, report).await;
    }
    for case in cases.iter().filter(|case| case.kind == Kind::Once) {
        run.once(case, report).await?;
    }
    Ok(())
}

/// The cases that this server has, all allowed by its document. Fails for endpoints without a case.
fn known(contract: &Contract, scene: &Scene, report: &mut Report) -> anyhow::Result<Vec<Case>> {
    let (mut cases, mut measured) = (Vec::new(), BTreeSet::new());
    for case in table() {
        let has = contract.has(&case.method, case.path)
            && case.form.is_none_or(|form| contract.answers_with(&case.method, case.path, form));
        if !has {
            report.absent.push(case.name());
            continue;
        }
        let sample = Ask { number: 0, fresh: false };
        for request in [Some(case.make(scene, sample)), case.before.map(|before| before(scene, sample))] {
            let Some(Some(request)) = request else { continue };
            let path =
                if request.method == case.method && same(case.path, &request.path) { case.path } else { &request.path };
            contract.check(path, &request)?;
        }
        measured.insert((case.method.to_string(), case.path.to_owned()));
        cases.push(case);
    }
    let uncovered = contract.uncovered(&measured);
    ensure!(
        uncovered.is_empty(),
        "endpoints of this server that are not measured; add them to benches/suite/src/cases: {}",
        uncovered.join(", ")
    );
    Ok(cases)
}

/// Whether a path may be what the document writes.
fn same(written: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    written.split('/').count() == path.split('/').count()
        && written.split('/').zip(path.split('/')).all(|(one, other)| one == other || one.starts_with('{'))
}

struct Run<'a> {
    options: &'a Options,
    server: &'a Server,
    scene: &'a Scene,
    /// Of the next request.
    number: AtomicU64,
}

impl Run<'_> {
    fn client(&self) -> &Client {
        &self.server.client
    }

    fn ask(&self, fresh: bool) -> Ask {
        Ask { number: self.number.fetch_add(1, Ordering::Relaxed), fresh }
    }

    async fn endpoint(&self, case: &Case, report: &mut Report) {
        let states: &[&str] = if case.kind == Kind::Text { &["cold", "warm"] } else { &[""] };
        for state in states {
            let fresh = *state == "cold";
            if *state == "warm" {
                for number in 0..scene::WARM as u64 {
                    let Some(request) = case.make(self.scene, Ask { number, fresh }) else { continue };
                    self.client().ask(&request).await;
                }
            }
            for clients in self.options.size(&CLIENTS[..], &QUICK_CLIENTS[..]) {
                self.closed(case, state, *clients, fresh, report).await;
            }
        }
    }

    async fn closed(&self, case: &Case, state: &str, clients: usize, fresh: bool, report: &mut Report) {
        let most = self.options.size(5000, 20 * clients as u64);
        let time = self.options.size(Duration::from_secs(2), Duration::from_millis(150));
        // At least a few each, so that a slow endpoint has a distribution.
        let least = if clients == 1 { self.options.size(20, 3) } else { 2 * clients as u64 };
        let next = async || {
            let ask = self.ask(fresh);
            if let Some(before) = case.before {
                let answer = self.client().ask(&before(self.scene, ask)?).await;
                if let Err(failure) = answer.outcome {
                    eprintln!("{}: what comes before it failed: {failure}", case.name());
                }
            }
            case.make(self.scene, ask)
        };
        let before = self.server.moment();
        let ask = async |request: &_| self.client().ask(request).await;
        let (tally, lasted) = closed::run(clients, Length { time, least, most }, next, ask).await;
        let load = if clients == 1 { "1 client".into() } else { format!("{clients} clients") };
        let mut row = Row::new(Part::Http, case.name(), state, load, tally, lasted);
        row.server = Some(before.until_now());
        report.push(row);
    }

    /// The tasks of a class by their weights, at the rate that the original claims to serve.
    async fn mix(&self, class: &Class, report: &mut Report) {
        let has = |task: &crate::cases::users::Task| {
            let request = (task.request)(self.scene, Ask { number: 0, fresh: false });
            request.is_some_and(|request| self.server.contract.has(&request.method, task.path))
        };
        if !class.tasks.iter().all(has) {
            report.absent.push(format!("all of the {} mix", class.name));
            return;
        }
        // What they are called, and how many of a hundred were asked before.
        let mut states = vec![(String::new(), 100)];
        if let Some(hits) = class.claimed_hits {
            states = vec![("cold".into(), 0), (format!("{hits} % asked before"), hits), ("warm".into(), 100)];
        }
        let time = self.options.size(Duration::from_secs(30), Duration::from_secs(2));
        for (state, known) in states {
            if known > 0 && !state.is_empty() {
                // Every task with every warm text.
                for task in class.tasks {
                    for number in 0..scene::WARM as u64 {
                        let Some(request) = (task.request)(self.scene, Ask { number, fresh: false }) else { continue };
                        self.client().ask(&request).await;
                    }
                }
            }
            let turn = AtomicU64::new(0);
            let next = || {
                let turn = turn.fetch_add(1, Ordering::Relaxed);
                (class.turn(turn)?.request)(self.scene, self.ask(!is_one_of(known, turn)))
            };
            let before = self.server.moment();
            let ask = async |request: &_| self.client().ask(request).await;
            let opened = open::run(class.claimed, time, open::CONNECTIONS, next, ask).await;
            let load = format!("{}/s", class.claimed);
            let mut row = Row::new(Part::Open, format!("{} mix", class.name), &state, load, opened.tally, time);
            (row.offered, row.served, row.server) = (Some(opened.offered), opened.served, Some(before.until_now()));
            report.push(row);
        }
    }

    async fn once(&self, case: &Case, report: &mut Report) -> anyhow::Result<()> {
        // One rebuilds what another one would refuse to touch meanwhile.
        self.server.settled().await?;
        let length = Length { time: Duration::ZERO, least: 1, most: 1 };
        let next = async || case.make(self.scene, self.ask(false));
        let before = self.server.moment();
        let ask = async |request: &_| self.client().ask(request).await;
        let (tally, lasted) = closed::run(1, length, next, ask).await;
        let mut row = Row::new(Part::Http, case.name(), "", "once".into(), tally, lasted);
        row.server = Some(before.until_now());
        report.push(row);
        Ok(())
    }
}

/// So many of a hundred numbers, in no step with whose turn it is.
fn is_one_of(percent: u64, number: u64) -> bool {
    // Multiplied by 2^64 over the golden ratio, numbers are spread evenly (Knuth, volume 3, 6.4).
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % 100 < percent
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(paths: &[(&str, &str)]) -> Contract {
        let mut document = json!({ "paths": {} });
        for (method, path) in paths {
            document["paths"][path][method] = json!({});
        }
        Contract::new(document)
    }

    #[test]
    fn what_a_server_does_not_have_is_told_and_what_is_not_measured_stops_the_run() {
        let (scene, mut report) = (Scene::for_tests(), Report::default());
        let cases = known(&document(&[("get", "/api/search/stats")]), &scene, &mut report).unwrap();
        assert_eq!(cases.iter().map(Case::name).collect::<Vec<_>>(), ["GET /api/search/stats"]);
        assert!(report.absent.contains(&"POST /api/rag/query".to_owned()));
        let unknown = document(&[("get", "/api/search/stats"), ("put", "/api/rag/new"), ("get", "/metrics")]);
        let refused = known(&unknown, &scene, &mut report).err().unwrap().to_string();
        assert!(refused.contains("PUT /api/rag/new") && !refused.contains("/metrics"), "{refused}");
    }

    #[test]
    fn a_parameter_of_a_path_takes_one_part() {
        assert!(same("/a/{id}/b", "/a/x/b?c=d") && !same("/a/{id}/b", "/a/x/c") && !same("/a/{id}", "/a/x/b"));
    }

    #[test]
    fn as_many_of_each_task_were_asked_before_as_is_said() {
        for number in 0..1000 {
            assert!(is_one_of(100, number) && !is_one_of(0, number));
        }
        // Nine is the sum of the weights of a class.
        for task in 0..9 {
            let known = (0..1000).filter(|round| is_one_of(85, round * 9 + task)).count();
            assert!((830..=870).contains(&known), "{known} of 1000");
        }
    }
}
