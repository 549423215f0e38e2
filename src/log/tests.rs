use std::io::Read;
use std::sync::Barrier;
use std::time::{Duration, SystemTime};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;

use super::level::{self, Exception, Levels, Subject};
use super::outlet::Waiting;
use super::recent::{self, Recent};

fn exception(subject: Subject, secs: u64) -> Exception {
    Exception {
        subject,
        level: LevelFilter::DEBUG,
        until: SystemTime::now() + Duration::from_secs(secs),
    }
}

fn said() -> Vec<String> {
    let records = recent::records();
    let of_test = records.iter().filter(|record| record.target == "levels-test");
    of_test.map(|record| record.message.clone()).collect()
}

/// Threads that take out exceptions in time.
fn timers() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "log-levels").count()
}

fn until(mut is_so: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it did not come to that within 20 s");
}

/// One test, because the levels are the process's.
#[test]
fn a_level_for_a_client_shows_its_records_and_no_others_for_a_time() {
    let speak = |word: &'static str| {
        tracing::debug!(target: "levels-test", client = %"a", "{word} of a");
        tracing::debug!(target: "levels-test", client = "b", "{word} of b");
        tracing::debug!(target: "levels-test", topic = %"t", "{word} on t");
        tracing::debug!(target: "levels-test", "{word} of nobody");
        tracing::info!(target: "levels-test", "{word}");
    };
    let _log = tracing::subscriber::set_default(registry().with(Levels).with(Recent));
    level::configure("info").unwrap();
    speak("first");
    assert_eq!(said(), ["first"]);

    level::except(vec![exception(Subject::Client("a".to_owned()), 60)]);
    speak("second");
    assert_eq!(said(), ["first", "second of a", "second"]);

    level::except(vec![
        exception(Subject::Topic("t".to_owned()), 60),
        exception(Subject::Client("b".to_owned()), 0),
    ]);
    speak("third");
    assert_eq!(said()[3..], ["third on t", "third"]);

    // One thread takes out what is over, however many were set.
    for number in 0..50 {
        level::except(vec![exception(Subject::Client(number.to_string()), 60 + number)]);
    }
    until(|| timers() == 1);
    level::except(vec![exception(Subject::Client("short".to_owned()), 0)]);
    until(|| level::in_force().1.is_empty() && timers() == 0);

    // Of two who set others at once, the timer follows the one whose are in force.
    for _ in 0..3000 {
        let both = Barrier::new(2);
        let set = |exceptions| {
            both.wait();
            level::except(exceptions);
        };
        std::thread::scope(|scope| {
            scope.spawn(|| set(Vec::new()));
            scope.spawn(|| set(vec![exception(Subject::Client("a".to_owned()), 3600)]));
        });
        let next = level::in_force().1.first().map(|held| held.until);
        assert_eq!(level::awaited(), next);
    }
    level::except(Vec::new());

    level::set("debug").unwrap();
    assert_eq!(level::in_force().0, "debug");
    level::reset();
    speak("fourth");
    assert_eq!(said()[5..], ["fourth"]);
    assert_eq!(level::in_force(), ("info".to_owned(), Vec::new()));
    assert!(level::set("nonsense=loud").is_err());
}

/// A reader that does not read keeps nobody waiting; when it reads again it is told what it missed.
#[test]
fn a_full_pipe_drops_records_and_says_so() {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let mut waiting = Waiting::default();
    let record = [b'x'; 1000];
    for _ in 0..5000 {
        waiting.write(&record, &mut writer, Duration::ZERO);
    }
    let dropped = waiting.dropped();
    assert!((3000..5000).contains(&dropped), "{dropped}");
    let reads = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).map(|_| text)
    });
    while waiting.dropped() > 0 {
        waiting.write(b"!", &mut writer, Duration::from_secs(5));
    }
    drop(writer);
    let text = reads.join().unwrap().unwrap();
    assert!(text.contains("records of the log were dropped"), "{}", text.len());
    assert_eq!(text.matches('x').count() as u64 / 1000 + dropped, 5000);
}

/// A reader that takes a piece now and then does not keep the process from ending.
#[test]
fn the_last_records_have_one_bound_for_all_of_them() {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let mut waiting = Waiting::default();
    for _ in 0..1000 {
        waiting.write(&[b'x'; 1000], &mut writer, Duration::ZERO);
    }
    let left = waiting.waiting();
    assert!(left > 500_000, "{left}");
    // Each piece is taken within the patience, and all of them are not.
    let reads = std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while matches!(reader.read(&mut piece), Ok(1..)) {
            std::thread::sleep(Duration::from_millis(150));
        }
    });
    waiting.write(&[], &mut writer, Duration::from_millis(500));
    assert!(
        waiting.waiting() > 0,
        "it waited for a reader of {} pieces",
        left / 4096
    );
    drop(writer);
    drop(reads);
}
