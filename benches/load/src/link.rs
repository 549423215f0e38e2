//! One client's connection: non-blocking, read in large pieces, written in large pieces.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use crate::failure::Failure;
use crate::frame::{self, Packet};

/// How many connections share one source address: few enough that closed ones do not use up its ports.
const PER_SOURCE: usize = 1_000;

/// A connection and what waits on its two sides.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) stream: TcpStream,
    index: usize,
    /// The start of a packet whose end has not arrived.
    partial: Vec<u8>,
    /// What is to be written.
    out: Vec<u8>,
    /// How much of `out` the kernel has taken.
    taken: usize,
}

impl Link {
    /// Connects to the broker. `receive_buffer` bounds what the kernel holds for a reader who stops reading.
    ///
    /// # Errors
    ///
    /// [`Failure::Connect`] with what the kernel said.
    pub(crate) fn open(broker: SocketAddr, index: usize, receive_buffer: Option<usize>) -> Result<Self, Failure> {
        let connect = || -> io::Result<TcpStream> {
            let socket = Socket::new(Domain::for_address(broker), Type::STREAM, Some(Protocol::TCP))?;
            if let Some(bytes) = receive_buffer {
                socket.set_recv_buffer_size(bytes)?;
            }
            if let Some(source) = source_address(broker, index) {
                socket.set_reuse_address(true)?;
                socket.bind(&SocketAddr::new(source, 0).into())?;
            }
            socket.connect_timeout(&broker.into(), Duration::from_secs(5))?;
            socket.set_tcp_nodelay(true)?;
            socket.set_nonblocking(true)?;
            Ok(TcpStream::from_std(socket.into()))
        };
        let stream = connect().map_err(|source| Failure::Connect { broker, source })?;
        Ok(Self {
            stream,
            index,
            partial: Vec::new(),
            out: Vec::new(),
            taken: 0,
        })
    }

    /// The buffer to append packets to; [`Link::flush`] sends them.
    pub(crate) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Hands waiting bytes to the kernel. What it does not take waits for the next writable event.
    ///
    /// # Errors
    ///
    /// [`Failure::Closed`] if the broker is gone.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        while let Some(rest) = self.out.get(self.taken..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(written) => self.taken += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(Failure::Closed {
                        index: self.index,
                        source,
                    });
                }
            }
        }
        self.out.clear();
        self.taken = 0;
        Ok(())
    }

    /// Reads all that has arrived and shows each packet to `take`, which may append answers to the out-buffer.
    ///
    /// A read that does not fill `scratch` has emptied the socket, so the call that would say so is saved.
    ///
    /// # Errors
    ///
    /// [`Failure::Closed`] at the end of the stream, [`Failure::Garbled`] for bytes that are no packet.
    pub(crate) fn receive(
        &mut self,
        scratch: &mut [u8],
        mut take: impl FnMut(Packet<'_>, &mut Vec<u8>),
    ) -> Result<(), Failure> {
        let garbled = |what| Failure::Garbled {
            index: self.index,
            what,
        };
        let closed = |source| Failure::Closed {
            index: self.index,
            source,
        };
        loop {
            let kept = self.partial.len();
            let (front, free) = scratch
                .split_at_mut_checked(kept)
                .ok_or_else(|| garbled("a packet too large"))?;
            front.copy_from_slice(&self.partial);
            let room = free.len();
            let read = match self.stream.read(free) {
                Ok(0) => return Err(closed(ErrorKind::UnexpectedEof.into())),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(source) => return Err(closed(source)),
            };
            let mut bytes = scratch.get(..kept + read).unwrap_or_default();
            while let Some((packet, rest)) = frame::next(bytes).map_err(garbled)? {
                take(packet, &mut self.out);
                bytes = rest;
            }
            self.partial.clear();
            self.partial.extend_from_slice(bytes);
            if read < room {
                return Ok(());
            }
        }
    }
}

/// On loopback every thousand connections get their own 127.0.0.x, because one address has 28,000 ports.
fn source_address(broker: SocketAddr, index: usize) -> Option<IpAddr> {
    let host = u8::try_from(2 + index / PER_SOURCE).unwrap_or(u8::MAX);
    broker.ip().is_loopback().then_some(())?;
    broker.is_ipv4().then(|| Ipv4Addr::new(127, 0, 0, host).into())
}
