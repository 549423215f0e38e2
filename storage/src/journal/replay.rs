//! What the files of a journal say, read without changing them.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;

use super::format::{
    self, BLOCK_HEAD_BYTES, BLOCK_MAGIC, BadHead, BlockHead, SEGMENT_HEAD_BYTES, SegmentHead, segment_name,
    segment_number,
};
use super::medium::{Medium, MediumFile};
use super::walk::{Step, Walk, is_zero_from, read_from};
use super::{Recovery, Torn};
use crate::StoreError;
use crate::batch::Records;

/// Is given each valid block, head included, in order.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&BlockHead, Bytes) -> Result<(), StoreError>;

/// A segment that is part of the journal.
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) file: Box<dyn MediumFile>,
    pub(super) bytes: u64,
    /// Sequence of its last block, or of the last one before it.
    pub(super) last: u64,
    /// Where its blocks end.
    pub(super) end: u64,
    /// Whether it holds a block.
    pub(super) is_used: bool,
}

/// What was found, and what is to be put right before the journal can go on.
pub(super) struct Found {
    pub(super) journal: u64,
    pub(super) segments: VecDeque<Segment>,
    /// Names of files that are no part of the journal: begun and not finished, or settled and not removed.
    pub(super) leftovers: Vec<String>,
    pub(super) next: u64,
    pub(super) tail: u64,
    pub(super) recovery: Recovery,
}

/// Reads all segments in order.
///
/// # Errors
///
/// [`StoreError::Damaged`] for anything but a tail that tore; [`StoreError::Version`].
pub(super) fn replay(medium: &dyn Medium, shard: u32, visit: Visit<'_>) -> Result<Option<Found>, StoreError> {
    let mut leftovers = Vec::new();
    let (mut segments, journal) = match open_all(medium, shard, &mut leftovers)? {
        (segments, Some(journal)) => (segments, journal),
        (_, None) => return Ok(None),
    };
    let seed = format::seed(journal);
    let tail = find_tail(medium, &segments, seed)?;
    while let Some(settled) = segments.pop_front_if(|segment| segment.number < tail) {
        leftovers.push(segment_name(settled.number));
    }
    check_consecutive(medium, &segments, tail)?;
    let mut pass = Pass {
        medium,
        seed,
        last: (tail == 1).then_some(0),
        recovery: Recovery::default(),
    };
    let mut torn_at = None;
    for index in 0..segments.len() {
        if let Some(offset) = pass.segment(&mut segments, index, &mut *visit)? {
            torn_at = Some((index, offset));
            break;
        }
    }
    if let Some((index, offset)) = torn_at {
        let behind = segments.split_off(index + 1);
        leftovers.extend(behind.iter().map(|segment| segment_name(segment.number)));
        let bytes = segments.back().map_or(0, |segment| segment.bytes - offset);
        let file = segments
            .back()
            .map(|segment| medium.path(&segment_name(segment.number)));
        pass.recovery.torn = file.map(|file| Torn { file, offset, bytes });
    }
    pass.recovery.segments = segments.len();
    Ok(Some(Found {
        journal,
        segments,
        leftovers,
        next: pass.last.unwrap_or_default() + 1,
        tail,
        recovery: pass.recovery,
    }))
}

/// Opens the segments and reads their heads. The journal's id is none where there is no segment at all.
fn open_all(
    medium: &dyn Medium,
    shard: u32,
    leftovers: &mut Vec<String>,
) -> Result<(VecDeque<Segment>, Option<u64>), StoreError> {
    let names = medium.list().map_err(|error| failed(medium, "list", "", error))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable();
    let mut journal = None;
    let mut segments = VecDeque::new();
    for number in &numbers {
        let name = segment_name(*number);
        let file = medium
            .open(&name)
            .map_err(|error| failed(medium, "open", &name, error))?;
        let bytes = file.bytes().map_err(|error| failed(medium, "read", &name, error))?;
        let head = read_head(&*file).map_err(|error| failed(medium, "read", &name, error))?;
        match head {
            Ok(head)
                if head.number == *number
                    && head.shard == shard
                    && *journal.get_or_insert(head.journal) == head.journal => {}
            Ok(_) => {
                return Err(damaged(
                    medium,
                    &name,
                    Some(0),
                    "the segment is of another place or journal",
                ));
            }
            Err(BadHead::Version(found)) => {
                return Err(StoreError::Version {
                    file: medium.path(&name),
                    found,
                    known: format::VERSION,
                });
            }
            Err(BadHead::Damaged) => {
                let is_empty = is_zero_from(&*file, SEGMENT_HEAD_BYTES as u64)
                    .map_err(|error| failed(medium, "read", &name, error))?;
                if numbers.last() != Some(number) || !is_empty {
                    return Err(damaged(medium, &name, Some(0), "the head of the segment is wrong"));
                }
                leftovers.push(name);
                continue;
            }
        }
        segments.push_back(Segment {
            number: *number,
            file,
            bytes,
            last: 0,
            end: SEGMENT_HEAD_BYTES as u64,
            is_used: false,
        });
    }
    Ok((segments, journal))
}

fn read_head(file: &dyn MediumFile) -> io::Result<Result<SegmentHead, BadHead>> {
    let bytes = read_from(file, 0, SEGMENT_HEAD_BYTES)?;
    Ok(bytes.first_chunk().map_or(Err(BadHead::Damaged), SegmentHead::decode))
}

