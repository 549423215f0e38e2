//! One client's tape: records in two halves. The younger one is written to; when it is full the older one is forgotten and
//! they change places, so that nothing is moved and nothing looked for.

use std::ops::Range;

use broker::message::Millis;
use broker::session::Outbox;
use mqtt_codec::Version;

use super::record::{self, HEAD_BYTES};
use super::{Kind, Record, Recorder, Watch, blank};

/// Packets of one read or write that are recorded: the last.
const BATCH_MAX: usize = 8;
/// Room that a tape begins with: for CONNECT and a SUBSCRIBE with their answers.
const FIRST_BYTES: usize = 160;

/// See the module.
#[derive(Debug)]
pub(crate) struct Tape {
    old: Vec<u8>,
    young: Vec<u8>,
    last: Millis,
    /// Bytes at the front of the next read that are recorded.
    read_ahead: u32,
    /// Bytes at the front of the next write that belong to a packet that is recorded; `None`: where packets begin is lost.
    write_rest: Option<u32>,
    v5: bool,
    watch: Option<Box<Watch>>,
}

impl Default for Tape {
    /// A tape that is nobody's.
    fn default() -> Self {
        Self::new(Version::V311, None)
    }
}

impl Tape {
    pub(super) fn new(version: Version, watch: Option<Box<Watch>>) -> Self {
        Self {
            old: Vec::new(),
            young: Vec::new(),
            last: Millis::default(),
            read_ahead: 0,
            write_rest: Some(0),
            v5: version == Version::V5,
            watch,
        }
    }

    /// Whether anything is recorded, or somebody watches.
    #[inline]
    const fn runs(&self, recorder: &Recorder) -> bool {
        recorder.is_on() || self.watch.is_some()
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.old.capacity() + self.young.capacity()
    }

    /// Records the packets that stand in full in what was read.
    #[inline]
    pub(crate) fn read(&mut self, bytes: &[u8], now: Millis, recorder: &Recorder) {
        if !self.runs(recorder) {
            return;
        }
        let kind = if self.v5 { Kind::In5 } else { Kind::In3 };
        let first = self.read_ahead as usize;
        let end = self.batch(kind, bytes, first..bytes.len(), now, recorder);
        self.read_ahead = end as u32;
    }

    /// After [`Tape::read`]: so many of its bytes were taken; the others come again with the next read.
    #[inline]
    pub(crate) const fn taken(&mut self, bytes: usize) {
        self.read_ahead = self.read_ahead.saturating_sub(bytes as u32);
    }

    /// Records the packet that broke a rule, `at` bytes into what was read, if it does not stand there in full.
    pub(crate) fn broken(&mut self, at: usize, bytes: &[u8], now: Millis, recorder: &Recorder) {
        if at >= self.read_ahead as usize && self.runs(recorder) && !bytes.is_empty() {
            let kind = if self.v5 { Kind::In5 } else { Kind::In3 };
            let len = packet_len(bytes).unwrap_or(bytes.len());
            self.packet(kind, bytes.get(..len).unwrap_or(bytes), len, now, recorder);
        }
    }

    /// Records the packets that begin in the first `written` bytes of an outbox.
    #[inline]
    pub(crate) fn wrote(&mut self, out: &Outbox, written: usize, now: Millis, recorder: &Recorder) {
        let Some(first) = self.write_rest else { return };
        if !self.runs(recorder) {
            return;
        }
        if first as usize >= written {
            self.write_rest = Some(first - written as u32);
            return;
        }
        let kind = if self.v5 { Kind::Out5 } else { Kind::Out3 };
        let first = first as usize;
        let end = match out.whole() {
            Some(bytes) => Some(self.batch(kind, bytes, first..written, now, recorder)),
            None => self.batch_in_pieces(kind, out, first..written, now, recorder),
        };
        self.write_rest = end.and_then(|end| u32::try_from(end.checked_sub(written)?).ok());
    }

    /// Records the packets that begin in this range and stand there in full; returns where the last of them ends.
    #[inline]
    fn batch(&mut self, kind: Kind, bytes: &[u8], range: Range<usize>, now: Millis, recorder: &Recorder) -> usize {
        let mut last = Last::default();
        let mut at = range.start;
        while at < range.end
            && let Some(rest) = bytes.get(at..)
            && let Some(len) = packet_len(rest)
            && let Some(packet) = rest.get(..len)
        {
            if self.watch.is_some() {
                self.packet(kind, packet, len, now, recorder);
            } else {
                last.note(at);
            }
            at += len;
        }
        self.gap(&last, now, recorder);
        for (at, len) in last.packets(at) {
            let packet = bytes.get(at..at + len).unwrap_or_default();
            self.packet(kind, packet, len, now, recorder);
        }
        at
    }

