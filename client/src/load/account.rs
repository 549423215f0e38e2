//! The account of what a subscriber has heard: exact for each publisher and topic.

use std::ops::Range;

use super::frame::Mark;

/// Gaps that one stream remembers; older ones are given up, and what would fill them counts as duplicated.
const GAPS_MAX: usize = 4_096;

/// What a delivery was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The awaited message, or one after it; `skipped` lie between the two.
    Fresh { skipped: u32 },
    /// A message that was skipped before.
    Late,
    /// A message that had come before, or that is for somebody else.
    Stale,
}

/// Which publishers and topics a subscriber may hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ear {
    /// Numbers of publishers.
    pub(super) publishers: Range<u32>,
    /// Places of topics within each publisher's list.
    pub(super) topics: Range<u32>,
}

/// All that one subscriber has heard.
#[derive(Clone, Debug)]
pub(super) struct Account {
    ear: Ear,
    /// Topics that each publisher goes through in turn.
    topics: u32,
    streams: Vec<Stream>,
}

impl Account {
    /// An account for publishers that go through `topics` each, and messages that may be heard according to `hears`.
    pub(super) fn new(ear: &Ear, topics: u32, hears: impl Fn(u32, u32) -> bool) -> Self {
        let streams = ear.publishers.clone().flat_map(|publisher| {
            let hears = &hears;
            ear.topics.clone().map(move |place| Stream {
                awaited: 0,
                tuned: hears(publisher, place),
                gaps: None,
            })
        });
        Self {
            streams: streams.collect(),
            ear: ear.clone(),
            topics: topics.max(1),
        }
    }

    /// Notes a delivery.
    #[inline]
    pub(super) fn hear(&mut self, mark: Mark) -> Heard {
        let (place, number) = split(mark.sequence, self.topics);
        match self.stream(mark.publisher, place) {
            Some(stream) if stream.tuned => stream.hear(number),
            _ => Heard::Stale,
        }
    }

    fn stream(&mut self, publisher: u32, place: u32) -> Option<&mut Stream> {
        let row = publisher.checked_sub(self.ear.publishers.start)?;
        let column = place.checked_sub(self.ear.topics.start)?;
        let width = self.ear.topics.end - self.ear.topics.start;
        if column >= width {
            return None;
        }
        let index = usize::try_from(row).ok()? * usize::try_from(width).ok()? + usize::try_from(column).ok()?;
        self.streams.get_mut(index)
    }
}

/// The topic's place and the number on that topic of a publisher's message.
#[inline]
pub(super) fn split(sequence: u32, topics: u32) -> (u32, u32) {
    if topics == 1 {
        (0, sequence)
    } else {
        (sequence % topics, sequence / topics)
    }
}

/// The messages of one publisher on one topic, as one subscriber hears them.
#[derive(Clone, Debug)]
struct Stream {
    awaited: u32,
    /// Whether this subscriber is to hear it.
    tuned: bool,
    /// What was skipped, in ascending order; most streams never have a gap, so it is kept elsewhere.
    #[expect(
        clippy::box_collection,
        reason = "a stream is 16 bytes this way, and there are millions"
    )]
    gaps: Option<Box<Vec<Range<u32>>>>,
}

impl Stream {
    #[inline]
    fn hear(&mut self, number: u32) -> Heard {
        if number == self.awaited {
            self.awaited = number.saturating_add(1);
            return Heard::Fresh { skipped: 0 };
        }
        self.hear_out_of_turn(number)
    }

    #[cold]
    fn hear_out_of_turn(&mut self, number: u32) -> Heard {
        let gaps = self.gaps.get_or_insert_default();
        if number > self.awaited {
            if gaps.len() == GAPS_MAX {
                gaps.remove(0);
            }
            gaps.push(self.awaited..number);
            let skipped = number - self.awaited;
            self.awaited = number.saturating_add(1);
            return Heard::Fresh { skipped };
        }
        let Some(index) = gaps.iter().position(|gap| gap.contains(&number)) else {
            return Heard::Stale;
        };
        let gap = gaps.remove(index);
        let halves = [gap.start..number, number + 1..gap.end];
        gaps.splice(index..index, halves.into_iter().filter(|half| !half.is_empty()));
        Heard::Late
    }
}

#[cfg(test)]
mod tests;
