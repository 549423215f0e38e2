//! One message while it is handed to its receivers, with its wire forms built once each.

use std::sync::Arc;

use bytes::Bytes;
use mqtt_codec::{PublishProperties, QoS, Template, TopicName, Version};

use crate::durable::Durability;
use crate::key::SessionKey;
use crate::message::{Message, Millis};
use crate::traces::TraceContext;

/// Payloads from this size on came in parts into a buffer that holds little else: it is kept instead of a copy.
const KEPT_BYTES_MIN: usize = 64 << 10;

/// A message on its way through one line, seen by all receivers there.
///
/// It borrows from the read buffer as long as it can: the owned [`Message`] comes into being only for a receiver that
/// keeps it (QoS 1, QoS 2, another line, a queue).
#[derive(Debug)]
pub(crate) struct Parcel<'a> {
    pub(crate) topic: &'a TopicName,
    /// The same topic as a value that outlives the read buffer, if the line has one at hand.
    pub(crate) kept_topic: Option<TopicName>,
    pub(crate) payload: &'a Bytes,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) properties: Option<&'a PublishProperties>,
    pub(crate) expires_at: Option<Millis>,
    pub(crate) publisher: Option<SessionKey>,
    pub(crate) message: Option<Arc<Message>>,
    /// What the queues that take it have to survive.
    pub(crate) durability: Durability,
    /// Several queues may take it: the store keeps its body once, under `id`.
    pub(crate) shared: bool,
    /// The store has it already, on behalf of the line that it came from: nobody waits for it to be kept here.
    pub(crate) secured: bool,
    pub(crate) id: u64,
    /// See [`Message::arrived_micros`].
    pub(crate) arrived_micros: u64,
    /// The filters of [`Classes`](crate::classes::Classes) that its topic matches, if somebody has looked.
    pub(crate) classes: Option<u64>,
    /// See [`Message::trace`].
    pub(crate) trace: Option<Arc<TraceContext>>,
    /// It waited since then, and was not on its way.
    pub(crate) waited: bool,
}

impl<'a> Parcel<'a> {
    /// A parcel of a message that is owned already and goes where it was told before, or nowhere that is kept.
    pub(crate) fn of(message: &'a Arc<Message>) -> Self {
        Self {
            topic: &message.topic,
            kept_topic: None,
            payload: &message.payload,
            qos: message.qos,
            retain: message.retain,
            properties: message.properties.as_deref(),
            expires_at: message.expires_at,
            publisher: message.publisher,
            message: Some(Arc::clone(message)),
            durability: Durability::Memory,
            shared: false,
            secured: false,
            id: message.id,
            arrived_micros: message.arrived_micros,
            classes: None,
            trace: message.trace.clone(),
            waited: false,
        }
    }

    pub(crate) fn security(&self) -> Security {
        Security {
            durability: self.durability,
            is_awaited: !self.secured,
        }
    }

    /// The message as a value that outlives the read buffer.
    pub(crate) fn message(&mut self) -> Arc<Message> {
        if let Some(message) = &self.message {
            return Arc::clone(message);
        }
        let properties = self.properties.map(|properties| {
            let mut own = properties.detach();
            own.topic_alias = None;
            own.subscription_ids = Vec::new();
            own.message_expiry_secs = None;
            Box::new(own)
        });
        let message = Arc::new(Message {
            topic: self.kept_topic.take().unwrap_or_else(|| self.topic.detach()),
            payload: if self.payload.len() >= KEPT_BYTES_MIN {
                self.payload.clone()
            } else {
                Bytes::copy_from_slice(self.payload)
            },
            qos: self.qos,
            retain: self.retain,
            properties,
            expires_at: self.expires_at,
            publisher: self.publisher,
            id: self.id,
            arrived_micros: self.arrived_micros,
            trace: self.trace.clone(),
        });
        self.message = Some(Arc::clone(&message));
        message
    }
}

/// What a queue that takes a message has to see to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Security {
    /// What it has to survive.
    pub(crate) durability: Durability,
    /// Somebody waits until it does.
    pub(crate) is_awaited: bool,
}

/// The wire forms of the parcel at hand, one for each version, QoS and RETAIN flag, built when first asked for.
///
/// The buffers stay from parcel to parcel, so that a line in its steady state allocates nothing here.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    forms: [Option<Template>; Self::FORMS],
    /// One bit a form: built for the parcel at hand.
    built: u16,
}

impl Templates {
    const FORMS: usize = 12;

    /// Forgets the parcel before.
    pub(crate) fn next_parcel(&mut self) {
        self.built = 0;
    }

    /// The wire form for a receiver; `None` if the message cannot be written at all.
    pub(crate) fn form(&mut self, parcel: &Parcel<'_>, version: Version, qos: QoS, retain: bool) -> Option<&Template> {
        let wide = matches!(version, Version::V5);
        let place = usize::from(wide) * 6 + qos as usize * 2 + usize::from(retain);
        let form = self.forms.get_mut(place)?;
        if self.built & (1 << place) == 0 {
            let properties = parcel.properties.filter(|_| wide);
            let (topic, payload) = (parcel.topic, parcel.payload);
            match form {
                Some(form) => form.rebuild(version, qos, retain, topic, properties, payload).ok()?,
                None => *form = Some(Template::new(version, qos, retain, topic, properties, payload).ok()?),
            }
            self.built |= 1 << place;
        }
        form.as_ref()
    }
}
