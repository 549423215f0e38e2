//! Random histories on an archive and on a model of it.

use std::collections::BTreeMap;

use mqtt_codec::{QoS, TopicName};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::model::{Model, ModelEntry, ModelSession, ModelTransfer};
use super::strict::StrictStore;
use super::{ALL, entries, id, session, subscription, tables};
use crate::archive::references::References;
use crate::archive::{Archive, Holding, QueuedRecord};
use crate::histories::histories;
use crate::record::{
    Addressee, ContentRef, EntryRef, MESSAGE, MessageId, MessageRecord, Place, REFERENCE, Record, SessionId, StoreTime,
    TRANSFER, TRANSIT,
};
use crate::{Store, Table};

#[derive(Clone, Debug)]
enum Step {
    Begin(u64),
    Enqueue {
        session: u64,
        shared: Option<u64>,
        expires_at: Option<u64>,
        at_once: bool,
    },
    Sent(u64),
    Released(u64, usize),
    Done(u64, usize),
    DropFirstWaiting(u64),
    Received(u64, u16),
    Forgotten(u64, u16),
    Subscribe(u64, u8),
    Unsubscribe(u64, u8),
    Retain(u8, u16),
    Clear(u8),
    End(u64),
    Sweep(usize),
    Expire(u64, u64, usize),
    /// To the sessions of these bits, whether they live or have ended.
    Transfer {
        sessions: u8,
        shared: Option<u64>,
        expires_at: Option<u64>,
        group: bool,
    },
    TakeOver(usize),
    Apply,
    Refused,
    Discard,
    /// After so many transfers were finished the store refuses, and all begins anew.
    Restart(Option<usize>),
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let session = || 0..4_u64;
    prop_oneof![
        2 => session().prop_map(Step::Begin),
        12 => (session(), of(0..5_u64), of(0..100_u64), any::<bool>()).prop_map(
            |(session, shared, expires_at, at_once)| Step::Enqueue { session, shared, expires_at, at_once }
        ),
        6 => session().prop_map(Step::Sent),
        5 => (session(), any::<usize>()).prop_map(|(session, pick)| Step::Released(session, pick)),
        7 => (session(), any::<usize>()).prop_map(|(session, pick)| Step::Done(session, pick)),
        1 => session().prop_map(Step::DropFirstWaiting),
        2 => (session(), 1..4_u16).prop_map(|(session, id)| Step::Received(session, id)),
        2 => (session(), 1..4_u16).prop_map(|(session, id)| Step::Forgotten(session, id)),
        2 => (session(), 0..4_u8).prop_map(|(session, filter)| Step::Subscribe(session, filter)),
        1 => (session(), 0..4_u8).prop_map(|(session, filter)| Step::Unsubscribe(session, filter)),
        1 => (0..4_u8, any::<u16>()).prop_map(|(topic, text)| Step::Retain(topic, text)),
        1 => (0..4_u8).prop_map(Step::Clear),
        1 => session().prop_map(Step::End),
        2 => (1..8_usize).prop_map(Step::Sweep),
        1 => (session(), 0..100_u64, 1..5_usize).prop_map(|(session, now, limit)| Step::Expire(session, now, limit)),
        6 => (1..16_u8, of(0..5_u64), of(0..100_u64), any::<bool>()).prop_map(
            |(sessions, shared, expires_at, group)| Step::Transfer { sessions, shared, expires_at, group }
        ),
        4 => any::<usize>().prop_map(Step::TakeOver),
        5 => Just(Step::Apply),
        1 => Just(Step::Refused),
        1 => Just(Step::Discard),
        1 => of(0..3_usize).prop_map(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

/// An archive, what it should hold, and what it should fall back to.
struct Pair {
    archive: Archive<StrictStore>,
    model: Model,
    applied: Model,
    next: u64,
}

impl Pair {
    fn new() -> Self {
        Self {
            archive: fresh(StrictStore::default(), MessageId(0)),
            model: Model::default(),
            applied: Model::default(),
            next: 1000,
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The session that a step names, if it lives.
    fn live(&mut self, name: u64) -> Option<(SessionId, &mut ModelSession)> {
        let number = *self.model.names.get(&name)?;
        let session = self.model.sessions.get_mut(&number)?;
        Some((SessionId(number), session))
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Begin(name) => self.begin(name),
            Step::Enqueue {
                session,
                shared,
                expires_at,
                at_once,
            } => {
                self.enqueue(session, shared, expires_at.map(StoreTime), at_once);
            }
            Step::Sent(name) => self.sent(name),
            Step::Released(name, pick) => self.released(name, pick),
            Step::Done(name, pick) => {
                let place = self
                    .live(name)
                    .and_then(|(_, session)| session.under_way(pick, |_| true));
                self.done(name, place);
            }
            Step::DropFirstWaiting(name) => {
                let place = self.live(name).and_then(|(_, session)| session.first_waiting());
                self.done(name, place);
            }
            Step::Received(name, number) => {
                if let Some((session, model)) = self.live(name)
                    && model.received.insert(number)
                {
                    self.archive.received(session, id(number));
                }
            }
            Step::Forgotten(name, number) => {
                if let Some((session, model)) = self.live(name)
                    && model.received.remove(&number)
                {
                    self.archive.forgotten(session, id(number));
                }
            }
            Step::Subscribe(name, number) => self.subscribe(name, &format!("filter/{number}"), true),
            Step::Unsubscribe(name, number) => self.subscribe(name, &format!("filter/{number}"), false),
            Step::Retain(topic, text) => self.retain(topic, &text.to_string()),
            Step::Clear(topic) => {
                self.model.retained.remove(&format!("t/{topic}"));
                self.archive.clear_retained(&format!("t/{topic}"));
            }
            Step::End(name) => self.end(name),
            Step::Sweep(limit) => self.sweep(limit),
            Step::Expire(name, now, limit) => self.expire(name, StoreTime(now), limit),
            Step::Apply => self.apply(),
            Step::Refused => self.refused(),
            Step::Discard => {
                self.archive.discard();
                self.model = self.applied.clone();
            }
            Step::Transfer {
                sessions,
                shared,
                expires_at,
                group,
            } => self.transfer(sessions, shared, expires_at.map(StoreTime), group),
            Step::TakeOver(pick) => self.take_over(pick),
            Step::Restart(refused_after) => {
                self.apply();
                self.restart(refused_after);
            }
            Step::Crash => {
                self.archive.discard();
                self.model = self.applied.clone();
                self.restart(None);
            }
        }
    }

    fn begin(&mut self, name: u64) {
        if self.live(name).is_none() {
            let number = self.number();
            self.model.names.insert(name, number);
            self.model.sessions.insert(number, ModelSession::default());
            self.archive
                .put_session(SessionId(number), &session(&number.to_string()));
        }
    }

    fn enqueue(&mut self, name: u64, shared: Option<u64>, expires_at: Option<StoreTime>, at_once: bool) {
        let place = self.number();
        let mut entry = waiting(place, shared, expires_at);
        let Some((session, model)) = self.live(name) else {
            return;
        };
        let is_sent = at_once && model.first_waiting().is_none();
        entry.packet_id = is_sent.then_some((place % 60_000) as u16 + 1);
        model.queue.insert(place, entry.clone());
        self.put_entry(session, place, &entry);
    }

    fn put_entry(&mut self, session: SessionId, place: u64, entry: &ModelEntry) {
        let message = message(&entry.text, entry.expires_at);
        let entry = EntryRef {
            qos: QoS::ExactlyOnce,
            retain: false,
            ids: &[],
            packet_id: entry.packet_id.map(id),
            group: entry.group.as_deref(),
            cost_bytes: entry.cost_bytes,
            content: content(entry, &message),
        };
        self.archive.enqueue(session, Place(place), entry).unwrap();
    }

    fn transfer(&mut self, sessions: u8, shared: Option<u64>, expires_at: Option<StoreTime>, group: bool) {
        let named = self
            .model
            .names
            .iter()
            .filter(|(name, _)| sessions & (1 << **name) != 0);
        let receivers: Vec<u64> = named.map(|(_, &number)| number).collect();
        if receivers.is_empty() {
            return;
        }
        let place = self.number();
        let mut entry = waiting(place, shared, expires_at);
        entry.group = group.then(|| "$share/crew/t".to_owned());
        let message = message(&entry.text, entry.expires_at);
        let addressees: Vec<_> = receivers.iter().map(|&number| addressee(number)).collect();
        let account = (entry.group.as_deref(), entry.cost_bytes);
        self.archive
            .transfer(Place(place), content(&entry, &message), account, &addressees)
            .unwrap();
        self.model.transfers.insert(place, ModelTransfer { entry, receivers });
    }

    /// What the other line does: the queues and the end of the transfer in one piece.
    fn take_over(&mut self, pick: usize) {
        let places: Vec<u64> = self.model.transfers.keys().copied().collect();
        let Some(&place) = places.get(pick % places.len().max(1)) else {
            return;
        };
        let transfer = self.model.transfers[&place].clone();
        for &number in &transfer.receivers {
            if self.model.sessions.contains_key(&number) {
                let at = self.number();
                self.put_entry(SessionId(number), at, &transfer.entry);
                let session = self.model.sessions.get_mut(&number).unwrap();
                session.queue.insert(at, transfer.entry.clone());
            }
        }
        self.model.transfers.remove(&place);
        let shared = transfer.entry.shared.map(MessageId);
        self.archive.transferred(Place(place), shared).unwrap();
    }

    fn sent(&mut self, name: u64) {
        let Some((session, model)) = self.live(name) else {
            return;
        };
        let Some(place) = model.first_waiting() else { return };
        let entry = model.queue.get_mut(&place).unwrap();
        let packet_id = (place % 60_000) as u16 + 1;
        entry.packet_id = Some(packet_id);
        entry.holding = entry.holding.sent();
        self.archive.sent(session, Place(place), id(packet_id));
    }

    fn released(&mut self, name: u64, pick: usize) {
        let Some((session, model)) = self.live(name) else {
            return;
        };
        let Some(place) = model.under_way(pick, |entry| !entry.is_released) else {
            return;
        };
        let entry = model.queue.get_mut(&place).unwrap();
        let (packet_id, holding) = (entry.packet_id.unwrap(), entry.holding);
        entry.is_released = true;
        entry.holding = Holding::released();
        self.archive
            .released(session, Place(place), id(packet_id), holding)
            .unwrap();
    }

    fn done(&mut self, name: u64, place: Option<u64>) {
        let Some((session, model)) = self.live(name) else {
            return;
        };
        let Some(place) = place else { return };
        let entry = model.queue.remove(&place).unwrap();
        self.archive.done(session, Place(place), entry.holding).unwrap();
    }

    fn subscribe(&mut self, name: u64, filter: &str, wanted: bool) {
        let Some((session, model)) = self.live(name) else {
            return;
        };
        if wanted {
            model.subscriptions.insert(filter.to_owned());
            self.archive.put_subscription(session, &subscription(filter));
        } else {
            model.subscriptions.remove(filter);
            self.archive.remove_subscription(session, filter);
        }
    }

    fn retain(&mut self, topic: u8, text: &str) {
        let mut message = message(text, None);
        message.topic = TopicName::new(format!("t/{topic}")).unwrap();
        self.archive.retain(message.borrowed());
        self.model.retained.insert(message.topic.to_string(), text.to_owned());
    }

    fn end(&mut self, name: u64) {
        if let Some((session, _)) = self.live(name) {
            self.archive.end_session(session);
            let ended = self.model.sessions.remove(&session.0).unwrap();
            self.model.ended.insert(session.0, ended);
        }
    }

    /// Which slice is removed is the archive's to choose, so the model forgets ended sessions when all are swept.
    fn sweep(&mut self, limit: usize) {
        for _ in 0..1000 {
            if !self.archive.sweep(entries(limit)).unwrap().more {
                self.model.ended.clear();
                self.applied = self.model.clone();
                return;
            }
        }
        panic!("sweeping does not end");
    }

    fn expire(&mut self, name: u64, now: StoreTime, limit: usize) {
        let Some((session, model)) = self.live(name) else {
            return;
        };
        let is_over = |entry: &ModelEntry| entry.waits() && entry.expires_at.is_some_and(|at| at <= now);
        let before = model.queue.len();
        model.queue.retain(|_, entry| !is_over(entry));
        let expired = (before - model.queue.len()) as u64;
        let waiting = model.queue.values().filter(|entry| entry.waits());
        let costs: Vec<u64> = waiting.map(|entry| u64::from(entry.cost_bytes)).collect();
        let (mut counted, mut bytes, mut gone, mut after) = (0, 0, 0, None);
        loop {
            let slice = self.archive.count(session, after, Some(now), entries(limit)).unwrap();
            counted += slice.entries;
            bytes += slice.bytes;
            gone += slice.expired;
            after = slice.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(
            (counted, bytes, gone),
            (costs.len() as u64, costs.iter().sum(), expired)
        );
        self.applied = self.model.clone();
    }

    fn apply(&mut self) {
        self.archive.apply().unwrap();
        self.applied = self.model.clone();
        self.check_counts();
    }

    fn refused(&mut self) {
        self.archive.store_mut().refuses = true;
        let _ = self.archive.apply();
        self.archive.store_mut().refuses = false;
        self.model = self.applied.clone();
    }

    /// What was applied is what is there. Shared messages of before have lower numbers than those to come, as far as the
    /// archive can know.
    fn restart(&mut self, refused_after: Option<usize>) {
        self.begin_anew();
        let under_way: Vec<u64> = self.model.transfers.keys().copied().collect();
        let takes = refused_after.unwrap_or(usize::MAX);
        self.archive.store_mut().batches_left = refused_after;
        let mut numbers = self.next + 1..;
        let result = self.archive.finish_transfers(|| Place(numbers.next().unwrap()));
        self.archive.store_mut().batches_left = None;
        for &place in under_way.iter().take(takes) {
            let next = &mut self.next;
            self.model.finish(place, || {
                *next += 1;
                *next
            });
        }
        self.next = self.next.max(numbers.start);
        self.applied = self.model.clone();
        if takes < under_way.len() {
            result.unwrap_err();
            self.restart(None);
        } else {
            assert_eq!(result.unwrap(), under_way.len());
        }
        self.check_counts();
    }

    fn begin_anew(&mut self) {
        let archive = std::mem::replace(&mut self.archive, fresh(StrictStore::default(), MessageId(0)));
        self.archive = fresh(archive.store, MessageId(5));
    }

    /// Counts and shared messages are there exactly as long as entries name them.
    fn check_counts(&mut self) {
        let expected = self.model.references();
        let stored = |table: Table| self.archive.store().scan(table, &[], None, ALL).unwrap();
        let number = |key: &[u8]| MessageId(u64::from_be_bytes(key.try_into().unwrap()));
        let counts: BTreeMap<_, _> = stored(REFERENCE)
            .iter()
            .map(|(key, value)| {
                let Ok(Record::References(count)) = Record::read(REFERENCE, key, value) else {
                    panic!("{key:?} is no count");
                };
                (number(key), count)
            })
            .collect();
        assert_eq!(counts, expected);
        let bodies: Vec<_> = stored(MESSAGE).iter().map(|(key, _)| number(key)).collect();
        assert_eq!(bodies, expected.keys().copied().collect::<Vec<_>>());
    }

    /// Everything that can be read is as in the model.
    fn check(&mut self) {
        self.apply();
        let listed = self.archive.sessions(None, ALL).unwrap().items;
        assert_eq!(listed.len(), self.model.sessions.len());
        for (found, (&number, model)) in listed.iter().zip(&self.model.sessions) {
            assert_eq!((found.id.0, &found.record), (number, &session(&number.to_string())));
            let mut filters: Vec<_> = found
                .subscriptions
                .iter()
                .map(|found| found.filter.to_string())
                .collect();
            filters.sort();
            assert_eq!(filters, model.subscriptions.iter().cloned().collect::<Vec<_>>());
        }
        for (&number, model) in &self.model.sessions {
            check_queue(&mut self.archive, SessionId(number), model);
        }
        self.check_transfers();
        let retained = self.archive.retained(None, ALL).unwrap().items;
        let retained: BTreeMap<_, _> = retained.into_iter().map(|m| (m.topic.to_string(), text(&m))).collect();
        assert_eq!(retained, self.model.retained);
    }

    fn check_transfers(&mut self) {
        let mut found = Vec::new();
        let mut after = Place(0);
        loop {
            let window = self.archive.window(TRANSIT, after, entries(2)).unwrap();
            for queued in &window.entries {
                let key = queued.place.0.to_be_bytes();
                let value = self.archive.store().get(TRANSFER, &key).unwrap().unwrap();
                let Ok(Record::Transfer(record)) = Record::read(TRANSFER, &key, &value) else {
                    panic!("{key:?} is no transfer");
                };
                found.push((queued.place.0, as_found(queued), record.receivers));
                after = queued.place;
            }
            if !window.more {
                break;
            }
        }
        let expected: Vec<_> = self
            .model
            .transfers
            .iter()
            .map(|(&place, transfer)| {
                let receivers: Vec<_> = transfer.receivers.iter().map(|&number| addressee(number)).collect();
                (place, as_expected(&transfer.entry), receivers)
            })
            .collect();
        assert_eq!(found, expected);
        let records = self.archive.store().scan(TRANSFER, &[], None, ALL).unwrap();
        assert_eq!(records.len(), expected.len());
    }

    /// Ends everything: nothing may be left.
    fn finish(&mut self) {
        self.restart(None);
        self.check();
        for name in 0..4 {
            self.end(name);
        }
        (0..4).for_each(|topic| self.archive.clear_retained(&format!("t/{topic}")));
        self.archive.put_meta("name", b"value");
        self.sweep(3);
        assert_eq!(tables(&mut self.archive), [("meta", 1)]);
    }
}

/// Forgets counts early, so that it has to read them again.
fn fresh(store: StrictStore, ids_from: MessageId) -> Archive<StrictStore> {
    let mut archive = Archive::new(store, "data", ids_from);
    archive.references = References::new(ids_from).keeping(2);
    archive
}

fn message(text: &str, expires_at: Option<StoreTime>) -> MessageRecord {
    let mut message = super::message(text);
    message.expires_at = expires_at;
    message
}

/// An entry of the model that waits.
fn waiting(place: u64, shared: Option<u64>, expires_at: Option<StoreTime>) -> ModelEntry {
    // A shared message is the same for all: so is when it expires.
    let expires_at = if shared.is_some() {
        Some(StoreTime(50))
    } else {
        expires_at
    };
    ModelEntry {
        text: shared.map_or_else(|| format!("for one {place}"), |id| format!("for all {id}")),
        shared,
        expires_at,
        group: None,
        cost_bytes: place as u32,
        packet_id: None,
        is_released: false,
        holding: Holding::queued(shared.map(MessageId)),
    }
}

fn content<'a>(entry: &ModelEntry, message: &'a MessageRecord) -> ContentRef<'a> {
    let message = message.borrowed();
    entry.shared.map_or(ContentRef::Inline(message), |id| {
        ContentRef::Shared(MessageId(id), message)
    })
}

fn addressee(number: u64) -> Addressee {
    Addressee {
        session: SessionId(number),
        qos: QoS::ExactlyOnce,
        retain: false,
        ids: Vec::new(),
    }
}

/// What there is to say of a delivery that waits, as it was read.
type Waiting = (String, Option<String>, u32, Option<u64>, Holding);

fn as_found(queued: &QueuedRecord) -> Waiting {
    (
        text(&queued.message),
        queued.group.as_ref().map(ToString::to_string),
        queued.cost_bytes,
        queued.shared.map(|id| id.0),
        queued.holding(),
    )
}

fn as_expected(entry: &ModelEntry) -> Waiting {
    (
        entry.text.clone(),
        entry.group.clone(),
        entry.cost_bytes,
        entry.shared,
        entry.holding,
    )
}

fn text(message: &MessageRecord) -> String {
    String::from_utf8(message.payload.to_vec()).unwrap()
}

fn check_queue(archive: &mut Archive<StrictStore>, session: SessionId, model: &ModelSession) {
    let loaded = archive.load(session, entries(2)).unwrap();
    assert_eq!(
        loaded.received,
        model.received.iter().map(|&number| id(number)).collect::<Vec<_>>()
    );

    let flights: Vec<_> = loaded
        .flights
        .iter()
        .map(|flight| {
            let sent = flight.queued.as_ref().map(|queued| text(&queued.message));
            (flight.place.0, flight.packet_id.get(), sent, flight.holding)
        })
        .collect();
    let expected: Vec<_> = model
        .queue
        .iter()
        .filter_map(|(&place, entry)| {
            let sent = (!entry.is_released).then(|| entry.text.clone());
            Some((place, entry.packet_id?, sent, entry.holding))
        })
        .collect();
    assert_eq!(flights, expected);

    let (mut waiting, mut window) = (Vec::new(), loaded.window);
    loop {
        let found = window.entries.iter().map(|queued| (queued.place.0, as_found(queued)));
        waiting.extend(found);
        if !window.more {
            break;
        }
        window = archive
            .window(session, window.entries.last().unwrap().place, entries(2))
            .unwrap();
    }
    let expected: Vec<_> = model
        .queue
        .iter()
        .filter(|(_, entry)| entry.waits())
        .map(|(&place, entry)| (place, as_expected(entry)))
        .collect();
    assert_eq!(waiting, expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(histories(60)))]

    #[test]
    fn a_history_leaves_what_its_model_says_and_in_the_end_nothing(steps in vec(step(), 1..150)) {
        let mut pair = Pair::new();
        for (number, step) in steps.into_iter().enumerate() {
            pair.take(step);
            if number % 16 == 0 {
                pair.check();
            }
        }
        pair.check();
        pair.finish();
    }
}
