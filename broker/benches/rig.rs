//! A line with clients and without sockets: what they send comes in as bytes, what they get goes out as bytes, in the
//! order in which the shells do it. Nothing here depends on chance or on the clock.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use broker::acl::Rights;
use broker::counters::Counters;
use broker::effect::Effect;
use broker::exchange::Open;
use broker::identity::{Arriving, Identity};
use broker::key::SessionKey;
use broker::limits::Limits;
use broker::line::{Admission, ConnectionKey, Flow, Line, LineSetup, Peer};
use broker::message::{Message, Millis};
use broker::presence::Presence;
use broker::router::{Matches, Receiver, RetainedRefusal, Router, RouterLimits, ShareKey, SubscriptionOptions};
use broker::routing::carry_out;
use broker::tables::Tables;
use bytes::{Bytes, BytesMut};
use mqtt_codec::{
    ClientId, Connect, Packet, PacketId, PacketKind, Publish, QoS, Subscribe, SubscribeFilter, TopicFilter, TopicName,
    Version, decode, encode_short,
};

/// PUBLISH packets that come with one read.
pub(crate) const BATCH: usize = 64;

const TOPIC: &str = "plant/7/line/3/temperature";
const PAYLOAD: [u8; 64] = [b'x'; 64];
const SEED: u64 = 42;
/// Packet ids before they start over.
const PACKET_IDS: usize = u16::MAX as usize;

/// One way of a message through the line.
#[derive(Clone, Copy)]
pub(crate) struct Path {
    pub(crate) name: &'static str,
    version: Version,
    qos: QoS,
    receivers: usize,
    /// Whether the rights of each client are asked, in a book of 1,000 lines.
    rights: bool,
}

const fn path(name: &'static str, version: Version, qos: QoS, receivers: usize) -> Path {
    Path {
        name,
        version,
        qos,
        receivers,
        rights: false,
    }
}

impl Path {
    const fn with_rights(self) -> Self {
        Self { rights: true, ..self }
    }
}

/// All that are measured.
pub(crate) const PATHS: [Path; 8] = [
    path("p2p-qos0", Version::V311, QoS::AtMostOnce, 1),
    path("p2p-qos0-v5", Version::V5, QoS::AtMostOnce, 1),
    path("p2p-qos1", Version::V311, QoS::AtLeastOnce, 1),
    path("p2p-qos2", Version::V311, QoS::ExactlyOnce, 1),
    path("fanout-qos0", Version::V311, QoS::AtMostOnce, 500),
    path("fanout-qos1", Version::V311, QoS::AtLeastOnce, 500),
    path("p2p-qos0-rights", Version::V311, QoS::AtMostOnce, 1).with_rights(),
    path("fanout-qos0-rights", Version::V311, QoS::AtMostOnce, 500).with_rights(),
];

impl Path {
    /// Messages delivered by one [`Rig::round`].
    pub(crate) const fn deliveries(&self) -> usize {
        BATCH * self.receivers
    }
}

/// One publisher and its subscribers, ready to go.
pub(crate) struct Rig {
    path: Path,
    line: Line,
    publisher: ConnectionKey,
    subscribers: Vec<ConnectionKey>,
    /// What the publisher sends in one read.
    messages: Vec<u8>,
    /// The line's read buffer.
    reads: BytesMut,
    /// The list that the line's list of outboxes to write is swapped with.
    dirty: Vec<u32>,
    answers: Answers,
    rounds: usize,
}

/// Acknowledgements for all packet ids in their order and a batch more, made beforehand so that a client costs a copy.
struct Answers {
    puback: Vec<u8>,
    pubrec: Vec<u8>,
    pubrel: Vec<u8>,
    pubcomp: Vec<u8>,
}

