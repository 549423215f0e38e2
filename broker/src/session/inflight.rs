//! What a session has sent at QoS 1 and 2 and has not seen acknowledged to the end.

use std::collections::VecDeque;
use std::sync::Arc;

use mqtt_codec::{PacketId, QoS};

use crate::durable::{Holding, OpenDelivery, Place, Stage};
use crate::exchange::{DeliverEvent, DeliverStep, Exchange, phase};
use crate::limits::{FIRST_PACKET_ID, PACKET_IDS, next_packet_id};
use crate::message::Message;
use crate::router::{ShareKey, SubscriptionIds};

/// One message on its way to one session.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The message, shared with all other receivers.
    pub message: Arc<Message>,
    /// QoS towards this session.
    pub qos: QoS,
    /// RETAIN flag towards this session.
    pub retain: bool,
    /// Identifiers of the subscriptions that it matched.
    pub ids: SubscriptionIds,
    /// The shared group that chose this session, to choose another if it leaves.
    pub via: Option<Arc<ShareKey>>,
    /// Its place in the store; `None`: it is not kept there.
    pub place: Option<Place>,
    /// The store keeps the body of its message once for several queues.
    pub shared: bool,
    /// The store was told apart that it was sent.
    pub told: bool,
}

impl Delivery {
    /// What the store has of it.
    pub(crate) fn holding(&self) -> Option<Holding> {
        Some(Holding {
            place: self.place?,
            stage: if self.told { Stage::Sent } else { Stage::Queued },
            body: self.message.body(self.shared),
        })
    }
}

/// A delivery that has a packet id.
#[derive(Debug)]
struct Entry {
    /// Dropped with the PUBREC: after it only the id is needed.
    delivery: Option<Delivery>,
    exchange: Exchange<phase::Running>,
    step: DeliverStep,
    /// See [`Delivery::place`].
    place: Option<Place>,
    /// Counts against Receive Maximum of this connection.
    counted: bool,
}

/// What an acknowledgement did.
#[derive(Debug)]
pub(crate) enum Acknowledged {
    /// The conversation goes on with a PUBREL; what it was about is of no more use.
    Release(Option<Delivery>),
    /// The conversation is over.
    Done,
    /// No conversation has this id.
    Unknown,
    /// There is one, and the packet does not fit it.
    Unfitting,
}

/// A conversation that has ended.
#[derive(Debug)]
pub(crate) struct Over {
    pub(crate) exchange: Exchange<phase::Running>,
    /// What the store has of it.
    pub(crate) holding: Option<Holding>,
}

impl Entry {
    fn holding(&self) -> Option<Holding> {
        match &self.delivery {
            Some(delivery) => delivery.holding(),
            None => Some(Holding {
                place: self.place?,
                stage: Stage::Released,
                body: None,
            }),
        }
    }
}

/// What has to be sent again on a new connection.
#[derive(Debug)]
pub(crate) enum Resend {
    Publish(PacketId, Delivery),
    Pubrel(PacketId),
}

/// Deliveries in the order in which they were sent, found by packet id without hashing.
///
/// Ids are given out in sequence, so an entry's place in the ring is its distance from the oldest open one. A client
/// that acknowledges in order, as the standard asks, always hits the front.
#[derive(Debug)]
pub struct Inflight {
    /// `None` marks one that ended before an older one did.
    ring: VecDeque<Option<Entry>>,
    /// Id of the ring's front.
    first: PacketId,
    open: u32,
    /// PUBLISH packets sent on this connection and not yet acknowledged to the end.
    quota_used: u16,
    /// Entries from here on have not been sent on this connection.
    resend_at: u32,
}

impl Default for Inflight {
    fn default() -> Self {
        Self {
            ring: VecDeque::new(),
            first: FIRST_PACKET_ID,
            open: 0,
            quota_used: 0,
            resend_at: 0,
        }
    }
}

