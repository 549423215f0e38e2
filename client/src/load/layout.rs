//! Who publishes what to whom, by number: topics, topic filters, and how many hear each message.

use super::account::{Account, Ear};
use super::clock::Clock;
use super::plan::{Plan, Scenario};

mod devices;

use devices::Devices;

/// The subscriber that stops reading in scenario `stalled`; its deliveries are in no account.
pub(super) const STALLED: u32 = 0;

/// The clients of a run and their topics.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// A word that no other run uses, so that runs at the same broker do not hear each other.
    code: String,
    shape: Shape,
    publishers: u32,
    subscribers: u32,
    /// Connections that hear nothing.
    idle: u32,
    /// Topics that each publisher goes through in turn.
    topics: u32,
}

/// Which topics there are.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// Publishers stand in blocks of consecutive numbers, one block to a group; subscribers join the groups in turn.
    Groups { groups: u32, stalled: bool },
    /// Devices with several topic filters each.
    Devices(Devices),
    /// Each subscriber has `filters` topics of its own, and hears one message on the first.
    OneEach { filters: u32 },
    /// Every subscriber hears every topic of the one publisher.
    Retained,
}

/// What a client is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Subscriber(u32),
    Publisher(u32),
    Idle(u32),
}

impl Role {
    /// The number among those of the same kind.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::Subscriber(number) | Self::Publisher(number) | Self::Idle(number) => number,
        }
    }
}

impl Layout {
    pub(super) fn of(plan: &Plan) -> Self {
        let (publishers, subscribers) = (plan.publishers, plan.subscribers);
        let groups = |groups: u32| Shape::Groups {
            groups: groups.max(1),
            stalled: plan.scenario == Scenario::Stalled,
        };
        let layout = |shape| Self {
            code: code(),
            shape,
            publishers,
            subscribers,
            idle: plan.connections,
            topics: plan.topics,
        };
        match plan.scenario {
            Scenario::P2p | Scenario::Fanin | Scenario::Durable => layout(groups(subscribers)),
            Scenario::Latency | Scenario::Offline => layout(groups(publishers.min(subscribers))),
            Scenario::Fanout | Scenario::Stalled | Scenario::Connect => layout(groups(1)),
            Scenario::Wildcards => layout(Shape::Devices(Devices::of(plan))),
            Scenario::Retained => Self {
                publishers: 1,
                ..layout(Shape::Retained)
            },
            Scenario::Idle => Self {
                publishers: 1,
                subscribers: plan.connections,
                idle: 0,
                topics: plan.connections,
                ..layout(Shape::OneEach {
                    filters: plan.subscriptions,
                })
            },
        }
    }

    /// How many clients publish.
    pub(super) fn publishers(&self) -> u32 {
        self.publishers
    }

    /// How many clients subscribe, without the idle ones.
    pub(super) fn subscribers(&self) -> u32 {
        self.subscribers
    }

    /// How many topics each publisher goes through in turn.
    pub(super) fn topics(&self) -> u32 {
        self.topics
    }

    /// All clients.
    pub(super) fn clients(&self) -> impl Iterator<Item = Role> {
        let subscribers = (0..self.subscribers).map(Role::Subscriber);
        let publishers = (0..self.publishers).map(Role::Publisher);
        subscribers.chain(publishers).chain((0..self.idle).map(Role::Idle))
    }

    /// The id with which a client connects: letters and digits, 23 at most, as 3.1.1 asks.
    pub(super) fn client_id(&self, role: Role) -> String {
        let (letter, number) = match role {
            Role::Subscriber(number) => ('s', number),
            Role::Publisher(number) => ('p', number),
            Role::Idle(number) => ('i', number),
        };
        format!("{}{letter}{number}", self.code)
    }

    /// The topic at a place of a publisher's list.
    pub(super) fn topic(&self, publisher: u32, place: u32) -> String {
        let code = &self.code;
        match self.shape {
            Shape::Groups { groups, .. } => {
                let group = group_of(publisher, self.publishers, groups);
                if self.topics == 1 {
                    format!("bench/{code}/{group}")
                } else {
                    format!("bench/{code}/{group}/{place}")
                }
            }
            Shape::Devices(devices) => devices.topic(code, self.index(publisher, place)),
            Shape::OneEach { .. } => format!("bench/{code}/{place}/0"),
            Shape::Retained => format!("bench/{code}/{place}"),
        }
    }

