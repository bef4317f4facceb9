//! Who waits for whom: one agent's commands for each other, other agents' not; hosts for the lease; a tick for
//! commands; other rules for a tick.

use futures::FutureExt;

use super::*;
use crate::ecs::view::InteractionView;

/// `FixedRules` that wait at `interact`, and note how many were there at once.
struct Slow {
    fixed: FixedRules,
    inside: AtomicU32,
    most: AtomicU32,
    /// As many may go on.
    open: tokio::sync::Semaphore,
}

impl Slow {
    fn new(permits: usize) -> Self {
        Self {
            fixed: FixedRules::new(),
            inside: AtomicU32::new(0),
            most: AtomicU32::new(0),
            open: tokio::sync::Semaphore::new(permits),
        }
    }
}

#[async_trait]
impl Rules for Slow {
    fn about(&self) -> &About {
        self.fixed.about()
    }

    async fn first_traits(&self, spirit: &str, count: u32, seed: u64) -> Result<Vec<f32>, RulesError> {
        self.fixed.first_traits(spirit, count, seed).await
    }

    async fn inherit(&self, a: &Individual, b: &Individual, count: u32, seed: u64) -> Result<Offspring, RulesError> {
        self.fixed.inherit(a, b, count, seed).await
    }

    async fn compatibility(&self, one: &Individual, many: &Population) -> Result<Vec<f32>, RulesError> {
        self.fixed.compatibility(one, many).await
    }

    async fn score(&self, one: &Individual, many: &Crowd) -> Result<Vec<f32>, RulesError> {
        self.fixed.score(one, many).await
    }

    async fn interact(
        &self,
        kind: InteractionKind,
        first: &Individual,
        second: &Individual,
        before: Bond,
        seed: u64,
    ) -> Result<Interaction, RulesError> {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        tokio::task::yield_now().await;
        drop(self.open.acquire().await);
        let decided = self.fixed.interact(kind, first, second, before, seed).await;
        self.inside.fetch_sub(1, Ordering::SeqCst);
        decided
    }

    async fn tick(&self, now: &Lives, step: f32, seed: u64) -> Result<LivesAfter, RulesError> {
        self.fixed.tick(now, step, seed).await
    }

    async fn names(&self, a: &str, b: &str, c: u32, d: u32, seed: u64) -> Result<Vec<String>, RulesError> {
        self.fixed.names(a, b, c, d, seed).await
    }

    async fn meet(&self, pairs: &Encounters, step: f32, seed: u64) -> Result<EncountersAfter, RulesError> {
        self.fixed.meet(pairs, step, seed).await
    }

    async fn wander(&self, now: &Bodies, step: f32, seed: u64) -> Result<(Vec<f32>, Vec<f32>), RulesError> {
        self.fixed.wander(now, step, seed).await
    }

    async fn remember(&self, now: &Memories, step: f32) -> Result<MemoriesAfter, RulesError> {
        self.fixed.remember(now, step).await
    }

    async fn learn(&self, lessons: &Lessons, step: f32, seed: u64) -> Result<Vec<f32>, RulesError> {
        self.fixed.learn(lessons, step, seed).await
    }

    async fn unlearn(&self, proficiencies: &[f32], step: f32) -> Result<Vec<f32>, RulesError> {
        self.fixed.unlearn(proficiencies, step).await
    }

    async fn gather(&self, people: &People, seed: u64) -> Result<Vec<Part>, RulesError> {
        self.fixed.gather(people, seed).await
    }

    async fn stand(&self, people: &People) -> Result<Standings, RulesError> {
        self.fixed.stand(people).await
    }

    async fn weigh(&self, groups: &Groups) -> Result<Vec<f32>, RulesError> {
        self.fixed.weigh(groups).await
    }

    fn archive(&self) -> ArchivedRules {
        self.fixed.archive()
    }
}

async fn slow_world(permits: usize, agents: &[&str]) -> (Arc<Ecs>, Arc<Slow>) {
    let slow = Arc::new(Slow::new(permits));
    let source = Arc::new(FixedSource::new(slow.clone()));
    let ecs = world(Arc::new(MemoryStore::default()), source, options()).await;
    ecs.create_many(agents.iter().map(|id| agent(id)).collect()).await.unwrap();
    (ecs, slow)
}

