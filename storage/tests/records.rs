//! The records of version 1, byte by byte, as files that every later version has to read to the same values.
//!
//! A file has three lines: table, key and value, in hexadecimal. A record of another version gets files of its own; these
//! stay as they are. `STROWGER_WRITE_FIXTURES=1` writes files that are missing, and never changes one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop at once"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use mqtt_codec::{ClientId, PacketId, PublishProperties, QoS, SubscriptionId, TopicName, Will};
use storage::archive::{Archive, Holding};
use storage::record::{
    Addressee, Content, ContentRef, Entry, EntryRef, FlightRecord, FlightStep, MessageId, MessageRecord, Place, Record,
    SessionId, SessionRecord, StoreTime, SubscriptionRecord, TABLES, TRANSIT, TransferRecord, WillRecord,
};
use storage::{MemoryStore, ScanLimit, Store, Table};

const ALL: ScanLimit = ScanLimit {
    entries_max: usize::MAX,
    bytes_max: usize::MAX,
};

/// Whose deliveries and subscriptions they are: the one with everything.
const SESSION: SessionId = SessionId(0x0a05);
/// Where `queue-bare` stands.
const WAITING: Place = Place(0x0a0c);
/// Shared by one entry.
const LASTING: MessageId = MessageId(0x0a0b_0c0d_0e0f);
/// Shared by two entries; it expires.
const MORTAL: MessageId = MessageId(0x0a0b_0c0d_0e10);

fn packet_id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

fn subscription_id(number: u32) -> SubscriptionId {
    SubscriptionId::new(number).unwrap()
}

fn plain() -> MessageRecord {
    MessageRecord {
        topic: TopicName::new("plant/7/temperature").unwrap(),
        payload: "21.5".into(),
        qos: QoS::AtLeastOnce,
        retain: false,
        properties: None,
        expires_at: None,
    }
}

fn rich() -> MessageRecord {
    MessageRecord {
        topic: TopicName::new("plant/7/questions").unwrap(),
        payload: Bytes::from_static(&[0, 1, 2, 0xff]),
        qos: QoS::ExactlyOnce,
        retain: true,
        properties: Some(Box::new(PublishProperties {
            payload_format: Some(false),
            response_topic: Some(TopicName::new("plant/7/answers").unwrap()),
            correlation_data: Some("question 17".into()),
            user_properties: vec![("unit".into(), "°C".into()), ("unit".into(), "".into())],
            content_type: Some("application/json".into()),
            ..PublishProperties::default()
        })),
        expires_at: Some(StoreTime(1_800_000_000_123)),
    }
}

/// A message of a topic with one thing that it may carry.
fn retained(topic: &str, change: impl FnOnce(&mut MessageRecord)) -> Record {
    let mut message = plain();
    message.topic = TopicName::new(topic.to_owned()).unwrap();
    change(&mut message);
    Record::Retained(message)
}

fn with(change: impl FnOnce(&mut PublishProperties)) -> Option<Box<PublishProperties>> {
    let mut properties = Box::<PublishProperties>::default();
    change(&mut properties);
    Some(properties)
}

fn bare_will() -> Will {
    let message = plain();
    Will {
        topic: message.topic,
        payload: message.payload,
        qos: message.qos,
        retain: false,
        delay_secs: 0,
        properties: None,
    }
}

fn will() -> Will {
    let message = rich();
    let mut properties = message.properties;
    properties.as_mut().unwrap().message_expiry_secs = Some(3600);
    Will {
        topic: message.topic,
        payload: message.payload,
        qos: message.qos,
        retain: message.retain,
        delay_secs: 30,
        properties,
    }
}

fn will_record(change: impl FnOnce(&mut WillRecord)) -> Record {
    let mut record = WillRecord {
        client_id: ClientId::new("sensor-é").unwrap(),
        username: None,
        will: bare_will(),
    };
    change(&mut record);
    Record::Will(record)
}

fn session(change: impl FnOnce(&mut SessionRecord)) -> Record {
    let mut record = SessionRecord {
        client_id: ClientId::new("").unwrap(),
        username: None,
        expiry_secs: u32::MAX,
        left_at: None,
        will: None,
    };
    change(&mut record);
    Record::Session(Box::new(record))
}

fn subscription(filter: &str, change: impl FnOnce(&mut SubscriptionRecord)) -> Record {
    let mut record = SubscriptionRecord {
        filter: filter.into(),
        qos: QoS::AtMostOnce,
        no_local: false,
        retain_as_published: false,
        id: None,
    };
    change(&mut record);
    Record::Subscription(record)
}