/// The oldest segment that is needed: the newest valid block says so. Without any block it is the first: a later one is
/// begun only when the first is full, and the first goes only when a block says so.
fn find_tail(medium: &dyn Medium, segments: &VecDeque<Segment>, seed: u32) -> Result<u64, StoreError> {
    let mut instead = None;
    for segment in segments.iter().rev() {
        let name = segment_name(segment.number);
        let mut walk = Walk::new(&*segment.file, segment.bytes, seed);
        let mut tail = None;
        let (offset, what) = loop {
            let step = walk.step();
            match step.map_err(|error| failed(medium, "read", &name, error))? {
                Step::Block { head, .. } => tail = Some(head.tail),
                Step::End => break (walk.offset(), "there is no block where one belongs"),
                Step::Bad { offset, what } => break (offset, what),
            }
        };
        if let Some(tail) = tail {
            return Ok(tail);
        }
        instead = Some((segment.number, name, offset, what));
    }
    match instead {
        Some((number, name, offset, what)) if number > 1 => Err(damaged(medium, &name, Some(offset), what)),
        Some(_) | None => Ok(1),
    }
}

fn check_consecutive(medium: &dyn Medium, segments: &VecDeque<Segment>, tail: u64) -> Result<(), StoreError> {
    let found = segments.iter().map(|segment| segment.number);
    match (tail..).zip(found).find(|(wanted, found)| wanted != found) {
        Some((missing, _)) => Err(damaged(medium, &segment_name(missing), None, "the segment is missing")),
        None if segments.is_empty() => Err(damaged(medium, &segment_name(tail), None, "the segment is missing")),
        None => Ok(()),
    }
}

/// One way through the blocks.
struct Pass<'a> {
    medium: &'a dyn Medium,
    seed: u32,
    /// Sequence of the last block; none before the first one of a journal whose beginning was settled.
    last: Option<u64>,
    recovery: Recovery,
}

impl Pass<'_> {
    /// Visits the blocks of one segment; says where its tail tore, if it did.
    fn segment(
        &mut self,
        segments: &mut VecDeque<Segment>,
        index: usize,
        visit: Visit<'_>,
    ) -> Result<Option<u64>, StoreError> {
        let Some(segment) = segments.get_mut(index) else {
            return Ok(None);
        };
        let name = segment_name(segment.number);
        let mut walk = Walk::new(&*segment.file, segment.bytes, self.seed);
        let bad = loop {
            let step = walk.step().map_err(|error| failed(self.medium, "read", &name, error))?;
            match step {
                Step::Block { head, offset, bytes } => {
                    if self.last.is_some_and(|last| head.sequence != last + 1) {
                        let what = format!("block {} stands where another belongs", head.sequence);
                        return Err(damaged(self.medium, &name, Some(offset), &what));
                    }
                    segment.is_used = true;
                    self.last = Some(head.sequence);
                    self.recovery.blocks += 1;
                    self.recovery.bytes += bytes.len() as u64;
                    for record in Records::new(bytes.get(BLOCK_HEAD_BYTES..).unwrap_or_default()) {
                        if record.is_err() {
                            return Err(damaged(self.medium, &name, Some(offset), "the block holds no records"));
                        }
                        self.recovery.records += 1;
                    }
                    self.recovery.stamp = self.recovery.stamp.max(head.stamp);
                    visit(&head, bytes)?;
                }
                Step::End => break None,
                Step::Bad { offset, what } => break Some((offset, what)),
            }
        };
        segment.end = walk.offset();
        segment.last = self.last.unwrap_or_default();
        let Some((offset, what)) = bad else {
            return Ok(None);
        };
        // Only a block that no sync is known to have covered can have torn.
        let was_synced = match self.last {
            Some(last) => self
                .is_known_synced(segments, index, offset, last + 1)
                .map_err(|error| failed(self.medium, "read", &name, error))?,
            None => true,
        };
        if was_synced {
            return Err(damaged(self.medium, &name, Some(offset), what));
        }
        Ok(Some(offset))
    }

    /// Whether a valid block behind this place says that the block of that sequence had reached the medium.
    fn is_known_synced(
        &self,
        segments: &VecDeque<Segment>,
        index: usize,
        offset: u64,
        sequence: u64,
    ) -> io::Result<bool> {
        let mut from = offset + 1;
        for segment in segments.iter().skip(index) {
            let bytes = read_from(&*segment.file, from, usize::MAX)?;
            if heads(&bytes, self.seed).any(|head| head.sequence > sequence && head.synced >= sequence) {
                return Ok(true);
            }
            from = SEGMENT_HEAD_BYTES as u64;
        }
        Ok(false)
    }
}

/// All heads of blocks in there, wherever they begin. Their checksum, which is seeded, is proof enough.
fn heads(bytes: &[u8], seed: u32) -> impl Iterator<Item = BlockHead> {
    bytes
        .windows(BLOCK_HEAD_BYTES)
        .filter(|window| window.starts_with(&BLOCK_MAGIC))
        .filter_map(move |window| BlockHead::decode(window.first_chunk()?, seed))
}

pub(super) fn damaged(medium: &dyn Medium, name: &str, offset: Option<u64>, what: &str) -> StoreError {
    StoreError::Damaged {
        file: medium.path(name),
        offset,
        what: what.to_owned(),
    }
}

pub(super) fn failed(medium: &dyn Medium, doing: &'static str, name: &str, error: io::Error) -> StoreError {
    StoreError::Failed {
        doing,
        file: medium.path(name),
        error,
    }
}
