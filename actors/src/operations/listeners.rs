//! Where clients come in.

use super::Operations;

/// A listener as an operator sees it.
#[derive(Debug, Clone)]
pub struct ListenerSight {
    /// Its name in logs and rights.
    pub name: String,
    /// Where it is.
    pub endpoint: String,
    /// What carries MQTT there.
    pub transport: String,
    /// Whether it asks clients for a certificate.
    pub has_client_certificates: bool,
    /// Connections at this moment.
    pub connections: usize,
    /// Connections that it takes.
    pub connections_max: usize,
}

impl Operations {
    /// All listeners.
    #[must_use]
    pub fn listeners(&self) -> Vec<ListenerSight> {
        let sight = |(listener, endpoint): (std::sync::Arc<crate::listener::Listener>, String)| {
            let settings = &listener.settings;
            ListenerSight {
                name: settings.name.clone(),
                endpoint,
                transport: settings.transport().to_owned(),
                has_client_certificates: settings.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some()),
                connections: listener.open(),
                connections_max: settings.limits.connections_max,
            }
        };
        self.house.doors.places().into_iter().map(sight).collect()
    }
}
