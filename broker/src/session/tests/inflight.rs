//! Conversations that a store has kept.

use mqtt_codec::{PacketId, QoS};

use super::{begin, delivery};
use crate::durable::{OpenDelivery, Place};
use crate::exchange::{DeliverStep, Exchange, Kind};
use crate::session::{Delivery, Inflight, Resend};

fn restored(ids: &[(u16, Option<QoS>)]) -> Inflight {
    let open = ids.iter().map(|(id, qos)| {
        let place = Place(u64::from(*id));
        let delivery = qos.map(|qos| Delivery {
            place: Some(place),
            ..delivery(qos, "m", None)
        });
        let open = OpenDelivery {
            packet_id: PacketId::new(*id).unwrap(),
            place,
            delivery,
        };
        (open, Exchange::open(Kind::Deliver).start())
    });
    let mut inflight = Inflight::default();
    inflight.restore(open.collect());
    inflight
}

fn resends(inflight: &mut Inflight) -> Vec<(u16, bool)> {
    std::iter::from_fn(|| inflight.next_resend(u16::MAX))
        .map(|resend| match resend {
            Resend::Publish(id, _) => (id.get(), true),
            Resend::Pubrel(id) => (id.get(), false),
        })
        .collect()
}

#[test]
fn kept_conversations_come_back_in_the_order_of_their_ids_whatever_order_they_are_read_in() {
    let (one, two) = (Some(QoS::AtLeastOnce), Some(QoS::ExactlyOnce));
    let mut inflight = restored(&[(9, two), (3, one), (7, None), (4, two)]);
    assert_eq!(inflight.len(), 4);
    let steps: Vec<_> = inflight.steps().map(|(id, step)| (id.get(), step)).collect();
    let expected = [
        (3, DeliverStep::AwaitPuback),
        (4, DeliverStep::AwaitPubrec),
        (7, DeliverStep::AwaitPubcomp),
        (9, DeliverStep::AwaitPubrec),
    ];
    assert_eq!(steps, expected);
    assert_eq!(resends(&mut inflight), [(3, true), (4, true), (7, false), (9, true)]);
    assert_eq!(begin(&mut inflight, QoS::AtLeastOnce), 10);
}

#[test]
fn kept_conversations_on_both_sides_of_the_end_of_the_ids_keep_their_order() {
    let one = Some(QoS::AtLeastOnce);
    for oldest in [65_000_u16, 65_533, 65_535, 1, 2, 40_000] {
        let all: Vec<u16> = (0..5)
            .map(|step| (u32::from(oldest) - 1 + step * 3) % 65_535 + 1)
            .map(|id| id as u16)
            .collect();
        let mut shuffled: Vec<_> = all.iter().map(|id| (*id, one)).collect();
        shuffled.reverse();
        shuffled.swap(0, 2);
        let mut inflight = restored(&shuffled);
        let order: Vec<u16> = resends(&mut inflight).into_iter().map(|(id, _)| id).collect();
        assert_eq!(order, all);
        let next = begin(&mut inflight, QoS::AtLeastOnce);
        assert_eq!(u32::from(next), u32::from(all[4]) % 65_535 + 1);
    }
}

#[test]
fn a_session_without_conversations_starts_with_the_first_id() {
    let mut inflight = restored(&[]);
    assert_eq!((inflight.len(), begin(&mut inflight, QoS::ExactlyOnce)), (0, 1));
}
