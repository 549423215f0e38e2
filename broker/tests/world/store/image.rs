//! What a store has kept, as plain maps: the meaning of every change, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use broker::durable::{
    Change, Entry, Fetch, Found, Holding, MessageId, OpenDelivery, Place, SessionId, SessionImage, Stage, Transfer,
    Wanted, WillImage, Window,
};
use broker::message::{Message, Millis};
use broker::session::Delivery;
use mqtt_codec::{PacketId, QoS, TopicFilter, TopicName};

use broker::router::SubscriptionOptions;

/// A change with nothing left open: what the retained tables say has been looked up.
#[derive(Clone, Debug)]
pub enum Fact {
    Changed(Change),
    Retained(TopicName, Option<Arc<Message>>),
}

/// What would be there if the broker ended at this point.
#[derive(Clone, Debug, Default)]
pub struct Image {
    pub sessions: BTreeMap<SessionId, Kept>,
    pub wills: BTreeMap<SessionId, WillImage>,
    pub retained: BTreeMap<TopicName, Arc<Message>>,
    /// Messages on their way between lines.
    pub transfers: BTreeMap<Place, Transfer>,
    /// The highest number that any line has given out.
    pub serial: u64,
}

/// A session.
#[derive(Clone, Debug)]
pub struct Kept {
    pub image: SessionImage,
    pub subscriptions: BTreeMap<String, (TopicFilter, SubscriptionOptions)>,
    pub queue: BTreeMap<Place, Held>,
    pub received: BTreeSet<PacketId>,
}

/// A delivery.
#[derive(Clone, Debug)]
pub struct Held {
    /// `None`: PUBREC has come.
    pub entry: Option<Entry>,
    pub packet_id: Option<PacketId>,
    pub stage: Stage,
}

impl Image {
    /// Whether nothing but retained messages is left.
    pub fn is_bare(&self) -> bool {
        self.sessions.is_empty() && self.wills.is_empty() && self.transfers.is_empty()
    }

    /// Puts what was under way between lines into the queues that it was for, before the broker starts.
    pub fn finish_transfers(&mut self) {
        for transfer in std::mem::take(&mut self.transfers).into_values() {
            for receiver in &transfer.receivers {
                self.serial += 1 << 12;
                if let Some(kept) = self.sessions.get_mut(&receiver.session) {
                    kept.enqueue(&Entry {
                        place: Place(self.serial),
                        message: Arc::clone(&transfer.message),
                        qos: receiver.qos,
                        retain: receiver.retain,
                        ids: receiver.ids.clone(),
                        via: transfer.via.clone(),
                        shared: transfer.shared,
                        packet_id: None,
                    });
                }
            }
        }
    }

    /// The session that a client has: the last, where the end of one and the beginning of another overlap.
    pub fn session_of(&self, client: &str) -> Option<&Kept> {
        let mut sessions = self.sessions.values().rev();
        sessions.find(|kept| &*kept.image.client_id == client)
    }

    /// Makes a change. The brain has to say rightly what is there: the store does not look.
    pub fn take(&mut self, fact: &Fact) {
        match fact {
            Fact::Retained(topic, Some(message)) => _ = self.retained.insert(topic.clone(), Arc::clone(message)),
            Fact::Retained(topic, None) => _ = self.retained.remove(topic),
            Fact::Changed(change) => self.change(change),
        }
    }

    fn change(&mut self, change: &Change) {
        match change {
            Change::Session(image) => self.keep_session(image),
            Change::EndSession(id) => _ = self.sessions.remove(id),
            Change::Subscribe(id, filter, options) => {
                let kept = self.known(*id, change);
                kept.subscriptions
                    .insert(filter.as_str().to_owned(), (filter.clone(), *options));
            }
            Change::Unsubscribe(id, filter) => _ = self.known(*id, change).subscriptions.remove(filter.as_str()),
            Change::Queue(id, entry) => self.known(*id, change).enqueue(entry),
            Change::Sent(id, place, packet_id) => self.known(*id, change).sent(*place, *packet_id),
            Change::Released(id, holding, packet_id) => self.known(*id, change).released(holding, *packet_id),
            Change::Done(id, holding) => match self.sessions.get_mut(id) {
                Some(kept) => kept.done(holding),
                // Its records are gone with the session; a count of references must not be taken down twice.
                None => assert_eq!(holding.body, None, "{change:?} of a session that has ended"),
            },
            Change::Received(id, packet_id) => {
                let first = self.known(*id, change).received.insert(*packet_id);
                assert!(first, "{change:?} twice");
            }
            Change::Forgotten(id, packet_id) => _ = self.known(*id, change).received.remove(packet_id),
            Change::Retained(_) => unreachable!("it is looked up when it comes"),
            Change::Transfer(transfer) => {
                let before = self.transfers.insert(transfer.place, transfer.as_ref().clone());
                assert!(before.is_none(), "two under one number");
            }
            Change::Transferred(place, body) => {
                let transfer = self.transfers.remove(place).expect("what is taken over was under way");
                let shared = transfer.shared.then_some(MessageId(transfer.message.id));
                assert_eq!(*body, shared, "the body that it shares");
            }
            Change::Will(image) => _ = self.wills.insert(image.id, image.as_ref().clone()),
            Change::NoWill(id) => _ = self.wills.remove(id),
        }
    }

    fn known(&mut self, id: SessionId, change: &Change) -> &mut Kept {
        let kept = self.sessions.get_mut(&id);
        kept.unwrap_or_else(|| panic!("{change:?} of a session that is not kept"))
    }

