//! Where a backup is written: a file under another name until it is whole, or the standard output.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// It holds what clients sent: for its owner only.
const MODE: u32 = 0o600;

/// The place of a backup. What was written is removed again unless [`Target::finish`] is reached.
pub(super) enum Target {
    StandardOutput,
    File(Draft),
}

pub(super) struct Draft {
    out: File,
    path: PathBuf,
    file: PathBuf,
    is_finished: bool,
}

impl Target {
    pub(super) fn create(file: &Path) -> Result<Self, Failure> {
        if file == Path::new("-") {
            return Ok(Self::StandardOutput);
        }
        let mut path = file.as_os_str().to_owned();
        path.push(".partial");
        let path = PathBuf::from(path);
        let mut options = OpenOptions::new();
        let out = options.write(true).create(true).truncate(true).mode(MODE).open(&path);
        Ok(Self::File(Draft {
            out: out.map_err(Failure::io(format!("create {}", path.display())))?,
            path,
            file: file.to_owned(),
            is_finished: false,
        }))
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::StandardOutput => {
                let written = io::stdout().lock().write_all(bytes);
                written.map_err(Failure::io("write to standard output"))
            }
            Self::File(draft) => {
                let written = draft.out.write_all(bytes);
                written.map_err(Failure::io(format!("write {}", draft.path.display())))
            }
        }
    }

    /// Puts it on the disk and gives it its name.
    pub(super) fn finish(self) -> Result<(), Failure> {
        match self {
            Self::StandardOutput => {
                let flushed = io::stdout().lock().flush();
                flushed.map_err(Failure::io("write to standard output"))
            }
            Self::File(mut draft) => {
                let name = draft.file.display().to_string();
                draft.give_name().map_err(Failure::io(format!("write {name}")))
            }
        }
    }
}

impl Draft {
    fn give_name(&mut self) -> io::Result<()> {
        self.out.sync_all()?;
        std::fs::rename(&self.path, &self.file)?;
        self.is_finished = true;
        let directory = self.file.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_finished {
            // What stays is replaced by the next backup to this file.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
