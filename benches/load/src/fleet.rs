//! All connections of a run on one epoll.

use std::net::SocketAddr;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};

use crate::clock::Clock;
use crate::failure::Failure;
use crate::frame::{self, Packet, Qos};
use crate::link::Link;

/// More handshakes than this never wait at once, so that the listener's backlog does not overflow.
const HANDSHAKES_MAX: usize = 256;
/// Silence of this length while connecting means that the broker does not answer.
const PATIENCE: Duration = Duration::from_secs(10);
const SCRATCH_BYTES: usize = 256 * 1024;

/// Where the broker is and how fast it likes to be called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// The broker's listener.
    pub(crate) broker: SocketAddr,
    /// New connections per second; brokers limit them.
    pub(crate) connect_rate: u32,
}

/// What one connection is to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    /// The topic filter to subscribe to, if any, and the QoS to ask for.
    pub(crate) filter: Option<(String, Qos)>,
    /// A bound for the kernel's receive buffer, in bytes.
    pub(crate) receive_buffer: Option<usize>,
}

impl Wish {
    /// A connection with one subscription.
    pub(crate) fn listening(filter: String, qos: Qos) -> Self {
        Self {
            filter: Some((filter, qos)),
            receive_buffer: None,
        }
    }
}

/// The open connections, numbered in the order of opening.
#[derive(Debug)]
pub(crate) struct Fleet {
    target: Target,
    poll: Poll,
    events: Events,
    links: Vec<Link>,
    scratch: Vec<u8>,
}

/// A connection on which something may have happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stirred {
    /// Its number.
    pub(crate) index: usize,
    /// There may be bytes to read, or the connection has ended.
    pub(crate) readable: bool,
    /// There may be room to write.
    pub(crate) writable: bool,
}

impl Fleet {
    /// Opens a connection per wish and returns when each has its CONNACK and, if it asked, its SUBACK.
    ///
    /// # Errors
    ///
    /// Any [`Failure`]; a fleet that is not whole gives no figures.
    pub(crate) fn open(target: Target, wishes: &[Wish]) -> Result<Self, Failure> {
        let mut fleet = Self {
            target,
            poll: Poll::new()?,
            events: Events::with_capacity(1_024),
            links: Vec::with_capacity(wishes.len()),
            scratch: vec![0; SCRATCH_BYTES],
        };
        let clock = Clock::start();
        let (mut ready, mut last_answer) = (0, Duration::ZERO);
        let mut stirred = Vec::new();
        while ready < wishes.len() {
            let due = clock.elapsed().as_millis() * u128::from(target.connect_rate) / 1_000;
            let upto = wishes
                .len()
                .min(ready + HANDSHAKES_MAX)
                .min(usize::try_from(due).unwrap_or(usize::MAX) + 1);
            for wish in wishes.get(fleet.links.len()..upto).unwrap_or_default() {
                fleet.dial(wish)?;
            }
            fleet.wait(Duration::from_millis(1), &mut stirred)?;
            for event in stirred.iter().filter(|event| event.readable) {
                let filter = wishes.get(event.index).and_then(|wish| wish.filter.as_ref());
                if fleet.shake_hands(event.index, filter)? {
                    ready += 1;
                    last_answer = clock.elapsed();
                }
            }
            if clock.elapsed() > last_answer + PATIENCE {
                return Err(Failure::Silent {
                    ready,
                    wanted: wishes.len(),
                });
            }
        }
        Ok(fleet)
    }

    /// Waits for at most `timeout` and lists the connections that stirred.
    ///
    /// # Errors
    ///
    /// [`Failure::Machine`] if epoll fails.
    pub(crate) fn wait(&mut self, timeout: Duration, stirred: &mut Vec<Stirred>) -> Result<(), Failure> {
        stirred.clear();
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        stirred.extend(self.events.iter().map(|event| Stirred {
            index: event.token().0,
            readable: event.is_readable() || event.is_read_closed() || event.is_error(),
            writable: event.is_writable(),
        }));
        Ok(())
    }

    /// Reads one connection empty, see [`Link::receive`].
    ///
    /// # Errors
    ///
    /// As [`Link::receive`].
    pub(crate) fn receive(&mut self, index: usize, take: impl FnMut(Packet<'_>, &mut Vec<u8>)) -> Result<(), Failure> {
        self.links
            .get_mut(index)
            .map_or(Ok(()), |link| link.receive(&mut self.scratch, take))
    }

    /// The connection with this number.
    pub(crate) fn link(&mut self, index: usize) -> Option<&mut Link> {
        self.links.get_mut(index)
    }

    /// Sends what waits on one connection, see [`Link::flush`].
    ///
    /// # Errors
    ///
    /// As [`Link::flush`].
    pub(crate) fn flush(&mut self, index: usize) -> Result<(), Failure> {
        self.links.get_mut(index).map_or(Ok(()), Link::flush)
    }

    /// Says goodbye on every connection, as well as that is possible.
    pub(crate) fn close(mut self) {
        for link in &mut self.links {
            link.out().extend_from_slice(&frame::DISCONNECT);
            // The figures are taken; a broker that is gone already is as good as one that hears the goodbye.
            drop(link.flush());
        }
    }

    fn dial(&mut self, wish: &Wish) -> Result<(), Failure> {
        let index = self.links.len();
        let mut link = Link::open(self.target.broker, index, wish.receive_buffer)?;
        self.poll
            .registry()
            .register(&mut link.stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        link.out()
            .extend_from_slice(&frame::connect(&format!("load-{}-{index}", std::process::id())));
        link.flush()?;
        self.links.push(link);
        Ok(())
    }

    /// Reads the answers of a connection that is being set up; true when it is ready.
    fn shake_hands(&mut self, index: usize, filter: Option<&(String, Qos)>) -> Result<bool, Failure> {
        let (mut ready, mut refusal) = (false, None);
        self.receive(index, |packet, out| match packet {
            Packet::Connack(0) => match filter {
                Some((filter, qos)) => out.extend_from_slice(&frame::subscribe(filter, *qos)),
                None => ready = true,
            },
            Packet::Suback(granted) if granted < 0x80 => ready = true,
            Packet::Connack(code) => refusal = Some(("CONNECT", code)),
            Packet::Suback(code) => refusal = Some(("SUBSCRIBE", code)),
            Packet::Publish { .. } | Packet::Puback | Packet::Pubrec(_) | Packet::Pubrel(_) | Packet::Pubcomp => {}
        })?;
        if let Some((packet, code)) = refusal {
            return Err(Failure::Refused { index, packet, code });
        }
        self.flush(index)?;
        Ok(ready)
    }
}
