//! The bytes that wait to be written to one connection.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// Outgoing bytes in order: small packets copied into one buffer, large payloads shared.
///
/// An outbox that has been written out holds no memory; [`Outbox::release`] hands its buffer back for another.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Sealed pieces, oldest first.
    pieces: VecDeque<Bytes>,
    /// What is being appended to.
    tail: BytesMut,
    len: usize,
}

impl Outbox {
    /// Bytes waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Gives an idle outbox a buffer to start with.
    pub fn lend(&mut self, buffer: BytesMut) {
        if self.tail.capacity() == 0 {
            self.tail = buffer;
        }
    }

    /// Whether it has a buffer.
    #[must_use]
    pub fn has_buffer(&self) -> bool {
        self.tail.capacity() != 0
    }

    /// Lets `write` append to the buffer.
    pub fn append<T>(&mut self, write: impl FnOnce(&mut BytesMut) -> T) -> T {
        let before = self.tail.len();
        let answer = write(&mut self.tail);
        self.len += self.tail.len() - before;
        answer
    }

    /// Appends a payload without copying it.
    pub fn share(&mut self, payload: Bytes) {
        if !self.tail.is_empty() {
            self.pieces.push_back(self.tail.split().freeze());
        }
        self.len += payload.len();
        self.pieces.push_back(payload);
    }

    /// Fills `slices` with what waits, oldest first; returns how many it filled.
    pub fn gather<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let tail = (!self.tail.is_empty()).then_some(self.tail.as_ref());
        let mut filled = 0;
        for (slice, bytes) in slices.iter_mut().zip(self.pieces.iter().map(AsRef::as_ref).chain(tail)) {
            *slice = IoSlice::new(bytes);
            filled += 1;
        }
        filled
    }

    /// Takes `written` bytes off the front.
    pub fn advance(&mut self, mut written: usize) {
        self.len = self.len.saturating_sub(written);
        while let Some(piece) = self.pieces.front_mut() {
            if written < piece.len() {
                piece.advance(written);
                return;
            }
            written -= piece.len();
            self.pieces.pop_front();
        }
        if written >= self.tail.len() {
            self.tail.clear();
        } else {
            self.tail.advance(written);
        }
    }

    /// Takes the buffer of an outbox that is empty, to be lent to another.
    pub fn release(&mut self) -> Option<BytesMut> {
        if !self.is_empty() || !self.has_buffer() {
            return None;
        }
        self.pieces = VecDeque::new();
        Some(std::mem::take(&mut self.tail))
    }
}
