//! What a session that ended leaves to others, where the store alone has it: the messages of its shared groups.

use mqtt_codec::QoS;

use super::Line;
use super::share::Among;
use crate::counters::Drop;
use crate::durable::{Change, Found, OpenDelivery, Place, SessionId, Wanted, Window};
use crate::key::SessionKey;
use crate::session::Session;

/// A session that ended and has not been read to its end. Should the broker end first, its image says that its time is
/// over, and it ends again.
#[derive(Debug)]
pub(super) struct Estate {
    key: SessionKey,
    id: SessionId,
    /// What lies behind this place is still to be read.
    after: Place,
    /// Messages that count as waiting and have not been read.
    entries: usize,
    /// The window that is under way was asked for by the session, and others have come behind it since.
    is_outdated: bool,
}

impl Line {
    /// Sees to what the store has of a session that has ended: gives away what is for others to have, then lets it go.
    pub(super) fn settle_estate(&mut self, session: &Session) {
        let Some(id) = session.id else { return };
        let keeper = &mut self.turn.keeper;
        let beyond = session.queue.beyond().filter(|_| session.in_groups);
        let (Some(after), Some(mut image)) = (beyond, session.image()) else {
            return keeper.note(Change::EndSession(id));
        };
        image.expiry_secs = 0;
        image.left_at = Some(self.turn.now);
        image.will = None;
        keeper.note(Change::Session(Box::new(image)));
        let max = self.turn.limits.queue_memory_messages;
        let what = if session.queue.is_asleep() {
            Wanted::Conversations(max)
        } else {
            Wanted::Window(after, max)
        };
        // What the session itself has asked for and not got is what comes next: to be told twice would be to give twice.
        let is_being_read = session.queue.is_being_read();
        if !is_being_read {
            keeper.fetch(session.key, id, what);
        }
        let key = session.key;
        let entries = session.queue.entries_beyond();
        let is_outdated = is_being_read && session.queue.has_come_since();
        self.estates.push(Estate {
            key,
            id,
            after,
            entries,
            is_outdated,
        });
    }

    /// Takes what was read of a session that has ended.
    pub(super) fn take_estate(&mut self, id: SessionId, found: Found) {
        let Some(place) = self.estates.iter().position(|estate| estate.id == id) else {
            return;
        };
        let (open, window) = match found {
            Found::Conversations { open, window, .. } => (open, window),
            Found::Window(window) => (Vec::new(), window),
            // It was asked for when the session was there.
            Found::Count { .. } => return,
            // What cannot be read stays where it is.
            Found::Unreadable => {
                let estate = self.estates.swap_remove(place);
                self.count_read(estate.entries, 0);
                return;
            }
        };
        let Estate {
            key,
            after,
            entries,
            is_outdated,
            ..
        } = self.estates.swap_remove(place);
        let more = window.more || is_outdated;
        let read = window.deliveries.len();
        let entries = if more {
            self.count_read(entries.min(read), read);
            entries.saturating_sub(read)
        } else {
            self.count_read(entries, read);
            0
        };
        self.turn.counters.copies.restored += open.iter().filter(|open| open.delivery.is_some()).count() as u64;
        self.give_away(id, key, open, &window);
        let last = window.deliveries.last().and_then(|delivery| delivery.place);
        if more {
            let after = last.unwrap_or(after);
            let max = self.turn.limits.queue_memory_messages;
            self.turn.keeper.fetch(key, id, Wanted::Window(after, max));
            self.estates.push(Estate {
                key,
                id,
                after,
                entries,
                is_outdated: false,
            });
        } else {
            self.turn.keeper.note(Change::EndSession(id));
        }
    }

    /// So many messages that counted as waiting turned out to be so many.
    fn count_read(&mut self, waiting: usize, read: usize) {
        let (waiting, read) = (waiting as u64, read as u64);
        self.turn.counters.queued = self.turn.counters.queued.saturating_sub(waiting);
        self.turn.counters.copies.corrected(waiting, read);
    }

    /// A QoS 2 message that was sent belongs to the session that is gone: [MQTT-4.8.2-5] in 5.0.
    fn give_away(&mut self, id: SessionId, key: SessionKey, mut open: Vec<OpenDelivery>, window: &Window) {
        open.sort_by_key(|open| open.place);
        let sent = open.into_iter().filter_map(|open| open.delivery);
        let (movable, lost): (Vec<_>, Vec<_>) = sent
            .map(|delivery| (delivery.qos == QoS::AtLeastOnce, delivery))
            .chain(window.deliveries.iter().map(|delivery| (true, delivery.clone())))
            .partition(|(movable, delivery)| *movable && delivery.via.is_some());
        for _ in lost {
            self.turn.drop_message(Drop::SessionEnded);
        }
        for (_, delivery) in movable {
            if !self.share_again(&delivery, Among::All, vec![key]) {
                self.turn.drop_message(Drop::NoMember);
            }
            // In one piece with what takes its place: should the broker end, it is not given away once more.
            if let Some(holding) = delivery.holding() {
                self.turn.keeper.note(Change::Done(id, holding));
            }
        }
    }
}
