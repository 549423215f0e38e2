//! One client of a run, from its first packet to its last.

use std::io;
use std::net::SocketAddr;

use super::ledger::Ledger;
use crate::load::board::Trouble;
use crate::load::clock::Clock;
use crate::load::frame::{self, DISCONNECT, Packet};
use crate::load::layout::{Layout, Role};
use crate::load::link::{End, Link};
use crate::load::plan::{Plan, Qos};

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not connected, or not yet.
    Away,
    /// CONNACK has come.
    Connected,
    /// So many topic filters have been asked for, and the SUBACK is awaited.
    Subscribing(u32),
    /// SUBACK has come for so many topic filters.
    Granted(u32),
}

/// One client.
#[derive(Debug)]
pub(super) struct Client {
    /// Its number among all clients of the run.
    pub(super) index: u32,
    pub(super) role: Role,
    /// The place of its account within the thread, by role.
    pub(super) local: Option<usize>,
    pub(super) stage: Stage,
    pub(super) link: Option<Link>,
    /// The code with which the broker refused its CONNECT or SUBSCRIBE.
    pub(super) refusal: Option<(&'static str, u8)>,
    /// When it last began to connect, and when it last heard its CONNACK, in nanoseconds of the run's clock.
    pub(super) dialed_ns: u64,
    pub(super) connected_ns: u64,
    /// What a SUBACK must grant at least.
    pub(super) wants: Qos,
}

impl Client {
    /// A client that is not connected.
    pub(super) fn new(index: u32, role: Role, threads: usize) -> Self {
        let local = match role {
            Role::Subscriber(number) | Role::Publisher(number) => {
                usize::try_from(number).ok().map(|number| number / threads.max(1))
            }
            Role::Idle(_) => None,
        };
        Self {
            index,
            role,
            local,
            stage: Stage::Away,
            link: None,
            refusal: None,
            dialed_ns: 0,
            connected_ns: 0,
            wants: Qos::AtMostOnce,
        }
    }

    /// Whether it publishes.
    pub(super) fn is_publisher(&self) -> bool {
        matches!(self.role, Role::Publisher(_))
    }

    /// Reads once; true if there may be more to read.
    ///
    /// # Errors
    ///
    /// How the connection ended.
    pub(super) fn receive(
        &mut self,
        scratch: &mut [u8],
        ledger: &mut Ledger,
        mut arrival_ns: impl FnMut() -> u64,
    ) -> Result<bool, End> {
        let (role, local, stage) = (self.role, self.local, &mut self.stage);
        let (refusal, wants, connected_ns) = (&mut self.refusal, self.wants, &mut self.connected_ns);
        let Some(link) = self.link.as_mut() else {
            return Ok(false);
        };
        link.receive(scratch, |packet, out| {
            packet.answer(out);
            match (role, local, packet) {
                (Role::Subscriber(_), Some(local), Packet::Publish(delivery)) => {
                    ledger.heard(local, delivery, arrival_ns());
                }
                (
                    Role::Publisher(_),
                    Some(local),
                    Packet::Puback { .. } | Packet::Pubrec { .. } | Packet::Pubcomp { .. },
                ) => ledger.acknowledged(local, packet, &mut arrival_ns),
                (_, local, Packet::Connack { code: 0, allows }) => {
                    *stage = Stage::Connected;
                    *connected_ns = arrival_ns();
                    if let (Role::Publisher(_), Some(publisher)) =
                        (role, local.and_then(|local| ledger.publishers.get_mut(local)))
                    {
                        publisher.allow(allows.receive_maximum);
                    }
                    if let Some(secs @ 1..) = allows.keep_alive_secs {
                        ledger.keep_alive_secs = ledger.keep_alive_secs.min(secs);
                    }
                }
                (_, _, Packet::Connack { code, .. }) => *refusal = Some(("CONNECT", *code)),
                (_, _, Packet::Suback { granted }) if *granted >= 0x80 || *granted < u8::from(wants) => {
                    *refusal = Some(("SUBSCRIBE", *granted));
                }
                (_, _, Packet::Suback { .. }) => {
                    if let Stage::Subscribing(upto) = *stage {
                        *stage = Stage::Granted(upto);
                    }
                }
                // To one that hears nothing, or from one that sends nothing.
                (_, _, Packet::Publish(_) | Packet::Puback { .. } | Packet::Pubrec { .. } | Packet::Pubcomp { .. }) => {
                    ledger.figures.stray += 1
                }
                (_, _, Packet::Pubrel { .. } | Packet::Pingresp | Packet::Disconnect { .. }) => {}
            }
        })
    }

    /// Says goodbye, as well as that is possible.
    pub(super) fn hang_up(&mut self) {
        if let Some(mut link) = self.link.take() {
            link.out().extend_from_slice(&DISCONNECT);
            // A broker that is gone already is as good as one that hears the goodbye.
            drop(link.flush());
        }
        self.stage = Stage::Away;
    }

    /// What the end of this client's connection means for the run.
    pub(super) fn trouble(&self, end: &End, layout: &Layout, address: SocketAddr, clock: Clock) -> Trouble {
        if let Some(refused) = self.refused(layout) {
            return refused;
        }
        if let (Stage::Away, End::Broken(source)) = (self.stage, end)
            && matches!(
                source.kind(),
                io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::TimedOut
            )
        {
            return Trouble::Connect {
                address,
                source: source.kind().into(),
            };
        }
        Trouble::Ended {
            reason: format!("{} ({}): {end}", self.describe(), layout.client_id(self.role)),
            at: clock.elapsed(),
        }
    }

    /// What it means for the run that the broker has refused this client something, if it has.
    pub(super) fn refused(&self, layout: &Layout) -> Option<Trouble> {
        let (packet, code) = self.refusal?;
        Some(Trouble::Refused {
            client: layout.client_id(self.role),
            packet,
            code,
        })
    }

    fn describe(&self) -> String {
        match self.role {
            Role::Subscriber(number) => format!("subscriber {number}"),
            Role::Publisher(number) => format!("publisher {number}"),
            Role::Idle(number) => format!("idle client {number}"),
        }
    }
}

/// Appends the next SUBSCRIBE of a client, from this topic filter on, and says how many have been asked for by then.
pub(super) fn subscribe(layout: &Layout, role: Role, from: u32, plan: &Plan, out: &mut Vec<u8>) -> u32 {
    /// Topic filters in one packet.
    const FILTERS_MAX: u32 = 64;
    let upto = layout.filters(role).min(from + FILTERS_MAX);
    let packet_id = u16::try_from(from / FILTERS_MAX % 65_535).map_or(1, |number| number + 1);
    let filters = (from..upto).map(|number| layout.filter(role, number));
    frame::subscribe(plan.version, packet_id, plan.qos, filters, out);
    upto
}
