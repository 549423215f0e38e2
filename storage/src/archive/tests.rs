mod history;
mod model;
mod strict;
mod transfer;

use std::sync::Arc;

use bytes::Bytes;
use mqtt_codec::{ClientId, PacketId, PublishProperties, QoS, SubscriptionId, TopicName, Will};

use self::strict::StrictStore;
use super::*;
use crate::ScanLimit;
use crate::record::{
    ContentRef, EntryRef, MESSAGE, MessageRecord, Place, QUEUE, REFERENCE, Record, StoreTime, TABLES, message_key,
    place_key,
};

const ALICE: SessionId = SessionId(1);
const BOB: SessionId = SessionId(2);

const ALL: ScanLimit = ScanLimit {
    entries_max: usize::MAX,
    bytes_max: usize::MAX,
};

const fn entries(entries_max: usize) -> ScanLimit {
    ScanLimit {
        entries_max,
        bytes_max: usize::MAX,
    }
}

fn archive() -> Archive<StrictStore> {
    Archive::new(StrictStore::default(), "data", MessageId(0))
}

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

fn message(text: &str) -> MessageRecord {
    MessageRecord {
        topic: TopicName::new("plant/7").unwrap(),
        payload: Bytes::copy_from_slice(text.as_bytes()),
        qos: QoS::ExactlyOnce,
        retain: false,
        properties: None,
        expires_at: None,
    }
}

fn entry<'a>(message: &'a MessageRecord, shared: Option<u64>, packet_id: Option<PacketId>) -> EntryRef<'a> {
    let message = message.borrowed();
    EntryRef {
        qos: QoS::ExactlyOnce,
        retain: false,
        ids: &[],
        packet_id,
        group: None,
        cost_bytes: 100,
        content: shared.map_or(ContentRef::Inline(message), |id| {
            ContentRef::Shared(MessageId(id), message)
        }),
    }
}

fn session(name: &str) -> SessionRecord {
    SessionRecord {
        client_id: ClientId::new(name.to_owned()).unwrap(),
        username: None,
        expiry_secs: 60,
        left_at: None,
        will: None,
    }
}

fn subscription(filter: &str) -> SubscriptionRecord {
    SubscriptionRecord {
        filter: filter.into(),
        qos: QoS::AtLeastOnce,
        no_local: false,
        retain_as_published: true,
        id: SubscriptionId::new(7),
    }
}

/// The tables that hold something, with how much.
fn tables(archive: &mut Archive<StrictStore>) -> Vec<(&'static str, usize)> {
    archive.apply().unwrap();
    let size = |table| archive.store().scan(table, &[], None, ALL).unwrap().len();
    let sizes = TABLES.iter().map(|&(table, name)| (name, size(table)));
    sizes.filter(|(_, size)| *size > 0).collect()
}

fn payloads(window: &Window) -> Vec<&str> {
    let payload = |queued: &QueuedRecord| -> &'static str {
        let text = String::from_utf8(queued.message.payload.to_vec()).unwrap();
        text.leak()
    };
    window.entries.iter().map(payload).collect()
}

#[test]
fn a_message_for_several_is_written_once_and_goes_with_the_last() {
    let mut archive = archive();
    let hello = message("hello");
    archive.enqueue(ALICE, Place(1), entry(&hello, Some(5), None)).unwrap();
    archive.enqueue(BOB, Place(1), entry(&hello, Some(5), None)).unwrap();
    assert_eq!(tables(&mut archive), [("queue", 2), ("message", 1), ("reference", 1)]);

    let to_alice = archive.load(ALICE, ALL).unwrap().window;
    let to_bob = archive.load(BOB, ALL).unwrap().window;
    assert_eq!(payloads(&to_alice), ["hello"]);
    assert!(Arc::ptr_eq(&to_alice.entries[0].message, &to_bob.entries[0].message));

    let holding = to_alice.entries[0].holding();
    archive.done(ALICE, Place(1), holding).unwrap();
    assert_eq!(tables(&mut archive), [("queue", 1), ("message", 1), ("reference", 1)]);
    archive.done(BOB, Place(1), holding).unwrap();
    assert_eq!(tables(&mut archive), []);
}

