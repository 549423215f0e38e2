//! The books of a history: what holds after every step, and what must have come of it at the end.

use broker::counters::Drop;
use broker::exchange::Kind;
use broker::line::Line;
use mqtt_codec::QoS;

use super::{DEVICES, FILTERS, GROUP_FILTER, History};
use crate::sim::device::{Terms, Way};
use crate::sim::ledger::Verdict;
use crate::world::packets;
use crate::world::store::Pace;

impl History {
    pub(super) fn check_books(&self) {
        let counters = self.world.counters();
        let open = |kind: Kind| {
            let kind = kind as usize;
            let stopped: u64 = counters.stopped[kind].iter().sum();
            let ended = counters.finished[kind] + counters.canceled[kind] + stopped;
            counters.started[kind]
                .checked_sub(ended)
                .expect("an exchange ends once")
        };
        assert_eq!(
            open(Kind::Deliver),
            counters.inflight,
            "an open delivery is one in flight"
        );
        assert_eq!((open(Kind::Connect), open(Kind::Ping)), (0, 0));
        let connected = self.devices.iter().filter(|device| device.client.is_some()).count();
        assert_eq!(counters.connected, connected as u64);
        let alive = self.devices.iter().filter(|device| device.life.alive).count();
        assert_eq!(counters.sessions, alive as u64);
        self.check_kept_subscriptions();
    }

    /// What the store has of subscriptions is what the router has, unless one of them has yet to hear of a change.
    fn check_kept_subscriptions(&self) {
        if self.world.hold_routes || self.world.hold_replies || !self.world.store.is_up_to_date() {
            return;
        }
        for device in self.devices.iter().filter(|device| device.life.alive) {
            let Some(kept) = self.world.store.image().session_of(&device.id) else {
                continue;
            };
            for name in FILTERS.iter().chain([&GROUP_FILTER]) {
                let filter = packets::filter(name);
                let is_in_force = |line: &Line| line.has_subscription(&device.id, &filter);
                assert_eq!(
                    kept.subscriptions.contains_key(*name),
                    self.world.lines.iter().any(is_in_force),
                    "{}: {name} as the store has it, and as the router has it",
                    device.id
                );
            }
        }
    }

    /// Messages that were accepted a moment ago are owed to all who were subscribed all the time.
    pub(super) fn settle_accounts(&mut self) {
        for (message, nobody) in std::mem::take(&mut self.ledger.told) {
            let entry = &self.ledger.entries[message];
            for device in &self.devices {
                if !entry.is_shared() && device.is_subscribed_since(entry.topic, entry.first_sent) {
                    assert!(
                        !nobody,
                        "device {} wanted message {message}, of which the broker said nobody did",
                        device.index
                    );
                    if entry.expiry_secs.is_none() {
                        self.ledger.owed.insert((message, device.index, device.life.number));
                    }
                }
            }
        }
    }

    /// Everyone comes back and takes what is due, until nothing is.
    pub(super) fn heal(&mut self) {
        self.note(|| "all comes to rest".to_owned());
        self.world.release_routes();
        self.world.set_pace(Pace::AsAsked);
        for _ in 0..400 {
            let mut busy = false;
            for device in 0..DEVICES {
                if self.devices[device].stalled {
                    self.stall_over(device);
                }
                if self.devices[device].client.is_none() && self.devices[device].life.alive {
                    self.connect(device, false);
                }
                self.devices[device].take_in(&mut self.world);
                busy |= !self.devices[device].inbox.is_empty();
                self.read(device, usize::MAX);
                let model = &self.devices[device];
                busy |= !model.line.answers.is_empty() || !model.life.out.is_empty() || !model.line.requests.is_empty();
                self.answer(device, usize::MAX, Way::Whole);
                self.after_step();
            }
            let counters = self.world.counters();
            if !busy && counters.queued == 0 && counters.open_exchanges() == 0 {
                return;
            }
            // An overseer may have asked some to wait.
            self.world.pass(10);
        }
        panic!("it does not come to rest: {:?}", self.world.counters());
    }

