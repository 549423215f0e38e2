//! Topic aliases that a client has given out.

use mqtt_codec::{DisconnectReason, Publish};

use super::{ConnectionKey, Flow, Line};

impl Line {
    /// Puts the topic that the alias stands for into the packet, or learns it: [MQTT-3.3.2-9], [MQTT-3.3.2-12] in 5.0.
    pub(super) fn resolve_alias(
        &mut self,
        connection: ConnectionKey,
        publish: &mut Publish,
        alias: u16,
    ) -> Result<(), Flow> {
        let Some((session, _)) = self.connected(connection) else {
            return Err(Flow::Closed);
        };
        let Some(link) = &mut session.link else {
            return Err(Flow::Closed);
        };
        if alias > link.alias_max {
            let what = "topic alias above Topic Alias Maximum (MQTT-3.3.2-9)";
            return Err(self.violation(connection, DisconnectReason::TopicAliasInvalid, what));
        }
        let place = usize::from(alias) - 1;
        let known = &mut link.aliases.get_or_insert_default().inward;
        if known.len() <= place {
            known.resize(place + 1, None);
        }
        match known.get_mut(place) {
            Some(known) if !publish.topic.is_empty() => {
                *known = Some(publish.topic.detach());
                Ok(())
            }
            Some(Some(known)) => {
                publish.topic = known.clone();
                Ok(())
            }
            Some(None) | None => {
                Err(self.protocol_error(connection, "topic alias that no topic was given to (section 3.3.2.3.4)"))
            }
        }
    }
}
