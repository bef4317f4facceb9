//! Who gathers whom, and what standing comes of it.

use super::*;

/// Nobody meets in it by chance: 15 apart, while bonds reach 20.
fn followers() -> Sandbox {
    let rules = FixedRules::new().customs(|customs| customs.meeting_distance = 20.0).faulty("meet", Fault::Trap);
    let people = [bold(0.0, 0.95), bold(15.0, 0.6), bold(-15.0, 0.7), bold(0.5, 0.2), bold(90.0, 0.6), bold(1.0, 0.6)];
    let world = Sandbox::new(rules, &people);
    for (other, strength) in [(2, 0.5), (3, 0.25), (4, 0.9), (5, 0.9)] {
        world.acquaint(1, other, strength);
    }
    world
}

#[tokio::test]
async fn a_leader_gathers_those_that_it_knows_and_that_are_near() {
    let world = followers();
    world.tick_with(0.01, &[]).await;
    assert!(world.state.read().groups.is_empty(), "groups come every second tick");
    let (summary, ..) = world.tick_with(0.01, &[]).await;
    assert_eq!(summary.founded, 1);
    let group = world.state.read().groups[&1].clone();
    // 4 would not, 5 is far away, 6 is a stranger.
    assert_eq!(group.members, [1, 2, 3].map(AgentNumber));
    assert_eq!((group.leader, group.founded_tick), (AgentNumber(1), 1));
    assert!(close(group.cohesion, 0.375), "mean of .5 and .25");
    assert!(close(group.influence, 0.3), "the rules say .1 a member: {}", group.influence);
    assert_eq!(world.of::<Social>(1).leads, 1);
    assert_eq!(world.of::<Social>(3).groups, [1]);
    assert!(world.of::<Social>(4).groups.is_empty());
    // It grows when somebody else is known, and no second one is founded.
    world.acquaint(1, 6, 0.75);
    world.tick_with(0.01, &[]).await;
    let (summary, ..) = world.tick_with(0.01, &[]).await;
    assert_eq!(summary.founded, 0);
    let group = world.state.read().groups[&1].clone();
    assert_eq!(group.members, [1, 2, 3, 6].map(AgentNumber));
    assert!(close(group.cohesion, 0.5) && close(group.influence, 0.4));
    assert_eq!(world.of::<Social>(6).groups, [1]);
    assert_eq!(world.of::<Social>(1).leads, 1);
}

#[tokio::test]
async fn groups_that_nobody_weighs_keep_what_they_had() {
    let world = followers();
    world.rules.faults.lock().insert("weigh", Fault::Nan);
    for _ in 0..2 {
        world.tick_with(0.01, &[]).await;
    }
    assert_eq!(world.state.read().groups[&1].influence, 0.0, "new, and nobody has said what it is worth");
    world.rules.faults.lock().remove("weigh");
    for _ in 0..2 {
        world.tick_with(0.01, &[]).await;
    }
    assert!(close(world.state.read().groups[&1].influence, 0.3));
    world.rules.faults.lock().insert("weigh", Fault::Short);
    world.acquaint(1, 6, 0.75);
    for _ in 0..2 {
        world.tick_with(0.01, &[]).await;
    }
    let group = world.state.read().groups[&1].clone();
    assert_eq!(group.members.len(), 4);
    assert!(close(group.influence, 0.3), "{}", group.influence);
}

#[tokio::test]
async fn a_group_ends_with_its_leader() {
    let world = followers();
    for _ in 0..2 {
        world.tick_with(0.01, &[]).await;
    }
    world.change::<Lifecycle>(1, |lifecycle| lifecycle.age = 99.99999);
    let (summary, ..) = world.tick_with(0.01, &[]).await;
    assert_eq!(summary.deaths, [AgentNumber(1)]);
    assert!(world.state.read().groups.is_empty());
    assert!(world.of::<Social>(2).groups.is_empty());
}

#[tokio::test]
async fn one_alone_with_a_follower_founds_nothing() {
    let rules = FixedRules::new().customs(|customs| customs.meeting_distance = 20.0).faulty("meet", Fault::Trap);
    let world = Sandbox::new(rules, &[bold(0.0, 0.95), bold(15.0, 0.6)]);
    world.acquaint(1, 2, 1.0);
    for _ in 0..4 {
        world.tick_with(0.01, &[]).await;
    }
    assert!(world.state.read().groups.is_empty());
}

#[tokio::test]
async fn standing_comes_every_fourth_tick_from_what_was_before_it() {
    let world = followers();
    for _ in 0..3 {
        world.tick_with(0.01, &[]).await;
        assert_eq!(world.of::<Social>(1).influence, 0.0);
    }
    world.tick_with(0.01, &[]).await;
    let social = world.of::<Social>(1);
    // Four relationships and a group that it leads.
    assert!(close(social.influence, 1.4), "{social:?}");
    assert_eq!(social.standing, Standing::Leader);
    assert!(close(world.of::<Social>(5).influence, 0.1));
    assert_eq!(world.of::<Social>(5).standing, Standing::Popular);
    assert_eq!(world.of::<Social>(6).influence, 0.0);
}
