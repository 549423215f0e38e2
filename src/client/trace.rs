//! What `-d` prints: each packet, on standard error.

use std::io::{self, Write};

use mqtt_codec::Packet;

/// Prints packets, if it is switched on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trace {
    pub(crate) on: bool,
    /// The command, as it starts every line.
    pub(crate) name: &'static str,
}

impl Trace {
    pub(crate) fn sent(self, packet: &Packet) {
        self.print("sent", packet);
    }

    pub(crate) fn received(self, packet: &Packet) {
        self.print("received", packet);
    }

    fn print(self, verb: &str, packet: &Packet) {
        if self.on {
            let _ = writeln!(
                io::stderr(),
                "{}: {verb} {}{}",
                self.name,
                packet.kind(),
                details(packet)
            );
        }
    }
}

/// What tells one packet of a kind from another, with a space in front.
fn details(packet: &Packet) -> String {
    match packet {
        Packet::Connect(connect) => {
            let session = if connect.clean_start {
                "clean session"
            } else {
                "kept session"
            };
            format!(
                " (MQTT {}, client id \"{}\", {session}, keep alive {} s)",
                connect.version, connect.client_id, connect.keep_alive_secs
            )
        }
        Packet::Connack(connack) => {
            let session = if connack.session_present {
                ", session present"
            } else {
                ""
            };
            let id = connack.properties.assigned_client_id.as_ref();
            let id = id.map_or(String::new(), |id| format!(", client id \"{id}\""));
            format!(" ({}{session}{id})", connack.reason)
        }
        Packet::Publish(publish) => {
            let id = publish.packet_id.map_or(String::new(), |id| format!(", id {id}"));
            let retain = if publish.retain { ", retain" } else { "" };
            let dup = if publish.dup { ", dup" } else { "" };
            let (topic, bytes) = (publish.topic.as_str().escape_default(), publish.payload.len());
            format!(
                " (\"{topic}\", QoS {}{id}{retain}{dup}, {bytes} bytes)",
                publish.qos as u8
            )
        }
        Packet::Puback(ack) => format!(" (id {}, {})", ack.packet_id, ack.reason),
        Packet::Pubrec(ack) => format!(" (id {}, {})", ack.packet_id, ack.reason),
        Packet::Pubrel(ack) => format!(" (id {}, {})", ack.packet_id, ack.reason),
        Packet::Pubcomp(ack) => format!(" (id {}, {})", ack.packet_id, ack.reason),
        Packet::Subscribe(subscribe) => {
            let filters = subscribe
                .filters
                .iter()
                .map(|filter| format!("\"{}\" QoS {}", filter.filter, filter.qos as u8));
            format!(
                " (id {}, {})",
                subscribe.packet_id,
                filters.collect::<Vec<_>>().join(", ")
            )
        }
        Packet::Suback(suback) => {
            let reasons: Vec<_> = suback.reasons.iter().map(ToString::to_string).collect();
            format!(" (id {}, {})", suback.packet_id, reasons.join(", "))
        }
        Packet::Unsubscribe(unsubscribe) => format!(" (id {})", unsubscribe.packet_id),
        Packet::Unsuback(unsuback) => format!(" (id {})", unsuback.packet_id),
        Packet::Disconnect(disconnect) => format!(" ({})", disconnect.reason),
        Packet::Auth(auth) => format!(" ({})", auth.reason),
        Packet::Pingreq | Packet::Pingresp => String::new(),
    }
}
