//! One random history: devices and a broker, losses of connection at any moment, and the reckoning at the end.

use broker::durable::Durability;
use broker::effect::Cause;
use broker::limits::{Limits, QueueFull};
use mqtt_codec::{Packet, QoS, Version};

use brief::brief;

use super::device::{Device, Terms, Way};
use super::dice::Dice;
use super::ledger::Ledger;
use super::moody::Moody;
use crate::world::{Config, World};

mod brief;
mod crash;
mod reckon;

const DEVICES: usize = 7;
/// Devices from here on are members of the shared group and subscribe to nothing else.
const MEMBERS_FROM: usize = 5;
/// Subscribes to nothing.
const PUBLISHER: usize = 0;
const ACTIONS: usize = 90;
const TOPICS: [&str; 5] = ["tank/a", "tank/b", "pump/a", "job/1", "job/2"];
const FILTERS: [&str; 4] = ["tank/+", "tank/a", "+/a", "pump/#"];
/// Nobody subscribes to it; the publisher's messages are retained.
const RETAINED_TOPIC: &str = "state/now";
const GROUP_FILTER: &str = "$share/crew/job/#";
const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

pub struct History {
    seed: u64,
    dice: Dice,
    pub world: World,
    ledger: Ledger,
    devices: Vec<Device>,
    group_qos: QoS,
    small_queues: bool,
    /// The broker has a store, and ends now and then.
    keeps: bool,
    /// Since the broker's start the group had a member whose session ends with its connection.
    fleeting_members: bool,
    /// Tells each step.
    replays: bool,
}

impl std::ops::Drop for History {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "replay it: STROWGER_TEST_SEED={} cargo test -p strowger-broker --test sim",
                self.seed
            );
        }
    }
}

impl History {
    /// `replays`: with every step told on stderr.
    pub fn new(seed: u64, replays: bool) -> Self {
        Self::of(seed, replays, false)
    }

    /// The same with a broker that ends now and then, and a store.
    pub fn keeping(seed: u64, replays: bool) -> Self {
        Self::of(seed, replays, true)
    }

    fn of(seed: u64, replays: bool, keeps: bool) -> Self {
        let mut dice = Dice::new(seed);
        let small_queues = dice.percent(25);
        let mut config = Config {
            lines: dice.pick(&[1, 2, 2, 3]),
            ..Config::default()
        };
        set_limits(&mut config.limits, &mut dice, small_queues);
        if keeps {
            config.limits.durability = Durability::Disk;
            config.limits.queue_memory_messages = dice.pick(&[1, 2, 3, 1000]);
        }
        if dice.percent(25) {
            config.overseer = || Box::new(Moody::default());
        }
        let versions = [Version::V31, Version::V311, Version::V5, Version::V5];
        let mut devices: Vec<Device> = (0..DEVICES)
            .map(|index| Device::new(index, dice.pick(&versions)))
            .collect();
        if keeps && small_queues {
            // In 3.x a refusal ends the connection, and with it the acknowledgements that wait for the store: what was
            // taken is sent again and fills the queue again.
            devices[PUBLISHER].version = Version::V5;
        }
        let group_qos = dice.pick(&QOS[1..]);
        let world = World::with(config);
        Self {
            seed,
            dice,
            world,
            ledger: Ledger {
                refuses: small_queues,
                ..Ledger::default()
            },
            devices,
            group_qos,
            small_queues,
            keeps,
            fleeting_members: false,
            replays,
        }
    }

    /// Lives through the history and holds it against the promises.
    pub fn run(&mut self) {
        for device in 0..DEVICES {
            self.connect(device, false);
            if device == PUBLISHER {
                continue;
            }
            let filter = if device >= MEMBERS_FROM {
                GROUP_FILTER
            } else {
                FILTERS[device % FILTERS.len()]
            };
            let qos = if device >= MEMBERS_FROM {
                self.group_qos
            } else {
                self.dice.pick(&QOS[1..])
            };
            self.devices[device].request(&mut self.world, filter, Some(qos));
            self.after_step();
        }
        for _ in 0..ACTIONS {
            self.act();
            self.after_step();
        }
        self.heal();
        self.reckon();
        self.leave();
    }

