//! Clients, as a story tells of them.

use mqtt_codec::{ClientId, Connack, Connect, DisconnectReason, Packet, Publish, QoS, TopicName, Version, Will};

use super::World;

/// A handle on one connection of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client(pub(crate) usize);

/// A client before it connects.
pub struct ClientBuilder<'a> {
    world: &'a mut World,
    connect: Connect,
}

impl<'a> ClientBuilder<'a> {
    pub(super) fn new(world: &'a mut World, id: &str) -> Self {
        let connect = Connect::new(Version::V5, ClientId::new(id).unwrap());
        Self {
            world,
            connect: Connect {
                clean_start: true,
                ..connect
            },
        }
    }

    pub fn version(mut self, version: Version) -> Self {
        self.connect.version = version;
        self
    }

    /// Clean Start, or Clean Session in 3.x. On by default.
    pub fn clean(mut self, clean: bool) -> Self {
        self.connect.clean_start = clean;
        self
    }

    /// Keep Alive in milliseconds of the world, as `secs(10)` gives them.
    pub fn keep_alive(mut self, millis: u64) -> Self {
        self.connect.keep_alive_secs = (millis / 1000) as u16;
        self
    }

    /// Session Expiry Interval, in seconds.
    pub fn expiry(mut self, secs: u32) -> Self {
        self.connect.properties.session_expiry_secs = Some(secs);
        self
    }

    /// A session that stays: Clean Start off, with an expiry of an hour in 5.0.
    pub fn persistent(mut self) -> Self {
        self.connect.clean_start = false;
        if self.connect.version == Version::V5 {
            self.connect.properties.session_expiry_secs = Some(3600);
        }
        self
    }

    pub fn receive_maximum(mut self, max: u16) -> Self {
        self.connect.properties.receive_maximum = std::num::NonZeroU16::new(max);
        self
    }

    pub fn packet_size_max(mut self, max: u32) -> Self {
        self.connect.properties.packet_size_max = std::num::NonZeroU32::new(max);
        self
    }

    pub fn topic_alias_max(mut self, max: u16) -> Self {
        self.connect.properties.topic_alias_max = max;
        self
    }

    /// A will with QoS 1 and this delay in seconds.
    pub fn will(self, topic: &str, payload: &'static str, delay_secs: u32) -> Self {
        self.will_packet(Will {
            topic: TopicName::new(topic.to_owned()).unwrap(),
            payload: payload.into(),
            qos: QoS::AtLeastOnce,
            retain: false,
            delay_secs,
            properties: None,
        })
    }

    pub fn will_packet(mut self, will: Will) -> Self {
        self.connect.will = Some(will);
        self
    }

    /// Any other change of the CONNECT.
    pub fn change(mut self, change: impl FnOnce(&mut Connect)) -> Self {
        change(&mut self.connect);
        self
    }

    /// Connects and expects to be let in; the CONNACK is taken out of the inbox.
    pub fn connect(self) -> Client {
        self.connect_with_connack().0
    }

    /// Connects and expects to be let in.
    pub fn connect_with_connack(self) -> (Client, Connack) {
        let id = self.connect.client_id.clone();
        let (client, connack) = self.try_connect();
        let connack = connack.unwrap_or_else(|| panic!("{} got no CONNACK", &*id));
        assert!(!connack.reason.is_error(), "{} was refused: {:?}", &*id, connack.reason);
        (client, connack)
    }

    /// Connects; the CONNACK may be a refusal or missing.
    pub fn try_connect(self) -> (Client, Option<Connack>) {
        let client = self.world.connect(self.connect);
        let inbox = &mut self.world.connections[client.0].inbox;
        let connack = match inbox.first() {
            Some(Packet::Connack(connack)) => Some((**connack).clone()),
            _ => None,
        };
        if connack.is_some() {
            inbox.remove(0);
        }
        (client, connack)
    }
}

impl World {
    /// Subscribes at this QoS and expects it to be granted; retained messages are left in the inbox.
    pub fn subscribe(&mut self, client: Client, filter: &str, qos: QoS) {
        let packet = super::packets::subscribe(1, filter, qos);
        self.subscribe_with(client, packet);
    }

    /// Sends SUBSCRIBE and takes the SUBACK out of the inbox.
    pub fn subscribe_with(&mut self, client: Client, packet: mqtt_codec::Subscribe) -> mqtt_codec::Suback {
        self.send(client, Packet::Subscribe(packet));
        let inbox = &mut self.connections[client.0].inbox;
        let place = inbox
            .iter()
            .position(|packet| matches!(packet, Packet::Suback(_)))
            .expect("a SUBACK");
        let Packet::Suback(suback) = inbox.remove(place) else {
            unreachable!("its place was found")
        };
        suback
    }

    /// Publishes without flags. QoS 1 and 2 take packet id 1; acknowledgements are left in the inbox.
    pub fn publish(&mut self, client: Client, topic: &str, payload: &str, qos: QoS) {
        let publish = super::packets::publish(topic, payload, qos);
        self.send(client, Packet::Publish(publish));
    }

    /// Publishes at QoS 0 with the RETAIN flag.
    pub fn retain(&mut self, client: Client, topic: &str, payload: &str) {
        let publish = super::packets::publish(topic, payload, QoS::AtMostOnce);
        self.send(
            client,
            Packet::Publish(Publish {
                retain: true,
                ..publish
            }),
        );
    }

    /// Takes the PUBLISH packets out of the inbox.
    pub fn publishes(&mut self, client: Client) -> Vec<Publish> {
        let (publishes, others) = self
            .received(client)
            .into_iter()
            .partition(|packet| matches!(packet, Packet::Publish(_)));
        self.connections[client.0].inbox = others;
        let publishes: Vec<Packet> = publishes;
        let of = |packet| {
            if let Packet::Publish(publish) = packet {
                Some(publish)
            } else {
                None
            }
        };
        publishes.into_iter().filter_map(of).collect()
    }

    /// The payloads of the PUBLISH packets that the client has received, as text.
    pub fn payloads(&mut self, client: Client) -> Vec<String> {
        self.publishes(client)
            .iter()
            .map(|publish| String::from_utf8_lossy(&publish.payload).into_owned())
            .collect()
    }

    /// The reason of the DISCONNECT that was the broker's last word to this client, if it said any; the rest of the
    /// inbox is thrown away.
    pub fn goodbye(&mut self, client: Client) -> Option<DisconnectReason> {
        assert!(!self.is_connected(client), "the connection is still open");
        match self.received(client).pop() {
            Some(Packet::Disconnect(packet)) => Some(packet.reason),
            _ => None,
        }
    }

    /// The client acknowledges a PUBLISH as its QoS asks for: PUBACK, or PUBREC and PUBCOMP.
    pub fn acknowledge(&mut self, client: Client, publish: &Publish) {
        let Some(id) = publish.packet_id else { return };
        match publish.qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => self.send(client, super::packets::puback(id)),
            QoS::ExactlyOnce => {
                self.send(client, super::packets::pubrec(id));
                self.send(client, super::packets::pubcomp(id));
            }
        }
    }
}
