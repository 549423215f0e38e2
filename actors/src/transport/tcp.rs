//! MQTT over TCP: listening, and the two halves of a connection.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

pub(crate) type Reader = OwnedReadHalf;
pub(crate) type Writer = OwnedWriteHalf;

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 4096;

/// Opens a listener for each line on one address: the kernel spreads connections among them (`SO_REUSEPORT`).
///
/// # Errors
///
/// The address is in use, not ours, or not allowed.
pub(crate) fn listen(address: SocketAddr, lines: u16) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    refuse_shared(address)?;
    let first = open(address)?;
    let bound = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..lines {
        listeners.push(open(bound)?);
    }
    Ok((bound, listeners))
}

/// With `SO_REUSEPORT` a second broker of the same user would share the port in silence; a plain bind finds it out.
fn refuse_shared(address: SocketAddr) -> io::Result<()> {
    if address.port() == 0 {
        return Ok(());
    }
    let probe = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    probe.set_reuse_address(true)?;
    probe.bind(&address.into())
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Prepares a connection that was accepted: small packets leave at once.
pub(crate) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)
}

/// Closes the sending direction.
pub(crate) fn shut_down(writer: &Writer) {
    if let Err(error) = SockRef::from(writer.as_ref()).shutdown(Shutdown::Write) {
        tracing::trace!(%error, "the client was gone before the goodbye");
    }
}