    fn stall_over(&mut self, device: usize) {
        self.devices[device].stalled = false;
        self.world.stall(self.devices[device].client.unwrap(), false);
    }

    pub(super) fn reckon(&mut self) {
        for (message, device, life) in &self.ledger.owed {
            let model = &self.devices[*device];
            let kept = model.life.number != *life || !model.life.alive || model.life.sights.contains_key(message);
            assert!(kept, "message {message} was accepted and never reached device {device}");
        }
        let missed: Vec<usize> = self
            .ledger
            .group_owed()
            .filter(|message| self.group_missed(*message))
            .collect();
        // A session that ends with messages of the group, while the queues of all others are full, leaves them to
        // nobody; that is counted.
        let counted = self.world.counters().dropped[Drop::NoMember as usize] as usize + self.ledger.left_to_nobody;
        assert!(
            missed.is_empty() || self.small_queues && missed.len() <= counted,
            "{missed:?} never reached the group"
        );
        for (message, entry) in self.ledger.entries.iter().enumerate() {
            let seen = self.ledger.seen.get(&message).copied().unwrap_or(0);
            let refused = entry.verdict == Verdict::Refused && entry.attempts == 1;
            assert!(!refused || seen == 0, "message {message} was refused and delivered");
            let fresh: u32 = self
                .devices
                .iter()
                .filter_map(|device| device.life.sights.get(&message))
                .map(|s| s.any)
                .sum();
            let once = entry.is_shared()
                && (entry.qos == QoS::AtMostOnce || entry.qos.min(self.group_qos) == QoS::ExactlyOnce);
            assert!(
                !once || fresh <= entry.routings_unkept_max(),
                "message {message} reached the group {fresh} times"
            );
        }
        self.check_retained();
        let counters = self.world.counters();
        assert_eq!(counters.open_exchanges(), 0, "{counters:?}");
        for device in &self.devices {
            assert!(
                device.life.unreleased.is_empty() && device.life.out.is_empty(),
                "device {}",
                device.index
            );
            assert!(
                device.line.requests.is_empty(),
                "device {} waits for {:?}",
                device.index,
                device.line.requests
            );
        }
    }

    fn group_missed(&self, message: usize) -> bool {
        let qos = self.ledger.entries[message].qos;
        // A QoS 2 message that was sent to a member is lost with its session: [MQTT-4.8.2-5] in 5.0.
        let exactly = qos.min(self.group_qos) == QoS::ExactlyOnce;
        qos != QoS::AtMostOnce && !exactly && !self.ledger.group_done.contains(&message)
    }

    /// All sessions end, and nothing of them stays.
    pub(super) fn leave(&mut self) {
        for device in 0..DEVICES {
            if self.devices[device].client.is_some() {
                self.devices[device].lost(self.world.now);
            }
            let terms = Terms {
                clean: true,
                expiry_secs: 0,
                window: usize::from(u16::MAX),
                aliases: 0,
            };
            let model = &mut self.devices[device];
            let client = self
                .world
                .client(&model.id)
                .version(model.version)
                .clean(terms.clean)
                .connect();
            self.world.drop_connection(client);
        }
        let counters = self.world.counters();
        let left = (
            counters.sessions,
            counters.connected,
            counters.queued,
            counters.inflight,
            counters.open_exchanges(),
        );
        assert_eq!(left, (0, 0, 0, 0, 0));
        let image = self.world.store.image();
        assert!(image.is_bare(), "of sessions that ended: {image:?}");
        assert_eq!(self.world.tables.router.borrow().subscription_count(), 0);
        self.world.pass(100 * 24 * 3_600_000);
        assert!(
            self.world.lines.iter().all(|line| line.next_deadline().is_none()),
            "a timer without a session"
        );
    }
}
