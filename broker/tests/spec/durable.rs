//! To acknowledge is to promise: what waits for the store, what does not, and what is there after the broker's end.

use broker::durable::Durability;
use broker::line::home_line;
use mqtt_codec::{ClientId, Packet, PacketId, PacketKind, Publish, QoS};

use crate::world::{Client, World, packets};

mod crash;
mod gate;
mod health;
mod lines;
mod order;
mod queue;
mod time;
mod will;

/// A client identifier that is at home on this line of so many.
pub(super) fn id_on(line: u16, lines: u16, name: &str) -> String {
    let ids = (0..).map(|number| format!("{name}-{number}"));
    let at_home = |id: &String| home_line(&ClientId::new(id.as_str()).unwrap(), lines, 0) == line;
    ids.into_iter().find(at_home).unwrap()
}

/// A world that keeps what it acknowledges, with a subscriber that stays and a sensor that does not.
pub(super) fn kept(filter: &str, qos: QoS) -> (World, Client, Client) {
    let mut world = World::keeping(Durability::Disk);
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, filter, qos);
    let sensor = world.client("sensor").connect();
    (world, reader, sensor)
}

/// What has arrived, in kinds.
pub(super) fn kinds(world: &mut World, client: Client) -> Vec<PacketKind> {
    world.received(client).iter().map(Packet::kind).collect()
}

/// Publishes under this packet id.
pub(super) fn publish_as(world: &mut World, client: Client, id: u16, topic: &str, payload: &str, qos: QoS) {
    world.send(client, Packet::Publish(packets::publish_as(id, topic, payload, qos)));
}

/// Connects the reader again and expects its session to be there.
pub(super) fn resume(world: &mut World, id: &str) -> Client {
    let (client, connack) = world.client(id).persistent().connect_with_connack();
    assert!(connack.session_present, "{id} has lost its session");
    client
}

/// Payloads with packet ids and DUP flags.
pub(super) fn sent(publishes: &[Publish]) -> Vec<(String, u16, bool)> {
    let tell = |publish: &Publish| {
        let payload = String::from_utf8_lossy(&publish.payload).into_owned();
        (payload, publish.packet_id.map_or(0, PacketId::get), publish.dup)
    };
    publishes.iter().map(tell).collect()
}