    /// How many topic filters a client subscribes to.
    pub(super) fn filters(&self, role: Role) -> u32 {
        match (role, self.shape) {
            (Role::Publisher(_), _) => 0,
            (Role::Subscriber(subscriber), Shape::Devices(devices)) => devices.filters(subscriber),
            (Role::Subscriber(_), Shape::OneEach { filters }) => filters,
            (Role::Subscriber(_), Shape::Groups { .. } | Shape::Retained) | (Role::Idle(_), _) => 1,
        }
    }

    /// One of a client's topic filters.
    pub(super) fn filter(&self, role: Role, number: u32) -> String {
        let code = &self.code;
        match (role, self.shape) {
            (Role::Publisher(client) | Role::Idle(client), _) => format!("bench/{code}/idle/{client}"),
            (Role::Subscriber(subscriber), Shape::Groups { groups, .. }) if self.topics == 1 => {
                format!("bench/{code}/{}", subscriber % groups)
            }
            (Role::Subscriber(subscriber), Shape::Groups { groups, .. }) => {
                format!("bench/{code}/{}/+", subscriber % groups)
            }
            (Role::Subscriber(subscriber), Shape::Devices(devices)) => devices.filter(code, subscriber, number),
            (Role::Subscriber(subscriber), Shape::OneEach { .. }) => format!("bench/{code}/{subscriber}/{number}"),
            (Role::Subscriber(_), Shape::Retained) => format!("bench/{code}/+"),
        }
    }

    /// Whether a subscriber's deliveries are accounted for.
    pub(super) fn counts(&self, subscriber: u32) -> bool {
        !matches!(self.shape, Shape::Groups { stalled: true, .. } if subscriber == STALLED)
    }

    /// The part of all publishers and topics outside which a subscriber hears nothing.
    pub(super) fn ear(&self, subscriber: u32) -> Ear {
        let everything = Ear {
            publishers: 0..self.publishers,
            topics: 0..self.topics,
        };
        match self.shape {
            Shape::Groups { groups, .. } => {
                let group = subscriber % groups;
                let start = |group| block_start(group, self.publishers, groups);
                Ear {
                    publishers: start(group)..start(group + 1),
                    ..everything
                }
            }
            Shape::OneEach { .. } => Ear {
                topics: subscriber..subscriber + 1,
                ..everything
            },
            Shape::Devices(_) | Shape::Retained => everything,
        }
    }

    /// Whether a subscriber hears what a publisher sends to this place of its list, given that it is in the ear.
    pub(super) fn hears(&self, subscriber: u32, publisher: u32, place: u32) -> bool {
        match self.shape {
            Shape::Devices(devices) => devices.hears(subscriber, self.index(publisher, place)),
            Shape::Groups { .. } | Shape::OneEach { .. } | Shape::Retained => true,
        }
    }

    /// An account in which nothing has been heard.
    pub(super) fn account(&self, subscriber: u32) -> Account {
        Account::new(&self.ear(subscriber), self.topics, |publisher, place| {
            self.hears(subscriber, publisher, place)
        })
    }

    /// How many subscribers in the account hear a publisher's message on this place of its list while it is sent.
    pub(super) fn audience(&self, publisher: u32, place: u32) -> u32 {
        match self.shape {
            Shape::Groups { groups, stalled } => {
                let group = group_of(publisher, self.publishers, groups);
                let members = (self.subscribers + groups - 1).saturating_sub(group) / groups;
                members - u32::from(stalled && group == STALLED % groups)
            }
            Shape::Devices(devices) => devices.audience(self.index(publisher, place)),
            Shape::OneEach { .. } => 1,
            Shape::Retained => 0,
        }
    }

    fn index(&self, publisher: u32, place: u32) -> u64 {
        u64::from(publisher) * u64::from(self.topics) + u64::from(place)
    }
}

/// The first publisher of a group.
fn block_start(group: u32, publishers: u32, groups: u32) -> u32 {
    u32::try_from(u64::from(group) * u64::from(publishers) / u64::from(groups)).unwrap_or(u32::MAX)
}

/// The group whose block a publisher stands in.
fn group_of(publisher: u32, publishers: u32, groups: u32) -> u32 {
    let group = ((u64::from(publisher) + 1) * u64::from(groups)).div_ceil(u64::from(publishers.max(1))) - 1;
    u32::try_from(group).unwrap_or(u32::MAX)
}

/// Five letters and digits out of this process's id and the time.
fn code() -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut number = Clock::seed();
    let digits = (0..5).map(|_| {
        let digit = usize::try_from(number % 36).unwrap_or(0);
        number /= 36;
        char::from(DIGITS.get(digit).copied().unwrap_or(b'0'))
    });
    digits.collect()
}

#[cfg(test)]
mod tests;
