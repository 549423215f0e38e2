//! Delayed wills: due with the delay or the session's end, kept back by a return. Chapters 3.1.2 and 3.1.3 in 5.0.

use mqtt_codec::{Disconnect, DisconnectReason, Packet};

use super::will::{hears_nothing, watched};
use crate::world::secs;

/// [MQTT-3.1.2-8] in 5.0: trap 9. A delayed will goes out after its delay or with its session, whichever comes first.
#[test]
fn v5_3_1_2_8_delay_or_session_end_whichever_comes_first() {
    for (delay_secs, expiry, due) in [(10, 100, 10), (100, 10, 10), (10, 10, 10), (10, 0, 0), (0, 100, 0)] {
        let (mut world, watcher) = watched();
        let client = world
            .client("a")
            .expiry(expiry)
            .will("gone/a", "late", delay_secs)
            .connect();
        world.drop_connection(client);
        if due > 0 {
            world.pass(secs(due) - 1);
            assert!(
                hears_nothing(&mut world, watcher),
                "delay {delay_secs} expiry {expiry}: too early"
            );
            world.pass(1);
        }
        assert_eq!(world.payloads(watcher), ["late"], "delay {delay_secs} expiry {expiry}");
        world.pass(secs(200));
        assert!(
            hears_nothing(&mut world, watcher),
            "delay {delay_secs} expiry {expiry}: once"
        );
    }
}

/// [MQTT-3.1.2-8] in 5.0: DISCONNECT 0x04 may end the session as well; its will does not wait longer than that.
#[test]
fn v5_3_1_2_8_disconnect_with_will_and_another_expiry() {
    for (expiry, due) in [(Some(0), 0), (Some(3), 3), (None, 10)] {
        let (mut world, watcher) = watched();
        let client = world.client("a").expiry(100).will("gone/a", "as told", 10).connect();
        let packet = Disconnect {
            session_expiry_secs: expiry,
            ..Disconnect::new(DisconnectReason::DisconnectWithWillMessage)
        };
        world.send(client, Packet::Disconnect(packet));
        if due > 0 {
            world.pass(secs(due) - 1);
            assert!(hears_nothing(&mut world, watcher), "{expiry:?}");
            world.pass(1);
        }
        assert_eq!(world.payloads(watcher), ["as told"], "{expiry:?}");
    }
}

/// [MQTT-3.1.3-9] in 5.0, [MQTT-3.1.2-8] in 5.0: who is back within the delay was never gone, as often as it happens.
#[test]
fn v5_3_1_3_9_a_return_within_the_delay_keeps_the_will_back() {
    let (mut world, watcher) = watched();
    for _ in 0..3 {
        let client = world.client("a").persistent().will("gone/a", "never", 10).connect();
        world.pass(secs(60));
        world.drop_connection(client);
        world.pass(secs(10) - 1);
    }
    let client = world
        .client("a")
        .persistent()
        .will("gone/a", "the last one's", 2)
        .connect();
    world.pass(secs(60));
    assert!(hears_nothing(&mut world, watcher));
    world.drop_connection(client);
    world.pass(secs(3));
    assert_eq!(world.payloads(watcher), ["the last one's"]);
}

/// [MQTT-3.1.3-9] in 5.0: a will that was kept back by a return stays unsaid when the session ends much later.
#[test]
fn v5_3_1_3_9_a_will_kept_back_does_not_come_with_the_sessions_end() {
    let (mut world, watcher) = watched();
    let client = world.client("a").expiry(100).will("gone/a", "never", 10).connect();
    world.drop_connection(client);
    world.pass(secs(5));
    let client = world.client("a").clean(false).expiry(100).connect();
    world.drop_connection(client);
    world.pass(secs(200));
    assert_eq!(world.counters().sessions_expired, 1);
    assert!(hears_nothing(&mut world, watcher));
}

/// [MQTT-3.1.2-8] in 5.0, [MQTT-3.1.3-9] in 5.0: trap 9. In a takeover the will goes out if the session ends by it or
/// there is no delay, and is kept back if the session goes on within the delay.
#[test]
fn v5_3_1_2_8_wills_in_a_takeover() {
    // Expiry and delay of the elder connection, clean start of the younger, whether the will goes out.
    let cases = [
        (0, 60, false, true),
        (0, 0, false, true),
        (3600, 60, true, true),
        (3600, 0, true, true),
        (3600, 0, false, true),
        (3600, 60, false, false),
    ];
    for (expiry, delay_secs, clean, heard) in cases {
        let story = format!("expiry {expiry}, delay {delay_secs}, clean start {clean}");
        let (mut world, watcher) = watched();
        let elder = world
            .client("a")
            .expiry(expiry)
            .will("gone/a", "elder", delay_secs)
            .connect();
        world.client("a").clean(clean).expiry(3600).connect();
        assert!(!world.is_connected(elder));
        let expected: &[&str] = if heard { &["elder"] } else { &[] };
        assert_eq!(world.payloads(watcher), expected, "{story}");
        world.pass(secs(1000));
        assert!(hears_nothing(&mut world, watcher), "{story}: never later");
    }
}

/// [MQTT-3.1.2-8] in 5.0: trap 9. A clean start ends the session of a client that is away, and so its delayed will is
/// due: the newcomer is no return to that session.
#[test]
fn v5_3_1_2_8_a_clean_start_after_the_loss_ends_the_session_with_its_will() {
    let (mut world, watcher) = watched();
    let elder = world.client("a").expiry(3600).will("gone/a", "elder", 60).connect();
    world.drop_connection(elder);
    world.pass(secs(5));
    assert!(hears_nothing(&mut world, watcher));
    world.client("a").clean(true).connect();
    assert_eq!(world.payloads(watcher), ["elder"]);
    world.pass(secs(1000));
    assert!(hears_nothing(&mut world, watcher));
}