fn entry(content: Content, change: impl FnOnce(&mut Entry)) -> Record {
    let mut entry = Entry {
        qos: QoS::AtLeastOnce,
        retain: false,
        ids: Vec::new(),
        packet_id: None,
        group: None,
        cost_bytes: 0,
        content,
    };
    change(&mut entry);
    Record::Entry(entry)
}

fn inline() -> Content {
    Content::Inline(Arc::new(plain()))
}

fn shared(id: MessageId, expires_at: Option<StoreTime>) -> Content {
    Content::Shared { id, expires_at }
}

/// Sets all that an entry may have.
fn fill(entry: &mut Entry) {
    entry.qos = QoS::ExactlyOnce;
    entry.retain = true;
    entry.ids = vec![subscription_id(1), subscription_id(268_435_455)];
    entry.packet_id = Some(packet_id(0x1234));
    entry.group = Some("$share/readers/plant/#".into());
    entry.cost_bytes = 300;
}

fn flight(step: FlightStep) -> Record {
    let packet_id = packet_id(0x4321);
    Record::Flight(FlightRecord { packet_id, step })
}

/// Every kind of record, bare, with each thing that it may have alone, and with all of them, by the name of its file.
fn records() -> Vec<(&'static str, Record)> {
    [kept(), transfers()].concat()
}

/// Those that stand for themselves.
fn kept() -> Vec<(&'static str, Record)> {
    [sessions(), deliveries(), messages(), wills()].concat()
}

fn sessions() -> Vec<(&'static str, Record)> {
    vec![
        ("meta", Record::Meta("17".into())),
        ("session-bare", session(|_| ())),
        (
            "session-username",
            session(|session| session.username = Some("plant".into())),
        ),
        (
            "session-left",
            session(|session| session.left_at = Some(StoreTime(1_790_000_000_000))),
        ),
        (
            "session-will",
            session(|session| session.will = Some(Box::new(bare_will()))),
        ),
        (
            "session-full",
            session(|session| {
                session.client_id = ClientId::new("sensor-é").unwrap();
                session.username = Some("plant".into());
                session.expiry_secs = 86_400;
                session.left_at = Some(StoreTime(1_790_000_000_000));
                session.will = Some(Box::new(will()));
            }),
        ),
        // Of 3.1.1: in 5.0 it would be no filter.
        ("subscription-bare", subscription("$share/g", |_| ())),
        (
            "subscription-no-local",
            subscription("a", |subscription| subscription.no_local = true),
        ),
        (
            "subscription-retain-as-published",
            subscription("b", |subscription| subscription.retain_as_published = true),
        ),
        (
            "subscription-id",
            subscription("$share/g/plant/+/#", |subscription| {
                subscription.qos = QoS::ExactlyOnce;
                subscription.id = Some(subscription_id(300));
            }),
        ),
        ("received", Record::Received),
        ("grave", Record::Grave),
    ]
}

fn deliveries() -> Vec<(&'static str, Record)> {
    let expires_at = rich().expires_at;
    vec![
        ("queue-bare", entry(inline(), |_| ())),
        ("queue-retain", entry(inline(), |entry| entry.retain = true)),
        (
            "queue-packet-id",
            entry(inline(), |entry| entry.packet_id = Some(packet_id(0x1234))),
        ),
        (
            "queue-ids",
            entry(inline(), |entry| entry.ids = vec![subscription_id(300)]),
        ),
        (
            "queue-group",
            entry(inline(), |entry| entry.group = Some("$share/g/#".into())),
        ),
        ("queue-full", entry(Content::Inline(Arc::new(rich())), fill)),
        ("queue-shared-bare", entry(shared(LASTING, None), |_| ())),
        ("queue-shared-expires", entry(shared(MORTAL, expires_at), |_| ())),
        ("queue-shared-full", entry(shared(MORTAL, expires_at), fill)),
        ("message-bare", Record::Message(plain())),
        ("message-full", Record::Message(rich())),
        ("reference-1", Record::References(1)),
        ("reference-2", Record::References(2)),
        ("flight-sent", flight(FlightStep::Sent)),
        ("flight-released", flight(FlightStep::Released)),
    ]
}

fn messages() -> Vec<(&'static str, Record)> {
    let properties =
        |topic, change: fn(&mut PublishProperties)| retained(topic, |message| message.properties = with(change));
    vec![
        ("retained-bare", retained("0", |_| ())),
        ("retained-qos-0", retained("1", |message| message.qos = QoS::AtMostOnce)),
        ("retained-retain", retained("2", |message| message.retain = true)),
        (
            "retained-expires",
            retained("3", |message| message.expires_at = Some(StoreTime(1))),
        ),
        (
            "retained-binary",
            properties("4", |all| all.payload_format = Some(false)),
        ),
        ("retained-text", properties("5", |all| all.payload_format = Some(true))),
        (
            "retained-content-type",
            properties("6", |all| all.content_type = Some("text/plain".into())),
        ),
        (
            "retained-response-topic",
            properties("7", |all| all.response_topic = Some(TopicName::new("answers").unwrap())),
        ),
        (
            "retained-correlation",
            properties("8", |all| all.correlation_data = Some("17".into())),
        ),
        (
            "retained-user-property",
            properties("9", |all| all.user_properties = vec![("unit".into(), "°C".into())]),
        ),
        ("retained-full", Record::Retained(rich())),
    ]
}

