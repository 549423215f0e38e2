//! The caller's end of the control socket.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::SOCKET;
use super::frame::{DATA, END, FAILURE, HEAD_BYTES, decode_head};
use super::plan::PLAN;
use crate::reload::NewFile;

/// Longest silence of a broker that works on an answer.
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// There is no socket, one that was left behind, or a path that is too long for one.
const NOBODY: [io::ErrorKind; 3] = [
    io::ErrorKind::NotFound,
    io::ErrorKind::ConnectionRefused,
    io::ErrorKind::InvalidInput,
];
/// The longest reason that is read.
const REASON_BYTES_MAX: u32 = 64 << 10;

/// A connection to a broker that runs.
#[derive(Debug)]
pub struct Call {
    stream: UnixStream,
    socket: PathBuf,
}

impl Call {
    /// Where the broker that has a data directory listens, unless it was told otherwise.
    #[must_use]
    pub fn socket_in(directory: &Path) -> PathBuf {
        directory.join(SOCKET)
    }

    /// Calls the broker that has a data directory; `None`: none answers there.
    ///
    /// # Errors
    ///
    /// The system does not let us call it.
    pub fn open(directory: &Path) -> io::Result<Option<Self>> {
        Self::open_at(&Self::socket_in(directory))
    }

    /// Calls the broker that listens at a socket; `None`: none answers there.
    ///
    /// # Errors
    ///
    /// The system does not let us call it.
    pub fn open_at(socket: &Path) -> io::Result<Option<Self>> {
        match UnixStream::connect(socket) {
            Ok(stream) => Ok(Some(Self {
                stream,
                socket: socket.to_owned(),
            })),
            Err(error) if NOBODY.contains(&error.kind()) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where the broker listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Asks for a backup.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn back_up(self) -> io::Result<Answer> {
        self.ask("backup 1")
    }

    /// Asks what a reload with this file of settings would do; the content of the answer is a [`crate::Plan`] in JSON.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn plan(self, file: &NewFile) -> io::Result<Answer> {
        let name: String = file.name.chars().filter(|letter| !letter.is_control()).collect();
        let length = name.len() + 1 + file.text.len();
        self.send(format!("{PLAN} {length}\n{name}\n{}", file.text).as_bytes())
    }

    /// Asks for anything, with a request that has no end of line in it.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn ask(self, request: &str) -> io::Result<Answer> {
        self.send(format!("{request}\n").as_bytes())
    }

    fn send(mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.set_read_timeout(Some(SILENCE_MAX))?;
        self.stream.write_all(request)?;
        Ok(Answer {
            stream: self.stream,
            left: 0,
            has_ended: false,
            refusal: None,
        })
    }
}

/// The content of an answer. Its end is the end that the broker told: an answer that breaks off is an error.
#[derive(Debug)]
pub struct Answer {
    stream: UnixStream,
    /// Bytes of the frame that are still to be read.
    left: u32,
    has_ended: bool,
    refusal: Option<String>,
}

impl Answer {
    /// Waits for the beginning of the content, so that a refusal comes before anything is made of it.
    ///
    /// # Errors
    ///
    /// As when it is read.
    pub fn begin(&mut self) -> io::Result<()> {
        while self.left == 0 && !self.has_ended {
            self.next_frame()?;
        }
        Ok(())
    }

    /// Why the broker gave no answer, or not all of it.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    fn next_frame(&mut self) -> io::Result<()> {
        let mut head = [0; HEAD_BYTES];
        self.stream.read_exact(&mut head).map_err(lost)?;
        match decode_head(head) {
            (DATA, len) => self.left = len,
            (END, 0) => self.has_ended = true,
            (FAILURE, len) if len <= REASON_BYTES_MAX => {
                let mut why = Vec::new();
                let reason = (&self.stream).take(u64::from(len)).read_to_end(&mut why);
                reason.map_err(lost)?;
                let why = String::from_utf8_lossy(&why).into_owned();
                self.refusal = Some(why.clone());
                return Err(io::Error::other(why));
            }
            (_, _) => return Err(io::Error::other("what answers there is no broker of this version")),
        }
        Ok(())
    }
}

impl Read for Answer {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.begin()?;
        if self.has_ended {
            return Ok(0);
        }
        let wanted = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self
            .stream
            .read(bytes.get_mut(..wanted).unwrap_or_default())
            .map_err(lost)?;
        if read == 0 {
            return Err(lost(io::ErrorKind::UnexpectedEof.into()));
        }
        self.left -= u32::try_from(read).unwrap_or(self.left);
        Ok(read)
    }
}

/// In words that fit a broker.
fn lost(error: io::Error) -> io::Error {
    let kind = error.kind();
    if kind == io::ErrorKind::UnexpectedEof || kind == io::ErrorKind::ConnectionReset {
        io::Error::new(io::ErrorKind::ConnectionAborted, "the broker has gone")
    } else if kind == io::ErrorKind::WouldBlock || kind == io::ErrorKind::TimedOut {
        io::Error::new(io::ErrorKind::TimedOut, "the broker is silent")
    } else {
        error
    }
}