    /// As [`Tape::batch`], of an outbox with shared payloads; `None`: where a packet ends cannot be told.
    fn batch_in_pieces(
        &mut self,
        kind: Kind,
        out: &Outbox,
        range: Range<usize>,
        now: Millis,
        recorder: &Recorder,
    ) -> Option<usize> {
        let is_watched = self.watch.is_some();
        let mut last = Last::default();
        let end = each_packet(out, range, |at, len| {
            if is_watched {
                self.packet_at(kind, out, (at, len), now, recorder);
            } else {
                last.note(at);
            }
        })?;
        self.gap(&last, now, recorder);
        for place in last.packets(end) {
            self.packet_at(kind, out, place, now, recorder);
        }
        Some(end)
    }

    /// Records a packet from outside of the stream: what was said before a client was in.
    pub(crate) fn aside(&mut self, out: bool, packet: &[u8], now: Millis, recorder: &Recorder) {
        let kind = match (out, self.v5) {
            (false, false) => Kind::In3,
            (false, true) => Kind::In5,
            (true, false) => Kind::Out3,
            (true, true) => Kind::Out5,
        };
        if self.runs(recorder) && !packet.is_empty() {
            self.packet(kind, packet, packet.len(), now, recorder);
        }
    }

    /// Records a decision, so many times, in words.
    pub(crate) fn note(&mut self, (kind, times, text): (Kind, u32, &str), now: Millis, recorder: &Recorder) {
        if self.runs(recorder) {
            self.put(kind, times, text.as_bytes(), now, recorder);
        }
    }

    /// What is recorded, oldest first.
    pub(crate) fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for half in [&self.old, &self.young] {
            let mut bytes = half.as_slice();
            while let Some(record) = record::take(&mut bytes, self.last) {
                records.push(record);
            }
        }
        records
    }

    /// Shows what is recorded from here on.
    pub(super) fn watch(&mut self, sender: tokio::sync::mpsc::Sender<super::Seen>) {
        self.watch = Some(Box::new(Watch { sender, missed: 0 }));
    }

    /// The connection is over; what is recorded stays.
    pub(super) fn rest(&mut self) {
        self.read_ahead = 0;
        self.write_rest = Some(0);
        self.watch = None;
    }

    /// Puts what a younger tape has behind this one, which then goes on as that one.
    pub(super) fn join(mut self, younger: Self, recorder: &Recorder) -> Self {
        for record in younger.records() {
            self.put(record.kind, record.number, &record.data, record.at, recorder);
        }
        recorder.give_back(younger.bytes());
        self.read_ahead = younger.read_ahead;
        self.write_rest = younger.write_rest;
        self.v5 = younger.v5;
        self.watch = younger.watch;
        self
    }

    /// Notes how many packets of a batch are not recorded.
    #[inline]
    fn gap(&mut self, last: &Last, now: Millis, recorder: &Recorder) {
        if let Some(skipped) = last.count.checked_sub(BATCH_MAX)
            && skipped > 0
        {
            let skipped = u32::try_from(skipped).unwrap_or(u32::MAX);
            self.put(Kind::Gap, skipped, &[], now, recorder);
        }
    }

    /// Records a packet of an outbox, by its place and its size.
    fn packet_at(&mut self, kind: Kind, out: &Outbox, (at, len): (usize, usize), now: Millis, recorder: &Recorder) {
        let wanted = len.min(recorder.packet_bytes_max);
        match piece_from(out, at).get(..wanted) {
            Some(packet) => self.packet(kind, packet, len, now, recorder),
            None => self.packet(kind, &gather(out, at, wanted), len, now, recorder),
        }
    }

    #[inline]
    fn packet(&mut self, kind: Kind, packet: &[u8], len: usize, now: Millis, recorder: &Recorder) {
        let kept = packet.get(..recorder.packet_bytes_max).unwrap_or(packet);
        let number = u32::try_from(len).unwrap_or(u32::MAX);
        if packet.first().is_some_and(|first| blank::may_hold_secrets(*first)) {
            self.put(kind, number, &blank::without_secrets(kept), now, recorder);
        } else {
            self.put(kind, number, kept, now, recorder);
        }
    }

    #[inline]
    fn put(&mut self, kind: Kind, number: u32, data: &[u8], now: Millis, recorder: &Recorder) {
        if let Some(watch) = &mut self.watch {
            watch.show(Record {
                at: now,
                kind,
                number,
                data: data.to_vec(),
            });
        }
        let mut data = data;
        if self.young.capacity() - self.young.len() < HEAD_BYTES + data.len() {
            let room = self.make_room(HEAD_BYTES + data.len(), recorder);
            let Some(room) = room.checked_sub(HEAD_BYTES) else {
                return;
            };
            data = data.get(..room).unwrap_or(data);
        }
        self.last = now;
        self.young
            .extend_from_slice(&record::head(kind, number, data.len(), now));
        self.young.extend_from_slice(data);
    }

    /// Makes room for so many bytes, if it may; returns how many there are.
    #[cold]
    fn make_room(&mut self, wanted: usize, recorder: &Recorder) -> usize {
        let half_max = recorder.half_max();
        let needed = self.young.len() + wanted;
        if needed <= half_max {
            let capacity = (self.young.capacity() * 2).max(needed).max(FIRST_BYTES).min(half_max);
            let before = self.young.capacity();
            if recorder.take(capacity - before) {
                self.young.reserve_exact(capacity - self.young.len());
                // The allocator may have given more.
                recorder
                    .used
                    .set(recorder.used.get() + self.young.capacity() - capacity);
                return self.young.capacity() - self.young.len();
            }
        }
        std::mem::swap(&mut self.old, &mut self.young);
        self.young.clear();
        if self.young.capacity() > half_max {
            recorder.give_back(self.young.capacity());
            self.young = Vec::new();
        }
        let capacity = wanted.max(self.old.capacity()).min(half_max);
        let missing = capacity.saturating_sub(self.young.capacity());
        if missing > 0 && recorder.take(missing) {
            self.young.reserve_exact(capacity);
            recorder
                .used
                .set(recorder.used.get() + self.young.capacity() - capacity);
        }
        self.young.capacity()
    }
}

