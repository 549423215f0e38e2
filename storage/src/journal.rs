//! The journal: every change of a store, in files to which only the end is added.
//!
//! ```text
//!        closed segments          current            spare
//!   +--------+    +--------+    +--------+------+   +------+
//!   | blocks | .. | blocks |    | blocks | zeros|   | zeros|
//!   +--------+    +--------+    +--------+------+   +------+
//!   removed when settled         ^ position          taken when the current one is full
//! ```
//!
//! A block is what one commit writes: the records of whole batches under one checksum. Segments are allocated before
//! they are used, so that the room runs out while the spare one is made and not while a promise is written.
//!
//! A segment is synced before the next one is begun, so only the last one with blocks can have a torn tail.
//!
//! What fails is of two kinds. Room that is used up is [`StoreError::Full`] and may come back. Any other failed write,
//! and every failed sync, ends the journal: the kernel may have dropped the data and a later sync may say that all is
//! well, so nothing is written or promised until the journal is opened again.

pub(crate) mod format;
pub(crate) mod medium;
mod replay;
mod segment;
mod walk;

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::PathBuf;

use crate::StoreError;
use format::{BLOCK_HEAD_BYTES, BlockHead, SEGMENT_HEAD_BYTES, SegmentHead, Stamp, segment_name};
use medium::{Medium, is_full, write_all_at};
use replay::{Found, Visit, failed, replay};
use segment::{Creation, Failure, Open, create, full, repair};

/// Room in a segment for blocks without records. They let settled segments go, and so make room on a full medium.
const RESERVE_BYTES: u64 = 4 * BLOCK_HEAD_BYTES as u64;
/// How much is written between two looks at the free space of the file system.
const LOOK_BYTES: u64 = 1 << 20;

/// How large a journal's files are, and what it leaves to others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JournalOptions {
    pub(crate) shard: u32,
    pub(crate) segment_bytes: u64,
    pub(crate) free_bytes_min: u64,
}

/// Whether there is room for new things, as opposed to the removal of old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is.
    Plenty,
    /// No spare segment can be had, or the file system has less left than it should. New messages are to be refused;
    /// what removes some still fits.
    Low,
}

/// What a journal held when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Segment files.
    pub segments: usize,
    /// Blocks.
    pub blocks: u64,
    /// Bytes of the blocks.
    pub bytes: u64,
    /// Changes in them.
    pub records: u64,
    /// The tail that was cut off because a crash had left it unfinished. Nothing in it had been promised.
    pub torn: Option<Torn>,
    /// The last stamp.
    pub stamp: Stamp,
}

/// A tail that a crash left unfinished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The segment file.
    pub file: PathBuf,
    /// Where the tail began.
    pub offset: u64,
    /// Bytes from there to the end of the file, with the zeros behind the tail.
    pub bytes: u64,
}

/// A segment that is full.
struct Closed {
    number: u64,
    bytes: u64,
    /// Sequence of the last block in it.
    last: u64,
}

/// The journal of one shard.
pub(crate) struct Journal {
    medium: Box<dyn Medium>,
    options: JournalOptions,
    id: u64,
    seed: u32,
    closed: VecDeque<Closed>,
    current: Open,
    /// Where the next block goes.
    position: u64,
    spare: Option<Open>,
    /// Sequence of the next block.
    next: u64,
    /// Sequence of the last block that is on the medium.
    synced: u64,
    /// Number of the oldest segment that is needed.
    tail: u64,
    stamp: Stamp,
    spare_failed: bool,
    space_is_low: bool,
    written_since_look: u64,
    failure: Option<Failure>,
}

impl Journal {
    /// Opens a journal, hands its blocks to `visit`, cuts a torn tail, and syncs all of it.
    ///
    /// `exists` says that there has to be one: a journal that is gone is then damage and not a beginning.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] and [`StoreError::Version`], which leave the files as they were; [`StoreError::Full`];
    /// [`StoreError::Failed`].
    pub(crate) fn open(
        mut medium: Box<dyn Medium>,
        options: JournalOptions,
        exists: bool,
        visit: Visit<'_>,
    ) -> Result<(Self, Recovery), StoreError> {
        match replay(&*medium, options.shard, visit)? {
            Some(found) => Self::go_on(medium, options, found),
            None if exists => Err(replay::damaged(
                &*medium,
                &segment_name(1),
                None,
                "the journal is missing",
            )),
            None => {
                let id = RandomState::new().build_hasher().finish();
                let bytes = options.segment_bytes;
                let head = SegmentHead {
                    shard: options.shard,
                    journal: id,
                    number: 1,
                };
                let current = create(&mut *medium, head, bytes).map_err(|failure| match failure {
                    Creation::Full(what) => StoreError::Full { what },
                    Creation::Failed(failure) => failure.into_error(&*medium),
                })?;
                Ok((Self::new(medium, options, id, current), Recovery::default()))
            }
        }
    }