fn meet(ecs: &Arc<Ecs>, first: &str, second: &str) -> JoinHandle<Result<InteractionView, WorldError>> {
    let (ecs, first, second) = (ecs.clone(), first.to_owned(), second.to_owned());
    tokio::spawn(async move { ecs.interact(&first, &second, InteractionKind::Social, "social").await })
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_commands_on_one_agent_happen_one_after_the_other() {
    let ids: Vec<String> = (0..201).map(|number| format!("agent-{number}")).collect();
    let (ecs, slow) = slow_world(1000, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let all: Vec<_> = ids[1..]
        .iter()
        .enumerate()
        // On either side.
        .map(|(at, id)| if at % 2 == 0 { meet(&ecs, "agent-0", id) } else { meet(&ecs, id, "agent-0") })
        .collect();
    for one in all {
        one.await.unwrap().unwrap();
    }
    assert_eq!(slow.most.load(Ordering::SeqCst), 1);
    assert_eq!(ecs.social_stats("agent-0").unwrap().total_interactions, 200);
    let with_one = ecs.interactions("agent-7", 10).unwrap();
    assert_eq!(with_one.total, 1);
    assert!(ecs.replay(None).await.unwrap().equal);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_on_different_agents_overlap_and_a_tick_waits_for_them() {
    let (ecs, slow) = slow_world(0, &["one", "two", "three", "four"]).await;
    let both = [meet(&ecs, "one", "two"), meet(&ecs, "three", "four")];
    eventually(async || slow.inside.load(Ordering::SeqCst) == 2).await;
    // Neither has an answer yet; a third about one of them is not even asked.
    let third = meet(&ecs, "two", "three");
    let ticking = tokio::spawn({
        let ecs = ecs.clone();
        async move { ecs.step(1).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(slow.inside.load(Ordering::SeqCst), 2);
    assert_eq!(ecs.clock().tick, 0);
    slow.open.add_permits(10);
    for one in both {
        one.await.unwrap().unwrap();
    }
    assert_eq!(ticking.await.unwrap().unwrap().tick, 1);
    third.await.unwrap().unwrap();
    assert!(ecs.replay(None).await.unwrap().equal);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_gives_up_changes_nothing_or_all() {
    let (ecs, slow) = slow_world(0, &["one", "two"]).await;
    let waiting = meet(&ecs, "one", "two");
    eventually(async || slow.inside.load(Ordering::SeqCst) == 1).await;
    waiting.abort();
    slow.open.add_permits(10);
    // Its lock is free.
    ecs.chat("one", "two", "hello", InteractionKind::Social, "social").await.unwrap();
    assert_eq!(ecs.interactions("one", 10).unwrap().total, 1);
    assert!(ecs.replay(None).await.unwrap().equal);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_given_once_however_many_ask_for_it() {
    let (ecs, _) = new_world().await;
    let all: Vec<_> = (0..50)
        .map(|_| {
            let ecs = ecs.clone();
            tokio::spawn(async move { ecs.create(agent("wanted")).await })
        })
        .collect();
    let mut created = 0;
    for one in all {
        match one.await.unwrap() {
            Ok(_) => created += 1,
            Err(WorldError::Conflict(_)) => (),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((created, ecs.status().agent_count), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_agents_created_at_once_are_different() {
    let (ecs, _) = new_world().await;
    let all: Vec<_> = (0..100)
        .map(|number| {
            let ecs = ecs.clone();
            // Two batches each that want the same names.
            let agents = vec![agent(&format!("a-{number}")), agent(&format!("b-{number}"))];
            tokio::spawn(async move { ecs.create_many(agents).await })
        })
        .collect();
    let mut names = std::collections::HashSet::new();
    for one in all {
        names.extend(one.await.unwrap().unwrap().into_iter().map(|view| view.name));
    }
    assert_eq!(names.len(), 200);
    assert_eq!(ecs.inner.running().unwrap().names.promised(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_rules_lose_no_tick_and_no_agent() {
    let source = source();
    let store = Arc::new(MemoryStore::default());
    let options = Options { tick: Duration::from_millis(10), ..options() };
    let ecs = world(store.clone(), source.clone(), options.clone()).await;
    ecs.create_many((0..20).map(|number| agent(&format!("agent-{number}"))).collect()).await.unwrap();
    eventually(async || ecs.clock().tick >= 3).await;
    source.swap(Arc::new(FixedRules::new().version("2.0.0").drifting(0.01)));
    eventually(async || ecs.status().rules == "traits-fixed@2.0.0").await;
    let swapped = ecs.clock().tick;
    eventually(async || ecs.clock().tick >= swapped + 3).await;
    ecs.set_clock(ClockChange { acceleration: None, paused: Some(true) }).await.unwrap();
    assert_eq!(ecs.status().agent_count, 20);
    let used = ecs.rules_used().await.unwrap();
    assert_eq!(
        used.iter().map(|used| (used.version.as_str(), used.current)).collect::<Vec<_>>(),
        [("1.0.0", false), ("2.0.0", true)]
    );
    let events = ecs.events(0, 1000).await.unwrap();
    // Every tick is there, and says whose it was.
    let ticks: Vec<(u64, &str)> = events
        .iter()
        .filter(|event| event.kind == "ticked")
        .map(|event| (event.tick, event.rules.as_deref().unwrap_or_default()))
        .collect();
    assert!(ticks.iter().map(|(tick, _)| *tick).eq(0..ecs.clock().tick));
    let of_first = ticks.iter().filter(|(_, rules)| *rules == used[0].digest).count();
    assert!(ticks[..of_first].iter().all(|(_, rules)| *rules == used[0].digest));
    assert!(ticks[of_first..].iter().all(|(_, rules)| *rules == used[1].digest) && of_first >= 3);
    assert!(ecs.replay(None).await.unwrap().equal, "the past is decided by the rules of the past");
    let before = digest(&ecs);
    killed(&ecs).await;
    assert_eq!(digest(&ecs), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_chosen_by_name_and_those_that_are_gone_go_on() {
    let source = source();
    let ecs = world(Arc::new(MemoryStore::default()), source.clone(), options()).await;
    ecs.create(agent("one")).await.unwrap();
    let Err(WorldError::Invalid { field, message }) = ecs.set_rules("traits-none").await else { panic!() };
    assert!(field == "name" && message.contains("traits-fixed"), "{message}");
    assert!(ecs.set_rules("fixed").await.unwrap().current);
    assert_eq!(ecs.rules_used().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_host_runs_the_world_and_another_takes_over() {
    let (store, right) = (Arc::new(MemoryStore::default()), OneRight::default());
    let first = Ecs::start(store.clone(), source(), right.right(), options());
    eventually(async || first.available().is_ok()).await;
    let second = Ecs::start(store, source(), right.right(), options());
    eventually(async || second.status().status == "elsewhere").await;
    let refused = second.create(agent("one")).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("another host")));
    live(&first).await;
    let before = digest(&first);
    first.stop().await;
    eventually(async || second.available().is_ok()).await;
    assert_eq!(digest(&second), before);
    second.create(agent("one")).await.unwrap();
}

/// On one thread the journal does not run before the test waits.
#[tokio::test]
async fn a_name_stays_promised_when_its_caller_goes() {
    let (ecs, _) = new_world().await;
    let called = |id: &str| NewAgent { name: Some("Ruby".into()), ..agent(id) };
    assert_eq!(ecs.create(called("one")).now_or_never(), None);
    let second = ecs.create(called("two")).await;
    assert!(second.as_ref().is_err_and(|error| matches!(error, WorldError::Conflict(_))), "{second:?}");
    eventually(async || ecs.agent("one").is_ok()).await;
    assert_eq!(ecs.inner.running().unwrap().names.promised(), 0);
    assert!(ecs.replay(None).await.unwrap().equal);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn mates_of_many_are_asked_in_parts_and_all_told_in_one_order() {
    let (ecs, _) = new_world().await;
    let ids: Vec<String> = (0..9000).map(|number| format!("fox-{number}")).collect();
    ecs.create_many(ids.iter().map(|id| agent(id)).collect()).await.unwrap();
    let all = ecs.mates("fox-0", 9000).await.unwrap();
    let own = ecs.traits_of("fox-0").unwrap();
    let score = |id: &str| {
        let other = ecs.traits_of(id).unwrap();
        1.0 - own.iter().zip(&other).map(|(one, two)| (two.1 - one.1).abs()).sum::<f32>() / own.len() as f32
    };
    // All are of one age and no kin.
    let mut expected: Vec<(&String, f32)> = ids.iter().skip(1).map(|id| (id, score(id))).collect();
    expected.retain(|(_, score)| *score >= 0.4);
    // Stable: of equally good ones the first that came.
    expected.sort_by(|one, two| two.1.total_cmp(&one.1));
    let told: Vec<(&String, f32)> = all.iter().map(|mate| (&mate.agent_id, mate.compatibility_score)).collect();
    assert_eq!(told, expected);
    assert_eq!(ecs.mates("fox-0", 7).await.unwrap(), all[..7]);
}