    fn note(&mut self, words: impl FnOnce() -> String) {
        if self.replays {
            eprintln!("{:4} {} ms: {}", self.ledger.now, self.world.now.0, words());
        }
    }

    fn act(&mut self) {
        if self.keeps {
            match self.dice.below(100) {
                0..4 => return self.crash(),
                4..14 => return self.hold_or_commit(),
                _ => {}
            }
        }
        let device = self.dice.below(DEVICES);
        let connected = self.devices[device].client.is_some();
        match self.dice.below(100) {
            0..25 if connected => self.publish(device),
            25..50 if connected => self.read_and_answer(device),
            50..60 => {
                // Everyone looks at what came, so that most conversations end.
                for device in 0..DEVICES {
                    self.read(device, usize::MAX);
                    self.answer(device, usize::MAX, Way::Whole);
                }
            }
            60..68 if connected => self.lose(device),
            68..71 if connected => self.disconnect(device),
            71..74 => {
                let clean = self.dice.percent(15);
                self.connect(device, clean);
            }
            74..80 if connected && device != PUBLISHER => self.resubscribe(device),
            80..85 if connected => self.stall(device),
            85..90 => self.hold_or_release(),
            90..95 => self.pass(),
            _ if !connected => {
                let clean = self.dice.percent(10);
                self.connect(device, clean);
            }
            _ => self.read(device, usize::MAX),
        }
    }

    fn connect(&mut self, device: usize, clean: bool) {
        self.with_a_store_awake(|history| history.connect_awake(device, clean));
    }

    fn connect_awake(&mut self, device: usize, clean: bool) {
        let now = self.world.now;
        let model = &mut self.devices[device];
        let old = model.client;
        let wide = model.version == Version::V5;
        let expiry_secs = match (wide, clean) {
            (true, _) => self.dice.pick(&[0, 30, 3600, 3600, 3600]),
            (false, true) => 0,
            (false, false) => self.world.lines[0].limits().expiry_secs_max,
        };
        let v3_window = usize::from(self.world.lines[0].limits().inflight_max_v3);
        let window = if wide {
            self.dice.pick(&[1, 2, 3, 20, usize::from(u16::MAX)])
        } else {
            v3_window
        };
        let terms = Terms {
            clean,
            expiry_secs,
            window,
            aliases: self.dice.pick(&[0, 0, 2]),
        };
        self.fleeting_members |= device >= MEMBERS_FROM && expiry_secs == 0;
        if old.is_some() {
            // What the client has not read by then is lost with the old connection.
            model.lost(now);
        }
        model.connect(&mut self.world, &mut self.ledger, terms);
        let life = model.life.number;
        self.note(|| {
            format!(
                "{device} connects (session {life}, takes over: {}), {terms:?}",
                old.is_some()
            )
        });
        if let Some(old) = old {
            assert_eq!(
                self.world.cause(old),
                Some(Cause::TakenOver),
                "one connection for each client"
            );
        }
    }

