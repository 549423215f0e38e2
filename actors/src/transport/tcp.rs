//! MQTT over TCP: listening and accepting.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::net::SocketFlags;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::unix::AsyncFd;

/// Connections that the kernel holds until they are accepted.
const BACKLOG: i32 = 4096;

/// Takes an address with a socket for each line: the kernel will spread connections among those that listen
/// (`SO_REUSEPORT`).
///
/// # Errors
///
/// The address is in use, not ours, or not allowed.
pub(crate) fn bind(address: SocketAddr, lines: u16) -> io::Result<(SocketAddr, Vec<OwnedFd>)> {
    probe(address)?;
    bind_beside(address, lines)
}

/// As [`bind`], where this process itself has part of the address.
///
/// # Errors
///
/// As [`bind`]; another broker of the same user is not noticed.
pub(crate) fn bind_beside(address: SocketAddr, lines: u16) -> io::Result<(SocketAddr, Vec<OwnedFd>)> {
    let first = open(address)?;
    let bound = first.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let mut listeners = vec![first.into()];
    for _ in 1..lines {
        listeners.push(open(bound)?.into());
    }
    Ok((bound, listeners))
}

/// One socket more on an address that this process has.
///
/// # Errors
///
/// The address is not allowed any more.
pub(crate) fn bind_another(address: SocketAddr) -> io::Result<OwnedFd> {
    open(address).map(Into::into)
}

/// Has the kernel take connections for a socket, with the whole queue; also again after [`refuse`].
///
/// # Errors
///
/// It is no socket that can listen.
pub(crate) fn listen(socket: &OwnedFd) -> io::Result<()> {
    Ok(rustix::net::listen(socket, BACKLOG)?)
}

/// Has the kernel refuse connections; the address stays taken.
///
/// # Errors
///
/// The socket does not listen.
pub(crate) fn refuse(socket: &OwnedFd) -> io::Result<()> {
    Ok(rustix::net::shutdown(socket, rustix::net::Shutdown::Both)?)
}

/// Where a socket is bound.
///
/// # Errors
///
/// It is none of IP.
pub(crate) fn address_of(socket: &OwnedFd) -> io::Result<SocketAddr> {
    let address = SockRef::from(socket).local_addr()?;
    address
        .as_socket()
        .ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

/// Finds out whether an address can be listened on. With `SO_REUSEPORT` a second broker of the same user would share the
/// port in silence; a plain bind is refused.
///
/// # Errors
///
/// The address is in use, not ours, or not allowed.
pub(crate) fn probe(address: SocketAddr) -> io::Result<()> {
    if address.port() == 0 {
        return Ok(());
    }
    let probe = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    probe.set_reuse_address(true)?;
    // As the listener has it: 0.0.0.0 and [::] stand beside each other.
    if address.is_ipv6() {
        probe.set_only_v6(true)?;
    }
    probe.bind(&address.into())
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections inherit it: small packets leave at once.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Waits for a connection, of TCP or of a Unix socket, which has no address. It does not block, and no event queue knows
/// it yet: which line's queue that will be shows with its CONNECT.
///
/// # Errors
///
/// What the kernel says, for example that there are no free descriptors.
pub(crate) async fn accept(listener: &AsyncFd<OwnedFd>) -> io::Result<(OwnedFd, Option<SocketAddr>)> {
    loop {
        let mut ready = listener.readable().await?;
        let accepted = ready.try_io(|listener| {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            Ok(rustix::net::acceptfrom_with(listener, flags)?)
        });
        match accepted {
            Ok(accepted) => {
                let (stream, address) = accepted?;
                let address = address.and_then(|address| SocketAddr::try_from(address).ok());
                // A socket that was passed may be for both families; an IPv4 address is itself there too.
                let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
                return Ok((stream, address.map(canonical)));
            }
            Err(_not_ready) => {}
        }
    }
}
