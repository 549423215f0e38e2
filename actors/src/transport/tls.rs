//! TLS: a listener's keys and certificates, swapped whole, and the TLS of one connection.

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use bytes::BytesMut;
use parking_lot::Mutex;
use rustls::{ServerConfig, ServerConnection};

use crate::settings::TlsSettings;

mod certificates;

pub use certificates::TlsError;
use certificates::{Certified, certify};

/// Encrypted bytes that wait for one connection's socket before its outbox does.
const UNSENT_BYTES_MAX: usize = 32 << 10;
/// Before a certificate's end, warnings begin.
const WARNING_SECS: i64 = 14 * 24 * 3600;
/// Between two warnings of the same certificates.
const WARNING_INTERVAL_SECS: i64 = 24 * 3600;

/// What a listener's TLS is made of at the moment.
#[derive(Debug)]
pub(crate) struct Security {
    settings: TlsSettings,
    is_http: bool,
    config: ArcSwap<ServerConfig>,
    seen: Mutex<Seen>,
    warned_at_secs: AtomicI64,
}

/// What was read and is not in force.
pub(crate) struct Renewed {
    certified: Certified,
    changed: Vec<Option<SystemTime>>,
}

/// The files as they were when they were read.
#[derive(Debug)]
struct Seen {
    changed: Vec<Option<SystemTime>>,
    ends: Vec<(String, i64)>,
}

impl Security {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// Names the file that is not good, and why.
    pub(crate) fn open(settings: TlsSettings, is_http: bool) -> Result<Self, TlsError> {
        let changed = changed(&settings);
        let Certified { config, ends } = certify(&settings, is_http)?;
        report_ends(&ends);
        Ok(Self {
            settings,
            is_http,
            config: ArcSwap::from_pointee(config),
            seen: Mutex::new(Seen { changed, ends }),
            warned_at_secs: AtomicI64::new(0),
        })
    }

    /// Reads the files again. Connections that are open keep what they began with.
    ///
    /// # Errors
    ///
    /// Names the file that is not good, and why; what was in force stays in force.
    pub(crate) fn reload(&self) -> Result<(), TlsError> {
        // Told of once for each change, good or not.
        self.seen.lock().changed = changed(&self.settings);
        self.install(self.prepare()?);
        Ok(())
    }

    /// Reads the files again and changes nothing.
    ///
    /// # Errors
    ///
    /// Names the file that is not good, and why.
    pub(crate) fn prepare(&self) -> Result<Renewed, TlsError> {
        let changed = changed(&self.settings);
        let certified = certify(&self.settings, self.is_http)?;
        Ok(Renewed { certified, changed })
    }

    /// Puts in force what was read.
    pub(crate) fn install(&self, renewed: Renewed) {
        let Renewed { certified, changed } = renewed;
        let Certified { config, ends } = certified;
        report_ends(&ends);
        *self.seen.lock() = Seen { changed, ends };
        self.config.store(Arc::new(config));
    }

    /// Whether a file is another than when it was read. Says so once for each change.
    pub(crate) fn has_changed(&self) -> bool {
        self.seen.lock().changed != changed(&self.settings)
    }

    /// Warns of certificates that end soon, once a day.
    pub(crate) fn warn_of_ends(&self, now_secs: i64) {
        let due = now_secs.saturating_sub(self.warned_at_secs.load(Ordering::Relaxed)) >= WARNING_INTERVAL_SECS;
        let seen = self.seen.lock();
        let ending = seen.ends.iter().filter(|(_, end)| end - now_secs < WARNING_SECS);
        for (file, end) in ending.filter(|_| due) {
            self.warned_at_secs.store(now_secs, Ordering::Relaxed);
            let days = (end - now_secs).div_euclid(24 * 3600);
            tracing::warn!(file, days_left = days, "a certificate ends soon or has ended: renew it");
        }
    }

    /// The files of certificates, and when each ends, in seconds of Unix time.
    pub(crate) fn ends(&self) -> Vec<(String, i64)> {
        self.seen.lock().ends.clone()
    }

    /// What a handshake that begins at this moment is done with.
    #[cfg(feature = "quic")]
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }

    /// The server's side of one connection.
    pub(crate) fn accept(&self) -> Result<Tls, rustls::Error> {
        let mut connection = ServerConnection::new(self.config.load_full())?;
        connection.set_buffer_limit(Some(UNSENT_BYTES_MAX));
        Ok(Tls {
            connection,
            is_over: false,
        })
    }
}

fn report_ends(ends: &[(String, i64)]) {
    for (file, end) in ends {
        tracing::info!(file, not_after_unix_secs = end, "certificate read");
    }
}

fn changed(settings: &TlsSettings) -> Vec<Option<SystemTime>> {
    let pairs = settings.certificates.iter().flat_map(|(chain, key)| [chain, key]);
    let files = pairs.chain(&settings.client_ca).chain(&settings.client_crls);
    files
        .map(|file| std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok())
        .collect()
}

/// The TLS of one connection, without its socket.
#[derive(Debug)]
pub(crate) struct Tls {
    connection: ServerConnection,
    /// The client has said that nothing more comes.
    is_over: bool,
}

impl Tls {
    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the client has said that nothing more comes.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether encrypted bytes wait for the socket.
    pub(crate) fn has_unsent(&self) -> bool {
        self.connection.wants_write()
    }

    /// The client's certificate in DER, if it showed one. It was found good.
    pub(crate) fn peer_certificate(&self) -> Option<&[u8]> {
        Some(self.connection.peer_certificates()?.first()?.as_ref())
    }

    /// Takes what came from the socket and appends what it says to `plain`.
    ///
    /// # Errors
    ///
    /// The client breaks TLS's rules; an alert that says so waits for the socket.
    pub(crate) fn take(&mut self, mut encrypted: &[u8], plain: &mut BytesMut) -> io::Result<()> {
        while !encrypted.is_empty() && !self.is_over {
            if self.connection.read_tls(&mut encrypted)? == 0 {
                break;
            }
            let state = self
                .connection
                .process_new_packets()
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            self.is_over = state.peer_has_closed();
            if state.plaintext_bytes_to_read() > 0 {
                self.drain(plain);
            }
        }
        Ok(())
    }

    fn drain(&mut self, plain: &mut BytesMut) {
        let mut reader = self.connection.reader();
        // An error says that there is nothing more, or that the connection is over.
        while let Ok(chunk) = reader.fill_buf() {
            let length = chunk.len();
            if length == 0 {
                break;
            }
            plain.extend_from_slice(chunk);
            reader.consume(length);
        }
    }

    /// Encrypts, as records of up to 16 KiB, as much as may wait for the socket; returns how many bytes that was.
    pub(crate) fn encrypt(&mut self, plain: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.connection.writer().write_vectored(plain)
    }

    /// Gives the socket what waits for it.
    ///
    /// # Errors
    ///
    /// What the socket says; `WouldBlock` if it takes no more.
    pub(crate) fn flush(&mut self, socket: &mut impl Write) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(socket) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Says that nothing more comes.
    pub(crate) fn finish(&mut self) {
        self.connection.send_close_notify();
    }
}
