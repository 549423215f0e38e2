//! The socket under QUIC: datagrams.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

/// Room for datagrams in the kernel, each way: what comes while the thread of QUIC is busy. The kernel gives what its
/// own limit allows.
const BUFFER_BYTES: usize = 2 << 20;

/// Opens the socket of an endpoint.
///
/// # Errors
///
/// The address is in use, not ours, or not allowed.
pub(crate) fn listen(address: SocketAddr) -> io::Result<(SocketAddr, UdpSocket)> {
    let socket = open(address)?;
    let given = socket
        .set_recv_buffer_size(BUFFER_BYTES)
        .and_then(|()| socket.set_send_buffer_size(BUFFER_BYTES));
    if let Err(error) = given {
        tracing::debug!(%error, "datagrams have the room that the kernel gives by itself");
    }
    let bound = socket.local_addr()?.as_socket();
    Ok((bound.ok_or(io::ErrorKind::AddrNotAvailable)?, socket.into()))
}

/// Finds out whether an address can be listened on.
///
/// # Errors
///
/// The address is in use, not ours, or not allowed.
pub(crate) fn probe(address: SocketAddr) -> io::Result<()> {
    open(address).map(drop)
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}
