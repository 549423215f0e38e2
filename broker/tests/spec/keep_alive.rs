//! Keep Alive and Server Keep Alive: chapters 3.1.2 and 3.2.2.

use broker::effect::Cause;
use broker::exchange::{Ask, Ended, Exchange, Overseer, Request, Verdict, phase};
use mqtt_codec::{DisconnectReason, Packet, QoS, Version};

use crate::world::packets::publish;
use crate::world::{Client, Config, World, millis, secs};

use Version::{V5, V31, V311};

/// [MQTT-3.1.2-22] in 5.0, [MQTT-3.1.2-24] in 3.1.1, [MQTT-3.2.2-22] in 5.0: silence beyond one and a half times the
/// client's own Keep Alive ends the connection.
#[test]
fn v311_3_1_2_24_silence_past_one_and_a_half_keep_alive_drops_the_client() {
    for version in Version::ALL {
        for keep_alive in [1, 10, 3600] {
            let mut world = World::new();
            let builder = world.client("sensor").version(version).keep_alive(secs(keep_alive));
            let (sensor, connack) = builder.connect_with_connack();
            assert_eq!(
                connack.properties.server_keep_alive_secs, None,
                "the client's own value counts"
            );

            world.pass(millis(keep_alive * 1500 - 1));
            assert!(world.is_connected(sensor), "{version:?} {keep_alive}");
            world.pass(millis(2));
            assert_eq!(
                world.cause(sensor),
                Some(Cause::KeepAliveTimeout),
                "{version:?} {keep_alive}"
            );
            let expected = (version == V5).then_some(DisconnectReason::KeepAliveTimeout);
            assert_eq!(world.goodbye(sensor), expected, "{version:?} {keep_alive}");
        }
    }
}

/// [MQTT-3.1.2-22] in 5.0, [MQTT-3.1.2-24] in 3.1.1: any packet is a sign of life, and time counts from the last one.
#[test]
fn v5_3_1_2_22_every_packet_is_a_sign_of_life() {
    let signs: [fn() -> Packet; 3] = [
        || Packet::Pingreq,
        || Packet::Publish(publish("t", "alive", QoS::AtMostOnce)),
        || crate::world::packets::unsubscribe(3, "t"),
    ];
    for version in Version::ALL {
        let mut world = World::new();
        let sensor = world.client("sensor").version(version).keep_alive(secs(10)).connect();
        for sign in signs.iter().cycle().take(9) {
            world.pass(millis(14_999));
            world.send(sensor, sign());
            assert!(world.is_connected(sensor), "{version:?}");
        }
        world.pass(millis(14_999));
        assert!(world.is_connected(sensor), "{version:?}");
        world.pass(millis(2));
        assert!(!world.is_connected(sensor), "{version:?}");
    }
}

/// [MQTT-3.1.2-22] in 5.0, [MQTT-3.1.2-24] in 3.1.1: what the broker sends is no sign of the client's life, and part of
/// a packet is none either.
#[test]
fn v5_3_1_2_22_only_whole_packets_of_the_client_count() {
    for version in Version::ALL {
        let mut world = World::new();
        let reader = world.client("reader").version(version).keep_alive(secs(10)).connect();
        world.subscribe(reader, "t", QoS::AtMostOnce);
        let editor = world.client("editor").connect();
        for _ in 0..7 {
            world.pass(secs(2));
            world.publish(editor, "t", "news", QoS::AtMostOnce);
        }
        world.send_bytes(reader, &[0xC0]);
        world.pass(millis(1001));
        assert_eq!(world.cause(reader), Some(Cause::KeepAliveTimeout), "{version:?}");
    }
}

/// Keep Alive 0 turns it off in 3.x (section 3.1.2.10 in 3.1.1).
#[test]
fn v311_keep_alive_0_is_no_limit() {
    for version in [V31, V311] {
        let mut world = World::new();
        let sensor = world.client("sensor").version(version).connect();
        world.pass(secs(30 * 24 * 3600));
        assert!(world.is_connected(sensor), "{version:?}");
    }
}

/// [MQTT-3.1.2-22] in 5.0: a client of 5.0 that asks for more than the operator allows, or for no limit, is told the
/// operator's value (section 3.2.2.3.14), and that one is enforced.
#[test]
fn v5_3_1_2_22_server_keep_alive_is_told_and_enforced() {
    for asked in [0, 61, 65_535] {
        let mut world = World::limited(|limits| limits.keep_alive_secs_max = 60);
        let (sensor, connack) = world.client("sensor").keep_alive(secs(asked)).connect_with_connack();
        assert_eq!(connack.properties.server_keep_alive_secs, Some(60), "asked for {asked}");
        world.pass(millis(89_999));
        assert!(world.is_connected(sensor), "asked for {asked}");
        world.pass(millis(2));
        assert_eq!(
            world.goodbye(sensor),
            Some(DisconnectReason::KeepAliveTimeout),
            "asked for {asked}"
        );
    }
}

