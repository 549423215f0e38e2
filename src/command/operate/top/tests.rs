use std::time::Duration;

use super::*;
use serde_json::{Value, json};

fn overview(received: u64, unaccounted: i64) -> Value {
    json!({
        "version": "1.2.3", "uptime_secs": 61, "connections": 2, "messages": { "received_total": received, "unaccounted": unaccounted },
        "memory": { "used_bytes": 512, "max_bytes": 1024 },
        "warnings": ["the disk is \u{1b}[2Jfull"],
    })
}

fn clients(packets: u64) -> Value {
    json!({ "total": 7, "items": [{ "client_id": "a", "packets_in": packets, "queued": 3 }] })
}

fn figures() -> Figures {
    let at = now();
    let before = Sample::read(at, &overview(1000, 0), &clients(10));
    let later = Sample::read(at + Duration::from_secs(2), &overview(1500, 4), &clients(11));
    Figures::between(&before, &later)
}

#[test]
fn rates_are_what_happened_between_two_looks() {
    let figures = figures();
    assert!((figures.received - 250.0).abs() < 1e-9);
    assert_eq!(figures.clients.first().map(|row| row.packets_in), Some(Some(0.5)));
    assert_eq!((figures.clients_total, figures.unaccounted), (7, 4));
}

#[test]
fn a_look_by_itself_has_no_rates() {
    let sample = Sample::read(now(), &overview(1000, 0), &clients(10));
    let figures = Figures::between(&sample, &sample);
    assert!(figures.received.abs() < 1e-9);
    assert_eq!(figures.clients.first().map(|row| row.packets_in), Some(None));
}

#[test]
fn warnings_are_told_and_do_not_steer_the_terminal() {
    let text = figures().to_string();
    assert!(text.contains("strowger 1.2.3, up 1 min 1 s"), "{text}");
    assert!(text.contains("WARNING    4 messages are not accounted for"), "{text}");
    assert!(text.contains("the disk is \\u{1b}[2Jfull"), "{text}");
    assert!(text.contains("512 bytes (50 % of 1.0 KiB)"), "{text}");
}

#[test]
fn the_orders_go_round() {
    let all = std::iter::successors(Some(FIRST), |order| Some(order.next()));
    let parameters: Vec<String> = all.take(KEYS.len() + 1).map(Order::parameter).collect();
    assert_eq!(
        parameters,
        [
            "-packets_in",
            "-packets_out",
            "-queued",
            "-inflight",
            "-subscriptions",
            "client_id",
            "-packets_in"
        ]
    );
}
