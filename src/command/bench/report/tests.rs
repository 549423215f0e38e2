use super::*;
use crate::command::bench::sample::{broken, contest, lossy, outcome, results};

#[test]
fn json_has_every_run_and_the_comparison() {
    let rounds = |name: &str, cost| vec![outcome(name, cost), outcome(name, cost)];
    let results = results(vec![contest(vec![rounds("strowger", 1.0), rounds("mosquitto", 9.7)])]);
    let document: serde_json::Value = serde_json::from_str(&json(&results).unwrap()).unwrap();
    let runs = document["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 4);
    assert_eq!(runs[3]["target"], "mosquitto");
    assert_eq!(runs[3]["round"], 2);
    assert_eq!(runs[3]["ending"]["kind"], "whole");
    assert_eq!(runs[3]["broker"]["cpu_us_per_delivery"], 9.7);
    let comparison = &document["comparison"][0];
    assert_eq!(comparison["figure"], "cpu_us_per_delivery");
    assert_eq!(comparison["brokers"][1]["ratio"]["median"], 9.7);
    assert!(document["verdict"].as_str().unwrap().starts_with("p2p QoS 0, 2 rounds"));
    assert!(document["machine"]["cores"].as_u64().unwrap() > 0);
}

#[test]
fn a_page_asks_for_nothing_from_elsewhere() {
    let page = page(&results(vec![contest(vec![vec![outcome("strowger", 1.0)]])]));
    for request in [
        "http:", "https:", "src=", "href=", "@import", "url(", "<script", "<link",
    ] {
        assert!(!page.contains(request), "{request}");
    }
    assert!(page.starts_with("<!doctype html>"));
    assert!(page.contains("every one delivered once and in order"));
    for title in ["Throughput over time", "Latency over time", "Latency distribution"] {
        assert!(page.contains(title), "{title}");
    }
}

#[test]
fn names_of_brokers_are_text_and_nothing_else() {
    let evil = "<img onerror=alert(1)>";
    let page = page(&results(vec![contest(vec![
        vec![outcome(evil, 1.0)],
        vec![lossy(evil)],
    ])]));
    assert!(!page.contains("<img"));
    assert!(page.contains("&lt;img onerror=alert(1)&gt;"));
}

#[test]
fn a_page_of_faults_names_them_all() {
    let page = page(&results(vec![contest(vec![vec![lossy("a")], vec![broken("b")]])]));
    assert!(page.contains("not whole"));
    assert!(page.contains("<li>LOST 12 of 5,000 deliveries"));
    assert!(page.contains("<li>BROKEN after 1.20 s"));
}

#[test]
fn a_run_that_measured_nothing_has_a_page() {
    let mut nothing = broken("a");
    nothing.latency = None;
    nothing.timeline.clear();
    nothing.broker = None;
    nothing.own.cpu_us_per_delivery = None;
    let page = page(&results(vec![contest(vec![vec![nothing]])]));
    assert!(!page.contains("NaN") && !page.contains("inf"));
    assert!(!page.contains("Latency over time"));
}

#[test]
fn a_suite_has_a_part_for_each_scenario() {
    let one = || contest(vec![vec![outcome("strowger", 1.0)], vec![outcome("mosquitto", 9.7)]]);
    let page = page(&results(vec![one(), one(), one()]));
    assert_eq!(page.matches("<details>").count(), 3);
    assert!(page.contains("Compared with strowger: left of 1× is better"));
}
