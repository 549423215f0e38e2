use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use mqtt_codec::{ClientId, PacketId, PublishProperties, QoS, SubscriptionId, TopicName, Will};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::*;
use crate::StoreError;

const KEY: &[u8] = b"a key of 16 byte";

fn qos() -> impl Strategy<Value = QoS> {
    (0..3_u8).prop_map(|number| QoS::try_from(number).unwrap())
}

fn text() -> impl Strategy<Value = ByteString> {
    "[a-zé]{0,9}".prop_map(ByteString::from)
}

fn data() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

fn topic() -> impl Strategy<Value = TopicName> {
    "[a-z/é]{1,150}".prop_map(|text| TopicName::new(text).unwrap())
}

fn packet_id() -> impl Strategy<Value = PacketId> {
    (1..=u16::MAX).prop_map(|number| PacketId::new(number).unwrap())
}

fn subscription_id() -> impl Strategy<Value = SubscriptionId> {
    (1..=SubscriptionId::MAX).prop_map(|number| SubscriptionId::new(number).unwrap())
}

fn client_id() -> impl Strategy<Value = ClientId> {
    text().prop_map(|text| ClientId::new(text).unwrap())
}

fn username() -> impl Strategy<Value = Option<Box<str>>> {
    of(text().prop_map(|text| Box::from(&*text)))
}

fn time() -> impl Strategy<Value = StoreTime> {
    any::<u64>().prop_map(StoreTime)
}

/// Properties that are kept, `None` without any.
fn properties() -> impl Strategy<Value = Option<Box<PublishProperties>>> {
    let user_properties = vec((text(), text()), 0..3);
    (of(any::<bool>()), of(topic()), of(data()), user_properties, of(text())).prop_map(
        |(payload_format, response_topic, correlation_data, user_properties, content_type)| {
            let properties = PublishProperties {
                payload_format,
                response_topic,
                correlation_data,
                user_properties,
                content_type,
                ..PublishProperties::default()
            };
            (properties != PublishProperties::default()).then(|| Box::new(properties))
        },
    )
}

fn message() -> impl Strategy<Value = MessageRecord> {
    (topic(), data(), qos(), any::<bool>(), properties(), of(time())).prop_map(
        |(topic, payload, qos, retain, properties, expires_at)| MessageRecord {
            topic,
            payload,
            qos,
            retain,
            properties,
            expires_at,
        },
    )
}

fn will() -> impl Strategy<Value = Will> {
    (message(), any::<u32>(), of(any::<u32>())).prop_map(|(message, delay_secs, message_expiry_secs)| {
        let mut properties = message.properties;
        if message_expiry_secs.is_some() {
            properties.get_or_insert_default().message_expiry_secs = message_expiry_secs;
        }
        Will {
            topic: message.topic,
            payload: message.payload,
            qos: message.qos,
            retain: message.retain,
            delay_secs,
            properties,
        }
    })
}

fn session() -> impl Strategy<Value = SessionRecord> {
    (
        client_id(),
        username(),
        any::<u32>(),
        of(time()),
        of(will().prop_map(Box::new)),
    )
        .prop_map(|(client_id, username, expiry_secs, left_at, will)| SessionRecord {
            client_id,
            username,
            expiry_secs,
            left_at,
            will,
        })
}

fn subscription() -> impl Strategy<Value = SubscriptionRecord> {
    (text(), qos(), any::<bool>(), any::<bool>(), of(subscription_id())).prop_map(
        |(filter, qos, no_local, retain_as_published, id)| SubscriptionRecord {
            filter,
            qos,
            no_local,
            retain_as_published,
            id,
        },
    )
}

/// A delivery, and whether its message is shared.
fn entry() -> impl Strategy<Value = (Entry, MessageRecord)> {
    let numbers = (of(packet_id()), vec(subscription_id(), 0..3), any::<u32>());
    (numbers, qos(), any::<bool>(), of(text()), message(), of(any::<u64>())).prop_map(
        |((packet_id, ids, cost_bytes), qos, retain, group, message, shared)| {
            let content = match shared {
                None => Content::Inline(Arc::new(message.clone())),
                Some(id) => Content::Shared {
                    id: MessageId(id),
                    expires_at: message.expires_at,
                },
            };
            let entry = Entry {
                qos,
                retain,
                ids,
                packet_id,
                group,
                cost_bytes,
                content,
            };
            (entry, message)
        },
    )
}

