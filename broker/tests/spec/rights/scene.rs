//! One cell of the table: a spy, the chief who may do everything, and a secret on its way.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "each step of the play is about a few of the paths"
)]

use std::collections::HashSet;

use broker::durable::Durability;
use broker::exchange::phase::Running;
use broker::exchange::{Ask, Ended, Exchange, Overseer, Request, Verdict};
use broker::line::home_line;
use mqtt_codec::{
    ClientId, Packet, Publish, PublishProperties, QoS, RetainHandling, SubscribeFilter, TopicName, Version, Will,
};

use crate::world::packets::{filter, publish, publish_as, subscribe, topic};
use crate::world::store::Survive;
use crate::world::{Client, Config, World, secs};

const SECRET: &str = "secret/x/0";
const TOPICS: u16 = 6;
const ALLOWING: &str = "user chief\nallow all #\nuser spy\nallow all #\n";
const DENYING: &str = "user chief\nallow all #\nuser spy\ndeny all secret/x/#\nallow all #\n";

/// How a message comes to the spy, or from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    Live,
    /// The broker's own message.
    State,
    Retained,
    /// Some of the retained messages were sent, the others wait for the window.
    RetainedHalfway,
    Queued,
    /// The rest of the queue is in the store.
    QueuedBeyondMemory,
    /// It was sent, and is not acknowledged.
    Resent,
    Shared,
    SharedQueued,
    SharedResent,
    /// The broker ended while it waited.
    Restarted,
    Publish,
    PublishRetained,
    PublishByAlias,
    /// The overseer let it wait.
    PublishHeld,
    Will,
    WillDelayed,
    WillRetained,
    WillAtTakeover,
    WillAtDrain,
    WillAfterRestart,
}

impl Path {
    pub const ALL: [Self; 21] = [
        Self::Live,
        Self::State,
        Self::Retained,
        Self::RetainedHalfway,
        Self::Queued,
        Self::QueuedBeyondMemory,
        Self::Resent,
        Self::Shared,
        Self::SharedQueued,
        Self::SharedResent,
        Self::Restarted,
        Self::Publish,
        Self::PublishRetained,
        Self::PublishByAlias,
        Self::PublishHeld,
        Self::Will,
        Self::WillDelayed,
        Self::WillRetained,
        Self::WillAtTakeover,
        Self::WillAtDrain,
        Self::WillAfterRestart,
    ];

    fn is_will(self) -> bool {
        matches!(
            self,
            Self::Will
                | Self::WillDelayed
                | Self::WillRetained
                | Self::WillAtTakeover
                | Self::WillAtDrain
                | Self::WillAfterRestart
        )
    }

    fn is_publish(self) -> bool {
        matches!(
            self,
            Self::Publish | Self::PublishRetained | Self::PublishByAlias | Self::PublishHeld
        )
    }
}

/// What becomes of the spy's right to the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Allow,
    Deny,
    RevokedConnected,
    RevokedAway,
}

impl Change {
    pub const ALL: [Self; 4] = [Self::Allow, Self::Deny, Self::RevokedConnected, Self::RevokedAway];
}

/// What the spy's filter has of what is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing else: the subscription itself is refused or taken.
    Exact,
    /// More: the subscription stays, and each delivery is judged.
    Wide,
}

#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub path: Path,
    pub change: Change,
    pub reach: Reach,
    pub version: Version,
    pub qos: QoS,
    /// Spy and chief live on different lines.
    pub is_far: bool,
}

impl Cell {
    /// Whether there is such a thing.
    pub fn exists(&self) -> bool {
        let waits = matches!(
            self.path,
            Path::RetainedHalfway
                | Path::Queued
                | Path::QueuedBeyondMemory
                | Path::Resent
                | Path::SharedQueued
                | Path::SharedResent
                | Path::Restarted
                | Path::WillAfterRestart
        );
        let is_away = self.change == Change::RevokedAway;
        let can_be_away = match self.path {
            Path::PublishByAlias | Path::PublishHeld => !is_away,
            // Its message is out with the connection.
            Path::Will | Path::WillRetained | Path::WillAtTakeover | Path::WillAtDrain => !is_away,
            // A broker that has ended has no connections.
            Path::Restarted | Path::WillAfterRestart => self.change != Change::RevokedConnected,
            _ => true,
        };
        let needs_v5 = matches!(self.path, Path::PublishByAlias | Path::WillDelayed);
        // A filter says nothing of what the spy itself publishes.
        let has_reach = !(self.path.is_publish() || self.path.is_will()) || self.reach == Reach::Exact;
        (self.qos != QoS::AtMostOnce || !waits)
            && (self.qos == QoS::AtMostOnce || self.path != Path::State)
            && (self.qos == QoS::AtLeastOnce || self.path != Path::SharedResent)
            && (self.version == Version::V5 || !needs_v5)
            && can_be_away
            && has_reach
    }
}

