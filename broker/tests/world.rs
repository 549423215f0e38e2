//! A whole broker with its clients in one thread and virtual time: only [`World::pass`] moves the clock.

#![allow(dead_code, reason = "each test binary uses its part of the world")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails should stop at once"
)]

use std::net::SocketAddr;
use std::sync::Arc;

use broker::acl::Rights;
use broker::counters::Counters;
use broker::durable::Durability;
use broker::effect::{Cause, ClosingRecord, Effect};
use broker::exchange::{Open, Overseer, Refusal};
use broker::identity::{Arriving, Identity};
use broker::limits::{LimitReached, Limits};
use broker::line::{Admission, ConnectionKey, Elsewhere, Flow, Line, LineSetup, Lost, Peer, Proof, Proving, home_line};
use broker::message::Millis;
use broker::notes::Note;
use broker::presence::Presence;
use broker::router::{RetainedLimits, RouterLimits};
use broker::routing::{RouteReply, RouteRequest, carry_out};
use broker::session::Outbox;
use broker::traces::Span;
use bytes::{Bytes, BytesMut};
use mqtt_codec::{Connect, Packet, Version, decode, decode_connect};

pub use client::{Client, ClientBuilder};
use store::{Image, ModelStore};
use tables::WorldTables;

mod client;
mod crash;
pub mod packets;
mod reload;
pub mod store;
mod tables;

pub fn secs(secs: u64) -> u64 {
    secs * 1000
}

pub fn millis(millis: u64) -> u64 {
    millis
}

/// One connection as the world sees it; a client that connects again has another.
pub struct Connection {
    pub version: Version,
    pub packet_bytes_max: usize,
    line: usize,
    key: Option<ConnectionKey>,
    /// What the broker sent and the test has not looked at.
    inbox: Vec<Packet>,
    /// Read but not handled, because the line said Hold.
    unread: Bytes,
    held: bool,
    partial: BytesMut,
    pub closed: Option<ClosingRecord>,
    /// The client has stopped reading: bytes stay in its outbox.
    stalled: bool,
}

#[derive(Clone)]
pub struct Config {
    pub lines: u16,
    pub limits: Limits,
    pub router: RouterLimits,
    pub retained: RetainedLimits,
    pub overseer: fn() -> Box<dyn Overseer>,
    /// Who sends a CONNECT.
    pub identify: fn(&Connect) -> Identity,
    /// The last word of its authentication method, for a CONNECT that has proven itself by one.
    pub proven: fn(&Connect) -> Option<Bytes>,
    /// Who judges clients that authenticate again; `None` leaves them waiting.
    pub judge: fn(&Proving) -> Option<Proof>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lines: 2,
            limits: Limits::default(),
            router: RouterLimits {
                subscriptions_per_session_max: 1000,
                topic_levels_max: 128,
                seed: 7,
            },
            retained: RetainedLimits {
                messages_max: 1_000_000,
                payload_bytes_max: 1 << 20,
            },
            overseer: || Box::new(Open),
            identify: |connect| Identity::named(connect.username.as_deref(), "test".into()),
            proven: |_| None,
            judge: |_| None,
        }
    }
}

pub struct World {
    pub now: Millis,
    pub lines: Vec<Line>,
    pub connections: Vec<Connection>,
    pub tables: WorldTables,
    pub presence: Arc<Presence>,
    /// It is asked for nothing unless the limits say what an acknowledgement survives.
    pub store: ModelStore,
    config: Config,
    rights: Rights,
    /// Where those who connect come from.
    pub address: Option<SocketAddr>,
    /// While set, the router keeps requests waiting; see [`World::release_routes`].
    pub hold_routes: bool,
    waiting_routes: Vec<(usize, RouteRequest)>,
    /// The router does what it is asked, and its answers are on their way.
    pub hold_replies: bool,
    waiting_replies: Vec<(usize, RouteReply)>,
    /// What the log was told of limits.
    pub notices: Vec<LimitReached>,
    /// What was noted about clients.
    pub notes: Vec<Note>,
    fresh: u128,
    /// Steps of traced messages.
    pub spans: Vec<Span>,
    /// While set, whoever has been held at its CONNECT is banned by then.
    pub bans_the_held: bool,
    /// The law is not looked at: a test breaks it on purpose.
    pub lawless: bool,
    /// Most packets that a line wrote in one go while it worked or read.
    pub longest_spurt: u64,
    /// For how long the next start awaits clients before it publishes their wills.
    grace_millis: u64,
}

