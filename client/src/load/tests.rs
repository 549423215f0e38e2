//! A broker that loses, repeats, swaps, refuses, leaves or sleeps must not get away with it: whole runs against
//! forwarders with one flaw each.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::clock::Clock;
use super::*;

mod durable;

/// What a forwarder does with one message.
#[derive(Clone, Copy)]
enum Fate {
    Forward,
    Lose,
    Repeat,
    /// Hold it until the next has been forwarded.
    Overtake,
    /// Acknowledge it with this code and forget it.
    Refuse(u8),
    /// Forward it and acknowledge it so many times.
    Acknowledge(usize),
    /// Forward it at QoS 0.
    Downgrade,
    /// Forward it and everything after it this much later.
    Delay(Duration),
    /// Forward it and acknowledge it this much later.
    AcknowledgeLate(Duration),
    /// End the publisher's connection.
    Leave,
}

#[derive(Clone)]
struct Forwarder {
    version: Version,
    /// The code of every CONNACK.
    greeting: u8,
    /// By the message's number, from 1.
    fate: fn(u64) -> Fate,
    subscriber: Arc<Mutex<Option<TcpStream>>>,
    logins: Arc<Mutex<Vec<Login>>>,
}

/// Who connected, and whether the session began empty.
type Login = (Vec<u8>, bool);

impl Forwarder {
    /// A target that forwards every QoS 1 PUBLISH at QoS 1 to its one subscriber, as the fates have it.
    fn listen(version: Version, greeting: u8, fate: fn(u64) -> Fate) -> Target {
        Self::listen_and_note(version, greeting, fate).0
    }

    /// The same, with all who connect.
    fn listen_and_note(version: Version, greeting: u8, fate: fn(u64) -> Fate) -> (Target, Arc<Mutex<Vec<Login>>>) {
        let logins = Arc::default();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = Target::at(listener.local_addr().unwrap());
        let forwarder = Self {
            version,
            greeting,
            fate,
            subscriber: Arc::default(),
            logins: Arc::clone(&logins),
        };
        thread::spawn(move || {
            for client in listener.incoming() {
                let forwarder = forwarder.clone();
                thread::spawn(move || forwarder.serve(client.unwrap()));
            }
        });
        (target, logins)
    }

    /// Every packet of these tests is shorter than 128 bytes, so the remaining length is one byte.
    fn serve(&self, mut client: TcpStream) {
        let (mut published, mut held, mut head) = (0, Vec::new(), [0; 2]);
        let properties: &[u8] = if self.version == Version::V5 { &[0] } else { &[] };
        while client.read_exact(&mut head).is_ok() {
            let mut body = vec![0; usize::from(head[1])];
            client.read_exact(&mut body).unwrap();
            let packet = [head.as_slice(), &body].concat();
            match head[0] >> 4 {
                1 => {
                    // Behind protocol name, level, flags, keep alive and the properties of 5.0 stands the client id.
                    let id = 10
                        + if self.version == Version::V5 {
                            1 + usize::from(body[10])
                        } else {
                            0
                        };
                    self.logins
                        .lock()
                        .unwrap()
                        .push((body[id + 2..].to_vec(), body[7] & 2 != 0));
                    answer(&mut client, 0x20, &[&[0, self.greeting], properties]);
                    if self.greeting != 0 {
                        return;
                    }
                }
                8 => {
                    *self.subscriber.lock().unwrap() = Some(client.try_clone().unwrap());
                    answer(&mut client, 0x90, &[&body[..2], properties, &[1]]);
                }
                3 => {
                    published += 1;
                    let topic_bytes = usize::from(body[1]);
                    let id = &body[2 + topic_bytes..][..2];
                    match (self.fate)(published) {
                        Fate::Forward => {
                            self.forward(&packet);
                            self.forward(&std::mem::take(&mut held));
                        }
                        Fate::Delay(delay) => {
                            thread::sleep(delay);
                            self.forward(&packet);
                        }
                        Fate::AcknowledgeLate(delay) => {
                            self.forward(&packet);
                            thread::sleep(delay);
                        }
                        Fate::Acknowledge(times) => {
                            self.forward(&packet);
                            (0..times).for_each(|_| answer(&mut client, 0x40, &[id]));
                            continue;
                        }
                        Fate::Downgrade => {
                            let (before, after) = packet[2..].split_at(2 + topic_bytes);
                            let head = [0x30, packet[1] - 2];
                            self.forward(&[head.as_slice(), before, &after[2..]].concat());
                        }
                        Fate::Lose => {}
                        Fate::Repeat => self.forward(&packet.repeat(2)),
                        Fate::Overtake => held = packet,
                        Fate::Refuse(code) => {
                            answer(&mut client, 0x40, &[id, &[code]]);
                            continue;
                        }
                        Fate::Leave => return,
                    }
                    answer(&mut client, 0x40, &[id]);
                }
                _ => {}
            }
        }
    }

