//! What is noted about clients, for the flight recorder: refusals that the wire keeps silent about, drops, limits.

use broker::counters::Drop;
use broker::exchange::{Kind, Refusal};
use broker::limits::{Limit, QueueFull};
use broker::notes::Decision;
use mqtt_codec::{QoS, Version};

use crate::world::{World, secs};

fn decisions(world: &World, client: &str) -> Vec<(Decision, u32)> {
    let of_client = world.notes.iter().filter(|note| &*note.client_id == client);
    of_client.map(|note| (note.decision.clone(), note.times)).collect()
}

/// QoS 0 has no answer: the note is all that there is.
#[test]
fn a_refused_message_of_qos_0_is_noted_once_a_second_with_how_often() {
    let mut world = World::new();
    world.set_rights("topic read #\n");
    let sender = world.client("sender").version(Version::V311).connect();
    for _ in 0..10 {
        world.publish(sender, "a/b", "x", QoS::AtMostOnce);
    }
    let refused = Decision::Refused(Kind::Publish, Refusal::NotAuthorized);
    assert_eq!(decisions(&world, "sender"), [(refused.clone(), 1)]);
    world.pass(secs(1));
    world.publish(sender, "a/b", "x", QoS::AtMostOnce);
    assert_eq!(decisions(&world, "sender").last(), Some(&(refused, 10)));
}

#[test]
fn a_drop_is_noted_of_the_client_that_misses_the_message() {
    let mut world = World::limited(|limits| {
        limits.queue_messages_max = 1;
        limits.queue_full = QueueFull::Drop;
    });
    let reader = world.client("reader").persistent().connect();
    world.subscribe(reader, "news", QoS::AtLeastOnce);
    world.drop_connection(reader);
    let sender = world.client("sender").connect();
    world.publish(sender, "news", "1", QoS::AtLeastOnce);
    world.publish(sender, "news", "2", QoS::AtLeastOnce);
    let dropped = Decision::Dropped(Drop::QueueFull);
    assert_eq!(
        decisions(&world, "reader"),
        [(dropped, 1), (Decision::Limited(Limit::Queue), 1)]
    );
    assert_eq!(decisions(&world, "sender"), []);
}

/// What goes well is noted only for those who watch.
#[test]
fn sessions_and_subscriptions_are_noted_while_somebody_watches() {
    let mut world = World::new();
    let quiet = world.client("quiet").connect();
    world.subscribe(quiet, "a/#", QoS::AtLeastOnce);
    assert_eq!(world.notes, []);

    world.watch(true);
    let seen = world.client("seen").connect();
    world.subscribe(seen, "a/#", QoS::AtLeastOnce);
    world.drop_connection(seen);
    let subscribed = Decision::Subscribed(vec![(crate::world::packets::filter("a/#"), QoS::AtLeastOnce)]);
    assert_eq!(
        decisions(&world, "seen"),
        [
            (Decision::SessionCreated, 1),
            (subscribed, 1),
            (Decision::SessionEnded, 1)
        ]
    );
}
