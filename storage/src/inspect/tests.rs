use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::backup::tests::furnish;
use crate::record::{FLIGHT, GRAVE, MESSAGE, QUEUE, REFERENCE, RETAINED, SESSION, TRANSFER};
use crate::{Archive, Batch, Durability, MessageId, Slice, Stamp, Store, Table};

/// A data directory with something of every kind, some of it settled into the engine.
fn furnished(engine: &str) -> TempDir {
    let scrap = TempDir::new().unwrap();
    let mut archive = open(scrap.path(), engine);
    furnish(&mut archive, 1..=300);
    while archive.store_mut().settle(Slice::default()).unwrap() {}
    furnish(&mut archive, 301..=303);
    // A block behind the others says that they had reached the medium.
    archive.put_meta("last", b"word");
    archive.commit(Durability::Power).unwrap();
    scrap
}

fn open(path: &Path, engine: &str) -> Archive<Shard> {
    let directory = DataDirectory::open(path, engine).unwrap();
    let mut options = ShardOptions::new(open_engine(engine, &directory.shelf(), None).unwrap());
    options.segment_bytes = 64 << 10;
    options.overlay_bytes_max = 32 << 10;
    let (mut shard, _) = Shard::open(directory, options).unwrap();
    shard.raise_stamp(Stamp {
        time_ms: 77,
        number: 5000,
    });
    Archive::new(shard, path, MessageId(1))
}

/// Changes records behind the back of the archive.
fn tamper(path: &Path, change: impl FnOnce(&mut Batch)) {
    let mut archive = open(path, "fjall");
    let mut batch = Batch::default();
    change(&mut batch);
    archive.store_mut().apply(&batch).unwrap();
    archive.commit(Durability::Power).unwrap();
}

fn findings(path: &Path) -> Vec<String> {
    let report = check(path).unwrap();
    assert_eq!(report.findings.len() as u64, report.findings_total);
    report.findings.into_iter().map(|finding| finding.what).collect()
}

fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

/// The newest segment of the journal that has blocks, and where they end.
fn tail(path: &Path) -> (PathBuf, usize) {
    let mut segments = files(&path.join("journal"));
    loop {
        let (file, bytes) = segments.pop_last().unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
        if end > 36 {
            return (file, end);
        }
    }
}

