//! The frames of an answer: kind u8, length u32 little-endian, content.
//!
//! ```text
//! d   content of the answer
//! e   the end: all of it was sent
//! f   the end: it failed, and why, in words
//! ```

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::time::timeout;

pub(super) const HEAD_BYTES: usize = 5;
pub(super) const DATA: u8 = b'd';
pub(super) const END: u8 = b'e';
pub(super) const FAILURE: u8 = b'f';

/// Longest time in which a caller takes nothing of a frame.
const STALL_MAX: Duration = Duration::from_secs(60);

/// Writes frames to a caller.
pub(super) struct Frames {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl Frames {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Sends what `write` appends, unless it is nothing.
    pub(super) async fn data(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.begin();
        write(&mut self.buffer);
        match self.buffer.len() {
            HEAD_BYTES => Ok(()),
            _ => self.send(DATA).await,
        }
    }

    /// Says that this was all.
    pub(super) async fn end(&mut self) -> io::Result<()> {
        self.begin();
        self.send(END).await
    }

    /// Says why there is no more.
    pub(super) async fn fail(&mut self, why: &str) -> io::Result<()> {
        self.begin();
        self.buffer.extend_from_slice(why.as_bytes());
        self.send(FAILURE).await
    }

    fn begin(&mut self) {
        self.buffer.clear();
        self.buffer.resize(HEAD_BYTES, 0);
    }

    async fn send(&mut self, kind: u8) -> io::Result<()> {
        let len = u32::try_from(self.buffer.len() - HEAD_BYTES)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a frame is too long"))?;
        if let Some(head) = self.buffer.first_chunk_mut::<HEAD_BYTES>() {
            *head = encode_head(kind, len);
        }
        let mut rest = self.buffer.as_slice();
        while !rest.is_empty() {
            let written = timeout(STALL_MAX, self.stream.write(rest))
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest = rest.get(written..).unwrap_or_default();
        }
        Ok(())
    }
}

fn encode_head(kind: u8, len: u32) -> [u8; HEAD_BYTES] {
    let [a, b, c, d] = len.to_le_bytes();
    [kind, a, b, c, d]
}

/// Kind and length.
pub(super) fn decode_head([kind, a, b, c, d]: [u8; HEAD_BYTES]) -> (u8, u32) {
    (kind, u32::from_le_bytes([a, b, c, d]))
}
