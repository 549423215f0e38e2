use clap::Parser;

use super::*;

#[derive(Debug, Parser)]
struct Suite {
    #[command(flatten)]
    options: Options,
}

fn options(arguments: &str) -> Options {
    let arguments = ["suite"].into_iter().chain(arguments.split_whitespace());
    Suite::try_parse_from(arguments).unwrap().options
}

fn machine(memory_kib: u64) -> Machine {
    Machine {
        memory_kib,
        ..Machine::look()
    }
}

fn plans(arguments: &str) -> Vec<(&'static str, Plan)> {
    options(arguments).plans(&[], &machine(32 * 1024 * 1024)).unwrap()
}

#[test]
fn every_row_has_a_plan_of_its_own() {
    let plans = plans("");
    assert_eq!(plans.len(), ROWS.len());
    for (index, (title, plan)) in plans.iter().enumerate() {
        assert!(plans.iter().skip(index + 1).all(|(other, _)| other != title));
        assert!(plans.iter().skip(index + 1).all(|(_, other)| other != plan), "{title}");
    }
    let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
    assert!(names.iter().all(|name| row(name).is_ok()));
}

#[test]
fn only_some_rows_are_run_in_the_table_s_order() {
    let titles: Vec<_> = plans("--only fanout-1,p2p-0")
        .into_iter()
        .map(|(title, _)| title)
        .collect();
    assert_eq!(titles, ["p2p QoS 0", "fan-out QoS 1"]);
    let arguments = ["suite", "--only", "p2p-9"];
    let error = Suite::try_parse_from(arguments).unwrap_err().to_string();
    assert!(error.contains("there are idle, subscriptions, p2p-0"), "{error}");
}

#[test]
fn a_quick_suite_is_short_and_small() {
    for ((title, quick), (_, full)) in plans("--quick").into_iter().zip(plans("")) {
        assert!(quick.warm_up <= full.warm_up, "{title}");
        if let Until::Time(span) = quick.until {
            assert_eq!(span, QUICK, "{title}");
        }
        assert!(
            quick.subscriptions <= full.subscriptions && quick.connections <= full.connections,
            "{title}"
        );
    }
    let (_, plan) = plans("--quick --duration 2 --only p2p-0").remove(0);
    assert_eq!(plan.until, Until::Time(Duration::from_secs(2)));
}

#[test]
fn memory_bounds_subscriptions() {
    let subscriptions = |memory_kib| {
        let (_, plan) = options("--only subscriptions")
            .plans(&[], &machine(memory_kib))
            .unwrap()
            .remove(0);
        plan.subscriptions * plan.connections
    };
    assert_eq!(subscriptions(32 * 1024 * 1024), 1_000_000);
    assert!(subscriptions(1024 * 1024) < 100_000);
    assert!(subscriptions(0) >= 1_000);
}

#[test]
fn the_listing_has_a_line_for_each_row() {
    assert_eq!(options("").listing().lines().count(), ROWS.len());
    assert_eq!(options("--only idle").listing(), "idle            idle\n");
}