    fn keep_session(&mut self, image: &SessionImage) {
        if let Some(kept) = self.sessions.get_mut(&image.id) {
            kept.image = image.clone();
            return;
        }
        let kept = Kept {
            image: image.clone(),
            subscriptions: BTreeMap::new(),
            queue: BTreeMap::new(),
            received: BTreeSet::new(),
        };
        self.sessions.insert(image.id, kept);
    }

    /// Reads what is wanted. With it come the places that a count has found expired.
    pub fn find(&self, fetch: &Fetch, now: Millis) -> (Found, Vec<Holding>) {
        let nothing = Kept::nobody();
        let kept = self.sessions.get(&fetch.id).unwrap_or(&nothing);
        match fetch.what {
            Wanted::Conversations(max) => (kept.conversations(max), Vec::new()),
            Wanted::Window(after, max) => (Found::Window(kept.window(after, max)), Vec::new()),
            Wanted::Count(after) => kept.count(after, now),
        }
    }
}

impl Kept {
    fn nobody() -> Self {
        Self {
            image: SessionImage {
                id: SessionId(0),
                client_id: mqtt_codec::ClientId::new("nobody").unwrap(),
                username: None,
                expiry_secs: 0,
                left_at: None,
                will: None,
            },
            subscriptions: BTreeMap::new(),
            queue: BTreeMap::new(),
            received: BTreeSet::new(),
        }
    }

    fn enqueue(&mut self, entry: &Entry) {
        let last = self.queue.last_key_value().map(|(place, _)| *place);
        assert!(
            last < Some(entry.place),
            "{:?} comes after {last:?} and stands before it",
            entry.place
        );
        assert!(!entry.shared || entry.message.id != 0, "a shared body without a name");
        let held = Held {
            packet_id: entry.packet_id,
            entry: Some(entry.clone()),
            stage: Stage::Queued,
        };
        self.queue.insert(entry.place, held);
    }

    fn sent(&mut self, place: Place, packet_id: PacketId) {
        let held = self.queue.get_mut(&place).expect("what is sent was queued");
        assert_eq!(held.packet_id, None, "{place:?} is sent twice");
        held.packet_id = Some(packet_id);
        held.stage = Stage::Sent;
    }

    fn released(&mut self, holding: &Holding, packet_id: PacketId) {
        let held = self.queue.get_mut(&holding.place).expect("what is released was queued");
        assert_eq!(*holding, held.holding(holding.place), "what the store has of it");
        assert_eq!(held.packet_id, Some(packet_id), "{:?} under another id", holding.place);
        held.entry = None;
        held.stage = Stage::Released;
    }

    fn done(&mut self, holding: &Holding) {
        let held = self.queue.remove(&holding.place).expect("what is done was queued");
        assert_eq!(*holding, held.holding(holding.place), "what the store has of it");
    }

    /// Deliveries that have no packet id and lie behind `after`, oldest first.
    fn waiting(&self, after: Place) -> impl Iterator<Item = &Entry> {
        let waiting = self.queue.values().filter(|held| held.packet_id.is_none());
        let entries = waiting.filter_map(|held| held.entry.as_ref());
        entries.filter(move |entry| entry.place > after)
    }

    fn window(&self, after: Place, max: usize) -> Window {
        Window {
            deliveries: self
                .waiting(after)
                .take(max)
                .map(|entry| delivery(entry, false))
                .collect(),
            more: self.waiting(after).nth(max).is_some(),
        }
    }

    fn conversations(&self, max: usize) -> Found {
        let open = self.queue.iter().filter_map(|(place, held)| {
            Some(OpenDelivery {
                packet_id: held.packet_id?,
                place: *place,
                delivery: held
                    .entry
                    .as_ref()
                    .map(|entry| delivery(entry, held.stage == Stage::Sent)),
            })
        });
        Found::Conversations {
            received: self.received.iter().copied().collect(),
            open: open.collect(),
            window: self.window(Place(0), max),
        }
    }

    fn count(&self, after: Place, now: Millis) -> (Found, Vec<Holding>) {
        let (expired, alive): (Vec<_>, Vec<_>) = self.waiting(after).partition(|entry| entry.message.is_expired(now));
        let found = Found::Count {
            after,
            entries: alive.len(),
            bytes: alive.iter().map(|entry| entry.message.cost()).sum(),
            expired: expired.len(),
        };
        let holdings = expired
            .iter()
            .map(|entry| self.queue[&entry.place].holding(entry.place));
        (found, holdings.collect())
    }
}

impl Held {
    fn holding(&self, place: Place) -> Holding {
        let shared = self.entry.as_ref().filter(|entry| entry.shared);
        Holding {
            place,
            stage: self.stage,
            body: shared.map(|entry| MessageId(entry.message.id)),
        }
    }
}

/// The delivery as it is read back: nobody on this side of a start is its publisher.
fn delivery(entry: &Entry, told: bool) -> Delivery {
    assert_ne!(entry.qos, QoS::AtMostOnce, "QoS 0 is not kept");
    let message = Message {
        topic: entry.message.topic.clone(),
        payload: entry.message.payload.clone(),
        qos: entry.message.qos,
        retain: entry.message.retain,
        properties: entry.message.properties.clone(),
        expires_at: entry.message.expires_at,
        publisher: None,
        id: if entry.shared { entry.message.id } else { 0 },
        arrived_micros: 0,
        trace: None,
    };
    Delivery {
        message: Arc::new(message),
        qos: entry.qos,
        retain: entry.retain,
        ids: entry.ids.clone(),
        via: entry.via.clone(),
        place: Some(entry.place),
        shared: entry.shared,
        told,
    }
}