fn edit(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(file).unwrap();
    change(&mut bytes);
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_sound_store_is_found_sound_on_every_engine_and_its_journal_is_not_touched() {
    for engine in ["fjall", "sled"] {
        let scrap = furnished(engine);
        let before = files(&scrap.path().join("journal"));
        let report = check(scrap.path()).unwrap();
        assert!(report.is_sound() && report.is_linked, "{engine}: {:?}", report.findings);
        assert!(
            report.tables.iter().filter(|count| count.records > 0).count() >= 12,
            "{:?}",
            report.tables
        );
        assert_eq!(report.journal.unwrap().stamp().number, 5000);
        assert_eq!(files(&scrap.path().join("journal")), before);
    }
}

#[test]
fn a_torn_tail_is_reported_and_left_where_it_is() {
    let scrap = furnished("fjall");
    let (file, end) = tail(scrap.path());
    edit(&file, |bytes| bytes[end - 1] ^= 1);
    let before = files(&scrap.path().join("journal"));
    let report = check(scrap.path()).unwrap();
    let torn = report.journal.as_ref().and_then(JournalReport::torn).unwrap();
    assert_eq!(torn.file.file_name(), file.file_name());
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!(files(&scrap.path().join("journal")), before);
}

#[test]
fn damage_of_the_journal_is_told_with_file_and_offset_and_the_engine_is_read_all_the_same() {
    let scrap = furnished("fjall");
    let segments = files(&scrap.path().join("journal"));
    let (file, _) = segments.iter().next().unwrap();
    edit(file, |bytes| bytes[100] ^= 1);
    let report = check(scrap.path()).unwrap();
    assert!(!report.is_linked && report.journal.is_none());
    let finding = report.findings.first().unwrap();
    assert_eq!(finding.file.file_name(), file.file_name());
    assert_eq!(finding.offset, Some(92), "the second block");
    assert!(report.tables.iter().any(|count| count.records > 0), "{report:?}");
}

#[test]
fn a_missing_journal_or_engine_is_damage_and_nothing_is_made() {
    for part in ["journal", "shelf-fjall"] {
        let scrap = furnished("fjall");
        let part = scrap.path().join(part);
        std::fs::remove_dir_all(&part).unwrap();
        let report = check(scrap.path()).unwrap();
        assert_eq!(report.findings.first().map(|finding| &finding.file), Some(&part));
        assert!(!part.exists() && Inspection::open(scrap.path()).is_err());
    }
}

#[test]
fn each_kind_of_broken_relation_is_named() {
    let body = 3000_u64.to_be_bytes();
    let session = 2_u64.to_be_bytes();
    let other = 9_999_u64.to_be_bytes();
    let entry = [2_u64.to_be_bytes(), 2_u64.to_be_bytes()].concat();
    type Change<'a> = Box<dyn FnOnce(&mut Batch) + 'a>;
    let travelling = 1_u64.to_be_bytes();
    let transit = [0_u64.to_be_bytes(), travelling].concat();
    let cases: [(Change<'_>, &str); 9] = [
        (
            Box::new(|batch| _ = batch.remove(SESSION, &session)),
            "belongs to a session that does not exist",
        ),
        (
            Box::new(|batch| _ = batch.remove(MESSAGE, &body)),
            "the message that it counts is missing",
        ),
        (
            Box::new(|batch| _ = batch.remove(REFERENCE, &body)),
            "it names a message that nothing counts",
        ),
        (
            Box::new(|batch| _ = batch.remove(QUEUE, &entry)),
            "it was sent, and its entry is missing",
        ),
        (
            Box::new(|batch| _ = batch.remove(TRANSFER, &travelling)),
            "nothing says who gets the message that travels",
        ),
        (
            Box::new(|batch| _ = batch.remove(QUEUE, &transit)),
            "the message that travels is missing",
        ),
        (
            Box::new(|batch| _ = batch.put(FLIGHT, &transit, b"rubbish")),
            "it belongs to a session that does not exist",
        ),
        (
            Box::new(|batch| _ = batch.put(QUEUE, &entry, b"rubbish")),
            "its checksum does not fit",
        ),
        (
            Box::new(|batch| _ = batch.put(Table(99), &other, b"strange")),
            "of table 99",
        ),
    ];
    for (change, expected) in cases {
        let scrap = furnished("fjall");
        tamper(scrap.path(), |batch| change(batch));
        let found = findings(scrap.path());
        assert!(
            found.iter().any(|what| what.contains(expected)),
            "{expected}: {found:?}"
        );
    }
}

#[test]
fn a_wrong_count_is_named() {
    let scrap = furnished("fjall");
    let entry = [2_u64.to_be_bytes(), 4_u64.to_be_bytes()].concat();
    tamper(scrap.path(), |batch| _ = batch.remove(QUEUE, &entry));
    let found = findings(scrap.path());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("does not count the deliveries"), "{found:?}");
}

#[test]
fn a_record_under_a_foreign_key_and_a_number_from_the_future_are_named() {
    let scrap = furnished("fjall");
    let mut archive = open(scrap.path(), "fjall");
    let mut value = Vec::new();
    crate::record::seal(RETAINED, &[7; 16], &mut value, |out| {
        out.extend_from_slice(&[0, 1, b't', b'x']);
    });
    let future = 6000_u64.to_be_bytes();
    let mut batch = Batch::default();
    batch.put(RETAINED, &[7; 16], &value);
    let session = archive.store().get(SESSION, &1_u64.to_be_bytes()).unwrap().unwrap();
    let mut value = Vec::new();
    crate::record::seal(SESSION, &future, &mut value, |out| {
        out.extend_from_slice(&session[1..session.len() - 4])
    });
    batch.put(SESSION, &future, &value).remove(GRAVE, b"none");
    archive.store_mut().apply(&batch).unwrap();
    archive.commit(Durability::Power).unwrap();
    drop(archive);
    let found = findings(scrap.path());
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("under a key that is not its own"), "{found:?}");
    assert!(found[1].contains("its number is above"), "{found:?}");
}