/// [MQTT-3.2.2-22] in 5.0: at or below the operator's value the client's own is in force, and nothing is said.
#[test]
fn v5_3_2_2_22_without_server_keep_alive_the_clients_value_counts() {
    for asked in [59, 60] {
        let mut world = World::limited(|limits| limits.keep_alive_secs_max = 60);
        let (sensor, connack) = world.client("sensor").keep_alive(secs(asked)).connect_with_connack();
        assert_eq!(connack.properties.server_keep_alive_secs, None, "asked for {asked}");
        world.pass(millis(asked * 1500 - 1));
        assert!(world.is_connected(sensor), "asked for {asked}");
        world.pass(millis(2));
        assert!(!world.is_connected(sensor), "asked for {asked}");
    }
}

/// A client of 3.1.1 cannot be told of another value, so its own stands, whatever the operator prefers.
#[test]
fn v311_the_clients_keep_alive_is_not_shortened_unsaid() {
    let mut world = World::limited(|limits| limits.keep_alive_secs_max = 60);
    let sensor = world.client("sensor").version(V311).keep_alive(secs(100)).connect();
    world.pass(millis(149_999));
    assert!(world.is_connected(sensor));
    world.pass(millis(2));
    assert!(!world.is_connected(sensor));
}

/// [MQTT-3.1.2-22] in 5.0, [MQTT-3.1.2-24] in 3.1.1: each connection has a clock of its own; an earlier one's does not
/// end it.
#[test]
fn v5_3_1_2_22_an_earlier_connections_clock_is_stopped() {
    for version in Version::ALL {
        let mut world = World::new();
        world
            .client("sensor")
            .version(version)
            .persistent()
            .keep_alive(secs(10))
            .connect();
        world.pass(secs(14));
        let sensor = world
            .client("sensor")
            .version(version)
            .persistent()
            .keep_alive(secs(100))
            .connect();
        world.pass(millis(149_999));
        assert!(world.is_connected(sensor), "{version:?}");
        world.pass(millis(2));
        assert!(!world.is_connected(sensor), "{version:?}");
        assert_eq!(world.counters().keep_alive_timeouts, 1, "{version:?}");
    }
}

/// Lets each PUBLISH wait for a minute, once.
#[derive(Default)]
struct Slow {
    asked: bool,
}

impl Overseer for Slow {
    fn on_running(&mut self, _: &Exchange<phase::Running>, request: &Request<'_>) -> Verdict {
        if !matches!(request.ask, Ask::Publish(_)) {
            return Verdict::Proceed;
        }
        self.asked = !self.asked;
        if self.asked {
            Verdict::Block(60_000)
        } else {
            Verdict::Proceed
        }
    }

    fn on_ended(&mut self, _: &Ended) {}
}

/// [MQTT-3.1.2-22] in 5.0, [MQTT-3.1.2-24] in 3.1.1: a client that the broker itself does not read is not silent. What it
/// sent meanwhile is its sign of life, and its silence counts again afterwards.
#[test]
fn v5_3_1_2_22_a_client_that_is_not_read_is_not_silent() {
    for version in Version::ALL {
        let mut world = World::with(Config {
            overseer: || Box::<Slow>::default(),
            ..Config::default()
        });
        let sensor: Client = world.client("sensor").version(version).keep_alive(secs(10)).connect();
        world.send(sensor, Packet::Publish(publish("t", "slow", QoS::AtLeastOnce)));
        for _ in 0..5 {
            world.pass(secs(10));
            world.send(sensor, Packet::Pingreq);
        }
        assert!(world.is_connected(sensor), "{version:?}");
        assert!(world.received(sensor).is_empty(), "{version:?}");

        world.pass(secs(10));
        assert!(world.is_connected(sensor), "{version:?}");
        let received = world.received(sensor);
        assert!(matches!(received[0], Packet::Puback(_)), "{received:?}");
        assert_eq!(received.len(), 6, "its pings are answered: {received:?}");
        world.pass(secs(60));
        assert_eq!(world.cause(sensor), Some(Cause::KeepAliveTimeout), "{version:?}");
    }
}
