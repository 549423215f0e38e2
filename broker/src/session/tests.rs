use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use mqtt_codec::{PacketId, QoS, TopicName};

use super::{Acknowledged, Delivery, Inflight, Outbox, Queue, Resend};
use crate::exchange::{DeliverEvent, Exchange, Kind};
use crate::message::{Message, Millis};
use crate::router::SubscriptionIds;

mod inflight;
mod outbox;
mod queue;

fn delivery(qos: QoS, payload: &'static str, expires_at: Option<Millis>) -> Delivery {
    let message = Arc::new(Message {
        topic: TopicName::new("t").unwrap(),
        payload: Bytes::from_static(payload.as_bytes()),
        qos,
        retain: false,
        properties: None,
        expires_at,
        publisher: None,
        id: 0,
        arrived_micros: 0,
        trace: None,
    });
    Delivery {
        message,
        qos,
        retain: false,
        ids: SubscriptionIds::None,
        via: None,
        place: None,
        shared: false,
        told: false,
    }
}

fn begin(inflight: &mut Inflight, qos: QoS) -> u16 {
    inflight
        .begin(delivery(qos, "m", None), Exchange::open(Kind::Deliver).start())
        .get()
}

fn end(inflight: &mut Inflight, id: u16, event: DeliverEvent) -> bool {
    let (done, over) = inflight.acknowledge(PacketId::new(id).unwrap(), event);
    if let Some(over) = over {
        let _ended = over.exchange.finish();
    }
    matches!(done, Acknowledged::Done)
}

#[test]
fn packet_ids_go_around_the_id_space_and_never_take_one_that_is_open() {
    let mut inflight = Inflight::default();
    assert_eq!(begin(&mut inflight, QoS::AtLeastOnce), 1);
    for expected in 2..=u16::MAX {
        let id = begin(&mut inflight, QoS::AtLeastOnce);
        assert_eq!(id, expected);
        assert!(end(&mut inflight, id, DeliverEvent::Puback));
    }
    assert!(
        !inflight.has_room(u16::MAX),
        "id 1 is open, so the ring is as long as the id space"
    );
    assert!(end(&mut inflight, 1, DeliverEvent::Puback));
    assert_eq!(begin(&mut inflight, QoS::AtLeastOnce), 1);
}

#[test]
fn acknowledgements_out_of_order_find_their_conversation() {
    let mut inflight = Inflight::default();
    let ids: Vec<u16> = (0..5).map(|_| begin(&mut inflight, QoS::AtLeastOnce)).collect();
    for id in [3, 1, 5, 2, 4] {
        assert!(end(&mut inflight, id, DeliverEvent::Puback));
        assert!(!end(&mut inflight, id, DeliverEvent::Puback), "{id} twice");
    }
    assert_eq!((ids.len(), inflight.len()), (5, 0));
}

#[test]
fn a_resend_keeps_ids_and_order_and_waits_for_the_window_but_pubrel_does_not() {
    let mut inflight = Inflight::default();
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        begin(&mut inflight, qos);
    }
    inflight.acknowledge(PacketId::new(2).unwrap(), DeliverEvent::Pubrec);
    inflight.restart();
    let mut sent = VecDeque::new();
    while let Some(resend) = inflight.next_resend(1) {
        sent.push_back(match resend {
            Resend::Publish(id, _) => (id.get(), "PUBLISH"),
            Resend::Pubrel(id) => (id.get(), "PUBREL"),
        });
    }
    assert_eq!(sent, [(1, "PUBLISH"), (2, "PUBREL")], "3 waits for the window of one");
    assert!(end(&mut inflight, 1, DeliverEvent::Puback));
    assert!(matches!(inflight.next_resend(1), Some(Resend::Publish(id, _)) if id.get() == 3));
    assert!(inflight.resends());
}

#[test]
fn a_queue_keeps_its_account_through_pops_and_expiry() {
    let mut queue = Queue::default();
    for at in [Some(Millis(5)), None, Some(Millis(50))] {
        queue.push(delivery(QoS::AtLeastOnce, "payload", at), 10);
    }
    let each = queue.bytes() / 3;
    assert_eq!(queue.take_expired(Millis(5)).len(), 1);
    assert_eq!((queue.len(), queue.bytes()), (2, 2 * each));
    assert!(queue.is_full(2, usize::MAX) && queue.is_full(9, each) && !queue.is_full(3, usize::MAX));
    while queue.pop().is_some() {}
    assert_eq!(queue.bytes(), 0);
}

#[test]
fn an_outbox_gives_back_what_was_put_in_however_it_is_cut() {
    let mut expected = Vec::new();
    let mut out = Outbox::default();
    for round in 0..20_u8 {
        let small = vec![round; usize::from(round) % 7];
        let large = Bytes::from(vec![round; 100]);
        expected.extend_from_slice(&small);
        out.append(|buffer: &mut BytesMut| buffer.extend_from_slice(&small));
        if round % 3 == 0 {
            expected.extend_from_slice(&large);
            out.share(large);
        }
    }
    assert_eq!(out.len(), expected.len());
    let mut written = Vec::new();
    let mut step = 1;
    while !out.is_empty() {
        let mut slices = [std::io::IoSlice::new(&[]); 4];
        let filled = out.gather(&mut slices);
        let all: Vec<u8> = slices[..filled]
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect();
        let taken = step.min(all.len());
        written.extend_from_slice(&all[..taken]);
        out.advance(taken);
        step = step % 60 + 13;
    }
    assert_eq!(written, expected);
    assert!(out.release().is_some() && !out.has_buffer());
}