impl Inflight {
    /// Conversations open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open as usize
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open == 0
    }

    /// Whether another PUBLISH may be sent within `window`, the receiver's Receive Maximum: [MQTT-4.9.0-2] in 5.0.
    pub(crate) fn has_room(&self, window: u16) -> bool {
        self.quota_used < window && self.ring.len() < PACKET_IDS
    }

    /// Whether a resumed session still has packets to send again.
    pub(crate) fn resends(&self) -> bool {
        (self.resend_at as usize) < self.ring.len()
    }

    /// The id that [`Self::begin`] gives next.
    pub(crate) fn next_id(&self) -> PacketId {
        self.id_at(self.ring.len())
    }

    /// Gives the delivery an unused id. The caller has checked [`Self::has_room`].
    pub(crate) fn begin(&mut self, delivery: Delivery, exchange: Exchange<phase::Running>) -> PacketId {
        let step = match delivery.qos {
            QoS::AtMostOnce | QoS::AtLeastOnce => DeliverStep::AwaitPuback,
            QoS::ExactlyOnce => DeliverStep::AwaitPubrec,
        };
        let id = self.next_id();
        self.ring.push_back(Some(Entry {
            place: delivery.place,
            delivery: Some(delivery),
            exchange,
            step,
            counted: true,
        }));
        // The ring has at most one entry for each packet id.
        self.resend_at = self.ring.len() as u32;
        self.open += 1;
        self.quota_used += 1;
        id
    }

    /// Takes the client's answer to the conversation `id`. The exchange comes back when it is over.
    pub(crate) fn acknowledge(&mut self, id: PacketId, event: DeliverEvent) -> (Acknowledged, Option<Over>) {
        let place = self.place_of(id);
        let Some(entry) = self.ring.get_mut(place).and_then(Option::as_mut) else {
            return (Acknowledged::Unknown, None);
        };
        match entry.step.next(event) {
            None => (Acknowledged::Unfitting, None),
            Some(DeliverStep::AwaitPubcomp) => {
                entry.step = DeliverStep::AwaitPubcomp;
                (Acknowledged::Release(entry.delivery.take()), None)
            }
            Some(DeliverStep::Done | DeliverStep::AwaitPuback | DeliverStep::AwaitPubrec) => {
                (Acknowledged::Done, self.abandon(id))
            }
        }
    }

    /// Ends the conversation `id` and frees its packet id.
    pub(crate) fn abandon(&mut self, id: PacketId) -> Option<Over> {
        let place = self.place_of(id);
        let entry = self.ring.get_mut(place)?.take()?;
        self.quota_used -= u16::from(entry.counted);
        self.open -= 1;
        self.drop_ended();
        Some(Over {
            holding: entry.holding(),
            exchange: entry.exchange,
        })
    }

    /// Takes over the conversations that a store has kept, in any order. There is none yet.
    pub(crate) fn restore(&mut self, mut open: Vec<(OpenDelivery, Exchange<phase::Running>)>) {
        open.sort_by_key(|(open, _)| open.packet_id);
        // Ids are given out in sequence: the oldest stands behind the widest gap in the circle of ids.
        let ids: Vec<usize> = open.iter().map(|(open, _)| usize::from(open.packet_id.get())).collect();
        let before = |place: usize| place.checked_sub(1).and_then(|place| ids.get(place));
        let gap = |(place, id): (usize, &usize)| match before(place) {
            Some(before) => id - before,
            None => id + PACKET_IDS - ids.last().unwrap_or(id),
        };
        let gaps = ids.iter().enumerate().map(gap);
        let oldest = gaps
            .enumerate()
            .max_by_key(|(_, gap)| *gap)
            .map_or(0, |(place, _)| place);
        open.rotate_left(oldest);
        for (open, exchange) in open {
            if self.ring.is_empty() {
                self.first = open.packet_id;
            }
            let place = self.place_of(open.packet_id);
            if place < self.ring.len() {
                continue;
            }
            self.ring.resize_with(place, || None);
            let step = match open.delivery.as_ref().map(|delivery| delivery.qos) {
                None => DeliverStep::AwaitPubcomp,
                Some(QoS::ExactlyOnce) => DeliverStep::AwaitPubrec,
                Some(QoS::AtMostOnce | QoS::AtLeastOnce) => DeliverStep::AwaitPuback,
            };
            self.ring.push_back(Some(Entry {
                delivery: open.delivery,
                exchange,
                step,
                place: Some(open.place),
                counted: false,
            }));
            self.open += 1;
        }
    }

    fn drop_ended(&mut self) {
        while let Some(None) = self.ring.front() {
            self.ring.pop_front();
            self.first = next_packet_id(self.first);
            self.resend_at = self.resend_at.saturating_sub(1);
        }
        if self.ring.is_empty() && self.ring.capacity() > 64 {
            self.ring = VecDeque::new();
        }
    }

    /// Starts over on a new connection: all is to be sent again, and the quota is whole ([MQTT-4.4.0-1] in 5.0).
    pub(crate) fn restart(&mut self) {
        self.quota_used = 0;
        self.resend_at = 0;
        for entry in self.ring.iter_mut().flatten() {
            entry.counted = false;
        }
    }

    /// The next packet to send again, in the order of the first sending. PUBREL waits for no quota.
    pub(crate) fn next_resend(&mut self, window: u16) -> Option<Resend> {
        while (self.resend_at as usize) < self.ring.len() {
            let place = self.resend_at as usize;
            let id = self.id_at(place);
            let Some(Some(entry)) = self.ring.get_mut(place) else {
                self.resend_at += 1;
                continue;
            };
            let resend = match &entry.delivery {
                Some(_) if self.quota_used >= window => return None,
                Some(delivery) => {
                    entry.counted = true;
                    self.quota_used += 1;
                    Resend::Publish(id, delivery.clone())
                }
                None => Resend::Pubrel(id),
            };
            self.resend_at += 1;
            return Some(resend);
        }
        None
    }

    /// Takes back what [`Inflight::next_resend`] gave last: it is to be sent later, and what follows it behind it.
    pub(crate) fn put_off(&mut self, id: PacketId) {
        let place = self.place_of(id);
        if let Some(Some(entry)) = self.ring.get_mut(place)
            && std::mem::take(&mut entry.counted)
        {
            self.quota_used -= 1;
            // The ring has at most one entry for each packet id.
            self.resend_at = place as u32;
        }
    }

    /// Takes out what another member of a shared group may get instead: QoS 1, not acknowledged.
    ///
    /// A QoS 2 message that was sent belongs to this session: [MQTT-4.8.2-4], [MQTT-4.8.2-5] in 5.0.
    pub(crate) fn take_shared(&mut self) -> Vec<(Delivery, Exchange<phase::Running>)> {
        let mut taken = Vec::new();
        for slot in &mut self.ring {
            let movable = slot.as_ref().is_some_and(|entry| {
                entry.step == DeliverStep::AwaitPuback && entry.delivery.as_ref().is_some_and(|d| d.via.is_some())
            });
            if movable
                && let Some(Entry {
                    delivery: Some(delivery),
                    exchange,
                    counted,
                    ..
                }) = slot.take()
            {
                self.quota_used -= u16::from(counted);
                self.open -= 1;
                taken.push((delivery, exchange));
            }
        }
        self.drop_ended();
        taken
    }

    /// What [`Inflight::take_shared`] would take, left where it is.
    pub(crate) fn shared(&self) -> Vec<(PacketId, Delivery)> {
        let movable = |(place, entry): (usize, &Option<Entry>)| {
            let entry = entry.as_ref().filter(|entry| entry.step == DeliverStep::AwaitPuback)?;
            let delivery = entry.delivery.as_ref().filter(|delivery| delivery.via.is_some())?;
            Some((self.id_at(place), delivery.clone()))
        };
        self.ring.iter().enumerate().filter_map(movable).collect()
    }

    /// Takes all conversations out, for a session that ends.
    pub(crate) fn take_all(&mut self) -> Vec<Exchange<phase::Running>> {
        let ring = std::mem::take(self).ring;
        ring.into_iter().flatten().map(|entry| entry.exchange).collect()
    }

    /// Steps of the open conversations with their ids, oldest first.
    pub fn steps(&self) -> impl Iterator<Item = (PacketId, DeliverStep)> + '_ {
        self.ring
            .iter()
            .enumerate()
            .filter_map(|(place, entry)| entry.as_ref().map(|entry| (self.id_at(place), entry.step)))
    }

    /// Distance of `id` from the oldest open id, around the id space of 1 to 65,535.
    fn place_of(&self, id: PacketId) -> usize {
        let (id, first) = (usize::from(id.get()), usize::from(self.first.get()));
        if id >= first {
            id - first
        } else {
            id + PACKET_IDS - first
        }
    }

    fn id_at(&self, place: usize) -> PacketId {
        let number = (usize::from(self.first.get()) - 1 + place) % PACKET_IDS + 1;
        u16::try_from(number)
            .ok()
            .and_then(PacketId::new)
            .unwrap_or(FIRST_PACKET_ID)
    }
}