    fn publish(&mut self, device: usize) {
        let receive_max = usize::from(self.world.lines[0].limits().receive_max);
        let mut messages = Vec::new();
        // A receiver of 3.x that is full and sends a refused message again would be cut off before it has acknowledged
        // what fills it, again and again.
        let only_asks = self.small_queues && device != PUBLISHER && self.devices[device].version != Version::V5;
        for _ in 0..self.dice.pick(&[1, 1, 1, 2, 5]) {
            if self.devices[device].life.out.len() + messages.len() >= receive_max {
                break;
            }
            let retains = self.keeps && device == PUBLISHER && self.dice.percent(25);
            let topic = if retains {
                RETAINED_TOPIC
            } else {
                self.dice.pick(&TOPICS)
            };
            let qos = if retains {
                // One and the same: what is sent again at QoS 1 is published again, at QoS 2 it is not.
                self.group_qos
            } else if only_asks {
                QOS[0]
            } else {
                self.dice.pick(&[QOS[0], QOS[1], QOS[1], QOS[2], QOS[2]])
            };
            let wide = self.devices[device].version == Version::V5;
            let expiry_secs = (wide && !retains && self.dice.percent(10)).then_some(20);
            messages.push(self.ledger.enter(device, topic, qos, expiry_secs));
        }
        let way = self.way();
        self.note(|| format!("{device} publishes {messages:?}, {way:?}"));
        self.devices[device].publish(&mut self.world, &self.ledger, &messages, way);
        for message in messages {
            let entry = self.ledger.entries[message].clone();
            self.note(|| format!("     {message}: {} at {:?}", entry.topic, entry.qos));
        }
        self.cut(device, way);
    }

    fn way(&mut self) -> Way {
        let percent = self.dice.below(100);
        match self.dice.below(10) {
            0 => Way::Cut(percent),
            1 | 2 => Way::Pieces(percent),
            _ => Way::Whole,
        }
    }

    fn cut(&mut self, device: usize, way: Way) {
        if matches!(way, Way::Cut(_)) && self.devices[device].client.is_some() {
            self.lose(device);
        }
    }

    fn read(&mut self, device: usize, count: usize) {
        if !self.devices[device].stalled {
            self.devices[device].take_in(&mut self.world);
        }
        let waiting = self.devices[device].inbox.len();
        if waiting > 0 && count > 0 {
            let packets: Vec<String> = self.devices[device].inbox.iter().take(count).map(brief).collect();
            self.note(|| format!("{device} reads {}", packets.join(" ")));
        }
        self.devices[device].read(&mut self.ledger, count);
    }

    fn answer(&mut self, device: usize, count: usize, way: Way) {
        let packets: Vec<String> = self.devices[device]
            .line
            .answers
            .iter()
            .take(count)
            .map(brief)
            .collect();
        if !packets.is_empty() {
            self.note(|| format!("{device} answers {}, {way:?}", packets.join(" ")));
        }
        self.devices[device].answer(&mut self.world, &mut self.ledger, count, way);
    }

    fn read_and_answer(&mut self, device: usize) {
        let (reads, answers) = (
            self.dice.pick(&[1, 2, usize::MAX]),
            self.dice.pick(&[0, 1, 2, usize::MAX]),
        );
        self.read(device, reads);
        let way = self.way();
        self.answer(device, answers, way);
        self.cut(device, way);
    }

    /// The connection breaks; of what the broker has sent, the client sees a part.
    fn lose(&mut self, device: usize) {
        let seen = self.dice.below(self.devices[device].inbox.len() + 1);
        self.read(device, seen);
        self.note(|| format!("{device} is lost"));
        let client = self.devices[device].client.unwrap();
        self.world.drop_connection(client);
        self.devices[device].lost(self.world.now);
    }

    fn disconnect(&mut self, device: usize) {
        self.note(|| format!("{device} disconnects"));
        let goodbye = Packet::Disconnect(mqtt_codec::Disconnect::new(
            mqtt_codec::DisconnectReason::NormalDisconnection,
        ));
        self.devices[device].transmit(&mut self.world, &[goodbye], Way::Whole);
        // The broker may not have read it: then the end of the transport is all that it sees.
        self.world.drop_connection(self.devices[device].client.unwrap());
        self.devices[device].lost(self.world.now);
    }

    fn resubscribe(&mut self, device: usize) {
        let member = device >= MEMBERS_FROM;
        let filter = if member { GROUP_FILTER } else { self.dice.pick(&FILTERS) };
        let qos = if member { self.group_qos } else { self.dice.pick(&QOS) };
        let qos = self.dice.percent(60).then_some(qos);
        self.note(|| format!("{device} asks for {filter} at {qos:?}"));
        self.devices[device].request(&mut self.world, filter, qos);
    }