    fn new(medium: Box<dyn Medium>, options: JournalOptions, id: u64, current: Open) -> Self {
        Self {
            medium,
            options,
            id,
            seed: format::seed(id),
            closed: VecDeque::new(),
            current,
            position: SEGMENT_HEAD_BYTES as u64,
            spare: None,
            next: 1,
            synced: 0,
            tail: 1,
            stamp: Stamp::default(),
            spare_failed: false,
            space_is_low: false,
            written_since_look: LOOK_BYTES,
            failure: None,
        }
    }

    /// Puts right what was found and goes on behind it.
    fn go_on(
        mut medium: Box<dyn Medium>,
        options: JournalOptions,
        found: Found,
    ) -> Result<(Self, Recovery), StoreError> {
        let mut segments = found.segments;
        let mut leftovers = found.leftovers;
        let current = segments.iter().rposition(|segment| segment.is_used).unwrap_or_default();
        let behind = segments.split_off((current + 1).min(segments.len()));
        let mut behind = behind.into_iter();
        let mut spare = behind.next();
        leftovers.extend(behind.map(|segment| segment_name(segment.number)));
        let Some(mut current) = segments.pop_back() else {
            return Err(replay::damaged(&*medium, "", None, "the journal has no segment"));
        };
        for name in &leftovers {
            medium
                .remove(name)
                .map_err(|error| failed(&*medium, "remove", name, error))?;
        }
        let is_torn = found.recovery.torn.is_some();
        let is_current_torn = is_torn && spare.is_none();
        let name = segment_name(current.number);
        repair(&mut current, is_current_torn).map_err(|error| failed(&*medium, "repair", &name, error))?;
        if let Some(spare) = &mut spare {
            let name = segment_name(spare.number);
            // A tail behind which a segment is left tore in that one.
            repair(spare, is_torn).map_err(|error| failed(&*medium, "repair", &name, error))?;
        }
        medium
            .sync()
            .map_err(|error| failed(&*medium, "sync the directory of", &name, error))?;
        let position = current.end;
        let mut journal = Self::new(medium, options, found.journal, current.into());
        journal.closed = segments
            .into_iter()
            .map(|segment| Closed {
                number: segment.number,
                bytes: segment.bytes,
                last: segment.last,
            })
            .collect();
        journal.spare = spare.map(Open::from);
        journal.position = position;
        journal.next = found.next;
        journal.synced = found.next - 1;
        journal.tail = found.tail;
        journal.stamp = found.recovery.stamp;
        Ok((journal, found.recovery))
    }

    /// Raises the stamp that the following blocks carry.
    pub(crate) fn raise_stamp(&mut self, stamp: Stamp) {
        self.stamp = self.stamp.max(stamp);
    }

    /// The stamp that the following blocks carry.
    pub(crate) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Whether a block of so many bytes, with its head, fits into the current segment.
    pub(crate) fn fits(&self, block_bytes: usize) -> bool {
        let end = self.position.saturating_add(block_bytes as u64);
        let reserve = if block_bytes > BLOCK_HEAD_BYTES {
            RESERVE_BYTES
        } else {
            0
        };
        end.saturating_add(reserve) <= self.current.bytes
    }

