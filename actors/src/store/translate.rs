//! The brain's words for what is kept, and the records that say the same.

use std::sync::Arc;

use broker::durable::{
    Addressee, Change, Holding, OpenDelivery, Place, SessionId, SessionImage, Stage, WillImage, Window,
};
use broker::message::{Message, Millis};
use broker::router::{ShareKey, SubscriptionIds, SubscriptionOptions};
use broker::session::Delivery;
use mqtt_codec::TopicFilter;
use storage::{
    Archive, ContentRef, EntryRef, LoadedFlight, MessageRecord, MessageRef, QueuedRecord, SessionRecord, Store,
    StoreError, StoreTime, StoredSession, SubscriptionRecord, WillRecord,
};

use crate::tables::SharedTables;

/// Has the archive carry out one change.
///
/// # Errors
///
/// The store failed, or a count that the change rests on is damaged.
pub(super) fn carry_out<S: Store>(
    archive: &mut Archive<S>,
    change: &Change,
    tables: &SharedTables,
) -> Result<(), StoreError> {
    match change {
        Change::Session(image) => archive.put_session(id(image.id), &record_of_session(image)),
        Change::EndSession(session) => archive.end_session(id(*session)),
        Change::Subscribe(session, filter, options) => {
            archive.put_subscription(id(*session), &record_of_subscription(filter, *options));
        }
        Change::Unsubscribe(session, filter) => archive.remove_subscription(id(*session), filter),
        Change::Queue(session, entry) => {
            let group = entry.via.as_ref().map(ToString::to_string);
            let record = EntryRef {
                qos: entry.qos,
                retain: entry.retain,
                ids: entry.ids.as_slice(),
                packet_id: entry.packet_id,
                group: group.as_deref(),
                cost_bytes: cost_of(&entry.message),
                content: content_of(&entry.message, entry.shared),
            };
            return archive.enqueue(id(*session), place(entry.place), record);
        }
        Change::Sent(session, at, packet_id) => archive.sent(id(*session), place(*at), *packet_id),
        Change::Released(session, holding, packet_id) => {
            return archive.released(id(*session), place(holding.place), *packet_id, held(holding));
        }
        Change::Done(session, holding) => return archive.done(id(*session), place(holding.place), held(holding)),
        Change::Received(session, packet_id) => archive.received(id(*session), *packet_id),
        Change::Forgotten(session, packet_id) => archive.forgotten(id(*session), *packet_id),
        Change::Retained(topic) => match tables.retained_message(topic) {
            Some(message) => archive.retain(message_ref(&message)),
            None => archive.clear_retained(topic),
        },
        Change::Transfer(transfer) => {
            let group = transfer.via.as_ref().map(ToString::to_string);
            let content = content_of(&transfer.message, transfer.shared);
            let receivers: Vec<_> = transfer.receivers.iter().map(addressee_of).collect();
            let cost = cost_of(&transfer.message);
            return archive.transfer(place(transfer.place), content, (group.as_deref(), cost), &receivers);
        }
        Change::Transferred(at, body) => {
            return archive.transferred(place(*at), body.map(|body| storage::MessageId(body.0)));
        }
        Change::Will(image) => archive.put_will(id(image.id), &record_of_will(image)),
        Change::NoWill(session) => archive.remove_will(id(*session)),
    }
    Ok(())
}

fn cost_of(message: &Message) -> u32 {
    u32::try_from(message.cost()).unwrap_or(u32::MAX)
}

fn content_of(message: &Message, shared: bool) -> ContentRef<'_> {
    if shared {
        ContentRef::Shared(storage::MessageId(message.id), message_ref(message))
    } else {
        ContentRef::Inline(message_ref(message))
    }
}

fn addressee_of(addressee: &Addressee) -> storage::Addressee {
    storage::Addressee {
        session: id(addressee.session),
        qos: addressee.qos,
        retain: addressee.retain,
        ids: addressee.ids.as_slice().to_vec(),
    }
}

fn id(session: SessionId) -> storage::SessionId {
    storage::SessionId(session.0)
}

pub(super) fn place(place: Place) -> storage::Place {
    storage::Place(place.0)
}

fn held(holding: &Holding) -> storage::Holding {
    let queued = storage::Holding::queued(holding.body.map(|body| storage::MessageId(body.0)));
    match holding.stage {
        Stage::Queued => queued,
        Stage::Sent => queued.sent(),
        Stage::Released => storage::Holding::released(),
    }
}

