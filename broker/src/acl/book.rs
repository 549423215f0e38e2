//! All rules of a file, by whom they are for.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::Subject;
use super::network::{Network, Networks};
use super::rule::{Level, Names, Reach, Rule};
use super::section::{Question, Rank, RuleKind, Ruling, Section};

/// Whom a rule is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Everyone,
    /// Clients without a user name.
    Anonymous,
    User(Box<str>),
    Group(Box<str>),
    Client(Box<str>),
    Listener(Box<str>),
    Address(Network),
}

type Named = HashMap<Box<str>, Section, FixedState>;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Book {
    everyone: Section,
    anonymous: Section,
    users: Named,
    groups: Named,
    clients: Named,
    listeners: Named,
    networks: Networks,
    /// What is denied to any group, listener or address: it holds for a client of whom these are not known.
    denied_to_some: Section,
    /// Whether `%u`, `%c` or what Mosquitto's patterns refuse matters to any rule.
    pub(super) uses_names: bool,
}

impl Book {
    pub(super) fn insert(&mut self, who: &Who, rank: Rank, rule: Rule) {
        let is_pattern = matches!(rank.kind, RuleKind::PatternAllow | RuleKind::PatternDeny);
        self.uses_names |= is_pattern
            || rule
                .levels
                .iter()
                .any(|level| matches!(level, Level::User | Level::Client));
        if !rule.allow && matches!(who, Who::Group(_) | Who::Listener(_) | Who::Address(_)) {
            self.denied_to_some.insert(rank, rule.clone());
        }
        let section = match who {
            Who::Everyone => &mut self.everyone,
            Who::Anonymous => &mut self.anonymous,
            Who::User(name) => self.users.entry(name.clone()).or_default(),
            Who::Group(name) => self.groups.entry(name.clone()).or_default(),
            Who::Client(name) => self.clients.entry(name.clone()).or_default(),
            Who::Listener(name) => self.listeners.entry(name.clone()).or_default(),
            Who::Address(network) => self.networks.section_of(*network),
        };
        section.insert(rank, rule);
    }

    /// The rule that decides.
    pub(super) fn judge(&self, subject: &Subject<'_>, question: &Question<'_>) -> Option<Ruling> {
        let mut best = None;
        self.each_section(subject, |section| section.judge(question, &mut best));
        best
    }

    /// Whether a rule before `end` allows some of what is asked.
    pub(super) fn allows_part(&self, subject: &Subject<'_>, question: &Question<'_>, end: Option<Rank>) -> bool {
        let mut found = false;
        self.each_section(subject, |section| found = found || section.allows_part(question, end));
        found
    }

    fn each_section<'a>(&'a self, subject: &Subject<'_>, mut visit: impl FnMut(&'a Section)) {
        let identity = subject.identity;
        visit(&self.everyone);
        match &identity.username {
            Some(name) => self.users.get(name).into_iter().for_each(&mut visit),
            None => visit(&self.anonymous),
        }
        if !self.clients.is_empty() {
            self.clients.get(subject.client_id).into_iter().for_each(&mut visit);
        }
        if identity.is_shadow {
            return visit(&self.denied_to_some);
        }
        if !self.groups.is_empty() {
            let groups = identity.groups.iter().filter_map(|group| self.groups.get(group));
            groups.for_each(&mut visit);
        }
        if !self.listeners.is_empty() {
            let listener = self.listeners.get(&*identity.listener);
            listener.into_iter().for_each(&mut visit);
        }
        if let Some(address) = subject.address {
            self.networks.around(address).for_each(&mut visit);
        }
    }
}

/// What an identity's own grants say: the first that speaks of all that is asked.
pub(super) fn judge_grants(grants: &[Rule], question: &Question<'_>) -> Option<(u32, bool)> {
    let fits = |rule: &Rule| {
        rule.is_about(question.action, question.qos) && rule.reach(question.asked, question.names) == Reach::All
    };
    let place = grants.iter().position(fits)?;
    let allow = grants.get(place)?.allow;
    Some((u32::try_from(place).unwrap_or(u32::MAX), allow))
}

/// Whether one of the first `count` grants allows some of what is asked.
pub(super) fn grants_part(grants: &[Rule], question: &Question<'_>, count: usize) -> bool {
    let fits = |rule: &Rule| {
        rule.allow
            && rule.is_about(question.action, question.qos)
            && rule.reach(question.asked, question.names) != Reach::Nothing
    };
    grants.iter().take(count).any(fits)
}

impl<'a> Subject<'a> {
    pub(super) fn names(&self) -> Names<'a> {
        Names::new(self.identity.username.as_deref(), self.client_id)
    }
}