    /// Files, the spare one included, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        let closed: u64 = self.closed.iter().map(|segment| segment.bytes).sum();
        closed + self.current.bytes + self.spare.as_ref().map_or(0, |spare| spare.bytes)
    }

    /// Sequence of the last block of the oldest segment, unless it is still being written.
    pub(crate) fn oldest_closed(&self) -> Option<u64> {
        self.closed.front().map(|segment| segment.last)
    }

    /// Whether the current segment has blocks.
    pub(crate) fn is_current_used(&self) -> bool {
        self.position > SEGMENT_HEAD_BYTES as u64
    }

    /// Whether there is room for new things.
    pub(crate) fn room(&self) -> Room {
        match self.spare_failed || self.space_is_low {
            true => Room::Low,
            false => Room::Plenty,
        }
    }

    /// An error once the journal has ended.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`], with what ended it.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match &self.failure {
            Some(failure) => Err(failure.clone().into_error(&*self.medium)),
            None => Ok(()),
        }
    }

    /// Writes a block. Its first [`BLOCK_HEAD_BYTES`] are filled in here.
    ///
    /// # Errors
    ///
    /// [`StoreError::Full`]: nothing was written that counts, and the block may be tried again or grow first.
    /// [`StoreError::Failed`] ends the journal.
    pub(crate) fn write(&mut self, block: &mut [u8]) -> Result<(), StoreError> {
        self.check()?;
        if let Some((head, payload)) = block.split_first_chunk_mut::<BLOCK_HEAD_BYTES>() {
            let content = BlockHead {
                payload_bytes: u32::try_from(payload.len()).unwrap_or(u32::MAX),
                sequence: self.next,
                stamp: self.stamp,
                synced: self.synced,
                tail: self.tail,
                payload_checksum: format::checksum(self.seed, payload),
            };
            *head = content.encode(self.seed);
        }
        match write_all_at(&mut *self.current.file, block, self.position) {
            Ok(()) => {}
            Err(error) if is_full(&error) => {
                self.space_is_low = true;
                return Err(StoreError::Full {
                    what: full(&*self.medium, "write", &segment_name(self.current.number), &error),
                });
            }
            Err(error) => return Err(self.end("write", segment_name(self.current.number), error)),
        }
        self.position += block.len() as u64;
        self.written_since_look += block.len() as u64;
        self.next += 1;
        Ok(())
    }

    /// Puts everything written on the medium.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`] ends the journal.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        self.check()?;
        if self.synced + 1 == self.next {
            return Ok(());
        }
        if let Err(error) = self.current.file.sync() {
            return Err(self.end("sync", segment_name(self.current.number), error));
        }
        self.synced = self.next - 1;
        Ok(())
    }

    /// Goes on in another segment, which has room for a block of so many bytes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Full`] leaves the journal as it was; [`StoreError::Failed`] ends it.
    pub(crate) fn roll(&mut self, block_bytes: usize) -> Result<(), StoreError> {
        self.check()?;
        let wanted = SEGMENT_HEAD_BYTES as u64 + block_bytes as u64 + RESERVE_BYTES;
        let open = match self.spare.take() {
            Some(spare) if spare.bytes >= wanted => spare,
            // Its file gets replaced: the next segment has that number.
            Some(_) | None => self.create_next(wanted.max(self.options.segment_bytes))?,
        };
        self.sync()?;
        let full = std::mem::replace(&mut self.current, open);
        self.closed.push_back(Closed {
            number: full.number,
            bytes: full.bytes,
            last: self.next - 1,
        });
        self.position = SEGMENT_HEAD_BYTES as u64;
        Ok(())
    }

    /// Makes the spare segment if there is none and looks at the space that is left.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`] ends the journal. A lack of room is no error: [`Journal::room`] tells it.
    pub(crate) fn prepare(&mut self) -> Result<(), StoreError> {
        self.check()?;
        if self.written_since_look >= LOOK_BYTES || self.room() == Room::Low {
            self.written_since_look = 0;
            let free = self.medium.free_bytes();
            self.space_is_low = free.is_ok_and(|free| free < self.options.free_bytes_min);
        }
        if self.spare.is_none() {
            match self.create_next(self.options.segment_bytes) {
                Ok(spare) => self.spare = Some(spare),
                Err(StoreError::Full { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn create_next(&mut self, bytes: u64) -> Result<Open, StoreError> {
        let head = SegmentHead {
            shard: self.options.shard,
            journal: self.id,
            number: self.current.number + 1,
        };
        let created = create(&mut *self.medium, head, bytes);
        self.spare_failed = created.is_err();
        created.map_err(|failure| match failure {
            Creation::Full(what) => StoreError::Full { what },
            Creation::Failed(failure) => self.end(failure.doing, failure.name, failure.error),
        })
    }

    /// Declares the segments up to that sequence settled. The next block says so; when it is synced,
    /// [`Journal::remove_settled`] may remove them.
    pub(crate) fn settle_through(&mut self, sequence: u64) {
        let kept = self.closed.iter().find(|segment| segment.last > sequence);
        self.tail = kept.map_or(self.current.number, |segment| segment.number);
    }

    /// Removes the files of settled segments.
    ///
    /// # Errors
    ///
    /// [`StoreError::Failed`]: a file stays, which does no harm; another call tries again.
    pub(crate) fn remove_settled(&mut self) -> Result<(), StoreError> {
        while let Some(segment) = self.closed.front().filter(|segment| segment.number < self.tail) {
            let name = segment_name(segment.number);
            match self.medium.remove(&name) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(&*self.medium, "remove", &name, error)),
            }
            self.closed.pop_front();
        }
        Ok(())
    }

    /// Ends the journal.
    fn end(&mut self, doing: &'static str, name: String, error: io::Error) -> StoreError {
        let failure = Failure { doing, name, error };
        let error = failure.clone().into_error(&*self.medium);
        self.failure = Some(failure);
        error
    }
}

/// Reads a journal without changing it.
///
/// # Errors
///
/// As when it is opened.
pub fn inspect(medium: &dyn Medium, shard: u32) -> Result<Recovery, StoreError> {
    let found = replay(medium, shard, &mut |_, _| Ok(()))?;
    Ok(found.map(|found| found.recovery).unwrap_or_default())
}