impl World {
    /// Two lines and the default bounds.
    pub fn new() -> Self {
        Self::with(Config::default())
    }

    /// With other bounds of the brain.
    pub fn limited(change: impl FnOnce(&mut Limits)) -> Self {
        let mut config = Config::default();
        change(&mut config.limits);
        Self::with(config)
    }

    pub fn with(config: Config) -> Self {
        let tables = WorldTables::new(&config);
        let presence = Arc::new(Presence::new(config.lines, 100_000));
        let lines = lines_of(&config, &tables, &presence, 0);
        Self {
            now: Millis(1_000_000),
            lines,
            connections: Vec::new(),
            tables,
            presence,
            store: ModelStore::new(Image::default()),
            config,
            rights: Rights::open(),
            address: None,
            hold_routes: false,
            waiting_routes: Vec::new(),
            hold_replies: false,
            waiting_replies: Vec::new(),
            notices: Vec::new(),
            notes: Vec::new(),
            fresh: 0,
            spans: Vec::new(),
            bans_the_held: false,
            lawless: false,
            longest_spurt: 0,
            grace_millis: 0,
        }
    }

    /// With sessions that survive the broker as the class says.
    pub fn keeping(durability: Durability) -> Self {
        Self::limited(|limits| limits.durability = durability)
    }

    /// Whether somebody watches what happens on the lines.
    pub fn watch(&mut self, watched: bool) {
        for line in &mut self.lines {
            line.set_watched(watched);
        }
    }

    /// Puts a book of rights in force.
    pub fn set_rights(&mut self, book: &str) {
        self.rights = Rights::parse("test.acl", book).unwrap();
        for line in 0..self.lines.len() {
            self.lines[line].set_rights(self.rights.clone(), self.now);
        }
        self.settle();
    }

