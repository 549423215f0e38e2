//! A listener as all lines share it: its bounds, its keys, and who is inside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use broker::identity::Identity;

use crate::settings::ListenerSettings;
use crate::transport::tls::{Security, TlsError};
use tally::{Arrived, Tally};

pub(crate) mod tally;

/// One listener, for all lines.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) settings: ListenerSettings,
    /// Its number among the listeners.
    pub(crate) number: usize,
    /// Its clients of whom nothing is known: one value, since there may be many of them.
    pub(crate) stranger: Arc<Identity>,
    /// Whether nobody is asked who he is: each is the `stranger`, who was let in elsewhere.
    pub(crate) is_inside: bool,
    /// Keys and certificates, where TLS is spoken.
    pub(crate) security: Option<Security>,
    /// Who came in, and who did not. Shared with those that it succeeds.
    pub(crate) tally: Arc<Tally>,
    /// Connections inside. Shared as the tally is.
    open: Arc<AtomicUsize>,
    /// Whoever is on the way in comes too late. Shared as the tally is: he may have come by one that it succeeds.
    is_closed: Arc<AtomicBool>,
}

/// What a listener has in common with those that it succeeds.
#[derive(Default)]
struct Shared {
    tally: Arc<Tally>,
    open: Arc<AtomicUsize>,
    is_closed: Arc<AtomicBool>,
}

impl Listener {
    /// Reads the files of its certificates.
    ///
    /// # Errors
    ///
    /// Names the file that is not good, and why.
    pub(crate) fn new(number: usize, settings: ListenerSettings) -> Result<Arc<Self>, TlsError> {
        let stranger = Arc::new(Identity::anonymous(Arc::from(&*settings.name)));
        Self::with(number, settings, stranger, Shared::default())
    }

    /// The same listener with other settings: whoever is inside counts there too.
    ///
    /// # Errors
    ///
    /// As [`Listener::new`].
    pub(crate) fn succeeded_by(&self, settings: ListenerSettings) -> Result<Arc<Self>, TlsError> {
        let shared = Shared {
            tally: Arc::clone(&self.tally),
            open: Arc::clone(&self.open),
            is_closed: Arc::clone(&self.is_closed),
        };
        Self::with(self.number, settings, Arc::clone(&self.stranger), shared)
    }

    fn with(
        number: usize,
        settings: ListenerSettings,
        stranger: Arc<Identity>,
        shared: Shared,
    ) -> Result<Arc<Self>, TlsError> {
        let is_http = settings.websocket.is_some();
        let security = settings.tls.clone().map(|tls| Security::open(tls, is_http));
        Ok(Arc::new(Self {
            stranger,
            security: security.transpose()?,
            settings,
            number,
            is_inside: false,
            tally: shared.tally,
            open: shared.open,
            is_closed: shared.is_closed,
        }))
    }

    /// A listener that is found within the process alone, for clients that were let in as `identity` elsewhere.
    pub(crate) fn inside(settings: ListenerSettings, identity: Identity) -> Arc<Self> {
        Arc::new(Self {
            stranger: Arc::new(identity),
            security: None,
            settings,
            number: 0,
            is_inside: true,
            tally: Arc::default(),
            open: Arc::default(),
            is_closed: Arc::default(),
        })
    }

    /// Lets a connection in, unless as many as may be are inside.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Permit> {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.settings.limits.connections_max {
            self.open.fetch_sub(1, Ordering::Relaxed);
            self.tally.count(Arrived::Full);
            return None;
        }
        Some(Permit(Arc::clone(self)))
    }

    /// Connections inside.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Its clients leave; whoever is on the way in stays outside.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
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

    fn settings() -> ListenerSettings {
        ListenerSettings {
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
        }
    }

    #[test]
    fn a_listener_counts_those_inside_and_forgets_those_who_left() {
        let listener = Listener::new(0, settings()).expect("a listener without certificates");
        assert!(listener.is_bare());
        let permit = listener.enter();
        assert!(permit.is_some());
        assert!(listener.enter().is_none());
        drop(permit);
        assert!(listener.enter().is_some());
    }

    /// Who is on the way in by the first of them is on the way in by all that come after it.
    #[test]
    fn a_listener_is_closed_with_the_one_that_succeeded_it() {
        let first = Listener::new(0, settings()).expect("a listener without certificates");
        let second = first.succeeded_by(settings()).expect("a listener without certificates");
        let other = Listener::new(0, settings()).expect("a listener without certificates");
        second.close();
        assert!(first.is_closed() && !other.is_closed());
    }
}
