//! The bytes that wait to be written to one connection.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

use crate::durable::{Gate, Progress};

/// Room for outgoing bytes, which outboxes take turns with.
#[derive(Debug, Default)]
pub struct Buffer {
    /// Sealed pieces, oldest first.
    pieces: VecDeque<Bytes>,
    /// What is being appended to.
    tail: BytesMut,
    len: usize,
    /// What must not be written yet: from so many bytes behind the front on, until the gate opens. In order.
    gates: VecDeque<(usize, Gate)>,
}

impl Buffer {
    /// Bytes that it can hold without growing.
    pub(crate) fn capacity(&self) -> usize {
        self.tail.capacity()
    }

    /// Bytes in front of the first gate.
    fn open_len(&self) -> usize {
        self.gates.front().map_or(self.len, |(at, _)| *at)
    }

    fn gather<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let tail = (!self.tail.is_empty()).then_some(self.tail.as_ref());
        let mut open = self.open_len();
        let mut filled = 0;
        for (slice, bytes) in slices.iter_mut().zip(self.pieces.iter().map(AsRef::as_ref).chain(tail)) {
            let bytes: &[u8] = bytes.get(..open).unwrap_or(bytes);
            if bytes.is_empty() {
                break;
            }
            open -= bytes.len();
            *slice = IoSlice::new(bytes);
            filled += 1;
        }
        filled
    }

    /// Throws away all bytes behind the first `kept`.
    fn truncate(&mut self, kept: usize) {
        let mut room = kept;
        self.pieces.retain_mut(|piece| {
            piece.truncate(room);
            room -= piece.len();
            !piece.is_empty()
        });
        self.tail.truncate(room);
        self.len = kept;
    }

    fn advance(&mut self, mut written: usize) {
        self.len = self.len.saturating_sub(written);
        for (at, _) in &mut self.gates {
            *at = at.saturating_sub(written);
        }
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
}

/// Outgoing bytes in order: small packets copied into one buffer, large payloads shared.
///
/// An outbox that has been written out is one null pointer; [`Outbox::release`] hands its buffer back for another.
#[derive(Debug, Default)]
pub struct Outbox(Option<Box<Buffer>>);

impl Outbox {
    /// Bytes waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |buffer| buffer.len)
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives an idle outbox a buffer to start with.
    pub fn lend(&mut self, buffer: Box<Buffer>) {
        self.0.get_or_insert(buffer);
    }

    /// Whether it has a buffer.
    #[must_use]
    pub fn has_buffer(&self) -> bool {
        self.0.is_some()
    }

    /// Lets `write` append to the buffer.
    pub fn append<T>(&mut self, write: impl FnOnce(&mut BytesMut) -> T) -> T {
        let buffer = self.0.get_or_insert_default();
        let before = buffer.tail.len();
        let answer = write(&mut buffer.tail);
        buffer.len += buffer.tail.len() - before;
        answer
    }

    /// Appends a payload without copying it.
    pub fn share(&mut self, payload: Bytes) {
        let buffer = self.0.get_or_insert_default();
        if !buffer.tail.is_empty() {
            buffer.pieces.push_back(buffer.tail.split().freeze());
        }
        buffer.len += payload.len();
        buffer.pieces.push_back(payload);
    }

    /// Keeps what is appended from here on until the gate opens. Says whether that is a gate more.
    pub(crate) fn gate(&mut self, gate: Gate) -> bool {
        let buffer = self.0.get_or_insert_default();
        let at = buffer.len;
        // Behind a gate that opens no earlier there is nothing to add.
        let covered = |last: &Gate| last.number >= gate.number && last.durability >= gate.durability;
        if buffer.gates.back().is_some_and(|(_, last)| covered(last)) {
            return false;
        }
        buffer.gates.push_back((at, gate));
        true
    }

    /// Opens the gates that the store has come up to.
    pub(crate) fn pass(&mut self, progress: Progress) {
        if let Some(buffer) = &mut self.0 {
            while buffer.gates.front().is_some_and(|(_, gate)| progress.opens(*gate)) {
                buffer.gates.pop_front();
            }
        }
    }

    /// Throws away what waits behind gates: promises that are not given.
    pub(crate) fn cut_gated(&mut self) {
        if let Some(buffer) = &mut self.0
            && !buffer.gates.is_empty()
        {
            buffer.truncate(buffer.open_len());
            buffer.gates.clear();
        }
    }

    /// Whether something stands behind a gate.
    pub(crate) fn is_gated(&self) -> bool {
        self.0.as_ref().is_some_and(|buffer| !buffer.gates.is_empty())
    }

    /// Bytes that may be written: those in front of the first gate.
    #[must_use]
    pub fn open_len(&self) -> usize {
        self.0.as_ref().map_or(0, |buffer| buffer.open_len())
    }

    /// Fills `slices` with what may be written, oldest first; returns how many it filled.
    pub fn gather<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.0.as_ref().map_or(0, |buffer| buffer.gather(slices))
    }

    /// All that waits, if it stands in one piece: there are no shared payloads among it.
    #[must_use]
    #[inline]
    pub fn whole(&self) -> Option<&[u8]> {
        let buffer = self.0.as_ref()?;
        buffer.pieces.is_empty().then_some(buffer.tail.as_ref())
    }

    /// All that waits, oldest first. A packet begins in one piece with its fixed header.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let buffers = self.0.iter();
        buffers.flat_map(|buffer| buffer.pieces.iter().map(AsRef::as_ref).chain([buffer.tail.as_ref()]))
    }

    /// Takes `written` bytes off the front.
    pub fn advance(&mut self, written: usize) {
        if let Some(buffer) = &mut self.0 {
            buffer.advance(written);
        }
    }

    /// Takes the buffer of an outbox that is empty, to be lent to another.
    pub fn release(&mut self) -> Option<Box<Buffer>> {
        self.0.take_if(|buffer| buffer.len == 0 && buffer.gates.is_empty())
    }
}