    /// A client that has not connected.
    pub fn client(&mut self, id: &str) -> ClientBuilder<'_> {
        ClientBuilder::new(self, id)
    }

    /// Connects with this CONNECT; what the broker answered is in the inbox.
    pub fn connect(&mut self, connect: Connect) -> Client {
        let version = connect.version;
        let packet_bytes_max = connect
            .properties
            .packet_size_max
            .map_or(usize::MAX, |max| max.get() as usize);
        // Over the wire, so that what cannot be encoded cannot be tested by mistake.
        let mut bytes = BytesMut::new();
        Packet::Connect(Box::new(connect)).encode(version, &mut bytes).unwrap();
        let connect = decode_connect(&mut bytes.freeze(), 1 << 20).unwrap().unwrap();
        let here = self.connections.len() % self.lines.len();
        let line = usize::from(home_line(&connect.client_id, self.lines.len() as u16, here as u16));
        self.fresh += 1;
        let arriving = Arriving {
            peer: match self.address {
                Some(address) => Peer::Address(address),
                None => Peer::Local(format!("test {}", self.connections.len())),
            },
            identity: Arc::new((self.config.identify)(&connect)),
            proof: (self.config.proven)(&connect),
        };
        let admission = self.lines[line].admit(connect, arriving, self.fresh, self.now);
        let client = Client(self.connections.len());
        self.connections.push(Connection {
            version,
            packet_bytes_max,
            line,
            key: None,
            inbox: Vec::new(),
            unread: Bytes::new(),
            held: false,
            partial: BytesMut::new(),
            closed: None,
            stalled: false,
        });
        self.admitted(client, admission);
        client
    }

    fn admitted(&mut self, client: Client, mut admission: Admission) {
        loop {
            match admission {
                Admission::Admitted(key) => {
                    let paused = self.lines[self.connections[client.0].line].is_paused(key);
                    self.connections[client.0].key = Some(key);
                    self.connections[client.0].held = paused;
                    // The old connection of the slot is told first, as the shell does it.
                    self.carry_out_effects(self.connections[client.0].line);
                    return self.settle();
                }
                Admission::Refused(bytes, _) => {
                    self.arrive(client, &bytes);
                    self.connections[client.0].key = None;
                    return self.settle();
                }
                Admission::Held(held, millis) => {
                    self.now = self.now.plus(millis);
                    let line = self.connections[client.0].line;
                    admission = match self.bans_the_held {
                        true => self.lines[line].reject_held(*held, Refusal::Banned, self.now),
                        false => self.lines[line].admit_held(*held, self.now),
                    };
                }
            }
        }
    }

    /// The client sends a packet.
    pub fn send(&mut self, client: Client, packet: Packet) {
        let version = self.connections[client.0].version;
        let mut bytes = BytesMut::new();
        packet.encode(version, &mut bytes).unwrap();
        self.send_bytes(client, &bytes);
    }

    /// The client sends bytes, whole packets or not.
    pub fn send_bytes(&mut self, client: Client, bytes: &[u8]) {
        let connection = &mut self.connections[client.0];
        let mut unread = BytesMut::from(&*connection.unread);
        unread.extend_from_slice(bytes);
        connection.unread = unread.freeze();
        self.read(client);
        self.settle();
    }

    fn read(&mut self, client: Client) {
        let line = self.connections[client.0].line;
        let before = self.lines[line].counters().packets_out;
        self.read_packets(client);
        self.note_spurt(line, before);
    }

    fn note_spurt(&mut self, line: usize, before: u64) {
        let packets = self.lines[line].counters().packets_out - before;
        self.longest_spurt = self.longest_spurt.max(packets);
    }

    fn read_packets(&mut self, client: Client) {
        let connection = &mut self.connections[client.0];
        let Some(key) = connection.key.filter(|_| !connection.held) else {
            return;
        };
        let line = &mut self.lines[connection.line];
        line.clock_is(self.now.0 * 1000);
        let size_max = line.limits().packet_bytes_max;
        let before = connection.unread.len();
        let mut flow = loop {
            match decode(&mut connection.unread, connection.version, size_max) {
                Ok(None) => break Flow::Continue,
                Ok(Some(packet)) => match line.receive(key, packet, self.now) {
                    Flow::Continue => {}
                    flow @ (Flow::Hold | Flow::Closed) => break flow,
                },
                Err(violation) => {
                    line.violated(key, &violation, self.now);
                    break Flow::Closed;
                }
            }
        };
        if flow != Flow::Closed && line.counts_bytes_of(key) {
            flow = flow.and(line.count_bytes_of(key, before - connection.unread.len(), self.now));
        }
        match flow {
            Flow::Continue => {}
            Flow::Hold => connection.held = true,
            Flow::Closed => connection.unread.clear(),
        }
    }

    /// The connection breaks without a DISCONNECT.
    pub fn drop_connection(&mut self, client: Client) {
        let connection = &self.connections[client.0];
        if let Some(key) = connection.key {
            self.lines[connection.line].lost(key, Lost::Network("connection reset".to_owned()), self.now);
            self.settle();
        }
    }

    /// The client stops reading: what the broker writes stays in its outbox.
    pub fn stall(&mut self, client: Client, stalled: bool) {
        self.connections[client.0].stalled = stalled;
        if !stalled && let Some(key) = self.connections[client.0].key {
            let line = self.connections[client.0].line;
            self.write_out(line, key.slot);
        }
        self.settle();
    }

    /// A client that has stopped reading takes this many bytes all the same, whole packets or not.
    pub fn sip(&mut self, client: Client, bytes: usize) {
        let connection = &self.connections[client.0];
        let (line, Some(key)) = (connection.line, connection.key) else {
            return;
        };
        let Some((_, out)) = self.lines[line].outbox(key.slot) else {
            return;
        };
        let taken = take(out, bytes);
        self.arrive(client, &taken);
        self.lines[line].flushed(key.slot, taken.len(), self.now);
        self.settle();
    }

    /// Whether the broker has read all that the client has sent and holds none of it.
    pub fn is_read(&self, client: Client) -> bool {
        let connection = &self.connections[client.0];
        connection.unread.is_empty() && !connection.held
    }

    /// Lets time pass, and what is due happen at its moment.
    pub fn pass(&mut self, millis: u64) {
        let end = self.now.plus(millis);
        while let Some(next) = self
            .lines
            .iter()
            .filter_map(Line::next_deadline)
            .min()
            .filter(|next| *next <= end)
        {
            self.now = self.now.max(next);
            for line in 0..self.lines.len() {
                self.lines[line].tick(self.now);
            }
            self.settle();
        }
        self.now = end;
    }

    pub fn is_connected(&self, client: Client) -> bool {
        self.connections[client.0].key.is_some()
    }

    /// The line that the client's session lives on.
    pub fn line_of(&self, client: Client) -> usize {
        self.connections[client.0].line
    }

    /// How the broker saw the end of the connection.
    pub fn cause(&self, client: Client) -> Option<Cause> {
        self.connections[client.0]
            .closed
            .as_ref()
            .map(|record| record.cause.clone())
    }

    /// Takes what the client has received.
    pub fn received(&mut self, client: Client) -> Vec<Packet> {
        std::mem::take(&mut self.connections[client.0].inbox)
    }

    /// Bytes that wait to be written to a client.
    pub fn outbox_bytes(&mut self, client: Client) -> usize {
        let connection = &self.connections[client.0];
        let Some(key) = connection.key else { return 0 };
        self.lines[connection.line]
            .outbox(key.slot)
            .map_or(0, |(_, out)| out.len())
    }

    /// What all lines have counted.
    pub fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        self.lines.iter().for_each(|line| sum.add(line.counters()));
        sum
    }

    /// The router takes up what it was asked while [`World::hold_routes`] was set, and all its answers arrive.
    pub fn release_routes(&mut self) {
        self.hold_routes = false;
        self.hold_replies = false;
        for (line, reply) in std::mem::take(&mut self.waiting_replies) {
            self.lines[line].routed(reply, self.now);
        }
        for (line, request) in std::mem::take(&mut self.waiting_routes) {
            self.route(line, request);
        }
        self.settle();
    }

    /// The broker stops.
    pub fn drain(&mut self) {
        for line in 0..self.lines.len() {
            self.lines[line].drain_wills(self.now);
        }
        self.settle();
        for line in 0..self.lines.len() {
            self.lines[line].drain_connections(self.now);
        }
        self.settle();
    }

    /// The operator sends clients away, so many on each line.
    pub fn send_away(&mut self, to: &Elsewhere, max: usize) -> usize {
        let ended = (0..self.lines.len()).map(|line| self.lines[line].send_away(to, 0, max, self.now).ended);
        let ended = ended.collect::<Vec<_>>().into_iter().sum();
        self.settle();
        ended
    }

    /// Does all that follows, until nothing does.
    pub fn settle(&mut self) {
        // Far beyond what any story needs: lines that keep each other busy for ever are a fault to be seen.
        for _ in 0..100_000 {
            let mut busy = false;
            for line in 0..self.lines.len() {
                busy |= self.carry_out_effects(line);
                busy |= self.write_all(line);
                // The store first: what another line takes over, it has been told of before.
                if let Some(batch) = self.lines[line].take_batch() {
                    busy = true;
                    self.store.give(batch);
                }
                busy |= self.forward_from(line);
                if self.lines[line].has_work() {
                    let before = self.lines[line].counters().packets_out;
                    self.lines[line].work(self.now);
                    self.note_spurt(line, before);
                    busy = true;
                }
            }
            busy |= self.hear_from_store();
            self.check_law();
            if !busy {
                return;
            }
        }
        panic!("the broker does not come to rest");
    }

    /// Whatever was received and whatever was to be delivered is somewhere.
    pub fn check_law(&self) {
        if self.lawless {
            return;
        }
        for (index, line) in self.lines.iter().enumerate() {
            let law = line.counters().law();
            assert_eq!(law.unaccounted(), 0, "line {index}: {law:?}");
        }
    }

    fn carry_out_effects(&mut self, line: usize) -> bool {
        let effects = self.lines[line].take_effects();
        let busy = !effects.is_empty();
        for effect in effects {
            match effect {
                Effect::Route(request) if self.hold_routes => self.waiting_routes.push((line, request)),
                Effect::Route(request) => self.route(line, request),
                Effect::Resume(key) => {
                    if let Some(client) = self.client_of(line, key) {
                        self.connections[client.0].held = false;
                        self.read(client);
                    }
                }
                Effect::Limited(reached) => self.notices.push(*reached),
                Effect::Noted(note) => self.notes.push(*note),
                Effect::Traced(span) => self.spans.push(*span),
                Effect::Prove(proving) => {
                    if let Some(proof) = (self.config.judge)(&proving) {
                        self.lines[line].judged(proving.connection, proof, self.now);
                    }
                }
                Effect::Close(closing) => {
                    if let Some(client) = self.client_of(line, closing.connection) {
                        let bytes = drain(closing.last_words);
                        self.arrive(client, &bytes);
                        self.connections[client.0].key = None;
                        self.connections[client.0].closed = Some(closing.record);
                    }
                }
            }
        }
        busy
    }

    fn route(&mut self, line: usize, request: RouteRequest) {
        let reply = carry_out(&mut self.tables.router.borrow_mut(), request);
        match reply {
            Some(reply) if self.hold_replies => self.waiting_replies.push((line, reply)),
            Some(reply) => self.lines[line].routed(reply, self.now),
            None => {}
        }
    }

    fn client_of(&self, line: usize, key: ConnectionKey) -> Option<Client> {
        let of = |connection: &Connection| connection.line == line && connection.key == Some(key);
        // The youngest first: a test of many connections looks for them far more often than for the old ones.
        self.connections.iter().rposition(of).map(Client)
    }

    fn write_all(&mut self, line: usize) -> bool {
        let mut dirty = Vec::new();
        self.lines[line].swap_dirty(&mut dirty);
        let busy = !dirty.is_empty();
        dirty.into_iter().for_each(|slot| self.write_out(line, slot));
        busy
    }

    fn write_out(&mut self, line: usize, slot: u32) {
        let Some((key, _)) = self.lines[line].outbox(slot) else {
            return;
        };
        let Some(client) = self.client_of(line, key) else {
            return;
        };
        if self.connections[client.0].stalled {
            return;
        }
        let (_, out) = self.lines[line].outbox(slot).unwrap();
        let bytes = take_all(out);
        self.arrive(client, &bytes);
        self.lines[line].clock_is(self.now.0 * 1000);
        self.lines[line].flushed(slot, bytes.len(), self.now);
    }

    fn forward_from(&mut self, line: usize) -> bool {
        let mut busy = false;
        for other in 0..self.lines.len() {
            let forwards = self.lines[line].take_forwards(other as u16);
            if !forwards.is_empty() {
                busy = true;
                self.lines[other].deliver(&forwards, self.now);
            }
        }
        busy
    }

    /// Bytes arrive at the client, which decodes them as strictly as the broker does.
    fn arrive(&mut self, client: Client, bytes: &[u8]) {
        let connection = &mut self.connections[client.0];
        connection.partial.extend_from_slice(bytes);
        let mut bytes = connection.partial.split().freeze();
        loop {
            let before = bytes.len();
            match decode(&mut bytes, connection.version, u32::MAX) {
                Ok(Some(packet)) => {
                    let len = before - bytes.len();
                    assert!(
                        len <= connection.packet_bytes_max,
                        "the broker sent a packet of {len} bytes: {packet:?}"
                    );
                    connection.inbox.push(packet);
                }
                Ok(None) => break,
                Err(violation) => panic!("the broker sent something malformed: {violation}"),
            }
        }
        connection.partial = BytesMut::from(&*bytes);
    }
}

