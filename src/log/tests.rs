use std::io::Read;
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