#[test]
fn a_store_in_use_is_not_looked_into_and_an_empty_directory_is_none() {
    let scrap = furnished("fjall");
    let archive = open(scrap.path(), "fjall");
    assert!(matches!(check(scrap.path()), Err(StoreError::Locked { .. })));
    assert!(matches!(Inspection::open(scrap.path()), Err(StoreError::Locked { .. })));
    drop(archive);
    let empty = TempDir::new().unwrap();
    assert!(matches!(check(empty.path()), Err(StoreError::Failed { .. })));
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
}

#[test]
fn the_figures_are_those_of_what_is_there() {
    let scrap = furnished("fjall");
    let stat = Inspection::open(scrap.path()).unwrap().stat().unwrap();
    assert_eq!((stat.sessions, stat.subscriptions, stat.graves), (301, 303, 2));
    assert_eq!((stat.queued, stat.queued_bytes), (303, 30_300));
    assert_eq!((stat.in_transit, stat.in_transit_bytes), (2, 88));
    assert_eq!((stat.in_flight, stat.released, stat.received), (606, 303, 303));
    assert_eq!((stat.retained, stat.shared), (1, 1));
    assert_eq!(stat.wills, 303);
    assert_eq!((stat.longest.len(), stat.longest[0].messages), (10, 3));
    assert!(stat.journal_bytes > 0 && stat.engine_bytes > 0);
    assert_eq!(stat.stamp.time_ms, 77);
}

#[test]
fn everything_is_told_and_what_is_damaged_is_passed_by() {
    let scrap = furnished("fjall");
    tamper(scrap.path(), |batch| _ = batch.put(RETAINED, &[1; 16], b"rubbish"));
    let inspection = Inspection::open(scrap.path()).unwrap();
    let mut told: BTreeMap<&str, u64> = BTreeMap::new();
    inspection
        .visit(&mut |item| {
            let kind = match item {
                Item::Session { .. } => "session",
                Item::Subscription { .. } => "subscription",
                Item::Entry { message, .. } => {
                    assert!(["own/t", "shared/t"].contains(&&*message.topic));
                    "entry"
                }
                Item::Transfer {
                    entry,
                    message,
                    receivers,
                    ..
                } => {
                    assert_eq!(
                        (&*message.topic, entry.group.as_deref()),
                        ("shared/t", Some("$share/crew/t"))
                    );
                    assert_eq!(receivers.len(), 2);
                    "transfer"
                }
                Item::Released { .. } => "released",
                Item::Received { .. } => "received",
                Item::Retained(_) => "retained",
                Item::Will { .. } => "will",
                Item::Ended { .. } => "ended",
                Item::Damaged(fault) => {
                    assert_eq!(&*fault.key, &[1; 16]);
                    "damaged"
                }
            };
            *told.entry(kind).or_default() += 1;
            Ok(())
        })
        .unwrap();
    let expected = [
        ("damaged", 1),
        ("ended", 2),
        ("entry", 909),
        ("received", 303),
        ("released", 303),
        ("retained", 1),
        ("session", 301),
        ("subscription", 303),
        ("transfer", 2),
        ("will", 2),
    ];
    assert_eq!(told.into_iter().collect::<Vec<_>>(), expected);
}

/// Half of a transfer is told as damage, once, beside those that are whole.
#[test]
fn a_transfer_of_which_a_half_is_missing_is_told_as_damage() {
    let place = 1_u64.to_be_bytes();
    let transit = [0_u64.to_be_bytes(), place].concat();
    for (table, key, what) in [
        (TRANSFER, place.to_vec(), "of table transfer: it is missing"),
        (QUEUE, transit, "the message that travels is missing"),
    ] {
        let scrap = furnished("fjall");
        tamper(scrap.path(), |batch| _ = batch.remove(table, &key));
        let inspection = Inspection::open(scrap.path()).unwrap();
        let (mut whole, mut damaged) = (0, Vec::new());
        inspection
            .visit(&mut |item| {
                whole += u64::from(matches!(item, Item::Transfer { .. }));
                if let Item::Damaged(fault) = item {
                    damaged.push(fault.to_string());
                }
                Ok(())
            })
            .unwrap();
        assert_eq!((whole, damaged.len()), (1, 1), "{damaged:?}");
        assert!(damaged[0].contains(what), "{damaged:?}");
        assert!(matches!(inspection.stat(), Err(StoreError::Damaged { .. })));
    }
}
