//! A directory in memory that knows what of it was synced.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;

use super::{Fault, Faults, Operation, Random, power_is_off};
use crate::{Medium, MediumFile};

/// What a device writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// A file, by what it was at its last sync and what was done since.
#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    /// Since the last sync.
    steps: Vec<Step>,
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize, Vec<u8>),
    Resize(usize),
}

type Entries = BTreeMap<String, usize>;

#[derive(Debug, Default)]
struct Disk {
    files: Vec<Content>,
    entries: Entries,
    synced_entries: Entries,
}

/// A [`Medium`] in memory. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct FaultyMedium {
    disk: Arc<Mutex<Disk>>,
    faults: Faults,
}

impl FaultyMedium {
    /// An empty directory.
    #[must_use]
    pub fn new(faults: &Faults) -> Self {
        Self {
            disk: Arc::default(),
            faults: faults.clone(),
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Disk) -> T) -> T {
        act(&mut self.disk.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is there after the process ended: everything.
    #[must_use]
    pub fn after_kill(&self, faults: &Faults) -> Self {
        let disk = self.with(|disk| Disk {
            files: disk.files.clone(),
            entries: disk.entries.clone(),
            synced_entries: disk.synced_entries.clone(),
        });
        Self {
            disk: Arc::new(Mutex::new(disk)),
            faults: faults.clone(),
        }
    }

    /// What is there after a power cut: all that was synced and, by the seed, any sectors of what was written and any
    /// entries of what was made or removed since. Without a seed nothing but what was synced.
    #[must_use]
    pub fn after_power_cut(&self, seed: Option<u64>, faults: &Faults) -> Self {
        let mut random = seed.map(Random::new);
        let mut keeps = move || random.as_mut().is_some_and(Random::flip);
        let disk = self.with(|disk| {
            let mut entries = disk.synced_entries.clone();
            for (name, file) in &disk.entries {
                if entries.get(name) != Some(file) && keeps() {
                    entries.insert(name.clone(), *file);
                }
            }
            entries.retain(|name, _| disk.entries.contains_key(name) || !keeps());
            let files: Vec<Content> = disk.files.iter().map(|file| file.survivor(&mut keeps)).collect();
            Disk {
                files,
                synced_entries: entries.clone(),
                entries,
            }
        });
        Self {
            disk: Arc::new(Mutex::new(disk)),
            faults: faults.clone(),
        }
    }

    /// The bytes of a file, for tests that look at them.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.with(|disk| {
            let file = disk.entries.get(name)?;
            disk.files.get(*file).map(|file| file.bytes.clone())
        })
    }

    /// Puts a file there as if it had always been, for tests that damage one.
    pub fn set_bytes(&self, name: &str, bytes: &[u8]) {
        self.with(|disk| {
            disk.entries.insert(name.to_owned(), disk.files.len());
            disk.synced_entries.insert(name.to_owned(), disk.files.len());
            disk.files.push(Content {
                bytes: bytes.to_vec(),
                synced: bytes.to_vec(),
                steps: Vec::new(),
            });
        });
    }
}

impl Content {
    fn do_step(bytes: &mut Vec<u8>, step: &Step) {
        match step {
            Step::Resize(len) => bytes.resize(*len, 0),
            Step::Write(offset, written) => {
                let end = offset + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                if let Some(place) = bytes.get_mut(*offset..end) {
                    place.copy_from_slice(written);
                }
            }
        }
    }

    fn take(&mut self, step: Step) {
        Self::do_step(&mut self.bytes, &step);
        self.steps.push(step);
    }

    fn survivor(&self, keeps: &mut impl FnMut() -> bool) -> Self {
        let mut bytes = self.synced.clone();
        for step in &self.steps {
            match step {
                Step::Resize(_) if !keeps() => {}
                Step::Resize(_) => Self::do_step(&mut bytes, step),
                Step::Write(offset, written) => {
                    let mut offset = *offset;
                    let mut rest = written.as_slice();
                    while !rest.is_empty() {
                        let sector = (SECTOR_BYTES - offset % SECTOR_BYTES).min(rest.len());
                        let (now, later) = rest.split_at_checked(sector).unwrap_or((rest, &[]));
                        if keeps() {
                            Self::do_step(&mut bytes, &Step::Write(offset, now.to_vec()));
                        }
                        offset += now.len();
                        rest = later;
                    }
                }
            }
        }
        Self {
            synced: bytes.clone(),
            bytes,
            steps: Vec::new(),
        }
    }
}

impl Medium for FaultyMedium {
    fn path(&self, name: &str) -> PathBuf {
        Path::new("faulty").join(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.with(|disk| disk.entries.keys().cloned().collect()))
    }