    fn forward(&self, packets: &[u8]) {
        // The subscriber may have left at the end of a run.
        let _ = self.subscriber.lock().unwrap().as_mut().unwrap().write_all(packets);
    }
}

fn answer(client: &mut TcpStream, kind: u8, parts: &[&[u8]]) {
    let body = parts.concat();
    let packet = [&[kind, u8::try_from(body.len()).unwrap()], body.as_slice()].concat();
    let _ = client.write_all(&packet);
}

fn plan(version: Version) -> Plan {
    Plan {
        version,
        qos: Qos::AtLeastOnce,
        publishers: 1,
        subscribers: 1,
        pace: Pace::Window(8),
        until: Until::Count(100),
        warm_up: Duration::ZERO,
        patience: Duration::from_secs(1),
        ..Plan::of(Scenario::P2p)
    }
}

fn outcome(version: Version, fate: fn(u64) -> Fate) -> Outcome {
    run(&Forwarder::listen(version, 0, fate), &plan(version), &Quiet).unwrap()
}

#[test]
fn a_faithful_forwarder_gives_a_whole_run() {
    for version in [Version::V311, Version::V5] {
        let outcome = outcome(version, |_| Fate::Forward);
        assert!(outcome.is_whole(), "{outcome:?}");
        assert_eq!(
            outcome.counts,
            Counts {
                sent: 100,
                acknowledged: 100,
                expected: 100,
                received: 100,
                ..Counts::default()
            }
        );
        assert_eq!(outcome.measured.delivered, 100);
        assert_eq!(outcome.latency.unwrap().count, 100);
        assert!(!outcome.timeline.is_empty());
    }
}

#[test]
fn a_lost_message_is_counted() {
    for lost in [
        |number| if number == 10 { Fate::Lose } else { Fate::Forward },
        |number| {
            // The last one leaves no gap behind it.
            if number == 100 { Fate::Lose } else { Fate::Forward }
        },
    ] {
        let outcome = outcome(Version::V5, lost);
        assert_eq!(outcome.ending, Ending::Lost);
        assert_eq!((outcome.counts.lost, outcome.counts.received), (1, 99), "{outcome:?}");
    }
}

#[test]
fn a_repeated_message_is_counted_and_covers_no_loss() {
    let outcome = outcome(Version::V311, |number| match number {
        10 => Fate::Repeat,
        20 => Fate::Lose,
        _ => Fate::Forward,
    });
    assert_eq!(outcome.ending, Ending::Lost);
    assert_eq!((outcome.counts.duplicated, outcome.counts.lost), (1, 1), "{outcome:?}");
}

#[test]
fn a_message_that_was_overtaken_is_counted_and_not_lost() {
    let outcome = outcome(
        Version::V311,
        |number| {
            if number == 10 { Fate::Overtake } else { Fate::Forward }
        },
    );
    assert_eq!(outcome.ending, Ending::Lost);
    let counts = outcome.counts;
    assert_eq!(
        (counts.out_of_order, counts.lost, counts.duplicated),
        (1, 0, 0),
        "{counts:?}"
    );
}

#[test]
fn a_refused_message_is_counted_and_not_lost() {
    let outcome = outcome(Version::V5, |number| {
        if number == 10 {
            Fate::Refuse(0x97)
        } else {
            Fate::Forward
        }
    });
    assert_eq!(outcome.ending, Ending::Lost);
    let counts = outcome.counts;
    assert_eq!(
        (counts.refused, counts.acknowledged, counts.lost),
        (1, 99, 0),
        "{counts:?}"
    );
}

#[test]
fn an_acknowledgement_that_comes_twice_covers_no_missing_one() {
    let outcome = outcome(Version::V311, |number| match number {
        99 => Fate::Acknowledge(2),
        100 => Fate::Acknowledge(0),
        _ => Fate::Forward,
    });
    assert_eq!(outcome.ending, Ending::Lost);
    let counts = outcome.counts;
    assert_eq!(
        (counts.acknowledged, counts.stray, counts.lost),
        (99, 1, 0),
        "{counts:?}"
    );
}

#[test]
fn a_delivery_with_another_qos_is_counted_and_not_lost() {
    for version in [Version::V311, Version::V5] {
        let outcome = outcome(
            version,
            |number| {
                if number == 10 { Fate::Downgrade } else { Fate::Forward }
            },
        );
        assert_eq!(outcome.ending, Ending::Lost);
        let counts = outcome.counts;
        assert_eq!((counts.received, counts.stray), (100, 1), "{counts:?}");
    }
}

#[test]
fn a_pause_between_messages_by_the_clock_is_no_silence() {
    for until in [Until::Count(3), Until::Time(Duration::from_millis(1_300))] {
        let plan = Plan {
            pace: Pace::Rate(2.0),
            until,
            patience: Duration::from_millis(400),
            ..plan(Version::V311)
        };
        let outcome = run(&Forwarder::listen(Version::V311, 0, |_| Fate::Forward), &plan, &Quiet);
        let outcome = outcome.unwrap();
        assert!(outcome.is_whole(), "{outcome:?}");
        assert_eq!(outcome.counts.received, 3);
    }
}

