use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path;

use bytes::Bytes;
use mqtt_codec::{ClientId, PacketId, PublishProperties, QoS, SubscriptionId, TopicName, Will};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::histories::histories;
use crate::shelf::open_engine;
use crate::{
    Addressee, Archive, Batch, ContentRef, DataDirectory, Durability, EntryRef, FileMedium, Holding, MemoryStore,
    MessageId, MessageRef, Place, ScanLimit, SessionId, SessionRecord, Shard, ShardOptions, Slice, Stamp, Store,
    StoreError, StoreTime, SubscriptionRecord, Table, WillRecord,
};

const HEAD: BackupHead = BackupHead {
    made_at_ms: 1_700_000_000_123,
    stamp: Stamp {
        time_ms: 1_700_000_000_000,
        number: 5000,
    },
};
const PAGE: ScanLimit = ScanLimit {
    entries_max: 7,
    bytes_max: 400,
};

fn message<'a>(topic: &'a str, payload: &'a [u8], properties: Option<&'a PublishProperties>) -> MessageRef<'a> {
    MessageRef {
        topic,
        payload,
        qos: QoS::ExactlyOnce,
        retain: false,
        properties,
        expires_at: Some(StoreTime(1_800_000_000_000)),
    }
}

fn entry(content: ContentRef<'_>, packet_id: Option<PacketId>) -> EntryRef<'_> {
    EntryRef {
        qos: QoS::ExactlyOnce,
        retain: false,
        ids: &[],
        packet_id,
        group: Some("$share/crew/t"),
        cost_bytes: 100,
        content,
    }
}

fn will() -> Will {
    Will {
        topic: TopicName::new("will/é").unwrap(),
        payload: Bytes::from_static(b"\0gone"),
        qos: QoS::AtLeastOnce,
        retain: true,
        delay_secs: 7,
        properties: None,
    }
}

fn session(name: &str, will: Option<Box<Will>>) -> SessionRecord {
    SessionRecord {
        client_id: ClientId::new(name.to_owned()).unwrap(),
        username: Some("user".into()),
        expiry_secs: 3600,
        left_at: Some(StoreTime(5)),
        will,
    }
}

/// Writes sessions of these numbers with something of every kind, the last of which has ended.
pub(crate) fn furnish<S: Store>(archive: &mut Archive<S>, sessions: RangeInclusive<u64>) {
    let properties = PublishProperties {
        content_type: Some("text/plain".into()),
        user_properties: vec![("a".into(), "1".into()), ("a".into(), "2".into())],
        correlation_data: Some(Bytes::from_static(b"\0\x01")),
        ..PublishProperties::default()
    };
    let body = message("shared/t", b"for all", Some(&properties));
    archive.put_meta("made by", b"a test");
    archive.retain(message("retained/t", b"kept \xff", None));
    archive.put_will(
        SessionId(4000 + sessions.start()),
        &WillRecord {
            client_id: ClientId::new("transient").unwrap(),
            username: None,
            will: will(),
        },
    );
    let last = SessionId(*sessions.end());
    let receivers = [SessionId(*sessions.start()), last].map(|session| Addressee {
        session,
        qos: QoS::AtLeastOnce,
        retain: false,
        ids: vec![SubscriptionId::new(7).unwrap()],
    });
    let travelling = ContentRef::Shared(MessageId(3000), body);
    let place = Place(*sessions.start());
    archive
        .transfer(place, travelling, (Some("$share/crew/t"), 44), &receivers)
        .unwrap();
    for number in sessions {
        let id = SessionId(number);
        archive.put_session(id, &session(&format!("client {number}"), Some(Box::new(will()))));
        let filter = format!("f/{number}/#");
        archive.put_subscription(
            id,
            &SubscriptionRecord {
                filter: filter.into(),
                qos: QoS::AtLeastOnce,
                no_local: true,
                retain_as_published: false,
                id: None,
            },
        );
        let shared = ContentRef::Shared(MessageId(3000), body);
        let own = ContentRef::Inline(message("own/t", b"text", None));
        archive.enqueue(id, Place(1), entry(own, PacketId::new(1))).unwrap();
        archive.enqueue(id, Place(2), entry(shared, None)).unwrap();
        archive.sent(id, Place(2), PacketId::new(2).unwrap());
        archive.enqueue(id, Place(3), entry(own, PacketId::new(3))).unwrap();
        let released = Holding::queued(None);
        archive
            .released(id, Place(3), PacketId::new(3).unwrap(), released)
            .unwrap();
        archive.enqueue(id, Place(4), entry(shared, None)).unwrap();
        archive.received(id, PacketId::new(9).unwrap());
    }
    archive.end_session(last);
    archive.apply().unwrap();
    archive.commit(Durability::Power).unwrap();
}

/// Everything that a store holds.
pub(crate) fn contents(store: &dyn Store) -> BTreeMap<(Table, Bytes), Bytes> {
    let all = ScanLimit {
        entries_max: usize::MAX,
        bytes_max: usize::MAX,
    };
    let tables = (0..=u8::MAX).map(Table);
    tables
        .flat_map(|table| {
            let found = store.scan(table, &[], None, all).unwrap();
            found.into_iter().map(move |(key, value)| ((table, key), value))
        })
        .collect()
}

fn walk(shard: &Shard) -> Vec<StoredRecord> {
    let mut walk = FrozenWalk::default();
    let mut found = Vec::new();
    while let Some(page) = walk.page(shard, PAGE).unwrap() {
        found.extend(page);
    }
    found
}

/// A backup of a shard, in small blocks.
fn back_up(shard: &mut Shard) -> Vec<u8> {
    assert!(shard.freeze());
    let mut bytes = Vec::new();
    let mut encoder = BackupEncoder::begin(HEAD, &mut bytes);
    for page in walk(shard).chunks(5) {
        encoder.block(page, &mut bytes);
    }
    encoder.end(&mut bytes);
    shard.thaw();
    bytes
}

fn memory_shard(directory: &Path) -> Shard {
    let mut options = ShardOptions::new(Box::new(MemoryStore::new(usize::MAX)));
    options.segment_bytes = 64 << 10;
    let medium = Box::new(FileMedium::new(directory.to_owned()));
    Shard::open_on(medium, options, false).unwrap().0
}

fn small_backup() -> Vec<u8> {
    let directory = TempDir::new().unwrap();
    let mut archive = Archive::new(memory_shard(directory.path()), directory.path(), MessageId(1));
    furnish(&mut archive, 1..=2);
    back_up(archive.store_mut())
}

fn read(bytes: &[u8]) -> Result<BackupTotals, StoreError> {
    let mut reader = BackupReader::new(bytes, Path::new("the backup"))?;
    let mut batch = Batch::default();
    while reader.next(&mut batch)? {}
    Ok(reader.totals())
}

#[test]
fn what_was_backed_up_is_restored_on_every_engine() {
    for from in ["fjall", "sled"] {
        let scrap = TempDir::new().unwrap();
        let source = DataDirectory::open(&scrap.path().join("source"), from).unwrap();
        let mut options = ShardOptions::new(open_engine(from, &source.shelf(), None).unwrap());
        options.segment_bytes = 64 << 10;
        options.overlay_bytes_max = 32 << 10;
        let (shard, _) = Shard::open(source, options).unwrap();
        let mut archive = Archive::new(shard, scrap.path(), MessageId(1));
        furnish(&mut archive, 1..=300);
        let shard = archive.store_mut();
        while shard.settle(Slice::default()).unwrap() {}
        assert!(shard.overlay_entries() < 100, "the engine has most of it");
        furnish(&mut archive, 301..=310);
        let shard = archive.store_mut();
        let expected = contents(shard);
        let tables: BTreeSet<Table> = expected.keys().map(|(table, _)| *table).collect();
        assert!((1..=12).map(Table).all(|table| tables.contains(&table)), "{tables:?}");

        let file = scrap.path().join("backup");
        std::fs::write(&file, back_up(shard)).unwrap();
        assert_eq!(contents(shard), expected);
        for to in ["fjall", "sled"] {
            let target = scrap.path().join(to);
            let (head, totals) = restore(&file, &target, to).unwrap();
            assert_eq!((head, totals.records), (HEAD, expected.len() as u64));
            let directory = DataDirectory::open(&target, to).unwrap();
            let options = ShardOptions::new(open_engine(to, &directory.shelf(), None).unwrap());
            let (restored, _) = Shard::open(directory, options).unwrap();
            assert!(contents(&restored) == expected, "{from} to {to}");
            assert_eq!(restored.stamp(), HEAD.stamp);
        }
        let mut restored = memory_shard(scrap.path());
        pour(
            &mut BackupReader::new(&*std::fs::read(&file).unwrap(), &file).unwrap(),
            &mut restored,
        )
        .unwrap();
        assert!(contents(&restored) == expected, "{from} to memory");
    }
}

#[test]
fn an_empty_store_is_restored_with_its_numbers() {
    let scrap = TempDir::new().unwrap();
    let file = scrap.path().join("backup");
    let mut bytes = Vec::new();
    BackupEncoder::begin(HEAD, &mut bytes).end(&mut bytes);
    std::fs::write(&file, bytes).unwrap();
    let target = scrap.path().join("target");
    restore(&file, &target, "fjall").unwrap();
    let directory = DataDirectory::open(&target, "fjall").unwrap();
    let options = ShardOptions::new(open_engine("fjall", &directory.shelf(), None).unwrap());
    assert_eq!(Shard::open(directory, options).unwrap().0.stamp(), HEAD.stamp);
}

#[test]
fn damage_of_any_byte_is_noticed() {
    let bytes = small_backup();
    assert!(read(&bytes).unwrap().blocks > 3);
    for at in 0..bytes.len() {
        for bit in [1, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            let error = read(&changed).unwrap_err();
            assert!(
                matches!(error, StoreError::Damaged { .. } | StoreError::Version { .. }),
                "byte {at}: {error}"
            );
        }
    }
}

#[test]
fn a_cut_or_lengthened_file_is_noticed() {
    let bytes = small_backup();
    for len in 0..bytes.len() {
        assert!(
            matches!(read(&bytes[..len]), Err(StoreError::Damaged { .. })),
            "{len} bytes"
        );
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(read(&longer).is_err());
}

#[test]
fn a_block_of_another_backup_or_in_another_place_is_noticed() {
    let blocks = |bytes: &[u8]| -> Vec<Vec<u8>> {
        let mut starts: Vec<usize> = (48..bytes.len())
            .filter(|at| bytes[*at..].starts_with(b"SwBu"))
            .collect();
        starts.push(bytes.len() - 32);
        starts.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
    };
    let (one, other) = (small_backup(), small_backup());
    let (head, trailer) = (&one[..48], &one[one.len() - 32..]);
    let put_together = |blocks: &[Vec<u8>]| [head, &blocks.concat(), trailer].concat();
    let own = blocks(&one);
    assert!(read(&put_together(&own)).is_ok());
    let mut mixed = own.clone();
    mixed[1] = blocks(&other)[1].clone();
    let mut swapped = own.clone();
    swapped.swap(0, 1);
    let mut doubled = own.clone();
    doubled.insert(1, own[0].clone());
    for wrong in [
        mixed,
        swapped,
        doubled,
        own[1..].to_vec(),
        own[..own.len() - 1].to_vec(),
    ] {
        assert!(matches!(read(&put_together(&wrong)), Err(StoreError::Damaged { .. })));
    }
}

/// A record that was damaged in the store does not get into a backup that passes for sound.
#[test]
fn a_damaged_record_is_named() {
    let directory = TempDir::new().unwrap();
    let mut shard = memory_shard(directory.path());
    let mut batch = Batch::default();
    batch.put(Table(4), &[0x2a; 16], b"no record");
    shard.apply(&batch).unwrap();
    let error = read(&back_up(&mut shard)).unwrap_err().to_string();
    assert!(
        error.contains("record 2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a of table queue"),
        "{error}"
    );
}

#[test]
fn a_restore_goes_into_nothing_else_than_an_empty_directory() {
    let scrap = TempDir::new().unwrap();
    let file = scrap.path().join("backup");
    std::fs::write(&file, small_backup()).unwrap();
    let error = restore(&file, scrap.path(), "fjall").unwrap_err().to_string();
    assert!(error.contains("is not empty"), "{error}");
    let target = scrap.path().join("target");
    std::fs::create_dir_all(target.join("lost+found")).unwrap();
    restore(&file, &target, "fjall").unwrap();
    assert!(restore(&file, &target, "fjall").is_err());
}

#[test]
fn a_restore_of_a_damaged_file_leaves_nothing_behind() {
    let scrap = TempDir::new().unwrap();
    let file = scrap.path().join("backup");
    let bytes = small_backup();
    std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    let target = scrap.path().join("target");
    assert!(restore(&file, &target, "fjall").is_err());
    assert!(!target.exists());
}

#[test]
fn what_an_unfinished_restore_left_is_not_opened() {
    let scrap = TempDir::new().unwrap();
    let bytes = small_backup();
    let directory = DataDirectory::open(scrap.path(), "fjall").unwrap();
    directory.hold_back().unwrap();
    let mut shard = memory_shard(&directory.journal());
    let mut cut = BackupReader::new(&bytes[..bytes.len() - 40], Path::new("cut")).unwrap();
    pour(&mut cut, &mut shard).unwrap_err();
    assert!(!contents(&shard).is_empty());
    drop((shard, directory));
    let error = DataDirectory::open(scrap.path(), "fjall").unwrap_err().to_string();
    assert!(
        error.contains("a restore into this directory was not finished"),
        "{error}"
    );
}

type Model = BTreeMap<(Table, Bytes), Bytes>;

#[derive(Clone, Debug)]
enum Step {
    Apply(Vec<(u8, u8, Option<u16>)>),
    Commit,
    Maintain,
    Freeze,
    Page,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let change = (1..4_u8, 0..40_u8, proptest::option::weighted(0.6, 1..600_u16));
    let step = prop_oneof![
        4 => proptest::collection::vec(change, 1..12).prop_map(Step::Apply),
        2 => Just(Step::Commit),
        4 => Just(Step::Maintain),
        1 => Just(Step::Freeze),
        3 => Just(Step::Page),
    ];
    proptest::collection::vec(step, 1..250)
}

/// A walk that is under way, and what it has to find.
struct Instant {
    walk: FrozenWalk,
    expected: Model,
    found: Model,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(histories(15)))]

    /// Whatever is applied, committed and settled meanwhile: a walk finds what was there when it began.
    #[test]
    fn a_backup_holds_exactly_one_instant(steps in steps()) {
        let directory = TempDir::new().unwrap();
        let mut options = ShardOptions::new(Box::new(MemoryStore::new(usize::MAX)));
        options.segment_bytes = 4 << 10;
        options.journal_bytes_max = 8 << 10;
        options.slice = Slice { entries: 3, bytes: 1000 };
        let medium = Box::new(FileMedium::new(directory.path().to_owned()));
        let mut shard = Shard::open_on(medium, options, false).unwrap().0;
        let mut model = Model::new();
        let mut instant: Option<Instant> = None;
        for step in steps {
            match step {
                Step::Apply(changes) => {
                    let mut batch = Batch::default();
                    for (table, key, value) in changes {
                        let (table, key) = (Table(table), Bytes::from(vec![key]));
                        match value {
                            Some(len) => {
                                let value = Bytes::from(vec![len as u8; usize::from(len)]);
                                batch.put(table, &key, &value);
                                model.insert((table, key), value);
                            }
                            None => {
                                batch.remove(table, &key);
                                model.remove(&(table, key));
                            }
                        }
                    }
                    shard.apply(&batch).unwrap();
                }
                Step::Commit => shard.commit(Durability::Process).unwrap(),
                Step::Maintain => drop(shard.maintain().unwrap()),
                Step::Freeze if instant.is_none() => {
                    if shard.freeze() {
                        let (walk, found) = (FrozenWalk::default(), Model::new());
                        instant = Some(Instant { walk, expected: model.clone(), found });
                    }
                }
                Step::Freeze => {}
                Step::Page => {
                    let Some(one) = &mut instant else { continue };
                    match one.walk.page(&shard, PAGE).unwrap() {
                        Some(page) => one.found.extend(page.into_iter().map(|one| ((one.table, one.key), one.value))),
                        None => {
                            prop_assert_eq!(&one.found, &one.expected);
                            shard.thaw();
                            instant = None;
                        }
                    }
                }
            }
        }
        if let Some(mut one) = instant {
            while let Some(page) = one.walk.page(&shard, PAGE).unwrap() {
                one.found.extend(page.into_iter().map(|one| ((one.table, one.key), one.value)));
            }
            prop_assert_eq!(&one.found, &one.expected);
        }
        prop_assert_eq!(contents(&shard), model);
    }
}
