//! The bytes of a connection: TCP, or TLS over TCP. One thread reads, another writes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use rustls::ClientConnection;
use strowger_client::load::Security;

/// A connection that is open, and past its TLS handshake if it has one.
#[derive(Debug)]
pub(super) struct Stream {
    socket: TcpStream,
    /// Held for no longer than what is at hand takes: nobody waits for the broker to send with it.
    tls: Option<Arc<Mutex<ClientConnection>>>,
}

impl Stream {
    /// Shakes hands over `socket` if `security` is given; the broker has `patience` for each of its answers.
    pub(super) fn over(mut socket: TcpStream, security: Option<&Security>, patience: Duration) -> io::Result<Self> {
        let Some(security) = security else {
            return Ok(Self { socket, tls: None });
        };
        let mut tls = ClientConnection::new(Arc::clone(&security.config), security.server_name.clone())
            .map_err(io::Error::other)?;
        socket.set_read_timeout(Some(patience))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        socket.set_read_timeout(None)?;
        Ok(Self {
            socket,
            tls: Some(Arc::new(Mutex::new(tls))),
        })
    }

    /// The same connection, for another thread.
    pub(super) fn another(&self) -> io::Result<Self> {
        Ok(Self {
            socket: self.socket.try_clone()?,
            tls: self.tls.clone(),
        })
    }

    /// Appends what has come to `buffer`, and waits for it; `chunk` is what the socket is read into. False at the end.
    pub(super) fn read(&mut self, chunk: &mut [u8], buffer: &mut BytesMut) -> io::Result<bool> {
        let length = self.socket.read(chunk)?;
        let mut sealed = chunk.get(..length).unwrap_or_default();
        let Some(tls) = &self.tls else {
            buffer.extend_from_slice(sealed);
            return Ok(length > 0);
        };
        let mut tls = tls.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let taken = tls.read_tls(&mut sealed)?;
            let state = tls.process_new_packets();
            // An answer, or the alert that tells the broker what is wrong.
            while tls.wants_write() {
                tls.write_tls(&mut self.socket)?;
            }
            let state = state.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            let start = buffer.len();
            buffer.resize(start + state.plaintext_bytes_to_read(), 0);
            tls.reader().read_exact(buffer.get_mut(start..).unwrap_or_default())?;
            if taken == 0 || sealed.is_empty() || state.peer_has_closed() {
                return Ok(length > 0 && !state.peer_has_closed());
            }
        }
    }

    /// Writes all of it.
    pub(super) fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let Some(tls) = &self.tls else {
            return self.socket.write_all(bytes);
        };
        let mut tls = tls.lock().unwrap_or_else(PoisonError::into_inner);
        while !bytes.is_empty() {
            let taken = tls.writer().write(bytes)?;
            bytes = bytes.get(taken..).unwrap_or_default();
            while tls.wants_write() {
                tls.write_tls(&mut self.socket)?;
            }
        }
        Ok(())
    }

    /// Says that nothing more will be written.
    pub(super) fn finish(&mut self) {
        if let Some(tls) = &self.tls {
            let mut tls = tls.lock().unwrap_or_else(PoisonError::into_inner);
            tls.send_close_notify();
            // A broker that is gone already needs no goodbye.
            drop(tls.write_tls(&mut self.socket));
        }
        drop(self.socket.shutdown(Shutdown::Write));
    }
}