#[test]
fn a_freeze_over_the_end_of_the_measured_part_shows_in_its_latencies() {
    let target = Forwarder::listen(Version::V311, 0, |number| {
        if number == 25 {
            Fate::Delay(Duration::from_millis(600))
        } else {
            Fate::Forward
        }
    });
    let plan = Plan {
        pace: Pace::Rate(100.0),
        until: Until::Time(Duration::from_millis(300)),
        ..plan(Version::V311)
    };
    let outcome = run(&target, &plan, &Quiet).unwrap();
    assert!(outcome.is_whole(), "{outcome:?}");
    let latency = outcome.latency.unwrap();
    assert!(latency.max_us > 500_000.0, "{latency:?}");
    // The first may have arrived before the part began.
    assert!(latency.count + 3 > outcome.counts.received, "{latency:?}");
}

#[test]
fn a_run_that_does_not_come_to_its_end_is_broken() {
    let outcome = outcome(
        Version::V311,
        |number| if number < 50 { Fate::Forward } else { Fate::Lose },
    );
    let Ending::Broken { reason, .. } = &outcome.ending else {
        panic!("{outcome:?}")
    };
    assert!(
        reason.contains(" of 100 messages were sent when nothing had come for 1 s"),
        "{reason}"
    );
}

#[test]
fn a_broker_that_leaves_breaks_the_run_at_once() {
    let start = Clock::start();
    let outcome = outcome(
        Version::V311,
        |number| if number == 50 { Fate::Leave } else { Fate::Forward },
    );
    let Ending::Broken { reason, after_ms } = &outcome.ending else {
        panic!("{outcome:?}")
    };
    assert!(reason.starts_with("publisher 0 ("), "{reason}");
    assert!(
        *after_ms < 500.0 && start.elapsed() < Duration::from_secs(1),
        "{after_ms}"
    );
    assert_eq!((outcome.counts.connections_lost, outcome.counts.received), (1, 49));
}

#[test]
fn a_broker_that_falls_silent_breaks_the_run_when_patience_ends() {
    let target = Forwarder::listen(
        Version::V311,
        0,
        |number| if number < 50 { Fate::Forward } else { Fate::Lose },
    );
    let plan = Plan {
        until: Until::Time(Duration::from_secs(60)),
        ..plan(Version::V311)
    };
    let start = Clock::start();
    let silent = run(&target, &plan, &Quiet).unwrap();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(!silent.is_whole(), "{silent:?}");
    assert_eq!(silent.counts.received, 49);
    assert_eq!(silent.counts.lost, silent.counts.sent - 49);
}

#[test]
fn a_refused_connection_is_no_outcome() {
    let target = Forwarder::listen(Version::V5, 0x87, |_| Fate::Forward);
    let failure = run(&target, &plan(Version::V5), &Quiet).unwrap_err().to_string();
    assert!(
        failure.contains("refused the CONNECT of client ") && failure.contains("code 0x87"),
        "{failure}"
    );
}

#[test]
fn nobody_listening_is_no_outcome() {
    let target = Target::at(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let failure = run(&target, &plan(Version::V5), &Quiet).unwrap_err().to_string();
    assert!(failure.starts_with("cannot connect to 127.0.0.1:"), "{failure}");
}

#[test]
fn a_broker_that_does_not_answer_is_no_outcome() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = Target::at(listener.local_addr().unwrap());
    let plan = Plan {
        patience: Duration::from_millis(300),
        ..plan(Version::V5)
    };
    let failure = run(&target, &plan, &Quiet).unwrap_err().to_string();
    assert!(
        failure.contains("answered 0 of 2 connections when it fell silent for 0.3 s"),
        "{failure}"
    );
}

#[test]
fn several_threads_share_a_run() {
    struct Seen(Mutex<Vec<String>>);
    impl Watch for Seen {
        fn on_moment(&self, moment: &Moment) {
            self.0.lock().unwrap().push(moment.phase.to_string());
        }
    }
    let target = Forwarder::listen(Version::V311, 0, |_| Fate::Forward);
    let (plan, seen) = (
        Plan {
            threads: 3,
            ..plan(Version::V311)
        },
        Seen(Mutex::default()),
    );
    let outcome = run(&target, &plan, &seen).unwrap();
    assert!(outcome.is_whole(), "{outcome:?}");
    let mut phases = seen.0.into_inner().unwrap();
    phases.dedup();
    let wanted = ["connecting", "subscribing", "warming up", "measuring", "draining"];
    assert!(
        phases.iter().all(|phase| wanted.contains(&phase.as_str())),
        "{phases:?}"
    );
    assert!(phases.len() >= 4, "{phases:?}");
}