fn lines_of(config: &Config, tables: &WorldTables, presence: &Arc<Presence>, serial: u64) -> Vec<Line> {
    let line = |index| {
        Line::new(LineSetup {
            index,
            lines: config.lines,
            seed: config.router.seed,
            limits: config.limits.clone(),
            overseer: (config.overseer)(),
            presence: Arc::clone(presence),
            tables: Box::new(tables.clone()),
            serial,
        })
    };
    (0..config.lines).map(line).collect()
}

fn take_all(out: &mut Outbox) -> Vec<u8> {
    let mut bytes = Vec::new();
    while out.open_len() > 0 {
        let mut slices = [std::io::IoSlice::new(&[]); 8];
        let filled = out.gather(&mut slices);
        let before = bytes.len();
        slices[..filled].iter().for_each(|slice| bytes.extend_from_slice(slice));
        let taken = bytes.len() - before;
        out.advance(taken);
    }
    bytes
}

fn take(out: &mut Outbox, bytes_max: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while out.open_len() > 0 && bytes.len() < bytes_max {
        let mut slices = [std::io::IoSlice::new(&[]); 1];
        out.gather(&mut slices);
        let taken = slices[0].len().min(bytes_max - bytes.len());
        bytes.extend_from_slice(&slices[0][..taken]);
        out.advance(taken);
    }
    bytes
}

fn drain(mut out: Outbox) -> Vec<u8> {
    take_all(&mut out)
}