fn addressee() -> impl Strategy<Value = Addressee> {
    (any::<u64>(), qos(), any::<bool>(), vec(subscription_id(), 0..3)).prop_map(|(session, qos, retain, ids)| {
        Addressee {
            session: SessionId(session),
            qos,
            retain,
            ids,
        }
    })
}

fn write_entry(entry: &Entry, message: &MessageRecord, out: &mut Vec<u8>) {
    let borrowed = EntryRef {
        qos: entry.qos,
        retain: entry.retain,
        ids: &entry.ids,
        packet_id: entry.packet_id,
        group: entry.group.as_deref(),
        cost_bytes: entry.cost_bytes,
        content: match entry.content {
            Content::Inline(_) => ContentRef::Inline(message.borrowed()),
            Content::Shared { id, .. } => ContentRef::Shared(id, message.borrowed()),
        },
    };
    borrowed.write(out);
}

fn sealed(table: Table, content: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut out = b"what stood in the buffer before".to_vec();
    let start = out.len();
    seal(table, KEY, &mut out, content);
    Bytes::from(out).slice(start..)
}

/// Writes a record and reads it as a tool does.
fn again(table: Table, content: impl FnOnce(&mut Vec<u8>)) -> Record {
    Record::read(table, KEY, &sealed(table, content)).unwrap()
}

proptest! {
    #[test]
    fn a_message_is_read_as_it_was_written(record in message()) {
        let write = |out: &mut Vec<u8>| record.borrowed().write(out);
        prop_assert_eq!(again(MESSAGE, write), Record::Message(record.clone()));
        prop_assert_eq!(again(RETAINED, write), Record::Retained(record.detach()));
    }

    #[test]
    fn a_session_is_read_as_it_was_written(record in session()) {
        let read = again(SESSION, |out| record.write(out));
        prop_assert_eq!(read, Record::Session(Box::new(record)));
    }

    #[test]
    fn a_subscription_is_read_as_it_was_written(record in subscription()) {
        let read = again(SUBSCRIPTION, |out| record.write(out));
        prop_assert_eq!(read, Record::Subscription(record));
    }

    #[test]
    fn a_delivery_is_read_as_it_was_written((entry, message) in entry()) {
        let read = again(QUEUE, |out| write_entry(&entry, &message, out));
        prop_assert_eq!(entry.expires_at(), message.expires_at);
        prop_assert_eq!(read, Record::Entry(entry));
    }

    #[test]
    fn a_flight_is_read_as_it_was_written(packet_id in packet_id(), is_released in any::<bool>()) {
        let step = if is_released { FlightStep::Released } else { FlightStep::Sent };
        let record = FlightRecord { packet_id, step };
        prop_assert_eq!(again(FLIGHT, |out| record.write(out)), Record::Flight(record));
    }

    #[test]
    fn a_will_is_read_as_it_was_written(client_id in client_id(), username in username(), will in will()) {
        let record = WillRecord { client_id, username, will };
        let read = again(WILL, |out| record.write(out));
        prop_assert_eq!(read, Record::Will(record));
    }

    #[test]
    fn those_that_a_message_travels_to_are_read_as_they_were_written(receivers in vec(addressee(), 1..5)) {
        let read = again(TRANSFER, |out| TransferRecord::write(&receivers, out));
        prop_assert_eq!(read, Record::Transfer(TransferRecord { receivers }));
    }

    /// Whatever a later or a broken program wrote under a checksum that fits, reading it ends with an answer.
    #[test]
    fn no_content_is_too_strange_to_be_read(number in 0..13_u8, content in vec(any::<u8>(), 0..60)) {
        let table = Table(number);
        let value = sealed(table, |out| out.extend_from_slice(&content));
        match Record::read(table, KEY, &value) {
            Ok(record) => prop_assert!(TABLES.iter().any(|(known, _)| *known == table), "{record:?}"),
            Err(fault) => prop_assert!(matches!(fault.flaw, Flaw::Content(_)), "{fault}"),
        }
    }

    #[test]
    fn a_cut_or_changed_record_is_damage((entry, message) in entry(), byte in any::<prop::sample::Index>(), by in 1..=255_u8) {
        let value = sealed(QUEUE, |out| write_entry(&entry, &message, out));
        let at = byte.index(value.len());
        let mut changed = value.to_vec();
        changed[at] ^= by;
        for damaged in [Bytes::from(changed), value.slice(..at), value.slice(at + 1..)] {
            let fault = Record::read(QUEUE, KEY, &damaged).unwrap_err();
            prop_assert_eq!(fault.flaw, Flaw::Checksum);
        }
    }
}