/// Lets each message wait once.
#[derive(Default)]
struct Slow {
    known: HashSet<String>,
}

impl Overseer for Slow {
    fn on_running(&mut self, _: &Exchange<Running>, request: &Request<'_>) -> Verdict {
        match request.ask {
            Ask::Publish(publish) if self.known.insert(publish.topic.to_string()) => Verdict::Block(500),
            _ => Verdict::Proceed,
        }
    }

    fn on_ended(&mut self, _: &Ended) {}
}

pub struct Scene {
    world: World,
    cell: Cell,
    chief: Client,
    spy: Client,
    spy_id: String,
    /// What the spy has received and not acknowledged before it lost its right.
    owed: Vec<Publish>,
}

/// An id whose home is this line of two.
fn id_at_home_on(line: u16, name: &str) -> String {
    let mut ids = (0..64).map(|number| format!("{name}{number}"));
    ids.find(|id| home_line(&ClientId::new(id.clone()).unwrap(), 2, 0) == line)
        .unwrap()
}

impl Scene {
    pub fn new(cell: Cell) -> Self {
        let mut config = Config::default();
        // Of what is not acknowledged there is one at a time, so that others wait.
        config.limits.inflight_max = 1;
        config.limits.inflight_max_v3 = 1;
        if matches!(
            cell.path,
            Path::Restarted | Path::WillAfterRestart | Path::QueuedBeyondMemory
        ) {
            config.limits.durability = Durability::Disk;
            config.limits.queue_memory_messages = 2;
        }
        if cell.path == Path::PublishHeld {
            config.overseer = || Box::new(Slow::default());
        }
        let mut world = World::with(config);
        world.set_rights(if cell.change == Change::Deny { DENYING } else { ALLOWING });
        let chief_id = id_at_home_on(u16::from(cell.is_far), "chief");
        let chief = client_of(&mut world, &chief_id, "chief", cell.version, None).unwrap();
        Self {
            chief,
            // Not connected yet.
            spy: chief,
            spy_id: id_at_home_on(0, "spy"),
            owed: Vec::new(),
            world,
            cell,
        }
    }

    /// Plays the cell; says how many secrets came where they may not be.
    pub fn play(mut self) -> usize {
        match self.cell.path {
            path if path.is_will() => self.play_will(),
            path if path.is_publish() => self.play_publish(),
            Path::Shared | Path::SharedQueued | Path::SharedResent => self.play_shared(),
            _ => self.play_receive(),
        }
    }

    fn play_receive(&mut self) -> usize {
        self.enter();
        let asks_late = matches!(self.cell.path, Path::Retained | Path::RetainedHalfway);
        if !asks_late {
            self.subscribe_to_secrets(self.spy, "");
        }
        let world = &mut self.world;
        match self.cell.path {
            Path::Live | Path::State => self.change(),
            Path::Retained => {
                self.publish_secrets(true);
                self.change();
                self.subscribe_to_secrets(self.spy, "");
            }
            Path::RetainedHalfway => {
                self.publish_secrets(true);
                self.subscribe_to_secrets(self.spy, "");
                self.change();
            }
            Path::Queued | Path::QueuedBeyondMemory => {
                self.block_window();
                self.publish_secrets(false);
                self.change();
            }
            Path::Resent => {
                world.publish(self.chief, SECRET, "secret", self.cell.qos);
                self.change();
                self.world.drop_connection(self.spy);
                self.enter();
            }
            Path::Restarted => {
                world.drop_connection(self.spy);
                self.publish_secrets(false);
                if self.cell.change == Change::RevokedAway {
                    self.world.set_rights(DENYING);
                }
                self.world.crash(Survive::Synced);
                self.enter();
            }
            _ => unreachable!("a path of its own"),
        }
        match self.cell.path {
            Path::Live => self.publish_secrets(false),
            Path::State => {
                for line in 0..self.world.lines.len() {
                    let now = self.world.now;
                    self.world.lines[line].publish_state(topic(SECRET), "secret".to_owned(), now);
                }
                self.world.settle();
            }
            _ => {}
        }
        self.secrets_of(self.spy)
    }

