//! The steps of traced messages: which are traced, and what belongs to what.

use broker::durable::Durability;
use broker::traces::{Span, Step, TraceLimits};
use mqtt_codec::{Packet, Publish, PublishProperties, QoS};

use crate::world::packets::publish;
use crate::world::{Client, World};

const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
const PARENT: u64 = 0x00f0_67aa_0ba9_02b7;

fn tracing(every: u64, durability: Durability) -> World {
    World::limited(|limits| {
        limits.traces = TraceLimits { on: true, every };
        limits.durability = durability;
    })
}

fn parented(flags: &str, packet: Publish) -> Packet {
    let context = format!("00-{TRACE:032x}-{PARENT:016x}-{flags}");
    let mut properties = PublishProperties::default();
    properties.user_properties.push(("traceparent".into(), context.into()));
    Packet::Publish(Publish {
        properties: Some(Box::new(properties)),
        ..packet
    })
}

fn steps(world: &World) -> Vec<Step> {
    world.spans.iter().map(|span| span.step).collect()
}

fn scene(world: &mut World) -> (Client, Client) {
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "a", QoS::AtLeastOnce);
    let writer = world.client("writer").persistent().connect();
    (reader, writer)
}

#[test]
fn a_message_that_its_publisher_has_sampled_is_a_part_of_its_trace() {
    let mut world = tracing(0, Durability::Disk);
    let (reader, writer) = scene(&mut world);
    let packet = publish("a", "x", QoS::AtLeastOnce);
    world.send(writer, parented("01", packet));

    let of = |step: Step| -> &Span { world.spans.iter().find(|span| span.step == step).unwrap() };
    assert_eq!(world.spans.len(), 4, "{:?}", steps(&world));
    for span in &world.spans {
        assert_eq!((span.context.trace_id, span.context.parent), (TRACE, PARENT));
        assert_eq!(span.context.receipt, of(Step::Receive).id);
    }
    let mut ids: Vec<u64> = world.spans.iter().map(|span| span.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4, "each span has a number of its own");
    assert_eq!(of(Step::Route).copies, Some(1));
    assert_eq!(&*of(Step::Deliver).client_id, "reader");
    assert_eq!(&*of(Step::Store).client_id, "writer");
    let passed_on = world.publishes(reader);
    let properties = passed_on[0].properties.as_ref().unwrap();
    assert_eq!(
        properties.user_properties.len(),
        1,
        "the context goes on with the message"
    );
}

#[test]
fn what_its_publisher_has_not_sampled_is_traced_by_chance_or_not_at_all() {
    let mut world = tracing(3, Durability::Memory);
    let (_, writer) = scene(&mut world);
    for _ in 0..4 {
        let packet = publish("a", "x", QoS::AtMostOnce);
        world.send(writer, parented("00", packet));
    }
    assert_eq!(steps(&world), []);
    for _ in 0..7 {
        world.publish(writer, "a", "x", QoS::AtMostOnce);
    }
    let receipts = steps(&world).into_iter().filter(|step| *step == Step::Receive).count();
    assert_eq!(receipts, 2, "each third of seven");
    assert_eq!(world.spans.len(), 6, "{:?}", steps(&world));
}

#[test]
fn without_traces_nobody_is_told() {
    let mut world = World::new();
    let (_, writer) = scene(&mut world);
    let packet = publish("a", "x", QoS::AtMostOnce);
    world.send(writer, parented("01", packet));
    assert_eq!(steps(&world), []);
}
