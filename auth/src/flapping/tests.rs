use std::time::Duration;

use tokio::time::advance;

use super::{Flapping, Settings};

const HERE: [u8; 4] = [192, 0, 2, 1];
const THERE: [u8; 4] = [192, 0, 2, 2];

fn three_in_ten_seconds() -> Flapping {
    Flapping::new(Settings {
        connects_max: 3,
        window: Duration::from_secs(10),
        ban: Duration::from_secs(60),
        entries_max: 100,
    })
}

fn allows(flapping: &Flapping, client_id: &str, address: [u8; 4]) -> bool {
    flapping.allows(client_id, Some(address.into()))
}

#[tokio::test(start_paused = true)]
async fn who_comes_too_often_is_held_off_for_its_time() {
    let flapping = three_in_ten_seconds();
    for round in 0..2 {
        for _ in 0..3 {
            assert!(allows(&flapping, "meter", HERE), "round {round}");
        }
        for _ in 0..59 {
            assert!(!allows(&flapping, "meter", HERE), "round {round}");
            advance(Duration::from_secs(1)).await;
        }
        assert!(
            allows(&flapping, "meter", THERE),
            "another address, where somebody else may be"
        );
        assert!(allows(&flapping, "other", HERE));
        advance(Duration::from_secs(11)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_now_and_then_is_never_held_off() {
    let flapping = three_in_ten_seconds();
    for _ in 0..20 {
        assert!(allows(&flapping, "meter", HERE));
        advance(Duration::from_millis(3_400)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_identifier_or_a_limit_nobody_is_counted() {
    let flapping = three_in_ten_seconds();
    let open = Flapping::new(Settings {
        connects_max: 0,
        ..Settings::default()
    });
    for _ in 0..1_000 {
        assert!(allows(&flapping, "", HERE));
        assert!(allows(&open, "meter", HERE));
    }
    assert_eq!((flapping.remembered(), open.remembered()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_socket_has_no_address_and_a_network_of_ipv6_has_one() {
    let flapping = three_in_ten_seconds();
    let calls = [
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8::3",
        "2001:db8::4",
        "2001:db8:0:1::4",
    ];
    let allowed: Vec<bool> = calls
        .iter()
        .map(|address| flapping.allows("meter", address.parse().ok()))
        .collect();
    assert_eq!(allowed, [true, true, true, false, true]);
    let local: Vec<bool> = (0..4).map(|_| flapping.allows("meter", None)).collect();
    assert_eq!(local, [true, true, true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_of_identifiers_takes_bounded_room() {
    let flapping = three_in_ten_seconds();
    for number in 0..10_000 {
        assert!(allows(&flapping, &format!("client-{number}"), HERE));
        assert!(flapping.remembered() <= 100);
    }
}