fn wills() -> Vec<(&'static str, Record)> {
    vec![
        ("will-bare", will_record(|_| ())),
        (
            "will-username",
            will_record(|record| record.username = Some("plant".into())),
        ),
        ("will-retain", will_record(|record| record.will.retain = true)),
        ("will-delay", will_record(|record| record.will.delay_secs = 30)),
        (
            "will-expiry",
            will_record(|record| record.will.properties = with(|all| all.message_expiry_secs = Some(3600))),
        ),
        (
            "will-properties",
            will_record(|record| record.will.properties = with(|all| all.content_type = Some("text/plain".into()))),
        ),
        ("will-full", will_record(|record| record.will = will())),
    ]
}

/// Messages on their way between lines: each an entry and those that it travels to.
fn transfers() -> Vec<(&'static str, Record)> {
    let bare = Addressee {
        session: SESSION,
        qos: QoS::AtLeastOnce,
        retain: false,
        ids: Vec::new(),
    };
    let full = Addressee {
        session: SessionId(0x0102_0304_0506_0708),
        qos: QoS::ExactlyOnce,
        retain: true,
        ids: vec![subscription_id(1), subscription_id(268_435_455)],
    };
    let record = |receivers| Record::Transfer(TransferRecord { receivers });
    vec![
        ("queue-transit-bare", entry(inline(), |entry| entry.cost_bytes = 44)),
        ("transfer-bare", record(vec![bare.clone()])),
        (
            "queue-transit-full",
            entry(Content::Inline(Arc::new(rich())), |entry| {
                entry.qos = QoS::ExactlyOnce;
                entry.retain = true;
                entry.group = Some("$share/readers/plant/#".into());
                entry.cost_bytes = 300;
            }),
        ),
        ("transfer-full", record(vec![full, bare])),
    ]
}

fn enqueue(archive: &mut Archive<MemoryStore>, place: Place, entry: &Entry) {
    let body = match &entry.content {
        Content::Inline(message) => Arc::clone(message),
        Content::Shared { expires_at: None, .. } => Arc::new(plain()),
        Content::Shared { .. } => Arc::new(rich()),
    };
    let entry = EntryRef {
        qos: entry.qos,
        retain: entry.retain,
        ids: &entry.ids,
        packet_id: entry.packet_id,
        group: entry.group.as_deref(),
        cost_bytes: entry.cost_bytes,
        content: entry.shared().map_or(ContentRef::Inline(body.borrowed()), |id| {
            ContentRef::Shared(id, body.borrowed())
        }),
    };
    archive.enqueue(SESSION, place, entry).unwrap();
}

/// An archive with all of them, written as the broker does it.
fn filled() -> Archive<MemoryStore> {
    let mut archive = Archive::new(MemoryStore::new(usize::MAX), "data", MessageId(0));
    for ((_, record), number) in kept().iter().zip(0x0a00..) {
        let (session, place) = (SessionId(number), Place(number));
        match record {
            Record::Meta(value) => archive.put_meta("high water", value),
            Record::Session(record) => archive.put_session(session, record),
            Record::Subscription(record) => archive.put_subscription(SESSION, record),
            Record::Entry(entry) => enqueue(&mut archive, place, entry),
            // They come with the entries that share them.
            Record::Message(_) | Record::References(_) => {}
            Record::Flight(flight) => match flight.step {
                FlightStep::Sent => archive.sent(SESSION, WAITING, flight.packet_id),
                FlightStep::Released => {
                    archive
                        .released(SESSION, place, flight.packet_id, Holding::released())
                        .unwrap();
                }
            },
            Record::Received => archive.received(SESSION, packet_id(0x1234)),
            Record::Retained(message) => archive.retain(message.borrowed()),
            Record::Will(record) => archive.put_will(session, record),
            Record::Grave => archive.end_session(session),
            Record::Transfer(_) => panic!("a transfer has an entry"),
        }
    }
    for (pair, number) in transfers().chunks(2).zip(0x0b00..) {
        let [(_, Record::Entry(entry)), (_, Record::Transfer(to))] = pair else {
            panic!("{pair:?}");
        };
        let Content::Inline(message) = &entry.content else {
            panic!("{entry:?}");
        };
        let content = ContentRef::Inline(message.borrowed());
        let account = (entry.group.as_deref(), entry.cost_bytes);
        archive
            .transfer(Place(number), content, account, &to.receivers)
            .unwrap();
    }
    archive.apply().unwrap();
    archive
}

