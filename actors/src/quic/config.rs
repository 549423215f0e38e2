//! What a listener's connections of QUIC are given: keys, windows, time limits.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{IdleTimeout, ServerConfig, TransportConfig, VarInt};

use crate::listener::Listener;
use crate::settings::QuicSettings;

/// Attempts that wait for their turn; one more is refused.
const WAITING_MAX: usize = 1024;
/// Bytes that wait with one attempt, and with all of them.
const WAITING_BYTES_MAX: (u64, u64) = (8 << 10, 2 << 20);
/// How long the token of a Retry packet is good.
const RETRY_LIFETIME: Duration = Duration::from_secs(15);

/// The configuration of a listener's connections, made anew when its certificates have been.
pub(super) struct Configs {
    listener: Arc<Listener>,
    transport: Arc<TransportConfig>,
    made: RefCell<Option<(Arc<rustls::ServerConfig>, Arc<ServerConfig>)>>,
}

impl Configs {
    /// # Errors
    ///
    /// The listener has no settings for QUIC, or a time that QUIC cannot express.
    pub(super) fn new(listener: &Arc<Listener>) -> io::Result<Self> {
        let settings = listener.settings.quic.as_ref();
        let settings = settings.ok_or(io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(Self {
            transport: Arc::new(transport(settings)?),
            listener: Arc::clone(listener),
            made: RefCell::new(None),
        })
    }

    /// What a connection gets that begins at this moment. Those that are open keep what they began with.
    ///
    /// # Errors
    ///
    /// There are no keys that QUIC could use.
    pub(super) fn current(&self) -> io::Result<Arc<ServerConfig>> {
        let keys = self.listener.security.as_ref().map(|security| security.config());
        let keys = keys.ok_or(io::Error::from(io::ErrorKind::InvalidInput))?;
        let mut made = self.made.borrow_mut();
        if let Some((from, config)) = &*made
            && Arc::ptr_eq(from, &keys)
        {
            return Ok(Arc::clone(config));
        }
        let crypto = QuicServerConfig::try_from(Arc::clone(&keys)).map_err(io::Error::other)?;
        let mut config = ServerConfig::with_crypto(Arc::new(crypto));
        config
            .transport_config(Arc::clone(&self.transport))
            // A client whose network changes keeps its connection; the path to its new address is validated.
            .migration(true)
            .retry_token_lifetime(RETRY_LIFETIME)
            .max_incoming(WAITING_MAX)
            .incoming_buffer_size(WAITING_BYTES_MAX.0)
            .incoming_buffer_size_total(WAITING_BYTES_MAX.1);
        let config = Arc::new(config);
        *made = Some((keys, Arc::clone(&config)));
        Ok(config)
    }
}

fn transport(settings: &QuicSettings) -> io::Result<TransportConfig> {
    let idle = IdleTimeout::try_from(settings.idle_timeout).map_err(io::Error::other)?;
    let window = VarInt::from_u32(settings.window_bytes);
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(1_u32.into())
        .max_concurrent_uni_streams(0_u32.into())
        .datagram_receive_buffer_size(None)
        .datagram_send_buffer_size(0)
        .stream_receive_window(window)
        .receive_window(window)
        .send_window(settings.window_bytes.into())
        .max_idle_timeout(Some(idle))
        // A client that is there answers, and stays however long its Keep Alive is; one that is gone does not.
        .keep_alive_interval(Some(settings.idle_timeout / 2));
    Ok(transport)
}
