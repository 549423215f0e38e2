use clap::{CommandFactory, Parser};
use strowger_client::load::{Pace, PayloadSize, Qos, Until};

use super::*;

#[derive(Debug, Parser)]
struct Bench {
    #[command(subcommand)]
    job: Job,
}

fn plan(arguments: &str) -> Plan {
    fn of<S: Sizes>(run: &Run<S>) -> Plan {
        let mut plan = run.common.generator.plan(S::SCENARIO, true);
        run.sizes.apply(&mut plan);
        plan
    }
    let arguments = ["bench"].into_iter().chain(arguments.split_whitespace());
    match Bench::try_parse_from(arguments).unwrap().job {
        Job::P2p(run) => of(&run),
        Job::Fanin(run) => of(&run),
        Job::Fanout(run) => of(&run),
        Job::Wildcards(run) => of(&run),
        Job::Connect(run) => of(&run),
        Job::Idle(run) => of(&run),
        Job::Latency(run) => of(&run),
        Job::Offline(run) => of(&run),
        Job::Durable(run) => of(&run),
        Job::Retained(run) => of(&run),
        Job::Stalled(run) => of(&run),
        Job::Suite(_) => panic!("a suite has many plans"),
    }
}

#[test]
fn the_definition_is_sound() {
    Bench::command().debug_assert();
}

#[test]
fn without_options_a_scenario_has_its_standard_size() {
    for scenario in Scenario::ALL {
        assert_eq!(plan(scenario.name()), Plan::of(scenario), "{scenario}");
    }
}

#[test]
fn sizes_reach_the_plan() {
    let p2p = plan("p2p --pairs 7 -q 2 --payload 16-1024 --window 1 --duration 0.5 --warm-up 0 -V 5 --topics 3");
    assert_eq!((p2p.publishers, p2p.subscribers, p2p.topics), (7, 7, 3));
    assert_eq!((p2p.qos, p2p.version), (Qos::ExactlyOnce, Version::V5));
    assert_eq!(p2p.payload, PayloadSize::Uniform { min: 16, max: 1024 });
    assert_eq!(p2p.pace, Pace::Window(1));
    assert_eq!(p2p.until, Until::Time(Duration::from_millis(500)));
    assert_eq!(p2p.warm_up, Duration::ZERO);

    let fanout = plan("fan-out --subscribers 9 --rate 250.5 --count 1000 --threads 2 --patience 3");
    assert_eq!((fanout.publishers, fanout.subscribers), (1, 9));
    assert_eq!(fanout.pace, Pace::Rate(250.5));
    assert_eq!(fanout.until, Until::Count(1000));
    assert_eq!((fanout.threads, fanout.patience), (2, Duration::from_secs(3)));

    let wildcards = plan("wildcards --subscriptions 5000 --exact");
    assert_eq!((wildcards.subscriptions, wildcards.wildcard), (5_000, false));

    let idle = plan("idle --connections 20 --subscriptions 50 --sources 3 --connect-rate 0");
    assert_eq!((idle.connections, idle.subscriptions), (20, 50));
    assert_eq!((idle.sources, idle.connect_rate), (3, 0));

    let latency = plan("latency --subscribers 100 --rate 100");
    assert_eq!((latency.publishers, latency.subscribers), (1, 100));

    let durable = plan("durable --publishers 8 --window 4 -V 311 -q 2 --count 100");
    assert_eq!((durable.publishers, durable.subscribers), (8, 8));
    assert_eq!((durable.pace, durable.qos), (Pace::Window(4), Qos::ExactlyOnce));
    assert_eq!((durable.version, durable.until), (Version::V311, Until::Count(100)));
    assert_eq!(plan("durable --rate 2000").pace, Pace::Rate(2_000.0));
    assert_eq!(plan("durable").version, Version::V5);
}

#[test]
fn messages_without_a_number_are_a_hundred_thousand() {
    for (arguments, count, doubled) in [
        ("offline", 90_000, false),
        ("offline --messages", 100_000, false),
        ("offline --messages --doubled", 100_000, true),
        ("offline --messages 5", 5, false),
        ("offline --count 5", 5, false),
    ] {
        let plan = plan(arguments);
        assert_eq!(
            (plan.until, plan.doubled),
            (Until::Count(count), doubled),
            "{arguments}"
        );
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    for arguments in [
        "p2p --window 5 --rate 10",
        "p2p --duration 5 --count 10",
        "latency --pairs 5 --subscribers 10",
        "durable --window 5 --rate 10",
        "offline --messages 0",
        "p2p --subscribers 5",
        "p2p --pairs 0",
        "p2p --payload 8",
        "p2p -q 3",
        "p2p -V 31",
        "p2p --rate -1",
        "p2p --vs nowhere",
        "",
    ] {
        let arguments = ["bench"].into_iter().chain(arguments.split_whitespace());
        assert!(Bench::try_parse_from(arguments).is_err());
    }
}
