//! The tree of all filters, level by level.

use super::arena::{Arena, Id};
use super::audience::Audience;
use super::edges::Edges;
use super::level::Level;

/// One level of one or more filters.
#[derive(Debug)]
pub(super) struct Node {
    /// `None`: the root.
    parent: Option<Id>,
    /// The child for `+`.
    plus: Option<Id>,
    /// The child for `#`.
    hash: Option<Id>,
    /// Children with other levels; [`Edges`] knows them.
    edges: u32,
    level: Level,
    /// Who subscribed with the filter that ends here.
    audience: Audience,
}

// A million subscriptions with filters of their own are two million nodes: this size is what they cost.
const _: () = assert!(size_of::<Option<Node>>() == 48);

impl Node {
    fn new(parent: Option<Id>, level: &str) -> Self {
        let level = Level::new(level);
        Self {
            parent,
            plus: None,
            hash: None,
            edges: 0,
            level,
            audience: Audience::Nobody,
        }
    }

    pub(super) fn parent(&self) -> Option<Id> {
        self.parent
    }

    pub(super) fn level(&self) -> &[u8] {
        self.level.as_bytes()
    }

    /// Whether this is the node that `level` leads to from `parent`.
    pub(super) fn is_edge(&self, parent: Id, level: &str) -> bool {
        self.parent == Some(parent) && self.level() == level.as_bytes()
    }

    fn is_idle(&self) -> bool {
        self.audience.is_empty() && self.edges == 0 && self.plus.is_none() && self.hash.is_none()
    }
}

/// All filters. A node exists while a filter that is subscribed to ends at it or below it.
#[derive(Debug)]
pub(super) struct Trie {
    nodes: Arena<Node>,
    edges: Edges,
    root: Option<Id>,
}

/// The nodes that a topic has reached, kept from one search to the next for their memory.
#[derive(Debug, Default)]
pub(super) struct Frontier {
    reached: Vec<Id>,
    next: Vec<Id>,
}

impl Trie {
    pub(super) fn new(seed: u64) -> Self {
        let mut nodes = Arena::new();
        let root = nodes.insert(Node::new(None, ""));
        Self {
            nodes,
            edges: Edges::new(seed),
            root,
        }
    }

    /// The node at which `filter` ends, if somebody subscribed with it or with a longer one.
    pub(super) fn walk(&self, filter: &str) -> Option<Id> {
        filter
            .split('/')
            .try_fold(self.root?, |id, level| self.child(id, level))
    }

    /// The node at which `filter` ends, made when missing. `None` when there are no node numbers left.
    ///
    /// The caller puts somebody into its audience, or calls [`Self::prune`].
    pub(super) fn plant(&mut self, filter: &str) -> Option<Id> {
        let mut id = self.root?;
        for level in filter.split('/') {
            let child = self.child(id, level).or_else(|| self.grow(id, level));
            if child.is_none() {
                self.prune(id);
            }
            id = child?;
        }
        Some(id)
    }

    pub(super) fn audience(&self, id: Id) -> Option<&Audience> {
        self.nodes.get(id).map(|node| &node.audience)
    }

    pub(super) fn audience_mut(&mut self, id: Id) -> Option<&mut Audience> {
        self.nodes.get_mut(id).map(|node| &mut node.audience)
    }

    /// Frees the node `id` and those above it that nobody needs.
    pub(super) fn prune(&mut self, mut id: Id) {
        while let Some((node, parent)) = self.nodes.get(id).and_then(|node| Some((node, node.parent?))) {
            if !node.is_idle() {
                return;
            }
            let Some(above) = self.nodes.get_mut(parent) else {
                return;
            };
            if above.plus == Some(id) {
                above.plus = None;
            } else if above.hash == Some(id) {
                above.hash = None;
            } else {
                above.edges -= 1;
                self.edges.remove(&self.nodes, id);
            }
            self.nodes.remove(id);
            id = parent;
        }
    }

    /// The filter that ends at `id`.
    pub(super) fn filter(&self, mut id: Id) -> String {
        let mut levels = Vec::new();
        while let Some((node, parent)) = self.nodes.get(id).and_then(|node| Some((node, node.parent?))) {
            levels.push(String::from_utf8_lossy(node.level()));
            id = parent;
        }
        levels.reverse();
        levels.join("/")
    }

    /// Shows `each` the audience of every filter that matches `topic`, each audience once.
    ///
    /// Goes level by level, so the stack does not grow with the topic; the work is bounded by the nodes within the
    /// topic's depth, and ends at the level that no filter reaches.
    pub(super) fn visit(&self, topic: &str, frontier: &mut Frontier, mut each: impl FnMut(&Audience)) {
        let Frontier { reached, next } = frontier;
        reached.clear();
        reached.extend(self.root);
        // A wildcard at the front does not see topics that begin with $: [MQTT-4.7.2-1] in 3.1.1 and in 5.0.
        let mut wildcards_see = !topic.starts_with('$');
        for level in topic.split('/') {
            if reached.is_empty() {
                return;
            }
            let hash = self.edges.hash(level);
            next.clear();
            for &id in reached.iter() {
                let Some(node) = self.nodes.get(id) else { continue };
                if wildcards_see {
                    node.hash
                        .and_then(|id| self.audience(id))
                        .into_iter()
                        .for_each(&mut each);
                    next.extend(node.plus);
                }
                if node.edges > 0 {
                    next.extend(self.edges.find(&self.nodes, id, level, hash));
                }
            }
            wildcards_see = true;
            std::mem::swap(reached, next);
        }
        for node in reached.iter().filter_map(|&id| self.nodes.get(id)) {
            each(&node.audience);
            // `#` takes in the level above it: `a/#` matches `a`.
            node.hash
                .and_then(|id| self.audience(id))
                .into_iter()
                .for_each(&mut each);
        }
    }

    fn child(&self, id: Id, level: &str) -> Option<Id> {
        let node = self.nodes.get(id)?;
        match level {
            "+" => node.plus,
            "#" => node.hash,
            _ if node.edges == 0 => None,
            _ => self.edges.find(&self.nodes, id, level, self.edges.hash(level)),
        }
    }

    /// Makes the child that is missing.
    fn grow(&mut self, parent: Id, level: &str) -> Option<Id> {
        let id = self.nodes.insert(Node::new(Some(parent), level))?;
        let above = self.nodes.get_mut(parent)?;
        match level {
            "+" => above.plus = Some(id),
            "#" => above.hash = Some(id),
            _ => {
                above.edges += 1;
                self.edges.insert(&self.nodes, parent, id, self.edges.hash(level));
            }
        }
        Some(id)
    }

    /// Nodes, the root among them.
    #[cfg(test)]
    pub(super) fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Nodes and edges that memory is held for.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> (usize, usize) {
        (self.nodes.capacity(), self.edges.capacity())
    }
}
