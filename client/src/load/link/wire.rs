//! What carries a connection's bytes: TCP, or TLS over TCP.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;
use rustls::ClientConnection;

use crate::load::target::Security;

/// A connection's bytes, in and out. It never blocks.
#[derive(Debug)]
pub(super) enum Wire {
    Plain(TcpStream),
    Secure(Box<Secure>),
}

/// TLS over TCP.
#[derive(Debug)]
pub(super) struct Secure {
    stream: TcpStream,
    tls: ClientConnection,
}

impl Wire {
    /// TCP that is being connected, under TLS if `security` is given.
    ///
    /// # Errors
    ///
    /// What TLS has against its configuration.
    pub(super) fn new(stream: TcpStream, security: Option<&Security>) -> io::Result<Self> {
        let Some(security) = security else {
            return Ok(Self::Plain(stream));
        };
        let tls = ClientConnection::new(security.config.clone(), security.server_name.clone());
        let tls = tls.map_err(io::Error::other)?;
        Ok(Self::Secure(Box::new(Secure { stream, tls })))
    }

    pub(super) fn stream(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Secure(secure) => &mut secure.stream,
        }
    }

    /// Takes as much of `bytes` as it can.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Secure(secure) => secure.write(bytes),
        }
    }

    /// Hands on what it took and holds.
    pub(super) fn push(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Secure(secure) => secure.push(),
        }
    }

    /// Reads until `buffer` is full or nothing more has come; what does not fill it has emptied the socket.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Secure(secure) => secure.read(buffer),
        }
    }
}

impl Secure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // What is sealed goes first, so that what waits is bounded by the buffer of TLS.
        self.push()?;
        if self.tls.is_handshaking() {
            return Err(ErrorKind::WouldBlock.into());
        }
        let taken = self.tls.writer().write(bytes)?;
        match self.push() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            Ok(()) | Err(_) => Ok(taken),
        }
    }

    fn push(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.stream) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        let end = loop {
            let free = buffer.get_mut(filled..).unwrap_or_default();
            match self.tls.reader().read(free) {
                Ok(0) => break Ok(()),
                Ok(read) => {
                    filled += read;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => break Err(error),
            }
            match self.tls.read_tls(&mut self.stream) {
                Ok(0) => break Ok(()),
                Ok(_) => {
                    if let Err(error) = self.tls.process_new_packets() {
                        // The alert that tells the broker why; the error counts, whether or not it gets through.
                        drop(self.push());
                        break Err(io::Error::new(ErrorKind::InvalidData, error));
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        match self.push() {
            Err(error) if error.kind() != ErrorKind::WouldBlock && filled == 0 => return Err(error),
            Ok(()) | Err(_) => {}
        }
        if filled > 0 { Ok(filled) } else { end.map(|()| 0) }
    }
}
