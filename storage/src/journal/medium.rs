//! What a journal is written on: one directory of files. Tests put `faulty::FaultyMedium` in its place.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

/// A directory of files.
pub trait Medium: Send {
    /// Where a file is, for messages.
    fn path(&self, name: &str) -> PathBuf;

    /// Names of the files.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// An empty file of that name, in the place of another.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn create(&mut self, name: &str) -> io::Result<Box<dyn MediumFile>>;

    /// A file that is there.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn open(&self, name: &str) -> io::Result<Box<dyn MediumFile>>;

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// Makes the creation and removal of files survive a loss of power.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn sync(&mut self) -> io::Result<()>;

    /// Bytes that the file system has left for this process.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// A file of a [`Medium`].
pub trait MediumFile: Send {
    /// Length in bytes.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn bytes(&self) -> io::Result<u64>;

    /// Reads at an offset; may be short, and 0 is the end of the file.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes at an offset; may be short.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Makes the file at least that long, with zeros, and takes room for all of it.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn allocate(&mut self, bytes: u64) -> io::Result<()>;

    /// Cuts the file to that length.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn truncate(&mut self, bytes: u64) -> io::Result<()>;

    /// Makes what was written survive a loss of power.
    ///
    /// # Errors
    ///
    /// What the system says. What was written since the last sync may be lost, whatever a later sync says.
    fn sync(&mut self) -> io::Result<()>;
}

/// A directory of the file system.
#[derive(Debug)]
pub struct FileMedium {
    directory: PathBuf,
    is_read_only: bool,
}

impl FileMedium {
    /// The files of a directory that is there.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            is_read_only: false,
        }
    }

    /// The same for reading only.
    #[must_use]
    pub fn read_only(directory: PathBuf) -> Self {
        Self {
            directory,
            is_read_only: true,
        }
    }
}

impl Medium for FileMedium {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let name = |entry: io::Result<std::fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
        std::fs::read_dir(&self.directory)?.map(name).collect()
    }

    fn create(&mut self, name: &str) -> io::Result<Box<dyn MediumFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o600);
        Ok(Box::new(options.open(self.path(name))?))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn MediumFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(!self.is_read_only);
        Ok(Box::new(options.open(self.path(name))?))
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path(name))
    }

    fn sync(&mut self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let state = rustix::fs::statvfs(&self.directory)?;
        Ok(state.f_bavail.saturating_mul(state.f_frsize))
    }
}

impl MediumFile for File {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, bytes, offset)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(self, bytes, offset)
    }

    fn allocate(&mut self, bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&*self, FallocateFlags::empty(), 0, bytes) {
            Ok(()) => Ok(()),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => fill(self, bytes),
            Err(error) => Err(error.into()),
        }
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Takes room by writing zeros behind the end, where the file system cannot do it without.
fn fill(file: &mut File, bytes: u64) -> io::Result<()> {
    let zeros = [0; 64 << 10];
    let mut offset = file.bytes()?;
    while offset < bytes {
        let wanted = usize::try_from(bytes - offset).map_or(zeros.len(), |left| left.min(zeros.len()));
        write_all_at(file, zeros.get(..wanted).unwrap_or_default(), offset)?;
        offset += wanted as u64;
    }
    Ok(())
}

/// Writes all of it, however often the system stops on the way.
pub(super) fn write_all_at(file: &mut dyn MediumFile, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                offset += written as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether an error says that something is used up and may come back, not that the medium is broken.
pub(super) fn is_full(error: &io::Error) -> bool {
    let used_up = [Errno::NOSPC, Errno::DQUOT, Errno::MFILE, Errno::NFILE];
    used_up
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
