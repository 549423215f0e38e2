use strowger_client::load::{Failure, Qos};

use super::*;
use crate::command::bench::sample::{broken, contest, lossy, outcome};

#[test]
fn a_whole_run_says_so() {
    assert_eq!(
        of(&[contest(vec![vec![outcome("a", 1.0)]])]),
        "p2p QoS 0: 5,000 messages, every one delivered once and in order"
    );
    let mut fanout = outcome("a", 1.0);
    fanout.counts.expected = 2_500_000;
    assert_eq!(
        all_delivered(&fanout),
        "5,000 messages, every one of 2,500,000 deliveries made once and in order"
    );
}

#[test]
fn loss_comes_first() {
    assert_eq!(
        of(&[contest(vec![vec![lossy("a")]])]),
        "LOST 12 of 5,000 deliveries, DUPLICATED 3 of 5,000 deliveries: p2p QoS 0"
    );
}

#[test]
fn a_broker_that_went_away_comes_first() {
    assert_eq!(
        of(&[contest(vec![vec![broken("a")]])]),
        "BROKEN after 1.20 s: p2p QoS 0: the broker closed the connection of client bench-3; \
         40 of 5,000 deliveries never came"
    );
}

#[test]
fn missing_acknowledgements_are_told() {
    let mut silent = outcome("a", 1.0);
    silent.ending = Ending::Lost;
    silent.plan.qos = Qos::AtLeastOnce;
    silent.counts.acknowledged = 4_993;
    silent.counts.refused = 2;
    assert_eq!(
        fault(&silent, "p2p QoS 1").unwrap(),
        "REFUSED 2 of 5,000 messages, NOT ACKNOWLEDGED 5 of 5,000 messages: p2p QoS 1"
    );
}

#[test]
fn packets_that_nobody_waited_for_are_told() {
    let mut chatty = outcome("a", 1.0);
    chatty.ending = Ending::Lost;
    chatty.counts.stray = 1_200;
    assert_eq!(fault(&chatty, "p2p QoS 0").unwrap(), "STRAY 1,200 packets: p2p QoS 0");
}

#[test]
fn brokers_are_compared_in_the_verdict() {
    let rounds = |name: &str, cost| vec![outcome(name, cost), outcome(name, cost)];
    assert_eq!(
        of(&[contest(vec![rounds("strowger", 1.0), rounds("mosquitto", 9.7)])]),
        "p2p QoS 0, 2 rounds: every delivery made once and in order; CPU per delivery: strowger 1.00 µs, \
         mosquitto 9.70 µs (9.70×)"
    );
}

#[test]
fn every_fault_names_its_broker_and_round() {
    let mut contest = contest(vec![
        vec![outcome("strowger", 1.0), outcome("strowger", 1.0)],
        vec![lossy("mosquitto"), broken("mosquitto")],
    ]);
    contest.entrants[1].failures.push((
        3,
        Failure::Unfit {
            problem: "no port".to_owned(),
            remedy: "start it".to_owned(),
        },
    ));
    let all = [contest];
    assert_eq!(
        of(&all),
        "NOT RUN: p2p QoS 0 at mosquitto, round 3: no port: start it; 2 runs more not whole"
    );
    let faults = faults(&all);
    assert!(faults[1].ends_with("p2p QoS 0 at mosquitto, round 1"), "{}", faults[1]);
    assert!(
        faults[2].contains("at mosquitto, round 2: the broker closed"),
        "{}",
        faults[2]
    );
}

#[test]
fn a_suite_counts_its_runs() {
    let one = || contest(vec![vec![outcome("a", 1.0)]]);
    assert_eq!(
        of(&[one(), one()]),
        "suite: 2 scenarios, 2 runs: every delivery made once and in order"
    );
}

#[test]
fn titles_say_what_matters() {
    let mut plan = Plan::of(Scenario::P2p);
    assert_eq!(title(&plan), "p2p QoS 0");
    plan.pace = Pace::Window(1);
    assert_eq!(title(&plan), "one in flight QoS 0");
    let mut idle = Plan::of(Scenario::Idle);
    assert_eq!(title(&idle), "idle");
    idle.subscriptions = 100;
    assert_eq!(title(&idle), "subscriptions");
    assert_eq!(title(&Plan::of(Scenario::Connect)), "connect");
    assert_eq!(title(&Plan::of(Scenario::Offline)), "offline QoS 1");
    assert_eq!(title(&Plan::of(Scenario::Durable)), "durable QoS 1");
}
