//! A list without duplicates whose members are found by key.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// From this length on a roll has an index. Up to it a look through the members is as quick, and needs no memory.
const INDEXED_FROM: usize = 1024;

/// What a roll can hold.
pub(super) trait Member {
    type Key: Copy + Eq + Hash;
    fn key(&self) -> Self::Key;
}

/// Members side by side, for the walk over all of them that a match is; order is not kept.
#[derive(Debug)]
pub(super) struct Roll<T> {
    members: Vec<T>,
    /// Positions in `members` by key.
    index: Option<Box<HashTable<u32>>>,
}

// The keys are numbers that the broker gives out, so a peer cannot choose them to collide.
fn hash<K: Hash>(key: K) -> u64 {
    FixedState::default().hash_one(key)
}

impl<T: Member> Roll<T> {
    pub(super) fn new() -> Self {
        Self {
            members: Vec::new(),
            index: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn as_slice(&self) -> &[T] {
        &self.members
    }

    pub(super) fn get(&self, key: T::Key) -> Option<&T> {
        self.members.get(self.position(key)?)
    }

    /// Adds `member`, or puts it in the place of the one with its key and returns that.
    pub(super) fn insert(&mut self, member: T) -> Option<T> {
        if let Some(position) = self.position(member.key()) {
            return self
                .members
                .get_mut(position)
                .map(|place| std::mem::replace(place, member));
        }
        self.push(member);
        None
    }

    /// Adds `member`, whose key the caller knows to be missing.
    pub(super) fn push(&mut self, member: T) {
        let Self { members, index } = self;
        if let (Some(index), Ok(position)) = (index.as_mut(), u32::try_from(members.len())) {
            index.insert_unique(hash(member.key()), position, |&at| hash_at(members, at));
        }
        members.push(member);
        if self.index.is_none() && self.members.len() >= INDEXED_FROM {
            self.build_index();
        }
    }

    pub(super) fn remove(&mut self, key: T::Key) -> Option<T> {
        let position = self.position(key)?;
        let last = self.members.len() - 1;
        if let (Some(index), Ok(at), Ok(from)) = (&mut self.index, u32::try_from(position), u32::try_from(last)) {
            if let Ok(entry) = index.find_entry(hash(key), |&other| other == at) {
                entry.remove();
            }
            // The last member takes the place that falls vacant.
            let moved = self.members.get(last).map(Member::key).filter(|_| at != from);
            if let Some(entry) = moved.and_then(|moved| index.find_mut(hash(moved), |&other| other == from)) {
                *entry = at;
            }
        }
        let gone = self.members.swap_remove(position);
        self.shrink();
        Some(gone)
    }

    fn position(&self, key: T::Key) -> Option<usize> {
        match &self.index {
            Some(index) => {
                let is_it = |&at: &u32| self.members.get(at as usize).is_some_and(|member| member.key() == key);
                index.find(hash(key), is_it).map(|&at| at as usize)
            }
            None => self.members.iter().rposition(|member| member.key() == key),
        }
    }

    fn build_index(&mut self) {
        let mut index = HashTable::with_capacity(self.members.len() * 2);
        for (position, member) in (0..).zip(&self.members) {
            index.insert_unique(hash(member.key()), position, |&at| hash_at(&self.members, at));
        }
        self.index = Some(Box::new(index));
    }

    fn shrink(&mut self) {
        let len = self.members.len();
        if len < INDEXED_FROM / 2 {
            self.index = None;
        }
        if len < self.members.capacity() / 4 {
            self.members.shrink_to(len * 2);
            if let Some(index) = &mut self.index {
                index.shrink_to(len * 2, |&at| hash_at(&self.members, at));
            }
        }
    }
}

fn hash_at<T: Member>(members: &[T], at: u32) -> u64 {
    members.get(at as usize).map_or(0, |member| hash(member.key()))
}

impl<T: Member> FromIterator<T> for Roll<T> {
    fn from_iter<I: IntoIterator<Item = T>>(members: I) -> Self {
        let mut roll = Self::new();
        for member in members {
            roll.insert(member);
        }
        roll
    }
}

impl<T> IntoIterator for Roll<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter()
    }
}
