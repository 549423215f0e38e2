//! What takes a while with each client and is done with a few at a time: connecting and subscribing.

use std::io;

use super::client::{Client, Stage, subscribe};
use super::{FIRST_CLIENT, Who, Worker};
use crate::load::board::Trouble;
use crate::load::frame::{self, Login};
use crate::load::layout::Role;
use crate::load::link::{Link, source_address};

/// Handshakes of all threads together that may be under way, so that the listener's backlog does not overflow.
const UNDER_WAY_MAX: usize = 256;
/// The stalled reader gets a small kernel buffer, so that the broker feels it soon.
const STALLED_BUFFER_BYTES: usize = 16 * 1024;
/// Other addresses to try if the ports of one have run out.
const ATTEMPTS: u32 = 4;

/// An order that is being carried out.
#[derive(Debug)]
pub(super) struct Errand {
    kind: Kind,
    /// The first client that has not been asked.
    next: usize,
    /// Clients that have been asked and have not answered, by place.
    awaited: Vec<usize>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Dial {
        who: Who,
        clean: bool,
        start_ns: u64,
        dialed: u32,
    },
    Subscribe,
}

impl Errand {
    pub(super) fn dial(who: Who, clean: bool, now_ns: u64) -> Self {
        Self::of(Kind::Dial {
            who,
            clean,
            start_ns: now_ns,
            dialed: 0,
        })
    }

    pub(super) fn subscribe() -> Self {
        Self::of(Kind::Subscribe)
    }

    fn of(kind: Kind) -> Self {
        Self {
            kind,
            next: 0,
            awaited: Vec::new(),
        }
    }
}

impl Worker {
    /// Asks the next clients, and sees who has answered.
    pub(super) fn run_errand(&mut self) {
        let Some(mut errand) = self.errand.take() else { return };
        if errand.next == 0 {
            self.ledger.figures.ready = 0;
        }
        let mut waiting = std::mem::take(&mut errand.awaited);
        waiting.retain(|place| !self.has_answered(*place, errand.kind));
        errand.awaited = waiting;
        let places = (UNDER_WAY_MAX / self.post.board.threads()).max(8);
        while errand.awaited.len() < places
            && let Some(client) = self.clients.get(errand.next)
        {
            let role = client.role;
            match &mut errand.kind {
                Kind::Dial { who, .. } if !who.includes(role) => {}
                Kind::Dial {
                    start_ns,
                    dialed,
                    clean,
                    ..
                } => {
                    let (start_ns, clean) = (*start_ns, *clean);
                    if !self.may_dial(start_ns, *dialed) {
                        break;
                    }
                    *dialed += 1;
                    if let Err(source) = self.dial(errand.next, clean, 0) {
                        let address = self.post.target.address;
                        self.ledger.board.report(Trouble::Connect { address, source });
                        return;
                    }
                    errand.awaited.push(errand.next);
                }
                Kind::Subscribe if self.post.layout.filters(role) == 0 => {}
                Kind::Subscribe => {
                    self.subscribe(errand.next, 0);
                    errand.awaited.push(errand.next);
                }
            }
            errand.next += 1;
        }
        if errand.awaited.is_empty() && errand.next >= self.clients.len() {
            self.ledger.figures.orders_done += 1;
        } else {
            self.errand = Some(errand);
        }
    }

    /// Whether the connect rate allows one more connection.
    pub(super) fn may_dial(&self, start_ns: u64, dialed: u32) -> bool {
        self.post.plan.connect_rate == 0 || self.post.board.clock.nanos() >= self.dial_due_ns(start_ns, dialed)
    }

    /// When the connect rate, if there is one, lets this thread begin a connection after `dialed` others.
    pub(super) fn dial_due_ns(&self, start_ns: u64, dialed: u32) -> u64 {
        let threads = u64::try_from(self.post.board.threads()).unwrap_or(1);
        let connections = u64::from(dialed).saturating_mul(threads);
        let rate = u64::from(self.post.plan.connect_rate.max(1));
        start_ns.saturating_add(connections.saturating_mul(1_000_000_000) / rate)
    }

    /// Starts to connect a client. Each further `turn` of it comes from another source address and has an id of its
    /// own, so that it cannot take over from a turn whose end the broker has not seen.
    ///
    /// # Errors
    ///
    /// What the kernel said.
    pub(super) fn dial(&mut self, place: usize, clean: bool, turn: u32) -> io::Result<()> {
        let (plan, target) = (&self.post.plan, &self.post.target);
        let Some(client) = self.clients.get_mut(place) else {
            return Ok(());
        };
        let is_stalled = matches!(client.role, Role::Subscriber(number) if !self.post.layout.counts(number));
        let buffer_bytes = is_stalled.then_some(STALLED_BUFFER_BYTES);
        let attempts = if plan.sources > 1 { ATTEMPTS } else { 1 };
        let mut opened = Err(io::ErrorKind::AddrInUse.into());
        for attempt in 0..attempts {
            let source = source_address(
                target.address,
                plan.sources,
                client.index.wrapping_add(turn).wrapping_add(attempt),
            );
            opened = Link::open(target, source, buffer_bytes, plan.version);
            if !matches!(&opened, Err(error) if is_out_of_ports(error)) {
                break;
            }
        }
        let mut link = opened?;
        let mut client_id = self.post.layout.client_id(client.role);
        if turn > 0 {
            client_id = format!("{client_id}c{turn}");
        }
        let login = Login {
            client_id: &client_id,
            clean,
            user: target.user.as_deref(),
            password: target.password.as_deref(),
        };
        frame::connect(plan.version, &login, link.out());
        self.post.poll.registry().register(
            link.stream(),
            mio::Token(place + FIRST_CLIENT),
            mio::Interest::READABLE | mio::Interest::WRITABLE,
        )?;
        client.stage = Stage::Away;
        client.refusal = None;
        client.wants = plan.qos;
        client.link = Some(link);
        Ok(())
    }

    fn subscribe(&mut self, place: usize, from: u32) {
        let (plan, layout) = (&self.post.plan, &self.post.layout);
        let Some(client) = self.clients.get_mut(place) else {
            return;
        };
        if let Client {
            role, link: Some(link), ..
        } = client
        {
            let upto = subscribe(layout, *role, from, plan, link.out());
            client.stage = Stage::Subscribing(upto);
        }
        self.write(place);
    }

    fn has_answered(&mut self, place: usize, kind: Kind) -> bool {
        let Some(client) = self.clients.get_mut(place) else {
            return true;
        };
        if let Some(refused) = client.refused(&self.post.layout) {
            self.ledger.board.report(refused);
            return false;
        }
        let answered = match (kind, client.stage) {
            (Kind::Dial { .. }, stage) => stage == Stage::Connected,
            (Kind::Subscribe, Stage::Granted(upto)) if upto < self.post.layout.filters(client.role) => {
                self.subscribe(place, upto);
                false
            }
            (Kind::Subscribe, stage) => matches!(stage, Stage::Granted(_)),
        };
        self.ledger.figures.ready += u64::from(answered);
        answered
    }
}

fn is_out_of_ports(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable)
}
