//! The rules that hold for one kind of client, as a tree of levels.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use mqtt_codec::QoS;

use super::rule::{Action, Actions, Level, Names, Reach, Rule};

/// Where a rule stands among those that are looked at: lower ones decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) kind: RuleKind,
    /// Counted from 1.
    pub(super) line: u32,
}

/// The kinds of rules, in the order in which they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RuleKind {
    /// `allow` and `deny`, in the order of the file.
    Own,
    /// `topic deny`
    TopicDeny,
    /// `topic` that allows.
    TopicAllow,
    /// `pattern deny`
    PatternDeny,
    /// `pattern` that allows.
    PatternAllow,
}

/// A rule where its filter ends.
#[derive(Clone, Debug, PartialEq)]
struct Leaf {
    rank: Rank,
    allow: bool,
    actions: Actions,
    qos_max: QoS,
}

/// One level of the rules' filters.
#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    texts: HashMap<Box<str>, u32, FixedState>,
    any: Option<u32>,
    user: Option<u32>,
    client: Option<u32>,
    /// Filters that end here, by rank.
    here: Vec<Leaf>,
    /// Filters that end with `#` below, by rank.
    below: Vec<Leaf>,
}

/// What is asked of a section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) action: Action,
    /// A topic; for [`Action::Subscribe`] a filter.
    pub(super) asked: &'a str,
    pub(super) qos: QoS,
    pub(super) names: Names<'a>,
}

/// The rule that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ruling {
    pub(super) rank: Rank,
    pub(super) allow: bool,
}

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Section {
    nodes: Vec<Node>,
    /// All rules, to be looked through for those that a filter touches in part.
    rules: Vec<(Rank, Rule)>,
}

impl Default for Section {
    fn default() -> Self {
        Self {
            nodes: vec![Node::default()],
            rules: Vec::new(),
        }
    }
}

impl Section {
    /// Adds a rule.
    pub(super) fn insert(&mut self, rank: Rank, rule: Rule) {
        let leaf = Leaf {
            rank,
            allow: rule.allow,
            actions: rule.actions,
            qos_max: rule.qos_max,
        };
        let mut place = 0;
        let mut is_rest = false;
        for level in &rule.levels {
            match level {
                Level::Rest => is_rest = true,
                Level::Text(_) | Level::Any | Level::User | Level::Client => place = self.plant(place, level),
            }
        }
        if let Some(node) = self.nodes.get_mut(place as usize) {
            let leaves = if is_rest { &mut node.below } else { &mut node.here };
            let at = leaves.partition_point(|known| known.rank < rank);
            leaves.insert(at, leaf);
        }
        self.rules.push((rank, rule));
    }

    /// The node below `place`, made if there is none.
    fn plant(&mut self, place: u32, level: &Level) -> u32 {
        let fresh = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let Some(node) = self.nodes.get_mut(place as usize) else {
            return place;
        };
        let child = match level {
            Level::Text(text) => *node.texts.entry(text.clone()).or_insert(fresh),
            Level::Any | Level::Rest => *node.any.get_or_insert(fresh),
            Level::User => *node.user.get_or_insert(fresh),
            Level::Client => *node.client.get_or_insert(fresh),
        };
        if child == fresh {
            self.nodes.push(Node::default());
        }
        child
    }

    /// Notes in `best` the rule of the lowest rank that speaks of all that is asked.
    pub(super) fn judge(&self, question: &Question<'_>, best: &mut Option<Ruling>) {
        if self.rules.is_empty() {
            return;
        }
        let names = question.names;
        let (mut nodes, mut next) = (Frontier::default(), Frontier::default());
        nodes.push(0);
        // Section 4.7.2 in both: a wildcard in front does not match the broker's own topics.
        let mut wild = !question.asked.starts_with('$');
        for level in question.asked.split('/') {
            if nodes.is_empty() {
                return;
            }
            for node in nodes.iter().filter_map(|place| self.nodes.get(place as usize)) {
                if wild {
                    question.consider(&node.below, best);
                }
                // What lies below a `#` is covered by a `#` alone.
                if level == "#" {
                    continue;
                }
                let any = node.any.filter(|_| wild);
                let user = node.user.filter(|_| names.user == Some(level));
                let client = node.client.filter(|_| names.client == Some(level));
                let text = if node.texts.is_empty() {
                    None
                } else {
                    node.texts.get(level).copied()
                };
                for child in [any, user, client, text].into_iter().flatten() {
                    next.push(child);
                }
            }
            wild = true;
            nodes.clear();
            std::mem::swap(&mut nodes, &mut next);
        }
        for node in nodes.iter().filter_map(|place| self.nodes.get(place as usize)) {
            question.consider(&node.here, best);
            question.consider(&node.below, best);
        }
    }

    /// Whether a rule that allows, and stands before `end`, speaks of some of what is asked.
    pub(super) fn allows_part(&self, question: &Question<'_>, end: Option<Rank>) -> bool {
        self.rules.iter().any(|(rank, rule)| {
            rule.allow
                && end.is_none_or(|end| *rank < end)
                && question.is_open_to(*rank, rule.allow)
                && rule.is_about(question.action, question.qos)
                && rule.reach(question.asked, question.names) != Reach::Nothing
        })
    }
}

impl Question<'_> {
    /// Mosquitto allows nothing by patterns to a client whose names hold what a pattern refuses.
    fn is_open_to(&self, rank: Rank, allow: bool) -> bool {
        !(self.names.are_refused && allow && rank.kind == RuleKind::PatternAllow)
    }

    fn consider(&self, leaves: &[Leaf], best: &mut Option<Ruling>) {
        for leaf in leaves {
            if best.is_some_and(|best| best.rank <= leaf.rank) {
                return;
            }
            if leaf.actions.contain(self.action) && self.qos <= leaf.qos_max && self.is_open_to(leaf.rank, leaf.allow) {
                *best = Some(Ruling {
                    rank: leaf.rank,
                    allow: leaf.allow,
                });
                return;
            }
        }
    }
}

/// The nodes that a walk has reached: few, so that they stand on the stack, and any number in a heap if there are more.
#[derive(Debug, Default)]
struct Frontier {
    first: [u32; Self::FIRST],
    count: usize,
    others: Vec<u32>,
}

impl Frontier {
    const FIRST: usize = 8;

    fn push(&mut self, node: u32) {
        match self.first.get_mut(self.count) {
            Some(place) => {
                *place = node;
                self.count += 1;
            }
            None => self.others.push(node),
        }
    }

    fn clear(&mut self) {
        self.count = 0;
        self.others.clear();
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.first.iter().take(self.count).chain(&self.others).copied()
    }
}