/// Table, key and value.
type Stored = (Table, Bytes, Bytes);

fn path(name: &str) -> PathBuf {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/records-v1");
    fixtures.join(format!("{name}.hex"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Bytes {
    let digits: Vec<u8> = hex.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn fixture(name: &str) -> Stored {
    let path = path(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let [table, key, value] = text.lines().map(bytes).collect::<Vec<_>>().try_into().unwrap();
    (Table(table[0]), key, value)
}

/// What an archive writes, by the value that it means.
fn written() -> Vec<(Record, Stored)> {
    let archive = filled();
    let store = archive.store();
    let mut found = Vec::new();
    for (table, _) in TABLES {
        for (key, value) in store.scan(table, &[], None, ALL).unwrap() {
            found.push((Record::read(table, &key, &value).unwrap(), (table, key, value)));
        }
    }
    found
}

#[test]
fn records_of_version_1_are_read_to_the_same_values() {
    for (name, record) in records() {
        let (table, key, value) = fixture(name);
        assert_eq!(Record::read(table, &key, &value).unwrap(), record, "{name}");
    }
}

#[test]
fn records_of_version_1_are_written_to_the_same_bytes() {
    let written = written();
    assert_eq!(written.len(), records().len(), "the archive holds every record once");
    for (name, record) in records() {
        let (_, stored) = written.iter().find(|(found, _)| *found == record).unwrap();
        let (table, key, value) = stored;
        let path = path(name);
        if !path.exists() && std::env::var_os("STROWGER_WRITE_FIXTURES").is_some() {
            std::fs::write(&path, format!("{:02x}\n{}\n{}\n", table.0, hex(key), hex(value))).unwrap();
        }
        assert_eq!(*stored, fixture(name), "{name}");
    }
}

#[test]
fn damage_of_each_byte_of_each_kind_is_noticed() {
    for (name, _) in records() {
        let (table, key, value) = fixture(name);
        for at in 0..value.len() {
            let mut damaged = value.to_vec();
            damaged[at] ^= 0x10;
            assert!(Record::read(table, &key, &damaged.into()).is_err(), "{name}, byte {at}");
        }
    }
}

/// An archive that finds these records in its store serves them.
#[test]
fn a_store_of_version_1_is_served() {
    let mut batch = storage::Batch::default();
    let mut tables = BTreeMap::new();
    for (name, _) in records() {
        let (table, key, value) = fixture(name);
        batch.put(table, &key, &value);
        *tables.entry(table).or_insert(0) += 1;
    }
    assert_eq!(tables.len(), TABLES.len(), "a table without a fixture");
    let mut store = MemoryStore::new(usize::MAX);
    store.apply(&batch).unwrap();
    let mut archive = Archive::new(store, "data", MessageId(u64::MAX));

    let loaded = archive.load(SESSION, ALL).unwrap();
    assert_eq!(loaded.received, [packet_id(0x1234)]);
    let under_way: Vec<_> = loaded.flights.iter().map(|flight| flight.queued.is_some()).collect();
    assert_eq!(under_way, [true, true, true, true, false]);
    assert_eq!(loaded.window.entries.len(), 5);
    assert_eq!(*loaded.window.entries[0].message, plain());
    let listed = archive.sessions(None, ALL).unwrap().items;
    assert_eq!(listed.len(), 5);
    assert_eq!((listed[4].id, listed[4].subscriptions.len()), (SESSION, 4));
    assert_eq!(archive.retained(None, ALL).unwrap().items.len(), messages().len());
    assert_eq!(archive.wills(None, ALL).unwrap().items.len(), wills().len());

    let on_their_way = archive.window(TRANSIT, Place(0), ALL).unwrap().entries;
    let groups: Vec<_> = on_their_way.iter().map(|queued| queued.group.as_deref()).collect();
    assert_eq!(groups, [None, Some("$share/readers/plant/#")]);
    let mut places = 0x0c00..;
    let finished = archive.finish_transfers(|| Place(places.next().unwrap())).unwrap();
    assert_eq!(finished, 2);
    let waiting = archive.window(SESSION, Place(0x0bff), ALL).unwrap().entries;
    assert_eq!(waiting.len(), 2, "the session that does not exist gets nothing");
    assert_eq!((&*waiting[0].message, &*waiting[1].message), (&plain(), &rich()));
}
