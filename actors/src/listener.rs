//! A listener as all lines share it: its bounds, its keys, and who is inside.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use broker::identity::Identity;

use crate::settings::ListenerSettings;
use crate::transport::tls::{Security, TlsError};

/// One listener, for all lines.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) settings: ListenerSettings,
    /// Its number among the listeners.
    pub(crate) number: usize,
    /// Its clients of whom nothing is known: one value, since there may be many of them.
    pub(crate) stranger: Arc<Identity>,
    /// Keys and certificates, where TLS is spoken.
    pub(crate) security: Option<Security>,
    open: AtomicUsize,
}

impl Listener {
    /// Reads the files of its certificates.
    ///
    /// # Errors
    ///
    /// Names the file that is not good, and why.
    pub(crate) fn new(number: usize, settings: ListenerSettings) -> Result<Arc<Self>, TlsError> {
        let is_http = settings.websocket.is_some();
        let security = settings.tls.clone().map(|tls| Security::open(tls, is_http));
        Ok(Arc::new(Self {
            stranger: Arc::new(Identity::anonymous(Arc::from(&*settings.name))),
            security: security.transpose()?,
            settings,
            number,
            open: AtomicUsize::new(0),
        }))
    }

    /// Lets a connection in, unless as many as may be are inside.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Permit> {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.settings.limits.connections_max {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Permit(Arc::clone(self)))
    }

    /// Whether MQTT is the first thing that a connection speaks here.
    pub(crate) fn is_bare(&self) -> bool {
        let ListenerSettings {
            tls,
            websocket,
            proxies,
            ..
        } = &self.settings;
        tls.is_none() && websocket.is_none() && !proxies.header_required
    }
}

/// A connection's leave to be open; goes with it from line to line.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Listener>);

impl Permit {
    /// Where the connection came in.
    pub(crate) fn listener(&self) -> &Arc<Listener> {
        &self.0
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::time::Duration;

    use super::*;
    use crate::settings::{Endpoint, ListenerLimits, ProxySettings};

    #[test]
    fn a_listener_counts_those_inside_and_forgets_those_who_left() {
        let settings = ListenerSettings {
            name: "a".to_owned(),
            endpoint: Endpoint::Address(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            tls: None,
            websocket: None,
            quic: None,
            proxies: ProxySettings::default(),
            limits: ListenerLimits {
                connections_max: 1,
                connect_rate_per_sec: 1,
                connect_burst: 1,
                connect_timeout: Duration::ZERO,
                handshake_timeout: Duration::ZERO,
                handshakes_max: 1,
            },
        };
        let listener = Listener::new(0, settings).expect("a listener without certificates");
        assert!(listener.is_bare());
        let permit = listener.enter();
        assert!(permit.is_some());
        assert!(listener.enter().is_none());
        drop(permit);
        assert!(listener.enter().is_some());
    }
}
