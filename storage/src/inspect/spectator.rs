//! The files of a journal for one who only looks: what is to be written is dropped.

use std::io;
use std::path::PathBuf;

use crate::{DataDirectory, FileMedium, Medium, MediumFile};

/// Reads the files of a directory. What a journal would put right when it is opened, it puts right nowhere.
pub(super) struct Spectator {
    files: FileMedium,
}

impl Spectator {
    pub(super) fn new(directory: &DataDirectory) -> Self {
        Self {
            files: FileMedium::read_only(directory.journal()),
        }
    }
}

impl Medium for Spectator {
    fn path(&self, name: &str) -> PathBuf {
        self.files.path(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }

    fn create(&mut self, _: &str) -> io::Result<Box<dyn MediumFile>> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn MediumFile>> {
        Ok(Box::new(Watched(self.files.open(name)?)))
    }

    fn remove(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.files.free_bytes()
    }
}

struct Watched(Box<dyn MediumFile>);

impl MediumFile for Watched {
    fn bytes(&self) -> io::Result<u64> {
        self.0.bytes()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(bytes, offset)
    }

    fn write_at(&mut self, bytes: &[u8], _: u64) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn allocate(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn truncate(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
