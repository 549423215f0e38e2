//! The edges of the trie: from a node and the text of a level to the node below.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::arena::{Arena, Id};
use super::trie::Node;

/// A table that grows stops its line while it moves: 64 small ones make 64 short stops instead of a long one.
const SHARDS: usize = 64;
/// Below this many edges a shard does not bother to give memory back.
const SHRINK_FROM: usize = 64;

/// All edges by (parent, level). Only node ids stand here; the key of an edge is in the node that it leads to.
#[derive(Debug)]
pub(super) struct Edges {
    shards: Vec<HashTable<Id>>,
    state: FixedState,
}

/// The hash of a level's text alone: computed once per level of a topic, whatever the number of nodes it is tried at.
#[derive(Clone, Copy)]
pub(super) struct LevelHash(u64);

impl LevelHash {
    /// The hash of the edge that leaves `parent` with this level.
    fn below(self, parent: Id) -> u64 {
        const ODD: u128 = 0x9e37_79b9_7f4a_7c15;
        let mixed = u128::from(self.0 ^ u64::from(parent.number()).rotate_left(20)) * ODD;
        ((mixed >> 64) ^ mixed) as u64
    }
}

// Bits that hashbrown uses neither for the place in a table of this size nor for its tags.
fn shard_of(hash: u64) -> usize {
    (hash >> 48) as usize & (SHARDS - 1)
}

impl Edges {
    /// `seed` keeps a peer from choosing levels that collide.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| HashTable::new()).collect(),
            state: FixedState::with_seed(seed),
        }
    }

    pub(super) fn hash(&self, level: &str) -> LevelHash {
        let mut hasher = self.state.build_hasher();
        hasher.write(level.as_bytes());
        LevelHash(hasher.finish())
    }

    /// The node below `parent` whose level is `level`; `hash` is that of `level`.
    pub(super) fn find(&self, nodes: &Arena<Node>, parent: Id, level: &str, hash: LevelHash) -> Option<Id> {
        let hash = hash.below(parent);
        let is_it = |&id: &Id| nodes.get(id).is_some_and(|node| node.is_edge(parent, level));
        self.shards.get(shard_of(hash))?.find(hash, is_it).copied()
    }

    /// Adds the edge from `parent` to `id`, which is not there yet.
    pub(super) fn insert(&mut self, nodes: &Arena<Node>, parent: Id, id: Id, hash: LevelHash) {
        let hash = hash.below(parent);
        let Self { shards, state } = self;
        if let Some(shard) = shards.get_mut(shard_of(hash)) {
            shard.insert_unique(hash, id, |&other| edge_hash(state, nodes, other));
        }
    }

    /// Takes the edge that leads to `id` out, while `id` is still among `nodes`.
    pub(super) fn remove(&mut self, nodes: &Arena<Node>, id: Id) {
        let Self { shards, state } = self;
        let hash = edge_hash(state, nodes, id);
        let Some(shard) = shards.get_mut(shard_of(hash)) else {
            return;
        };
        if let Ok(entry) = shard.find_entry(hash, |&other| other == id) {
            entry.remove();
        }
        if shard.capacity() > SHRINK_FROM && shard.len() < shard.capacity() / 8 {
            shard.shrink_to(shard.len() * 2, |&other| edge_hash(state, nodes, other));
        }
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.shards.iter().map(HashTable::capacity).sum()
    }
}

fn edge_hash(state: &FixedState, nodes: &Arena<Node>, id: Id) -> u64 {
    let Some((node, parent)) = nodes.get(id).and_then(|node| Some((node, node.parent()?))) else {
        return 0;
    };
    let mut hasher = state.build_hasher();
    hasher.write(node.level());
    LevelHash(hasher.finish()).below(parent)
}