    fn create(&mut self, name: &str) -> io::Result<Box<dyn MediumFile>> {
        self.faults.check(Operation::Arrange)?;
        let file = self.with(|disk| {
            // As `open` with O_TRUNC does, an existing file is emptied and not replaced.
            let file = disk.entries.get(name).copied().unwrap_or(disk.files.len());
            match disk.files.get_mut(file) {
                Some(content) => content.take(Step::Resize(0)),
                None => disk.files.push(Content::default()),
            }
            disk.entries.insert(name.to_owned(), file);
            file
        });
        Ok(Box::new(FaultyFile {
            medium: self.clone(),
            file,
        }))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn MediumFile>> {
        self.faults.check(Operation::Arrange)?;
        match self.with(|disk| disk.entries.get(name).copied()) {
            Some(file) => Ok(Box::new(FaultyFile {
                medium: self.clone(),
                file,
            })),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.faults.check(Operation::Arrange)?;
        match self.with(|disk| disk.entries.remove(name)) {
            Some(_) => Ok(()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.faults.check(Operation::SyncDirectory)?;
        self.with(|disk| disk.synced_entries = disk.entries.clone());
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let used = self.with(|disk| disk.used());
        Ok(self.faults.space().map_or(u64::MAX, |max| max.saturating_sub(used)))
    }
}

impl Disk {
    fn used(&self) -> u64 {
        let files = self.entries.values().filter_map(|file| self.files.get(*file));
        files.map(|file| file.bytes.len() as u64).sum()
    }
}

/// A file of a [`FaultyMedium`].
struct FaultyFile {
    medium: FaultyMedium,
    file: usize,
}

impl FaultyFile {
    fn with<T>(&self, act: impl FnOnce(&mut Content) -> T) -> io::Result<T> {
        let act = |disk: &mut Disk| disk.files.get_mut(self.file).map(act);
        self.medium.with(act).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Whether the file may grow to that length.
    fn check_space(&self, len: usize) -> io::Result<()> {
        let grows = (len as u64).saturating_sub(self.bytes()?);
        let is_over = grows > self.medium.free_bytes()?;
        if grows > 0 && is_over {
            return Err(Errno::NOSPC.into());
        }
        Ok(())
    }
}

impl MediumFile for FaultyFile {
    fn bytes(&self) -> io::Result<u64> {
        self.with(|content| content.bytes.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(|content| {
            let from = usize::try_from(offset).unwrap_or(usize::MAX);
            let found = content.bytes.get(from..).unwrap_or_default();
            let len = found.len().min(bytes.len());
            if let (Some(place), Some(found)) = (bytes.get_mut(..len), found.get(..len)) {
                place.copy_from_slice(found);
            }
            len
        })
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let fault = self.medium.faults.next(Operation::Write);
        let written = match fault {
            None => bytes,
            Some(Fault::Short | Fault::Partial(_)) => bytes.get(..bytes.len().div_ceil(2)).unwrap_or(bytes),
            Some(Fault::Error(number)) => return Err(io::Error::from_raw_os_error(number)),
            Some(Fault::PowerCut) => {
                // The device may have got some of it.
                let offset = usize::try_from(offset).unwrap_or(usize::MAX);
                let step = Step::Write(offset, bytes.to_vec());
                self.with(|content| content.steps.push(step))?;
                return Err(power_is_off());
            }
        };
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        self.check_space(start.saturating_add(written.len()))?;
        self.with(|content| content.take(Step::Write(start, written.to_vec())))?;
        match fault {
            Some(Fault::Partial(number)) => Err(io::Error::from_raw_os_error(number)),
            Some(_) | None => Ok(written.len()),
        }
    }

    fn allocate(&mut self, bytes: u64) -> io::Result<()> {
        self.medium.faults.check(Operation::Arrange)?;
        let len = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.check_space(len)?;
        self.with(|content| {
            if content.bytes.len() < len {
                content.take(Step::Resize(len));
            }
        })
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.medium.faults.check(Operation::Arrange)?;
        let len = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.with(|content| content.take(Step::Resize(len)))
    }

    fn sync(&mut self) -> io::Result<()> {
        let synced = self.medium.faults.check(Operation::Sync);
        self.with(|content| match &synced {
            Ok(()) => {
                for step in std::mem::take(&mut content.steps) {
                    Content::do_step(&mut content.synced, &step);
                }
            }
            // The kernel takes the pages for clean from here on: no later sync writes them.
            Err(_) if !self.medium.faults.is_power_off() => {
                content.steps.retain(|step| matches!(step, Step::Resize(_)))
            }
            Err(_) => {}
        })?;
        synced
    }
}
