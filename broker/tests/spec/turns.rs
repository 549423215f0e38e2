//! Nobody keeps a line from its other clients for long: what waits is sent in spurts.

use bytes::BytesMut;
use mqtt_codec::{Packet, QoS, Version};

use crate::world::packets::{id, puback, publish, subscribe};
use crate::world::{Client, World};

/// Packets in one go, of which a line does many before it looks at its other clients again. Much less than there are
/// messages in these stories.
const SPURT: u64 = 130;

fn fill(world: &mut World, messages: usize, retain: bool) {
    let sender = world.client("sender").connect();
    for number in 0..messages {
        let mut message = publish(&format!("news/{number}"), "x", QoS::AtLeastOnce);
        message.retain = retain;
        world.send(sender, Packet::Publish(message));
    }
    world.longest_spurt = 0;
}

fn got(world: &mut World, client: Client) -> usize {
    world.publishes(client).len()
}

/// A subscription to everything gets all retained messages, whatever their QoS, a bounded number at a time, and so do
/// several at once.
#[test]
fn retained_messages_are_sent_in_spurts() {
    let mut world = World::new();
    fill(&mut world, 2000, true);
    let readers: Vec<Client> = (0..4)
        .map(|reader| world.client(&format!("r{reader}")).connect())
        .collect();
    world.hold_routes = true;
    for (reader, qos) in readers
        .iter()
        .zip([QoS::AtMostOnce, QoS::AtLeastOnce].into_iter().cycle())
    {
        world.send(*reader, Packet::Subscribe(subscribe(1, "news/#", qos)));
    }
    world.hold_routes = false;
    world.release_routes();
    let counts: Vec<usize> = readers.iter().map(|reader| got(&mut world, *reader)).collect();
    assert_eq!(counts, [2000; 4]);
    assert!(world.longest_spurt <= SPURT, "{} packets", world.longest_spurt);
}

/// A long queue is sent in spurts, also where one read brings room for all of it.
#[test]
fn a_heap_of_acknowledgements_lets_no_heap_of_messages_go_at_once() {
    let mut world = World::new();
    let reader = world.client("reader").persistent().receive_maximum(1000).connect();
    world.subscribe(reader, "news/#", QoS::AtLeastOnce);
    world.drop_connection(reader);
    fill(&mut world, 3000, false);
    let reader = world.client("reader").persistent().receive_maximum(1000).connect();
    assert_eq!(got(&mut world, reader), 1000);
    for first in [1, 1001] {
        let mut acknowledgements = BytesMut::new();
        for number in first..first + 1000 {
            puback(id(number)).encode(Version::V5, &mut acknowledgements).unwrap();
        }
        world.send_bytes(reader, &acknowledgements);
        assert_eq!(got(&mut world, reader), 1000);
    }
    assert!(world.longest_spurt <= SPURT, "{} packets", world.longest_spurt);
}