    fn stall(&mut self, device: usize) {
        let stalled = self.devices[device].stalled;
        let client = self.devices[device].client.unwrap();
        self.devices[device].take_in(&mut self.world);
        if stalled && self.dice.percent(50) {
            let bytes = self.dice.below(60);
            self.note(|| format!("{device} sips {bytes} bytes"));
            self.world.sip(client, bytes);
            self.devices[device].take_in(&mut self.world);
            return;
        }
        self.note(|| format!("{device} stalls: {}", !stalled));
        self.devices[device].stalled = !stalled;
        self.world.stall(client, !stalled);
    }

    fn hold_or_release(&mut self) {
        if self.world.hold_routes || self.world.hold_replies {
            self.note(|| "the router goes on".to_owned());
            self.world.release_routes();
        } else if self.dice.percent(50) {
            self.note(|| "the router waits".to_owned());
            self.world.hold_routes = true;
        } else {
            self.note(|| "the answers of the router wait".to_owned());
            self.world.hold_replies = true;
        }
    }

    fn pass(&mut self) {
        let millis = self.dice.pick(&[1, 50, 1000, 15_000, 40_000]);
        self.note(|| format!("{millis} ms pass"));
        if millis < 1000 {
            self.world.pass(millis);
        } else {
            // No store lags behind for as long as that.
            self.with_a_store_awake(|history| history.world.pass(millis));
        }
        self.devices.iter_mut().for_each(|device| device.age(self.world.now));
    }

    /// What holds after every step.
    fn after_step(&mut self) {
        self.ledger.now += 1;
        for device in 0..DEVICES {
            let Some(client) = self.devices[device].client else {
                continue;
            };
            let model = &mut self.devices[device];
            if !self.world.is_connected(client) {
                // The broker may end a connection for lack of room, and for nothing else: the clients keep the rules.
                let cause = self.world.cause(client).unwrap();
                let fair = matches!(cause, Cause::QueueFull | Cause::Refused(_)) && self.small_queues;
                assert!(fair, "device {device} was cut off: {cause}");
                self.note(|| format!("{device} is cut off: {cause}"));
                if !self.devices[device].stalled {
                    self.read(device, usize::MAX);
                }
                // It may have happened while time passed.
                let lasted = self.world.connections[client.0].closed.as_ref().unwrap().lasted_millis;
                let cut_at = self.devices[device].line.opened_at.plus(lasted);
                self.devices[device].lost(cut_at);
                self.devices[device].age(self.world.now);
                continue;
            }
            if self.world.is_read(client) {
                model.line.unread.clear();
            }
            for message in &model.line.unread {
                self.ledger.entries[*message].last_sent = self.ledger.now;
            }
        }
        // Only now: what one of them was told may concern another whose session ended in the same step.
        self.settle_accounts();
        let steady = |device: &Device| device.is_subscribed_since(TOPICS[3], self.ledger.now);
        if !self.devices.iter().any(steady) {
            self.ledger.group_broken = self.ledger.now;
        }
        self.check_books();
    }
}

fn set_limits(limits: &mut Limits, dice: &mut Dice, small_queues: bool) {
    limits.receive_max = dice.pick(&[1, 4, 20]);
    limits.inflight_max_v3 = dice.pick(&[1, 3, 1000]);
    limits.route_requests_max = dice.pick(&[1, 2, 64]);
    limits.out_bytes_max = dice.pick(&[100, 4000, 1 << 20]);
    limits.cached_topics_max = dice.pick(&[2, 1000]);
    limits.keep_alive_secs_max = u16::MAX;
    limits.queue_full = QueueFull::Refuse;
    if small_queues {
        limits.queue_messages_max = 3;
    }
}