fn message_ref(message: &Message) -> MessageRef<'_> {
    MessageRef {
        topic: &message.topic,
        payload: &message.payload,
        qos: message.qos,
        retain: message.retain,
        properties: message.properties.as_deref(),
        expires_at: message.expires_at.map(|at| StoreTime(at.0)),
    }
}

fn record_of_session(image: &SessionImage) -> SessionRecord {
    SessionRecord {
        client_id: image.client_id.clone(),
        username: image.username.clone(),
        expiry_secs: image.expiry_secs,
        left_at: image.left_at.map(|at| StoreTime(at.0)),
        will: image.will.clone(),
    }
}

fn record_of_subscription(filter: &TopicFilter, options: SubscriptionOptions) -> SubscriptionRecord {
    SubscriptionRecord {
        filter: filter.as_str().into(),
        qos: options.qos,
        no_local: options.no_local,
        retain_as_published: options.retain_as_published,
        id: options.id,
    }
}

fn record_of_will(image: &WillImage) -> WillRecord {
    WillRecord {
        client_id: image.client_id.clone(),
        username: image.username.clone(),
        will: image.will.clone(),
    }
}

/// A stored session in the brain's words.
pub(super) fn session_of(stored: StoredSession) -> (SessionImage, Vec<(TopicFilter, SubscriptionOptions)>) {
    let image = SessionImage {
        id: SessionId(stored.id.0),
        client_id: stored.record.client_id,
        username: stored.record.username,
        expiry_secs: stored.record.expiry_secs,
        left_at: stored.record.left_at.map(|at| Millis(at.0)),
        will: stored.record.will,
    };
    let subscriptions = stored.subscriptions.into_iter().filter_map(subscription_of).collect();
    (image, subscriptions)
}

fn subscription_of(record: SubscriptionRecord) -> Option<(TopicFilter, SubscriptionOptions)> {
    let filter = TopicFilter::of_any_version(record.filter.clone()).ok()?;
    let options = SubscriptionOptions {
        qos: record.qos,
        no_local: record.no_local,
        retain_as_published: record.retain_as_published,
        id: record.id,
    };
    Some((filter, options))
}

/// A stored will in the brain's words.
pub(super) fn will_of(session: storage::SessionId, record: WillRecord) -> WillImage {
    WillImage {
        id: SessionId(session.0),
        client_id: record.client_id,
        username: record.username,
        will: record.will,
    }
}

/// A stored message in the brain's words. `body` names it where several queues share it.
pub(super) fn message_of(record: &MessageRecord, body: Option<storage::MessageId>) -> Message {
    // What was read shares the bytes of much else.
    let record = record.detach();
    Message {
        topic: record.topic,
        payload: record.payload,
        qos: record.qos,
        retain: record.retain,
        properties: record.properties,
        expires_at: record.expires_at.map(|at| Millis(at.0)),
        publisher: None,
        id: body.map_or(0, |body| body.0),
        arrived_micros: 0,
        trace: None,
    }
}

/// Part of a stored queue in the brain's words. What was sent at once is under way and does not wait.
pub(super) fn window_of(window: storage::Window) -> Window {
    let waiting = window.entries.into_iter().filter(|queued| queued.packet_id.is_none());
    Window {
        deliveries: waiting.map(|queued| delivery_of(&queued, false)).collect(),
        more: window.more,
    }
}

/// A stored conversation in the brain's words.
pub(super) fn open_of(flight: &LoadedFlight) -> OpenDelivery {
    let told = flight.holding.is_sent();
    OpenDelivery {
        packet_id: flight.packet_id,
        place: Place(flight.place.0),
        delivery: flight.queued.as_ref().map(|queued| delivery_of(queued, told)),
    }
}

fn delivery_of(queued: &QueuedRecord, told: bool) -> Delivery {
    let group = queued
        .group
        .clone()
        .and_then(|text| TopicFilter::of_any_version(text).ok());
    let ids = match queued.ids.as_slice() {
        [] => SubscriptionIds::None,
        [id] => SubscriptionIds::One(*id),
        several => SubscriptionIds::Many(Arc::new(several.to_vec())),
    };
    Delivery {
        message: Arc::new(message_of(&queued.message, queued.shared)),
        qos: queued.qos,
        retain: queued.retain,
        ids,
        via: group.as_ref().and_then(ShareKey::of).map(Arc::new),
        place: Some(Place(queued.place.0)),
        shared: queued.shared.is_some(),
        told,
    }
}
