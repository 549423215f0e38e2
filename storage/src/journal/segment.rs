//! Segments as files: how one is made, how a failure of one is told, and how the last one is put right.

use std::io;

use super::format::{SegmentHead, segment_name};
use super::medium::{Medium, MediumFile, is_full, write_all_at};
use super::replay::{Segment, failed};
use super::walk;
use crate::StoreError;

/// A segment that can be written.
pub(super) struct Open {
    pub(super) number: u64,
    pub(super) file: Box<dyn MediumFile>,
    pub(super) bytes: u64,
}

/// What ended the journal.
pub(super) struct Failure {
    pub(super) doing: &'static str,
    pub(super) name: String,
    pub(super) error: io::Error,
}

impl Failure {
    pub(super) fn into_error(self, medium: &dyn Medium) -> StoreError {
        failed(medium, self.doing, &self.name, self.error)
    }
}

impl Clone for Failure {
    fn clone(&self) -> Self {
        let error = match self.error.raw_os_error() {
            Some(number) => io::Error::from_raw_os_error(number),
            None => io::Error::new(self.error.kind(), self.error.to_string()),
        };
        Self {
            doing: self.doing,
            name: self.name.clone(),
            error,
        }
    }
}

impl From<Segment> for Open {
    fn from(segment: Segment) -> Self {
        Self {
            number: segment.number,
            file: segment.file,
            bytes: segment.bytes,
        }
    }
}

/// Clears what stands behind the last block, and puts head and blocks on the medium.
///
/// They are written again first: after a sync that failed, a file can read well from the cache of the kernel, be clean
/// in its eyes, and not be on the medium.
pub(super) fn repair(segment: &mut Segment, is_torn: bool) -> io::Result<()> {
    let blocks = walk::read_from(&*segment.file, 0, usize::try_from(segment.end).unwrap_or(usize::MAX))?;
    if is_torn {
        segment.file.truncate(segment.end)?;
        match segment.file.allocate(segment.bytes) {
            Ok(()) => {}
            Err(error) if is_full(&error) => segment.bytes = segment.end,
            Err(error) => return Err(error),
        }
    }
    write_all_at(&mut *segment.file, &blocks, 0)?;
    segment.file.sync()
}

/// Why a segment could not be made.
pub(super) enum Creation {
    Full(String),
    Failed(Failure),
}

/// Makes a segment and puts it on the medium, its entry in the directory included.
pub(super) fn create(medium: &mut dyn Medium, head: SegmentHead, bytes: u64) -> Result<Open, Creation> {
    let name = segment_name(head.number);
    let allocate = |medium: &mut dyn Medium| {
        let mut file = medium.create(&name)?;
        file.allocate(bytes)?;
        write_all_at(&mut *file, &head.encode(), 0)?;
        Ok(file)
    };
    let mut file = match allocate(medium) {
        Ok(file) => file,
        Err(error) if is_full(&error) => {
            let what = full(medium, "make", &name, &error);
            // Best effort: what stays is made anew under the same name.
            let _ = medium.remove(&name);
            return Err(Creation::Full(what));
        }
        Err(error) => return Err(Creation::failed("make", name, error)),
    };
    if let Err(error) = file.sync() {
        return Err(Creation::failed("sync", name, error));
    }
    if let Err(error) = medium.sync() {
        return Err(Creation::failed("sync the directory of", name, error));
    }
    Ok(Open {
        number: head.number,
        file,
        bytes,
    })
}

impl Creation {
    fn failed(doing: &'static str, name: String, error: io::Error) -> Self {
        Self::Failed(Failure { doing, name, error })
    }
}

pub(super) fn full(medium: &dyn Medium, doing: &str, name: &str, error: &io::Error) -> String {
    format!("cannot {doing} {}: {error}", medium.path(name).display())
}
