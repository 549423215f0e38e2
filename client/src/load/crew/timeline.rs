//! A run in pieces of a tenth of a second.

use std::collections::VecDeque;

use crate::load::clock::ratio;
use crate::load::gauge::Gauge;
use crate::load::outcome::Tick;
use crate::load::worker::Page;

const PIECE_NS: u64 = 100_000_000;
/// A report has no more pieces than this; longer runs have longer ones.
const PIECES_MAX: usize = 600;

/// All pieces so far.
#[derive(Debug)]
pub(super) struct Timeline {
    /// The last piece for which each thread has handed in its latencies, once it has. A thread that was busy for long
    /// skips some.
    handed_in: Vec<Option<u32>>,
    /// The piece that is under way, and when it began.
    tick: u32,
    began_ns: u64,
    /// Pieces whose latencies are not complete.
    open: VecDeque<(Piece, Gauge)>,
    done: Vec<Piece>,
    spans: Vec<Span>,
}

/// Part of a run for which latencies are gathered.
#[derive(Debug)]
struct Span {
    from: u32,
    upto: u32,
    gauge: Gauge,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    tick: u32,
    end_ns: u64,
    /// Deliveries since the start of the run.
    received: u64,
    p50_us: f64,
    p99_us: f64,
}

impl Timeline {
    pub(super) fn new(threads: usize) -> Self {
        Self {
            handed_in: vec![None; threads],
            tick: 0,
            began_ns: 0,
            open: VecDeque::new(),
            done: Vec::new(),
            spans: Vec::new(),
        }
    }

    /// Whether the piece under way has its full length.
    pub(super) fn is_due(&self, now_ns: u64) -> bool {
        now_ns >= self.began_ns + PIECE_NS
    }

    /// Ends the piece under way and gives the number of the next.
    pub(super) fn turn(&mut self, now_ns: u64, received: u64) -> u32 {
        let piece = Piece {
            tick: self.tick,
            end_ns: now_ns,
            received,
            p50_us: 0.0,
            p99_us: 0.0,
        };
        self.open.push_back((piece, Gauge::new()));
        self.tick += 1;
        self.began_ns = now_ns;
        self.tick
    }

    /// Takes a worker's latencies of one piece.
    pub(super) fn insert(&mut self, page: Page) {
        if let Some((_, gauge)) = self.open.iter_mut().find(|(piece, _)| piece.tick == page.tick)
            && let Some(more) = page.gauge
        {
            gauge.add(more);
        }
        if let Some(last) = self.handed_in.get_mut(page.thread) {
            *last = Some(page.tick);
        }
        let Some(complete) = self.handed_in.iter().copied().min().flatten() else {
            return;
        };
        while let Some((piece, gauge)) = self.open.pop_front_if(|(piece, _)| piece.tick <= complete) {
            self.complete(piece, gauge);
        }
    }

    /// Gathers latencies from this piece on, until [`Timeline::end_span`]. Gives the span's number.
    pub(super) fn begin_span(&mut self, from: u32) -> usize {
        self.spans.push(Span {
            from,
            upto: u32::MAX,
            gauge: Gauge::new(),
        });
        self.spans.len() - 1
    }

    /// Gathers no latencies of this piece and later ones into a span.
    pub(super) fn end_span(&mut self, number: usize, upto: u32) {
        if let Some(span) = self.spans.get_mut(number) {
            span.upto = upto;
        }
    }

    /// Completes all pieces: no worker is left that could add to them.
    pub(super) fn finish(&mut self) {
        while let Some((piece, gauge)) = self.open.pop_front() {
            self.complete(piece, gauge);
        }
    }

    /// The latencies of the span that began as number `number`.
    pub(super) fn span(&self, number: usize) -> Option<&Gauge> {
        self.spans.get(number).map(|span| &span.gauge)
    }

    /// Median and 99th percentile of the last complete piece in which anything arrived of late.
    pub(super) fn of_late(&self) -> (f64, f64) {
        self.done
            .last()
            .map_or((0.0, 0.0), |piece| (piece.p50_us, piece.p99_us))
    }

    /// The pieces from one number up to another, for a report.
    pub(super) fn ticks(&self, from: u32, upto: u32, began_ns: u64, received: u64) -> Vec<Tick> {
        let pieces: Vec<_> = self
            .done
            .iter()
            .filter(|piece| (from..upto).contains(&piece.tick))
            .collect();
        let group = pieces.len().div_ceil(PIECES_MAX).max(1);
        let mut before = (began_ns, received);
        let ticks = pieces.chunks(group).filter_map(|pieces| {
            let last = pieces.last()?;
            let (took_ns, delivered) = (
                last.end_ns.saturating_sub(before.0),
                last.received.saturating_sub(before.1),
            );
            before = (last.end_ns, last.received);
            // Of pieces that share a point, the worst p99 and the middle median are shown.
            let mut medians: Vec<_> = pieces.iter().map(|piece| piece.p50_us).collect();
            medians.sort_by(f64::total_cmp);
            Some(Tick {
                at_ms: ratio(last.end_ns.saturating_sub(began_ns), 1_000_000),
                deliveries_per_sec: 1e9 * ratio(delivered, took_ns.max(1)),
                p50_us: medians.get(medians.len() / 2).copied().unwrap_or(0.0),
                p99_us: pieces.iter().map(|piece| piece.p99_us).fold(0.0, f64::max),
            })
        });
        ticks.collect()
    }

    fn complete(&mut self, mut piece: Piece, mut gauge: Gauge) {
        gauge.settle();
        piece.p50_us = gauge.quantile_us(0.5).unwrap_or(0.0);
        piece.p99_us = gauge.quantile_us(0.99).unwrap_or(0.0);
        for span in &mut self.spans {
            if (span.from..span.upto).contains(&piece.tick) && gauge.count() > 0 {
                span.gauge.add(gauge.clone());
            }
        }
        self.done.push(piece);
    }
}

#[cfg(test)]
mod tests;