#[test]
fn several_entries_in_one_batch_cost_one_count() {
    let mut archive = archive();
    let hello = message("hello");
    for session in 0..10 {
        archive
            .enqueue(SessionId(session), Place(1), entry(&hello, Some(5), None))
            .unwrap();
    }
    archive.apply().unwrap();
    let count = archive
        .store()
        .get(REFERENCE, &message_key(MessageId(5)))
        .unwrap()
        .unwrap();
    let count = Record::read(REFERENCE, &message_key(MessageId(5)), &count).unwrap();
    assert_eq!(count, Record::References(10));
    assert_eq!(archive.store().changes, 10 + 1 + 1);
}

#[test]
fn what_comes_and_goes_in_one_batch_leaves_nothing() {
    let mut archive = archive();
    let hello = message("hello");
    archive
        .enqueue(ALICE, Place(1), entry(&hello, Some(5), Some(id(1))))
        .unwrap();
    archive
        .done(ALICE, Place(1), Holding::queued(Some(MessageId(5))))
        .unwrap();
    assert_eq!(tables(&mut archive), []);
    archive.enqueue(BOB, Place(1), entry(&hello, Some(5), None)).unwrap();
    assert_eq!(payloads(&archive.load(BOB, ALL).unwrap().window), ["hello"]);
}

#[test]
fn a_session_comes_back_with_what_is_under_way_and_the_first_that_wait() {
    let mut archive = archive();
    let (one, two) = (message("one"), message("two"));
    archive
        .enqueue(ALICE, Place(1), entry(&one, None, Some(id(1))))
        .unwrap();
    archive
        .enqueue(ALICE, Place(2), entry(&two, Some(9), Some(id(2))))
        .unwrap();
    archive.enqueue(ALICE, Place(3), entry(&two, Some(9), None)).unwrap();
    for place in 4..9 {
        archive.enqueue(ALICE, Place(place), entry(&one, None, None)).unwrap();
    }
    archive.enqueue(BOB, Place(1), entry(&two, Some(9), None)).unwrap();
    archive.released(ALICE, Place(1), id(1), Holding::queued(None)).unwrap();
    archive.sent(ALICE, Place(3), id(3));
    archive.received(ALICE, id(70));
    archive.received(ALICE, id(7));
    archive.received(BOB, id(8));

    let loaded = archive.load(ALICE, entries(2)).unwrap();
    assert_eq!(loaded.received, [id(7), id(70)]);
    let flights: Vec<_> = loaded
        .flights
        .iter()
        .map(|f| (f.place.0, f.packet_id, f.queued.is_some()))
        .collect();
    assert_eq!(flights, [(1, id(1), false), (2, id(2), true), (3, id(3), true)]);
    let places = |window: &Window| window.entries.iter().map(|queued| queued.place.0).collect::<Vec<_>>();
    assert_eq!((places(&loaded.window), loaded.window.more), (vec![4, 5], true));
    let next = archive.window(ALICE, Place(5), entries(2)).unwrap();
    assert_eq!((places(&next), next.more), (vec![6, 7], true));
    let last = archive.window(ALICE, Place(7), entries(2)).unwrap();
    assert_eq!((places(&last), last.more), (vec![8], false));

    archive.forgotten(ALICE, id(7));
    for flight in &loaded.flights {
        archive.done(ALICE, flight.place, flight.holding).unwrap();
    }
    let loaded = archive.load(ALICE, ALL).unwrap();
    assert_eq!((loaded.received, loaded.flights.len()), (vec![id(70)], 0));
    assert_eq!(places(&loaded.window), [4, 5, 6, 7, 8]);
}