impl Rig {
    /// The clients of `path`, connected and subscribed.
    pub(crate) fn new(path: Path) -> Self {
        let router = Rc::new(RefCell::new(Router::new(RouterLimits {
            subscriptions_per_session_max: 1000,
            topic_levels_max: 128,
            seed: SEED,
        })));
        let mut line = Line::new(LineSetup {
            index: 0,
            lines: 1,
            seed: SEED,
            limits: Limits::default(),
            overseer: Box::new(Open),
            presence: Arc::new(Presence::new(1, 1000)),
            tables: Box::new(OneThread(Rc::clone(&router))),
            serial: 0,
        });
        if path.rights {
            line.set_rights(rights(), Millis(1));
        }
        let publisher = connect(&mut line, path.version, "publisher".to_owned());
        let subscribers = (0..path.receivers)
            .map(|number| {
                let connection = connect(&mut line, path.version, format!("subscriber-{number}"));
                subscribe(&mut line, &router, connection, path.qos);
                connection
            })
            .collect();
        let mut rig = Self {
            path,
            line,
            publisher,
            subscribers,
            messages: messages(path),
            reads: BytesMut::new(),
            dirty: Vec::new(),
            answers: Answers::new(),
            rounds: 0,
        };
        rig.write_out();
        rig
    }

    /// The publisher sends a batch, and everyone acknowledges everything to the end.
    pub(crate) fn round(&mut self) {
        let messages = std::mem::take(&mut self.messages);
        self.read(self.publisher, &messages);
        self.messages = messages;
        self.write_out();
        let sent = self.rounds * BATCH;
        self.rounds += 1;
        match self.path.qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => self.subscribers_answer(sent, |answers| &answers.puback),
            QoS::ExactlyOnce => {
                self.subscribers_answer(sent, |answers| &answers.pubrec);
                self.answer(self.publisher, 0, |answers| &answers.pubrel);
                self.write_out();
                self.subscribers_answer(sent, |answers| &answers.pubcomp);
            }
        }
    }

    /// Messages delivered so far.
    ///
    /// # Panics
    ///
    /// If one was lost, or a conversation is open: what does less than it should is not cheap but wrong.
    pub(crate) fn delivered(&self) -> usize {
        let expected = self.path.deliveries() * self.rounds;
        let counters: &Counters = self.line.counters();
        let sent: u64 = counters.publish_out.iter().sum();
        let (name, open) = (self.path.name, counters.open_exchanges());
        assert_eq!(sent, expected as u64, "{name}: messages are missing");
        assert_eq!(open, 0, "{name}: conversations have not ended");
        expected
    }

    fn subscribers_answer(&mut self, sent: usize, of: impl Fn(&Answers) -> &Vec<u8>) {
        for index in 0..self.subscribers.len() {
            if let Some(&connection) = self.subscribers.get(index) {
                self.answer(connection, sent, &of);
            }
        }
        self.write_out();
    }

    /// Acknowledges a batch of packets; `sent` are the packets that the line had sent this client before.
    fn answer(&mut self, connection: ConnectionKey, sent: usize, of: impl Fn(&Answers) -> &Vec<u8>) {
        let answers = std::mem::replace(&mut self.answers, Answers::none());
        let start = sent % PACKET_IDS * 4;
        self.read(
            connection,
            of(&answers).get(start..start + BATCH * 4).expect("within the ids"),
        );
        self.answers = answers;
    }

    /// A read from one connection: the bytes are in a buffer of the line's, and their packets handled one by one.
    fn read(&mut self, connection: ConnectionKey, bytes: &[u8]) {
        self.reads.reserve(16 << 10);
        self.reads.extend_from_slice(bytes);
        let mut bytes: Bytes = self.reads.split().freeze();
        let size_max = self.line.limits().packet_bytes_max;
        self.line.clock_is(1000);
        while let Some(packet) = decode(&mut bytes, self.path.version, size_max).expect("a good packet") {
            let flow = self.line.receive(connection, packet, Millis(1));
            assert_eq!(flow, Flow::Continue);
        }
    }

    /// The end of a turn: every outbox is written out.
    fn write_out(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        self.line.swap_dirty(&mut dirty);
        for slot in dirty.drain(..) {
            let Some((_, out)) = self.line.outbox(slot) else {
                continue;
            };
            let written = out.len();
            out.advance(written);
            self.line.clock_is(1100);
            self.line.flushed(slot, written, Millis(1));
        }
        self.dirty = dirty;
    }
}

impl Answers {
    fn new() -> Self {
        Self {
            puback: answers(PacketKind::Puback),
            pubrec: answers(PacketKind::Pubrec),
            pubrel: answers(PacketKind::Pubrel),
            pubcomp: answers(PacketKind::Pubcomp),
        }
    }

    fn none() -> Self {
        Self {
            puback: Vec::new(),
            pubrec: Vec::new(),
            pubrel: Vec::new(),
            pubcomp: Vec::new(),
        }
    }
}

