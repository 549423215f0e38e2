use std::net::IpAddr;
use std::time::Duration;

use tokio::time::advance;

use super::{Limits, Rate, Settings};
use crate::Credentials;

fn from(address: &str, name: Option<&str>) -> Credentials {
    Credentials {
        client_id: String::new(),
        username: name.map(str::to_owned),
        password: None,
        address: Some(address.parse::<IpAddr>().unwrap()),
        listener: "tcp".to_owned(),
        certificate: None,
    }
}

fn limits(per_address: u32, per_name: u32) -> Limits {
    let rate = |failures_max| {
        (failures_max > 0).then_some(Rate {
            failures_max,
            forget_one_after: Duration::from_secs(10),
        })
    };
    Limits::new(Settings {
        per_address: rate(per_address),
        per_name: rate(per_name),
        entries_max: 100,
    })
}

#[tokio::test(start_paused = true)]
async fn an_address_that_failed_too_often_waits_until_a_failure_is_forgotten() {
    let limits = limits(3, 0);
    let guesser = from("192.0.2.1", Some("a"));
    for _ in 0..3 {
        assert!(limits.allows(&guesser));
        limits.count_failure(&guesser);
    }
    assert!(!limits.allows(&guesser));
    assert!(
        !limits.allows(&from("::ffff:192.0.2.1", Some("b"))),
        "the same address, written otherwise"
    );
    assert!(limits.allows(&from("192.0.2.2", Some("a"))));

    advance(Duration::from_millis(9_999)).await;
    assert!(!limits.allows(&guesser));
    advance(Duration::from_millis(1)).await;
    assert!(limits.allows(&guesser));
    limits.count_failure(&guesser);
    assert!(!limits.allows(&guesser));
}

#[tokio::test(start_paused = true)]
async fn a_name_is_limited_wherever_the_guesses_come_from() {
    let limits = limits(0, 2);
    for host in 1..=2 {
        limits.count_failure(&from(&format!("192.0.2.{host}"), Some("admin")));
    }
    assert!(!limits.allows(&from("192.0.2.9", Some("admin"))));
    assert!(limits.allows(&from("192.0.2.9", Some("clerk"))));
    assert!(limits.allows(&from("192.0.2.9", None)));
}

#[tokio::test(start_paused = true)]
async fn an_ipv6_network_is_one_address() {
    let limits = limits(2, 0);
    limits.count_failure(&from("2001:db8::1", None));
    limits.count_failure(&from("2001:db8::2:3", None));
    assert!(!limits.allows(&from("2001:db8::ffff", None)));
    assert!(limits.allows(&from("2001:db8:0:1::1", None)));
}

#[tokio::test(start_paused = true)]
async fn failures_beyond_the_limit_do_not_lengthen_the_wait() {
    let limits = limits(2, 0);
    let guesser = from("192.0.2.1", None);
    for _ in 0..1_000 {
        limits.count_failure(&guesser);
    }
    advance(Duration::from_secs(10)).await;
    assert!(limits.allows(&guesser));
}

#[tokio::test(start_paused = true)]
async fn the_tables_stay_within_their_bound() {
    let limits = limits(1, 1);
    let known = from("192.0.2.1", Some("known"));
    limits.count_failure(&known);
    for number in 0..10_000_u32 {
        limits.count_failure(&from(
            &std::net::Ipv4Addr::from(number).to_string(),
            Some(&number.to_string()),
        ));
        // Who goes on failing is not forgotten.
        limits.count_failure(&known);
        assert!(limits.remembered() <= 200);
    }
    assert!(!limits.allows(&known));
}