#[test]
fn a_window_ends_by_its_bytes_and_holds_one_at_least() {
    let mut archive = archive();
    let long = message(&"x".repeat(1000));
    for place in 1..6 {
        archive
            .enqueue(ALICE, Place(place), entry(&long, Some(1), None))
            .unwrap();
    }
    let window = |archive: &mut Archive<_>, bytes_max| {
        let limit = ScanLimit {
            entries_max: 100,
            bytes_max,
        };
        let window = archive.window(ALICE, Place(0), limit).unwrap();
        (window.entries.len(), window.more)
    };
    assert_eq!(window(&mut archive, 0), (1, true));
    assert_eq!(window(&mut archive, 2000), (2, true));
    assert_eq!(window(&mut archive, 1 << 20), (5, false));
}

#[test]
fn a_batch_that_is_refused_leaves_no_trace() {
    let mut archive = archive();
    let hello = message("hello");
    archive.enqueue(ALICE, Place(1), entry(&hello, Some(5), None)).unwrap();
    archive.apply().unwrap();

    archive.store_mut().refuses = true;
    archive.enqueue(ALICE, Place(2), entry(&hello, Some(5), None)).unwrap();
    archive.enqueue(BOB, Place(1), entry(&hello, Some(6), None)).unwrap();
    assert!(matches!(archive.apply(), Err(StoreError::Full { .. })));
    assert_eq!(archive.waiting_bytes(), 0);
    archive.store_mut().refuses = false;

    assert_eq!(tables(&mut archive), [("queue", 1), ("message", 1), ("reference", 1)]);
    archive.enqueue(BOB, Place(1), entry(&hello, Some(6), None)).unwrap();
    archive.discard();
    archive
        .done(ALICE, Place(1), Holding::queued(Some(MessageId(5))))
        .unwrap();
    assert_eq!(tables(&mut archive), []);
}

#[test]
fn what_expires_goes_where_no_line_holds_it() {
    let mut archive = archive();
    let mut mortal = message("mortal");
    mortal.expires_at = Some(StoreTime(1000));
    let eternal = message("eternal");
    archive
        .enqueue(ALICE, Place(1), entry(&mortal, None, Some(id(1))))
        .unwrap();
    archive.enqueue(ALICE, Place(2), entry(&mortal, Some(1), None)).unwrap();
    archive.sent(ALICE, Place(2), id(2));
    archive.enqueue(ALICE, Place(3), entry(&mortal, Some(1), None)).unwrap();
    archive.enqueue(ALICE, Place(4), entry(&eternal, None, None)).unwrap();
    archive.enqueue(ALICE, Place(5), entry(&mortal, None, None)).unwrap();

    let before = archive.count(ALICE, None, Some(StoreTime(999)), ALL).unwrap();
    let none_expired = Counted {
        entries: 3,
        bytes: 300,
        expired: 0,
        next: None,
    };
    assert_eq!(before, none_expired);
    assert_eq!(archive.count(ALICE, None, None, ALL).unwrap(), none_expired);

    let first = archive.count(ALICE, None, Some(StoreTime(1000)), entries(3)).unwrap();
    assert_eq!(
        first,
        Counted {
            entries: 0,
            bytes: 0,
            expired: 1,
            next: Some(Place(3))
        }
    );
    let second = archive
        .count(ALICE, first.next, Some(StoreTime(1000)), entries(3))
        .unwrap();
    assert_eq!(
        second,
        Counted {
            entries: 1,
            bytes: 100,
            expired: 1,
            next: None
        }
    );

    let loaded = archive.load(ALICE, ALL).unwrap();
    assert_eq!(loaded.flights.len(), 2, "what was sent is not taken back");
    assert_eq!(payloads(&loaded.window), ["eternal"]);
}

