use std::io::{Read, Write};
use std::os::unix::net::UnixStream as Caller;
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::thread;

use actix::System;
use bytes::Bytes;
use storage::{Archive, BackupHead, BackupReader, Batch, MemoryStore, MessageId, Stamp, Store, StoredRecord, Table};
use tempfile::TempDir;

use super::*;
use crate::store::{Errand, Portion};

const HEAD: BackupHead = BackupHead {
    made_at_ms: 1,
    stamp: Stamp { time_ms: 2, number: 3 },
};

/// Opens a control socket before a store that `store` plays, and lets `caller` call there.
fn play<T: Send + 'static>(
    directory: &Path,
    store: impl FnOnce(Receiver<Errand>) + Send + 'static,
    caller: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (addr, errands) = StoreAddr::channel(1);
    let played = thread::spawn(move || store(errands));
    let directory = directory.to_owned();
    let told = System::new().block_on(async move {
        let operations = Operations::of_nobody().await;
        let control = Control::open(&directory.join(SOCKET), Some(addr), operations).unwrap();
        let told = actix_rt::task::spawn_blocking(caller).await.unwrap();
        drop(control);
        assert!(!directory.join(SOCKET).exists());
        told
    });
    played.join().unwrap();
    told
}

/// The receiver of the next backup that is asked for.
fn asked(errands: &Receiver<Errand>) -> tokio::sync::mpsc::Sender<Portion> {
    let Errand::Backup(to) = errands.recv().unwrap() else {
        panic!("something else than a backup was asked for");
    };
    to
}

fn records() -> Vec<StoredRecord> {
    let mut archive = Archive::new(MemoryStore::new(1 << 20), "data", MessageId(1));
    archive.put_meta("name", b"value");
    archive.apply().unwrap();
    let all = storage::ScanLimit {
        entries_max: 10,
        bytes_max: 1000,
    };
    let found = archive.store().scan(Table(1), &[], None, all).unwrap();
    let record = |(key, value): (Bytes, Bytes)| StoredRecord {
        table: Table(1),
        key,
        value,
    };
    found.into_iter().map(record).collect()
}

/// Sends raw bytes and reads the answer to its end.
fn raw(directory: &Path, request: &[u8]) -> String {
    let mut caller = Caller::connect(directory.join(SOCKET)).unwrap();
    caller.write_all(request).unwrap();
    caller.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    caller.read_to_end(&mut answer).unwrap();
    assert_eq!(answer[0], frame::FAILURE);
    String::from_utf8(answer[frame::HEAD_BYTES..].to_vec()).unwrap()
}

#[test]
fn a_backup_comes_out_as_the_store_gave_it() {
    let scrap = TempDir::new().unwrap();
    let path = scrap.path().to_owned();
    let store = |errands| {
        let to = asked(&errands);
        for portion in [Portion::Head(HEAD), Portion::Records(records()), Portion::End] {
            to.blocking_send(portion).unwrap();
        }
    };
    play(scrap.path(), store, move || {
        let mut answer = Call::open(&path).unwrap().unwrap().back_up().unwrap();
        answer.begin().unwrap();
        let mut reader = BackupReader::new(answer, &path).unwrap();
        let mut batch = Batch::default();
        while reader.next(&mut batch).unwrap() {}
        assert_eq!((reader.head(), reader.totals().records), (HEAD, 1));
    });
}

#[test]
fn a_refusal_and_a_store_that_ends_are_told() {
    let scrap = TempDir::new().unwrap();
    let path = scrap.path().to_owned();
    let store = |errands| {
        let refusal = Portion::Refused("another one is under way".to_owned());
        asked(&errands).blocking_send(refusal).unwrap();
        asked(&errands).blocking_send(Portion::Head(HEAD)).unwrap();
    };
    play(scrap.path(), store, move || {
        let mut answer = Call::open(&path).unwrap().unwrap().back_up().unwrap();
        assert!(answer.begin().is_err());
        assert_eq!(answer.refusal(), Some("another one is under way"));
        let mut answer = Call::open(&path).unwrap().unwrap().back_up().unwrap();
        answer.begin().unwrap();
        let mut content = Vec::new();
        answer.read_to_end(&mut content).unwrap_err();
        assert!(answer.refusal().unwrap().contains("has failed or stops"));
        assert_eq!(content.len(), 48);
    });
}

#[test]
fn what_is_no_request_is_refused_in_words() {
    let scrap = TempDir::new().unwrap();
    let path = scrap.path().to_owned();
    play(scrap.path(), drop, move || {
        assert!(raw(&path, b"brew\x1b coffee\n").contains(r#"the request "brew\u{1b} coffee" is not known"#));
        for wrong in [&[b'x'; REQUEST_BYTES_MAX][..], b"backup 1", b"\xff\n", b""] {
            assert!(raw(&path, wrong).contains("one line"));
        }
        assert!(raw(&path, b"backup 1\n").contains("too busy"));
        assert!(raw(&path, b"plan 1 many\n").contains("at most 4194304 bytes"));
        assert!(raw(&path, b"plan 1 4194305\n").contains("at most 4194304 bytes"));
        assert!(raw(&path, b"plan 1 3\nf\n\xff").contains("is no text in UTF-8"));
        assert!(raw(&path, b"plan 1 2\nf\n").contains("the broker is stopping"));
    });
}

#[test]
fn only_the_owner_may_call_and_what_a_dead_broker_left_is_replaced() {
    let scrap = TempDir::new().unwrap();
    let path = scrap.path().to_owned();
    assert!(Call::open(&path).unwrap().is_none());
    drop(std::os::unix::net::UnixListener::bind(path.join(SOCKET)).unwrap());
    assert!(Call::open(&path).unwrap().is_none());
    play(scrap.path(), drop, move || {
        let mode = std::fs::metadata(path.join(SOCKET)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(Call::open(&path).unwrap().is_some());
        assert!(!path.join(SOCKET).with_extension(DRAFT).exists());
    });
}

#[test]
fn a_path_that_is_too_long_leaves_the_broker_without_a_socket() {
    let scrap = TempDir::new().unwrap();
    let long = scrap.path().join("d".repeat(PATH_BYTES_MAX));
    std::fs::create_dir(&long).unwrap();
    let (addr, _errands) = StoreAddr::channel(1);
    System::new().block_on(async {
        assert!(Control::open(&long.join(SOCKET), Some(addr), Operations::of_nobody().await).is_none())
    });
    assert!(Call::open(&long).unwrap().is_none());
    assert_eq!(std::fs::read_dir(&long).unwrap().count(), 0);
}

#[test]
fn what_a_drain_and_an_upgrade_ask_for_is_read_whole_or_not_at_all() {
    let order = request::read_drain("pace=20 to=b.example:1883 stay").expect("an order");
    assert_eq!((order.clients_per_sec, order.for_good), (Some(20), true));
    assert_eq!(order.reference.as_deref(), Some("b.example:1883"));
    assert_eq!(request::read_drain("").expect("all at once").clients_per_sec, None);
    for wrong in ["pace=", "pace=many", "leave", "to"] {
        assert!(request::read_drain(wrong).is_none(), "{wrong}");
    }
    let order = request::read_upgrade("lossy binary=/opt/two words/strowger").expect("an order");
    assert_eq!(order.binary.as_deref(), Some(Path::new("/opt/two words/strowger")));
    assert!(order.lossy);
    assert_eq!(request::read_upgrade("").expect("its own file").binary, None);
    assert!(request::read_upgrade("loss").is_none());
}
