//! One client's connection: non-blocking, read in large pieces, written in large pieces.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use super::frame::{self, Delivery, Found, Packet};
use super::plan::Version;
use super::target::Target;
use wire::Wire;

mod wire;

/// What all connections of a thread read into, one after the other.
pub(super) const SCRATCH_BYTES: usize = 256 * 1024;
/// Out-buffers that have grown larger than this are given back when they are empty.
const KEPT_BYTES: usize = 256 * 1024;

/// A connection and what waits on its two sides.
#[derive(Debug)]
pub(super) struct Link {
    wire: Wire,
    version: Version,
    /// The start of a packet of which not enough has arrived.
    partial: Vec<u8>,
    /// A message whose payload is still arriving, and how many bytes of it are missing.
    arriving: Option<(Delivery, usize)>,
    /// What is to be written.
    out: Vec<u8>,
    /// How much of `out` the kernel has taken.
    taken: usize,
}

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("the broker closed the connection")]
    Closed,
    #[error("{0}")]
    Broken(io::Error),
    #[error("the broker sent {0}")]
    Garbled(&'static str),
    #[error("the broker sent DISCONNECT with code {0:#04x}")]
    Dismissed(u8),
}

impl Link {
    /// Starts to connect to `target`. `source` is bound before; `receive_buffer_bytes` bounds what the kernel holds for a reader
    /// who stops reading.
    ///
    /// # Errors
    ///
    /// What the kernel said.
    pub(super) fn open(
        target: &Target,
        source: Option<IpAddr>,
        receive_buffer_bytes: Option<usize>,
        version: Version,
    ) -> io::Result<Self> {
        let address = target.address;
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if let Some(bytes) = receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(source) = source {
            socket.set_reuse_address(true)?;
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&address.into()) {
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                return Err(error);
            }
            Ok(()) | Err(_) => {}
        }
        Ok(Self {
            wire: Wire::new(TcpStream::from_std(socket.into()), target.security.as_ref())?,
            version,
            partial: Vec::new(),
            arriving: None,
            out: Vec::new(),
            taken: 0,
        })
    }

    /// What is registered for events.
    pub(super) fn stream(&mut self) -> &mut TcpStream {
        self.wire.stream()
    }

    /// The buffer to append packets to; [`Link::flush`] sends them.
    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// How many bytes the kernel has not taken.
    pub(super) fn backlog_bytes(&self) -> usize {
        self.out.len() - self.taken
    }

    /// Hands waiting bytes to the kernel. What it does not take waits for the next writable event.
    ///
    /// # Errors
    ///
    /// How the connection ended.
    pub(super) fn flush(&mut self) -> Result<(), End> {
        while let Some(rest) = self.out.get(self.taken..).filter(|rest| !rest.is_empty()) {
            match self.wire.write(rest) {
                Ok(written) => self.taken += written,
                // A connection that is not there yet takes nothing either.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(End::Broken(error)),
            }
        }
        match self.wire.push() {
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                return Err(End::Broken(error));
            }
            Ok(()) | Err(_) => {}
        }
        if self.out.capacity() > KEPT_BYTES {
            self.out = Vec::new();
        }
        self.out.clear();
        self.taken = 0;
        Ok(())
    }

    /// Reads once and shows each packet to `take`, which may append answers to the out-buffer. True if there may be
    /// more to read: a read that does not fill `scratch` has emptied the socket.
    ///
    /// # Errors
    ///
    /// How the connection ended, after `take` has seen all that came before.
    pub(super) fn receive(
        &mut self,
        scratch: &mut [u8],
        mut take: impl FnMut(&Packet, &mut Vec<u8>),
    ) -> Result<bool, End> {
        let kept = self.partial.len();
        let (front, free) = scratch
            .split_at_mut_checked(kept)
            .ok_or(End::Garbled("a packet with too large a head"))?;
        front.copy_from_slice(&self.partial);
        let room = free.len();
        let read = loop {
            match self.wire.read(free) {
                Ok(0) => return Err(End::Closed),
                Ok(read) => break read,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => {
                    return Ok(false);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(End::Broken(error)),
            }
        };
        let bytes = scratch.get(..kept + read).unwrap_or_default();
        let rest = self.digest(bytes, &mut take)?;
        self.partial.clear();
        self.partial.extend_from_slice(rest);
        Ok(read == room)
    }

    /// Shows each packet to `take` and gives the start of the last, incomplete one.
    fn digest<'a>(
        &mut self,
        mut bytes: &'a [u8],
        take: &mut impl FnMut(&Packet, &mut Vec<u8>),
    ) -> Result<&'a [u8], End> {
        if let Some((delivery, missing)) = self.arriving.take() {
            let here = missing.min(bytes.len());
            bytes = bytes.get(here..).unwrap_or_default();
            if here < missing {
                self.arriving = Some((delivery, missing - here));
                return Ok(bytes);
            }
            take(&Packet::Publish(delivery), &mut self.out);
        }
        while let Some(found) = frame::next(self.version, bytes).map_err(End::Garbled)? {
            let Found { packet, taken, missing } = found;
            bytes = bytes.get(taken..).unwrap_or_default();
            if let Packet::Disconnect { code } = packet {
                return Err(End::Dismissed(code));
            }
            if let (Packet::Publish(delivery), 1..) = (packet, missing) {
                self.arriving = Some((delivery, missing));
                return Ok(bytes);
            }
            take(&packet, &mut self.out);
        }
        Ok(bytes)
    }
}

/// The address from which connection `index` calls: one of 127.0.0.1 and up, if there is a choice.
pub(super) fn source_address(target: SocketAddr, sources: u32, index: u32) -> Option<IpAddr> {
    let spread = sources > 1 && target.is_ipv4() && target.ip().is_loopback();
    spread.then(|| {
        let host = u8::try_from(1 + index % sources).unwrap_or(1);
        Ipv4Addr::new(127, 0, 0, host).into()
    })
}