#[test]
fn an_ended_session_is_gone_at_once_and_swept_in_slices() {
    let mut archive = archive();
    let hello = message("hello");
    for session in [ALICE, BOB] {
        archive.put_session(session, &self::session("somebody"));
        archive.put_subscription(session, &subscription("plant/+"));
        archive.put_subscription(session, &subscription("hall/#"));
        archive.received(session, id(1));
        for place in 1..20 {
            let shared = (place % 2 == 0).then_some(place);
            archive
                .enqueue(session, Place(place), entry(&hello, shared, None))
                .unwrap();
        }
        archive.sent(session, Place(1), id(1));
    }
    archive.end_session(ALICE);
    let listed = archive.sessions(None, ALL).unwrap();
    assert_eq!(listed.items.iter().map(|session| session.id).collect::<Vec<_>>(), [BOB]);

    let mut slices = 0;
    loop {
        let swept = archive.sweep(entries(4)).unwrap();
        assert!(swept.removed <= 4 && swept.damaged == 0, "{swept:?}");
        slices += 1;
        if !swept.more {
            break;
        }
    }
    assert!(slices > 5, "{slices}");
    assert_eq!(archive.load(ALICE, ALL).unwrap().window.entries.len(), 0);
    assert_eq!(archive.load(BOB, ALL).unwrap().window.entries.len(), 18);
    archive.end_session(BOB);
    while archive.sweep(entries(100)).unwrap().more {}
    assert_eq!(tables(&mut archive), []);
}

#[test]
fn a_slice_of_sweeping_that_is_refused_is_done_again() {
    let mut archive = archive();
    for place in 1..10 {
        archive
            .enqueue(ALICE, Place(place), entry(&message("one"), None, None))
            .unwrap();
    }
    archive.end_session(ALICE);
    assert!(archive.sweep(entries(3)).unwrap().more);
    archive.store_mut().refuses = true;
    archive.sweep(entries(3)).unwrap_err();
    archive.store_mut().refuses = false;
    while archive.sweep(entries(3)).unwrap().more {}
    assert_eq!(tables(&mut archive), []);
}

#[test]
fn sessions_are_listed_in_pages_with_their_subscriptions() {
    let mut archive = archive();
    for number in 1..=7 {
        let session = SessionId(number);
        archive.put_session(session, &self::session(&format!("client {number}")));
        for filter in 0..number {
            archive.put_subscription(session, &subscription(&format!("filter/{filter}")));
        }
    }
    archive.put_subscription(SessionId(3), &subscription("gone"));
    archive.remove_subscription(SessionId(3), "gone");
    archive.end_session(SessionId(4));

    for limit in [entries(1), entries(5), ALL] {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = archive.sessions(cursor.as_ref(), limit).unwrap();
            found.extend(
                page.items
                    .iter()
                    .map(|session| (session.id.0, session.subscriptions.len())),
            );
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, [(1, 1), (2, 2), (3, 3), (5, 5), (6, 6), (7, 7)], "{limit:?}");
    }
    let page = archive.sessions(None, entries(1)).unwrap();
    assert_eq!(page.items[0].record, self::session("client 1"));
    assert_eq!(page.items[0].subscriptions, [subscription("filter/0")]);
}

#[test]
fn retained_messages_replace_each_other_and_are_listed_in_pages() {
    let mut archive = archive();
    for number in 0..10 {
        let mut message = message(&number.to_string());
        message.topic = TopicName::new(format!("plant/{}", number % 4)).unwrap();
        archive.retain(message.borrowed());
    }
    archive.clear_retained("plant/0");
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = archive.retained(cursor.as_ref(), entries(2)).unwrap();
        found.extend(page.items.into_iter().map(|message| (message.topic, message.payload)));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    found.sort();
    let found: Vec<_> = found
        .iter()
        .map(|(topic, payload)| (topic.as_str(), &payload[..]))
        .collect();
    assert_eq!(found, [("plant/1", &b"9"[..]), ("plant/2", b"6"), ("plant/3", b"7")]);
}

