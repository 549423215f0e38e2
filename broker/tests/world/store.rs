//! A store without a medium: it takes batches, says how far it has come, reads back, and at the end of a broker tells
//! what of it is left.

use std::collections::{BTreeMap, VecDeque};

use broker::durable::{Batch, Change, Durability, Fetch, Fetched, Progress};
use broker::message::Millis;
use broker::router::Retained;

pub use image::{Fact, Image};

mod image;

/// What of the store is there after the end of the broker. What had been synced is there in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survive {
    /// Nothing else: power was lost.
    Synced,
    /// And what had been written: the process was killed.
    Written,
    /// And so many of the changes of batches that came later, in their order.
    More(usize),
    /// All that was given to it.
    All,
}

/// How far the store goes by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// It commits at once what is asked of it, and no more than that.
    #[default]
    AsAsked,
    /// It takes what comes and commits nothing.
    Held,
    /// It does not even look at what comes.
    Asleep,
}

pub struct ModelStore {
    pub pace: Pace,
    waiting: VecDeque<Batch>,
    /// What no loss of power takes.
    synced: Image,
    /// What has come later, a batch each.
    later: VecDeque<(Vec<Fact>, u64, Durability)>,
    /// All of it.
    image: Image,
    /// How many batches had come when each batch of a line had, by its number from 1 on.
    positions: BTreeMap<u16, Vec<usize>>,
    synced_count: usize,
    written_count: usize,
    taken_count: usize,
    told: BTreeMap<u16, Progress>,
    /// Batches with changes that have ever come: what is not to be stored makes none.
    pub batches: usize,
}

impl ModelStore {
    pub fn new(image: Image) -> Self {
        Self {
            pace: Pace::AsAsked,
            waiting: VecDeque::new(),
            synced: image.clone(),
            later: VecDeque::new(),
            image,
            positions: BTreeMap::new(),
            synced_count: 0,
            written_count: 0,
            taken_count: 0,
            told: BTreeMap::new(),
            batches: 0,
        }
    }

    /// What it has, committed or not.
    pub fn image(&self) -> &Image {
        &self.image
    }

    pub fn give(&mut self, batch: Batch) {
        self.waiting.push_back(batch);
    }

    /// Batches that are not on the device, those that it has not looked at among them.
    pub fn unsynced(&self) -> usize {
        self.later.len() + self.waiting.len()
    }

    /// Whether it has looked at all that was given to it.
    pub fn is_up_to_date(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes up what waits, unless it sleeps, and answers what was asked with it.
    pub fn take_up(&mut self, retained: &Retained, now: Millis) -> Vec<(u16, Fetched)> {
        let mut answers = Vec::new();
        if self.pace == Pace::Asleep {
            return answers;
        }
        while let Some(batch) = self.waiting.pop_front() {
            let line = batch.line;
            let fetches = self.take(batch, retained);
            for fetch in fetches {
                answers.push((line, self.answer(&fetch, now)));
            }
        }
        if self.pace == Pace::AsAsked {
            self.commit_as_asked();
        }
        answers
    }

    fn take(&mut self, batch: Batch, retained: &Retained) -> Vec<Fetch> {
        let changes = batch.changes.into_iter().map(|change| {
            if let Change::Retained(topic) = change {
                let message = retained.get(&topic).cloned();
                return Fact::Retained(topic, message);
            }
            Fact::Changed(change)
        });
        let facts: Vec<Fact> = changes.collect();
        self.batches += usize::from(!facts.is_empty());
        let position = if facts.is_empty() && batch.durability == Durability::Memory {
            0
        } else {
            self.keep(facts, batch.serial, batch.durability);
            self.taken_count
        };
        let positions = self.positions.entry(batch.line).or_default();
        positions.push(position);
        assert_eq!(positions.len() as u64, batch.number, "batches of a line come in order");
        batch.fetches
    }

    fn keep(&mut self, facts: Vec<Fact>, serial: u64, durability: Durability) {
        facts.iter().for_each(|fact| self.image.take(fact));
        self.image.serial = self.image.serial.max(serial);
        self.later.push_back((facts, serial, durability));
        self.taken_count += 1;
    }

    fn answer(&mut self, fetch: &Fetch, now: Millis) -> Fetched {
        let (found, expired) = self.image.find(fetch, now);
        if !expired.is_empty() {
            let done = expired
                .into_iter()
                .map(|holding| Fact::Changed(Change::Done(fetch.id, holding)));
            self.keep(done.collect(), 0, Durability::Os);
        }
        Fetched {
            session: fetch.session,
            id: fetch.id,
            found,
        }
    }

    /// Commits what was asked for: up to the last batch that has to survive as much.
    fn commit_as_asked(&mut self) {
        let up_to = |least: Durability| {
            let last = self.later.iter().rposition(|(_, _, durability)| *durability >= least);
            last.map_or(0, |place| place + 1)
        };
        let (written, synced) = (up_to(Durability::Os), up_to(Durability::Disk));
        let written_count = self.synced_count + written;
        self.commit(synced, Durability::Disk);
        self.written_count = self.written_count.max(written_count);
    }

    /// Commits so many batches more.
    pub fn commit(&mut self, count: usize, durability: Durability) {
        if durability != Durability::Disk {
            self.written_count = self.written_count.saturating_add(count).min(self.taken_count);
            return;
        }
        let count = count.min(self.later.len());
        self.written_count = self.written_count.max(self.synced_count + count);
        for (facts, serial, _) in self.later.drain(..count) {
            facts.iter().for_each(|fact| self.synced.take(fact));
            self.synced.serial = self.synced.serial.max(serial);
        }
        self.synced_count += count;
    }

    /// What a line is to be told, if that is more than it knows.
    pub fn word_for(&mut self, line: u16) -> Option<Progress> {
        let told = self.told.get(&line).copied().unwrap_or_default();
        let progress = Progress {
            written: self.reached(line, told.written, self.written_count),
            synced: self.reached(line, told.synced, self.synced_count),
        };
        self.told.insert(line, progress);
        (progress != told).then_some(progress)
    }

    fn reached(&self, line: u16, number: u64, committed: usize) -> u64 {
        let positions = self.positions.get(&line).map_or(&[][..], Vec::as_slice);
        let later = positions.iter().skip(number as usize);
        number + later.take_while(|position| **position <= committed).count() as u64
    }

    /// What is there after the end of the broker.
    pub fn survivor(&mut self, survive: Survive, retained: &Retained) -> Image {
        if survive == Survive::All {
            while let Some(batch) = self.waiting.pop_front() {
                self.take(batch, retained);
            }
            return self.image.clone();
        }
        let written = self.written_count - self.synced_count;
        let count = match survive {
            Survive::Synced => 0,
            Survive::Written => written,
            Survive::More(more) => written + more,
            Survive::All => self.later.len(),
        };
        let mut image = self.synced.clone();
        for (facts, serial, _) in self.later.iter().take(count) {
            facts.iter().for_each(|fact| image.take(fact));
            image.serial = image.serial.max(*serial);
        }
        image
    }
}
