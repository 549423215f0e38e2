use super::*;
use crate::command::bench::sample::{contest, lossy, outcome};

#[test]
fn brokers_stand_under_each_other_with_their_ratio() {
    let table = of(&[contest(vec![vec![outcome("strowger", 1.0)], vec![outcome("mosquitto", 9.7)]]).comparison()]);
    let text = table.to_text();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "broker       value  ratio  per second     p99  generator CPU",
            "strowger   1.00 µs      1         800  900 µs       0.200 µs",
            "mosquitto  9.70 µs  9.70×         800  900 µs       0.200 µs",
        ]
    );
}

#[test]
fn spreads_and_faults_have_columns_when_there_are_any() {
    let rounds = |name: &str| vec![outcome(name, 1.0), outcome(name, 2.0)];
    let whole = of(&[contest(vec![rounds("a"), rounds("b")]).comparison()]);
    assert!(whole.head.contains(&"min – max") && !whole.head.contains(&"whole"));
    let faulty = of(&[contest(vec![rounds("a"), vec![lossy("b"), outcome("b", 1.0)]]).comparison()]);
    assert_eq!(faulty.rows[1].last().unwrap().text, "1 of 2");
    assert!(faulty.rows.iter().all(|row| row.len() == faulty.head.len()));
}

#[test]
fn a_scenario_is_named_once() {
    let one = || contest(vec![vec![outcome("strowger", 1.0)], vec![outcome("mosquitto", 9.7)]]).comparison();
    let text = of(&[one(), one()]).to_text();
    assert_eq!(text.matches("p2p QoS 0").count(), 1, "{text}");
    assert_eq!(text.matches("mosquitto").count(), 2, "{text}");
}

#[test]
fn nothing_gives_an_empty_table() {
    assert_eq!(of(&[]).to_text(), "\n");
}