#[test]
fn wills_and_names_are_kept() {
    let mut archive = archive();
    let record = WillRecord {
        client_id: ClientId::new("sensor").unwrap(),
        username: Some("plant".into()),
        will: Will {
            topic: TopicName::new("lost").unwrap(),
            payload: "sensor".into(),
            qos: QoS::AtLeastOnce,
            retain: true,
            delay_secs: 5,
            properties: Some(Box::new(PublishProperties {
                message_expiry_secs: Some(60),
                ..PublishProperties::default()
            })),
        },
    };
    archive.put_will(ALICE, &record);
    archive.put_will(BOB, &record);
    archive.put_meta("high water", b"17");
    archive.put_meta("high water", b"18");
    archive.remove_will(BOB);
    assert_eq!(archive.wills(None, ALL).unwrap().items, [(ALICE, record)]);
    assert_eq!(archive.meta("high water").unwrap().as_deref(), Some(&b"18"[..]));
    assert_eq!(archive.meta("low water").unwrap(), None);
    archive.commit(Durability::Power).unwrap();
}

#[test]
fn damage_is_reported_and_never_served() {
    let mut archive = archive();
    let hello = message("hello");
    archive.enqueue(ALICE, Place(1), entry(&hello, Some(5), None)).unwrap();
    archive.enqueue(BOB, Place(1), entry(&hello, None, None)).unwrap();
    archive.apply().unwrap();
    archive.store_mut().damage(MESSAGE, &message_key(MessageId(5)));
    archive.store_mut().damage(QUEUE, &place_key(BOB, Place(1)));

    for session in [ALICE, BOB] {
        let error = archive.load(session, ALL).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("its checksum does not fit"), "{error}");
    }
    archive.count(BOB, None, None, ALL).unwrap_err();
    archive.end_session(ALICE);
    archive.end_session(BOB);
    let swept = archive.sweep(ALL).unwrap();
    assert_eq!((swept.removed, swept.damaged), (2, 1));
    assert_eq!(tables(&mut archive), []);
}

#[test]
fn a_delivery_whose_message_or_entry_is_missing_is_damage() {
    let mut archive = archive();
    let hello = message("hello");
    archive.enqueue(ALICE, Place(1), entry(&hello, Some(5), None)).unwrap();
    archive.sent(BOB, Place(1), id(1));
    archive.apply().unwrap();
    archive.store_mut().lose(MESSAGE, &message_key(MessageId(5)));
    for session in [ALICE, BOB] {
        let error = archive.load(session, ALL).unwrap_err().to_string();
        assert!(error.contains("missing"), "{error}");
    }
}

#[test]
fn counts_that_were_forgotten_are_read_again() {
    let mut archive = archive();
    archive.references = References::new(MessageId(0)).keeping(4);
    let hello = message("hello");
    for number in 0..50 {
        for session in [ALICE, BOB] {
            archive
                .enqueue(session, Place(number), entry(&hello, Some(number), None))
                .unwrap();
        }
        archive.apply().unwrap();
    }
    for session in [ALICE, BOB] {
        for number in 0..50 {
            archive
                .done(session, Place(number), Holding::queued(Some(MessageId(number))))
                .unwrap();
            archive.apply().unwrap();
        }
    }
    assert_eq!(tables(&mut archive), []);
}

#[test]
fn what_was_sent_out_of_order_does_not_wait() {
    let mut archive = archive();
    for place in 1..6 {
        archive
            .enqueue(ALICE, Place(place), entry(&message("one"), None, None))
            .unwrap();
    }
    archive.sent(ALICE, Place(4), id(1));
    archive.sent(ALICE, Place(5), id(2));
    archive
        .released(ALICE, Place(5), id(2), Holding::queued(None).sent())
        .unwrap();
    let loaded = archive.load(ALICE, entries(1)).unwrap();
    let flights: Vec<_> = loaded.flights.iter().map(|f| (f.place.0, f.queued.is_some())).collect();
    assert_eq!(flights, [(4, true), (5, false)]);
    let places = |window: &Window| window.entries.iter().map(|queued| queued.place.0).collect::<Vec<_>>();
    assert_eq!((places(&loaded.window), loaded.window.more), (vec![1], true));
    let window = archive.window(ALICE, Place(1), ALL).unwrap();
    assert_eq!((places(&window), window.more), (vec![2, 3], false));
}