/// The last packets of a batch, found in one pass: where each of them begins.
#[derive(Default)]
struct Last {
    begins: [u32; BATCH_MAX],
    /// Packets of the batch.
    count: usize,
}

impl Last {
    #[inline]
    fn note(&mut self, at: usize) {
        if let Some(begin) = self.begins.get_mut(self.count % BATCH_MAX) {
            *begin = at as u32;
        }
        self.count += 1;
    }

    /// Where they begin and how long they are, oldest first; the last of them ends at `end`.
    #[inline]
    fn packets(&self, end: usize) -> impl Iterator<Item = (usize, usize)> {
        let begin = move |place: usize| match place < self.count {
            true => self.begins.get(place % BATCH_MAX).map_or(end, |begin| *begin as usize),
            false => end,
        };
        (self.count.saturating_sub(BATCH_MAX)..self.count).map(move |place| {
            let at = begin(place);
            (at, begin(place + 1) - at)
        })
    }
}

/// The size of the packet at the front, as its fixed header has it; `None`: the header is not whole, or not one.
#[inline]
fn packet_len(bytes: &[u8]) -> Option<usize> {
    let &second = bytes.get(1)?;
    if second < 0x80 {
        return Some(2 + usize::from(second));
    }
    let mut len = usize::from(second & 0x7f);
    for (place, byte) in bytes.iter().enumerate().skip(2).take(3) {
        len |= usize::from(byte & 0x7f) << (7 * (place - 1));
        if *byte < 0x80 {
            return Some(place + 1 + len);
        }
    }
    None
}

/// Visits the packets that begin in this range, each with its place and its size. Returns where the last of them ends;
/// `None`: where a packet ends cannot be told.
fn each_packet(out: &Outbox, range: Range<usize>, mut visit: impl FnMut(usize, usize)) -> Option<usize> {
    let (mut at, mut base) = (range.start, 0);
    for piece in out.pieces() {
        while at < range.end
            && let Some(start) = piece.get(at - base..)
            && !start.is_empty()
        {
            let len = packet_len(start)?;
            visit(at, len);
            at += len;
        }
        base += piece.len();
        if base >= range.end {
            break;
        }
    }
    Some(at)
}

/// The piece that has the byte at `at`, from there on.
fn piece_from(out: &Outbox, mut at: usize) -> &[u8] {
    for piece in out.pieces() {
        match piece.get(at..) {
            Some(start) if !start.is_empty() => return start,
            Some(_) | None => at -= piece.len(),
        }
    }
    &[]
}

/// So many bytes from `at` on, whatever pieces they are in.
fn gather(out: &Outbox, at: usize, wanted: usize) -> Vec<u8> {
    let mut gathered = Vec::with_capacity(wanted);
    let mut skip = at;
    for piece in out.pieces() {
        if let Some(start) = piece.get(skip..) {
            let missing = wanted - gathered.len();
            gathered.extend_from_slice(start.get(..missing).unwrap_or(start));
        }
        skip = skip.saturating_sub(piece.len());
        if gathered.len() >= wanted {
            break;
        }
    }
    gathered
}