#[test]
fn every_single_bit_of_a_record_counts() {
    let value = sealed(META, |out| out.extend_from_slice(b"content"));
    assert_eq!(Record::read(META, KEY, &value).unwrap(), Record::Meta("content".into()));
    for bit in 0..value.len() * 8 {
        let mut changed = value.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        let fault = Record::read(META, KEY, &changed.into()).unwrap_err();
        assert_eq!(fault.flaw, Flaw::Checksum, "bit {bit}");
    }
}

#[test]
fn a_record_in_the_wrong_place_is_damage() {
    let value = sealed(RECEIVED, |_| ());
    assert_eq!(Record::read(RECEIVED, KEY, &value), Ok(Record::Received));
    assert_eq!(Record::read(GRAVE, KEY, &value).unwrap_err().flaw, Flaw::Checksum);
    assert_eq!(
        Record::read(RECEIVED, b"elsewhere", &value).unwrap_err().flaw,
        Flaw::Checksum
    );
}

/// A number of receivers that a value cannot hold is refused before anything is made of it.
#[test]
fn receivers_beyond_the_end_of_their_record_are_damage() {
    let value = sealed(TRANSFER, |out| out.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]));
    let fault = Record::read(TRANSFER, KEY, &value).unwrap_err();
    assert_eq!(fault.flaw, Flaw::Content("it is cut short"));
}

#[test]
fn content_behind_the_end_is_damage() {
    let value = sealed(GRAVE, |out| out.push(0));
    let fault = Record::read(GRAVE, KEY, &value).unwrap_err();
    assert_eq!(fault.flaw, Flaw::Content("it is longer than its content"));
}

#[test]
fn a_later_version_is_told_from_damage() {
    let mut value = vec![RECORD_VERSION + 1];
    let sum = crc32c::crc32c(&[&[GRAVE.0], KEY, &value].concat());
    value.extend_from_slice(&sum.to_be_bytes());
    let fault = Record::read(GRAVE, KEY, &value.into()).unwrap_err();
    assert_eq!(fault.flaw, Flaw::Version(2));
    assert!(matches!(
        fault.at(Path::new("data")),
        StoreError::Version { found: 2, known: 1, .. }
    ));
}

#[test]
fn an_error_names_directory_table_and_key() {
    let fault = Record::read(
        QUEUE,
        &place_key(SessionId(7), Place(0x2a1)),
        &Bytes::from_static(b"12345"),
    )
    .unwrap_err();
    let message = fault.at(Path::new("data")).to_string();
    let culprit = "data: damaged: record 000000000000000700000000000002a1 of table queue: its checksum does not fit";
    assert!(message.starts_with(culprit), "{message}");
    assert!(!message.contains('\n'));
}

#[test]
fn keys_follow_the_order_of_a_queue_and_say_what_they_name() {
    let (session, place) = (SessionId(0x0102_0304_0506_0708), Place(256));
    let key = place_key(session, place);
    assert_eq!(key, [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 1, 0]);
    assert!(place_key(session, Place(255)) < key && key < place_key(SessionId(session.0 + 1), Place(0)));
    assert_eq!((session_of(&key), place_of(&key)), (Some(session), Some(place)));
    assert_eq!((session_of(b"short"), place_of(b"short")), (None, None));

    let id = PacketId::new(0x0a0b).unwrap();
    let key = received_key(session, id);
    assert_eq!(key, [1, 2, 3, 4, 5, 6, 7, 8, 0x0a, 0x0b]);
    assert_eq!((session_of(&key), packet_id_of(&key)), (Some(session), Some(id)));
    assert_eq!(packet_id_of(&[0; 10]), None);
}

/// The first half of the SHA-256 of "abc", as its standard gives it.
#[test]
fn names_are_hashed_as_the_standard_says() {
    let half = [
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
    ];
    assert_eq!(topic_key("abc"), half);
    let key = subscription_key(SessionId(1), "abc");
    assert_eq!((&key[..8], &key[8..]), (&[0, 0, 0, 0, 0, 0, 0, 1][..], &half[..]));
}

/// A filter of 3.1.1 that 5.0 would refuse must come back.
#[test]
fn a_filter_that_only_one_version_allows_is_kept() {
    let record = SubscriptionRecord {
        filter: "$share/g".into(),
        qos: QoS::AtLeastOnce,
        no_local: false,
        retain_as_published: true,
        id: None,
    };
    assert_eq!(
        again(SUBSCRIPTION, |out| record.write(out)),
        Record::Subscription(record)
    );
}