fn packet_id(place: usize) -> PacketId {
    let number = u16::try_from(place % PACKET_IDS + 1).expect("within the ids");
    PacketId::new(number).expect("above 0")
}

fn answers(kind: PacketKind) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    (0..PACKET_IDS + BATCH).for_each(|place| encode_short(kind, packet_id(place), &mut bytes));
    bytes.to_vec()
}

fn messages(path: Path) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    for place in 0..BATCH {
        let publish = Publish {
            dup: false,
            qos: path.qos,
            retain: false,
            topic: TopicName::new(TOPIC).expect("a topic"),
            packet_id: (path.qos != QoS::AtMostOnce).then(|| packet_id(place)),
            properties: None,
            payload: Bytes::from_static(&PAYLOAD),
        };
        publish.encode(path.version, &mut bytes).expect("a short packet");
    }
    bytes.to_vec()
}

/// A book of all kinds of lines, of which the last allows what the clients do.
fn rights() -> Rights {
    let line = |number| match number % 8 {
        0 => format!("group crew{number}\n"),
        2 => format!("listener tls{number}\n"),
        4 => format!("address 10.{}.{}.0/24\n", number / 256, number % 256),
        6 => format!("pattern readwrite {TOPIC}/%c/{number}\n"),
        _ => format!("allow all plant/{number}/#\n"),
    };
    let book: String = (0..999)
        .map(line)
        .chain(["pattern readwrite plant/7/#".to_owned()])
        .collect();
    Rights::parse("bench", &book).expect("a book without faults")
}

fn connect(line: &mut Line, version: Version, client_id: String) -> ConnectionKey {
    let connect = Connect::new(version, ClientId::new(client_id).expect("a client id"));
    let arriving = Arriving {
        peer: Peer::Local("bench".to_owned()),
        identity: Arc::new(Identity::anonymous("bench".into())),
        proof: None,
    };
    match line.admit(connect, arriving, 0, Millis(1)) {
        Admission::Admitted(connection) => connection,
        Admission::Refused(..) | Admission::Held(..) => unreachable!("the house is open"),
    }
}

fn subscribe(line: &mut Line, router: &RefCell<Router>, connection: ConnectionKey, qos: QoS) {
    let filter = TopicFilter::new(TOPIC).expect("a filter");
    let packet = Packet::Subscribe(Subscribe {
        packet_id: packet_id(0),
        subscription_id: None,
        user_properties: Vec::new(),
        filters: vec![SubscribeFilter::new(filter, qos)],
    });
    let flow = line.receive(connection, packet, Millis(1));
    assert_eq!(flow, Flow::Continue);
    for effect in line.take_effects() {
        if let Effect::Route(request) = effect
            && let Some(reply) = carry_out(&mut router.borrow_mut(), request)
        {
            line.routed(reply, Millis(1));
        }
    }
}

/// The routing table as its one line sees it; nothing is retained.
#[derive(Debug)]
struct OneThread(Rc<RefCell<Router>>);

impl Tables for OneThread {
    fn version(&self) -> u64 {
        self.0.borrow().version()
    }

    fn find(&self, topic: &str, found: &mut Matches) {
        self.0.borrow().find(topic, found);
    }

    fn find_for_publisher(&self, topic: &str, publisher: SessionKey, found: &mut Matches) {
        self.0.borrow().find_for_publisher(topic, publisher, found);
    }

    fn group(&self, key: &ShareKey) -> Vec<Receiver> {
        self.0.borrow().group(key)
    }

    fn subscriptions_behind(
        &self,
        session: SessionKey,
        skipped: usize,
        max: usize,
    ) -> Vec<(TopicFilter, SubscriptionOptions)> {
        self.0.borrow().subscriptions_behind(session, skipped, max)
    }

    fn has_subscription(&self, session: SessionKey, filter: &TopicFilter) -> bool {
        self.0.borrow().has_subscription(session, filter)
    }

    fn subscription_count(&self, session: SessionKey) -> usize {
        self.0.borrow().subscription_count_of(session)
    }

    fn retain(&self, _: &Arc<Message>) -> Result<(), RetainedRefusal> {
        Ok(())
    }

    fn retained(
        &self,
        _: &TopicFilter,
        _: Option<&TopicName>,
        _: Millis,
        _: &mut Vec<Arc<Message>>,
    ) -> Option<TopicName> {
        None
    }
}