    fn play_shared(&mut self) -> usize {
        let mate_id = id_at_home_on(u16::from(self.cell.is_far), "mate");
        let mut mate = client_of(&mut self.world, &mate_id, "chief", self.cell.version, None).unwrap();
        self.subscribe_to_secrets(mate, "$share/crew/");
        self.enter();
        self.subscribe_to_secrets(self.spy, "$share/crew/");
        let mut by_mate = 0;
        match self.cell.path {
            Path::Shared => self.change(),
            Path::SharedQueued => self.block_window(),
            _ => {}
        }
        self.publish_secrets(false);
        if self.cell.path != Path::Shared {
            by_mate += self.secrets_of(mate);
            self.change();
        }
        let mut seen = 0;
        if self.cell.path == Path::SharedResent {
            // With nobody else there, the spy keeps what it was sent.
            self.world.drop_connection(mate);
            self.world.drop_connection(self.spy);
            self.enter();
            seen += self.secrets_of(self.spy);
            mate = client_of(&mut self.world, &mate_id, "chief", self.cell.version, None).unwrap();
        }
        seen += self.secrets_of(self.spy);
        by_mate += self.secrets_of(mate);
        assert!(
            seen + by_mate == usize::from(TOPICS),
            "the group lost a message: {:?}, {seen} + {by_mate}",
            self.cell
        );
        assert!(by_mate > 0, "the mate got nothing: {:?}", self.cell);
        seen
    }

    fn play_publish(&mut self) -> usize {
        let alias = std::num::NonZeroU16::new(1);
        self.subscribe_chief();
        self.enter();
        let secret = publish_as(7, SECRET, "secret", self.cell.qos);
        let mut secret = match self.cell.qos {
            QoS::AtMostOnce => publish(SECRET, "secret", self.cell.qos),
            QoS::AtLeastOnce | QoS::ExactlyOnce => secret,
        };
        match self.cell.path {
            Path::PublishByAlias => {
                let first = publish(SECRET, "first", QoS::AtMostOnce);
                let properties = alias_alone(alias);
                self.world
                    .send(self.spy, Packet::Publish(Publish { properties, ..first }));
                self.world.received(self.chief);
                secret.properties = alias_alone(alias);
                if self.cell.change != Change::Deny {
                    secret.topic = TopicName::empty();
                }
                self.change();
            }
            Path::PublishHeld => {
                self.world.send(self.spy, Packet::Publish(secret.clone()));
                self.change();
                self.world.pass(500);
                return self.secrets_of(self.chief);
            }
            Path::PublishRetained => {
                secret.retain = true;
                self.change();
            }
            _ => self.change(),
        }
        self.world.send(self.spy, Packet::Publish(secret));
        let kept = self.world.tables.retained.borrow().get(SECRET).is_some();
        self.secrets_of(self.chief) + usize::from(kept)
    }

    fn play_will(&mut self) -> usize {
        let path = self.cell.path;
        let will = Will {
            topic: topic(SECRET),
            payload: "secret".into(),
            qos: self.cell.qos,
            retain: path == Path::WillRetained,
            delay_secs: if path == Path::WillDelayed { 60 } else { 0 },
            properties: None,
        };
        self.subscribe_chief();
        let spy_id = self.spy_id.clone();
        let Some(spy) = client_of(&mut self.world, &spy_id, "spy", self.cell.version, Some(will)) else {
            assert_eq!(self.cell.change, Change::Deny);
            return self.secrets_of(self.chief);
        };
        assert_ne!(
            self.cell.change,
            Change::Deny,
            "a will that may not be published was taken"
        );
        let world = &mut self.world;
        match self.cell.change {
            Change::Allow | Change::Deny => {}
            Change::RevokedConnected => world.set_rights(DENYING),
            Change::RevokedAway if path == Path::WillAfterRestart => world.set_rights(DENYING),
            Change::RevokedAway => {
                world.drop_connection(spy);
                world.set_rights(DENYING);
            }
        }
        match path {
            Path::WillAtTakeover => {
                world
                    .client(&spy_id)
                    .change(|connect| connect.username = Some("spy".into()))
                    .connect();
            }
            Path::WillAtDrain => {
                world.drain();
                return self.count_received(self.chief);
            }
            Path::WillAfterRestart => {
                world.crash(Survive::Synced);
                self.return_chief();
            }
            _ => {
                world.drop_connection(spy);
                world.pass(secs(100));
            }
        }
        let kept = self.world.tables.retained.borrow().get(SECRET).is_some();
        self.secrets_of(self.chief) + usize::from(kept)
    }

