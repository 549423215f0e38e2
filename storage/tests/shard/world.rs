//! A shard on a faulty medium with a faulty engine, and a map that says what has to be in it.

use std::collections::BTreeMap;

use storage::faulty::{Faults, FaultyMedium, FaultyStore};
use storage::{Batch, Durability, Recovery, ScanLimit, Shard, ShardOptions, Slice, Store, StoreError, Table};

pub(crate) type Model = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

pub(crate) const ALL: ScanLimit = ScanLimit {
    entries_max: usize::MAX,
    bytes_max: usize::MAX,
};
const TABLES: u8 = 2;

/// Numbers that follow from a seed.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Small enough that a short history fills segments, settles and rolls.
pub(crate) fn options(engine: &FaultyStore) -> ShardOptions {
    ShardOptions {
        segment_bytes: 2048,
        journal_bytes_max: 3 * 2048,
        free_bytes_min: 0,
        slice: Slice {
            entries: 5,
            bytes: 2 << 10,
        },
        ..ShardOptions::new(Box::new(engine.clone()))
    }
}

pub(crate) struct World {
    pub(crate) faults: Faults,
    pub(crate) medium: FaultyMedium,
    pub(crate) engine: FaultyStore,
    pub(crate) shard: Option<Shard>,
    pub(crate) recovery: Recovery,
    pub(crate) random: Random,
    /// What was there after each batch, the first being what was there at the beginning.
    pub(crate) states: Vec<Model>,
    /// How many batches the last successful commit of each durability covers.
    pub(crate) at_process: usize,
    pub(crate) at_power: usize,
    pub(crate) overlay_bytes_max: usize,
    frozen: Option<Model>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let faults = Faults::none();
        Self::on(seed, FaultyMedium::new(&faults), FaultyStore::new(&faults), faults)
    }

    /// Not opened yet.
    pub(crate) fn on(seed: u64, medium: FaultyMedium, engine: FaultyStore, faults: Faults) -> Self {
        Self {
            faults,
            medium,
            engine,
            shard: None,
            recovery: Recovery::default(),
            random: Random(seed),
            states: vec![Model::new()],
            at_process: 0,
            at_power: 0,
            overlay_bytes_max: 10 << 10,
            frozen: None,
        }
    }

    pub(crate) fn open(&mut self) -> Result<(), StoreError> {
        let medium = Box::new(self.medium.clone());
        let options = ShardOptions {
            overlay_bytes_max: self.overlay_bytes_max,
            ..options(&self.engine)
        };
        let (shard, recovery) = Shard::open_on(medium, options, false)?;
        self.shard = Some(shard);
        self.recovery = recovery;
        Ok(())
    }

    pub(crate) fn opened(mut self) -> Self {
        self.open().unwrap();
        self
    }

    pub(crate) fn shard(&mut self) -> &mut Shard {
        self.shard.as_mut().unwrap()
    }

    pub(crate) fn model(&self) -> &Model {
        self.states.last().unwrap()
    }

    pub(crate) fn apply(&mut self, batch: &Batch, after: Model) -> Result<(), StoreError> {
        self.shard().apply(batch)?;
        self.states.push(after);
        Ok(())
    }

    pub(crate) fn commit(&mut self, durability: Durability) -> Result<(), StoreError> {
        self.shard().commit(durability)?;
        self.at_process = self.states.len() - 1;
        if durability == Durability::Power {
            self.at_power = self.at_process;
        }
        Ok(())
    }

    /// A batch of random changes, and what is there after it.
    pub(crate) fn draw(&mut self) -> (Batch, Model) {
        let mut model = self.model().clone();
        let mut batch = Batch::default();
        for _ in 0..=self.random.below(4) {
            let table = self.random.below(u64::from(TABLES)) as u8;
            let number = self.random.below(14);
            // One in seven keys is too long to be kept in place.
            let padding = if number.is_multiple_of(7) { 40 } else { 0 };
            let key = format!("{number:02}{}", "k".repeat(padding)).into_bytes();
            let value = match self.random.below(60) {
                0 => vec![7; 3000],
                len => vec![self.random.below(256) as u8; len as usize * 2],
            };
            let place = (table, key.clone());
            match self.random.below(5) {
                0 | 1 => {
                    batch.remove(Table(table), &key);
                    model.remove(&place);
                }
                2 => {
                    batch.put(Table(table), &key, &value);
                    model.insert(place, value);
                }
                _ if model.contains_key(&place) => {
                    batch.put(Table(table), &key, &value);
                    model.insert(place, value);
                }
                _ => {
                    batch.put_new(Table(table), &key, &value);
                    model.insert(place, value);
                }
            }
        }
        (batch, model)
    }

    /// One random step; checks what is read.
    pub(crate) fn step(&mut self) -> Result<(), StoreError> {
        match self.random.below(20) {
            0..=8 => {
                let (batch, after) = self.draw();
                match self.apply(&batch, after) {
                    // While it is frozen, what changes has only so much memory.
                    Err(StoreError::Full { .. }) if self.frozen.is_some() => Ok(()),
                    taken => taken,
                }
            }
            9 | 10 => self.commit(Durability::Process),
            11..=13 => self.commit(Durability::Power),
            14..=17 => self.shard().maintain().map(drop),
            18 => {
                match self.frozen.take() {
                    Some(frozen) => {
                        assert_eq!(self.read_frozen(), frozen);
                        self.shard().thaw();
                    }
                    None if self.shard().freeze() => self.frozen = Some(self.model().clone()),
                    None => {}
                }
                Ok(())
            }
            _ => {
                self.check();
                Ok(())
            }
        }
    }

    /// Everything that is read, in every way, is as the model says.
    pub(crate) fn check(&mut self) {
        let model = self.model().clone();
        let limit = ScanLimit {
            entries_max: 1 + self.random.below(5) as usize,
            bytes_max: 1 + self.random.below(300) as usize,
        };
        assert_eq!(self.read(limit), model);
        if let Some(frozen) = self.frozen.clone() {
            assert_eq!(self.read_frozen(), frozen);
        }
        let shard = self.shard();
        for table in 0..TABLES {
            for number in 0..14 {
                let key = format!("{number:02}").into_bytes();
                let value = shard.get(Table(table), &key).unwrap();
                assert_eq!(value.as_deref(), model.get(&(table, key)).map(Vec::as_slice));
            }
            let ones = model.keys().filter(|(t, key)| *t == table && key.starts_with(b"1"));
            let found = shard.scan(Table(table), b"1", Some(b"0"), ALL).unwrap();
            assert!(
                found
                    .iter()
                    .map(|(key, _)| key.to_vec())
                    .eq(ones.map(|(_, key)| key.clone()))
            );
        }
    }

    fn read(&mut self, limit: ScanLimit) -> Model {
        let shard = self.shard();
        collect(limit, |table, after| shard.scan(table, b"", after, limit).unwrap())
    }

    fn read_frozen(&mut self) -> Model {
        let shard = self.shard();
        let limit = ScanLimit { entries_max: 3, ..ALL };
        collect(limit, |table, after| shard.scan_frozen(table, after, limit).unwrap())
    }

    pub(crate) fn read_all(&mut self) -> Model {
        self.read(ALL)
    }
}

type Page = Vec<(bytes::Bytes, bytes::Bytes)>;

fn collect(limit: ScanLimit, scan: impl Fn(Table, Option<&[u8]>) -> Page) -> Model {
    let mut model = Model::new();
    for table in 0..TABLES {
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = scan(Table(table), after.as_deref());
            let bytes = page.iter().map(|(key, value)| key.len() + value.len()).sum();
            let is_last = !limit.is_reached(page.len(), bytes);
            for (key, value) in page {
                assert!(after.as_ref().is_none_or(|after| *after < key), "out of order");
                after = Some(key.to_vec());
                model.insert((table, key.to_vec()), value.to_vec());
            }
            if is_last {
                break;
            }
        }
    }
    model
}