    /// The moment when the spy loses the right, if it does. It is connected afterwards.
    fn change(&mut self) {
        if matches!(self.cell.change, Change::Deny | Change::Allow) {
            return;
        }
        // It came in time, and is acknowledged in time for what waits behind it.
        self.owed = self.world.publishes(self.spy);
        if self.cell.change == Change::RevokedAway {
            self.world.drop_connection(self.spy);
        }
        self.world.set_rights(DENYING);
        if !self.world.is_connected(self.spy) {
            self.enter();
        }
    }

    /// The spy connects, for the first time or again.
    fn enter(&mut self) {
        self.owed.clear();
        let id = self.spy_id.clone();
        self.spy = client_of(&mut self.world, &id, "spy", self.cell.version, None).unwrap();
    }

    fn return_chief(&mut self) {
        let id = id_at_home_on(u16::from(self.cell.is_far), "chief");
        self.chief = client_of(&mut self.world, &id, "chief", self.cell.version, None).unwrap();
    }

    fn subscribe_chief(&mut self) {
        self.world.subscribe(self.chief, "secret/#", QoS::ExactlyOnce);
    }

    fn subscribe_to_secrets(&mut self, client: Client, share: &str) {
        let wanted = match self.cell.reach {
            Reach::Exact => "secret/x/#",
            Reach::Wide => "secret/#",
        };
        let mut packet = subscribe(1, &format!("{share}{wanted}"), QoS::ExactlyOnce);
        packet.filters = vec![SubscribeFilter {
            retain_handling: RetainHandling::Send,
            ..SubscribeFilter::new(filter(&format!("{share}{wanted}")), QoS::ExactlyOnce)
        }];
        if self.world.is_connected(client) {
            self.world.send(client, Packet::Subscribe(packet));
        }
    }

    /// Something harmless that the spy leaves without its acknowledgement, so that what follows waits.
    fn block_window(&mut self) {
        self.world.subscribe(self.spy, "open", QoS::AtLeastOnce);
        self.world.publish(self.chief, "open", "", QoS::AtLeastOnce);
    }

    fn publish_secrets(&mut self, retain: bool) {
        if !self.world.is_connected(self.chief) {
            self.return_chief();
        }
        for number in 0..TOPICS {
            let name = format!("secret/x/{number}");
            let mut secret = publish(&name, "secret", self.cell.qos);
            secret.retain = retain;
            if self.cell.qos != QoS::AtMostOnce {
                secret.packet_id = publish_as(number + 1, &name, "", self.cell.qos).packet_id;
            }
            self.world.send(self.chief, Packet::Publish(secret));
        }
    }

    /// Acknowledges what comes until nothing does; says how many secrets there were.
    fn secrets_of(&mut self, client: Client) -> usize {
        let mut seen = 0;
        if client == self.spy {
            for publish in std::mem::take(&mut self.owed) {
                self.world.acknowledge(client, &publish);
            }
        }
        loop {
            let publishes = self.world.publishes(client);
            if publishes.is_empty() {
                return seen;
            }
            for publish in publishes {
                seen += usize::from(publish.payload == "secret");
                self.world.acknowledge(client, &publish);
            }
        }
    }

    fn count_received(&mut self, client: Client) -> usize {
        let publishes = self.world.publishes(client);
        publishes.iter().filter(|publish| publish.payload == "secret").count()
    }
}

fn alias_alone(alias: Option<std::num::NonZeroU16>) -> Option<Box<PublishProperties>> {
    Some(Box::new(PublishProperties {
        topic_alias: alias,
        ..PublishProperties::default()
    }))
}

/// A client with this user name, whose session stays; `None`: it was refused.
fn client_of(world: &mut World, id: &str, username: &str, version: Version, will: Option<Will>) -> Option<Client> {
    let username = username.to_owned();
    let builder = world.client(id).version(version).persistent();
    let builder = builder.change(|connect| {
        connect.username = Some(username.into());
        connect.will = will;
    });
    let (client, connack) = builder.try_connect();
    connack
        .is_some_and(|connack| !connack.reason.is_error())
        .then_some(client)
}
