//! The end of a connection as the desk sees it, and what is noted about clients.

use std::io;

use broker::durable::Health;
use broker::effect::Closing;
use broker::line::{ConnectionKey, Lost};
use broker::memory::Memory;
use broker::notes::Note;

use super::Desk;
use crate::recorder::story;
use crate::report::report_closed;
use crate::transport::Ending;

impl Desk {
    /// Admits nobody any more: the broker ends, and who is on the way in hears of it at once.
    pub(crate) fn bar(&self) {
        self.is_barred.send_replace(true);
    }

    /// Waits until nobody is admitted any more.
    pub(crate) async fn barred(&self) {
        // The sender is as old as the desk.
        drop(self.is_barred.subscribe().wait_for(|is_barred| *is_barred).await);
    }

    /// The connection failed.
    pub(crate) fn lose(&self, connection: ConnectionKey, error: &io::Error) {
        let now = self.clock.now();
        self.with_line(|line| line.lost(connection, Lost::Network(error.to_string()), now));
    }

    /// Ends a connection: the log is told, its tape is put away, and its reader says the last words.
    pub(super) fn close(&self, closing: Closing) {
        let Closing {
            connection,
            last_words,
            record,
        } = closing;
        report_closed(&record);
        self.provers.forget(connection);
        let now = self.clock.now();
        let socket = self.socket_of(connection);
        let (kind, text) = story::closed(&record);
        if self.events.are_heard() {
            let peer = record.peer.to_string();
            let by = record.cause.culprit();
            self.events.tell_of("disconnected", (&record.client_id, &peer), || {
                format!("{} (ended by the {by})", record.cause)
            });
        }
        if let Some(socket) = &socket {
            let mut tape = socket.tape.take();
            tape.wrote(&last_words, last_words.len(), now, &self.recorder);
            tape.note((kind, 1, &text), now, &self.recorder);
            self.recorder.leave(&record.client_id, &record.peer, tape);
        } else {
            self.recorder.note_gone(&record.client_id, (kind, 1, &text), now);
        }
        let ending = if last_words.is_empty() && record.cause.client_has_left() {
            Ending::AtOnce
        } else {
            Ending::LastWords(last_words)
        };
        match socket {
            Some(socket) => {
                socket.close(ending);
                if let Some(place) = self.sockets.borrow_mut().get_mut(connection.slot as usize) {
                    *place = None;
                }
            }
            None => {
                self.stillborn.replace(Some((connection, ending)));
            }
        }
    }

    /// Writes a decision onto its client's tape.
    pub(super) fn noted(&self, note: &Note) {
        let (event, words) = story::told(note);
        self.events.tell_of(event, (&note.client_id, ""), words);
        let Some((kind, text)) = story::decided(&note.decision) else {
            return;
        };
        tracing::debug!(client = %&*note.client_id, times = note.times, "{text}");
        let now = self.clock.now();
        let connection = self.line.borrow().connection_of(&note.client_id);
        match connection.and_then(|connection| self.socket_of(connection)) {
            Some(socket) => {
                let mut tape = socket.tape.borrow_mut();
                tape.note((kind, note.times, text), now, &self.recorder);
            }
            None => self.recorder.note_gone(&note.client_id, (kind, note.times, text), now),
        }
    }

    /// Tells the brain how much memory there is and whether somebody watches, and those who watch what has changed.
    pub(crate) fn watch_memory(&self) {
        let mut line = self.line.borrow_mut();
        let memory = self.overload.memory();
        if line.memory() != memory && self.index == 0 {
            self.events.tell("memory", || format!("memory is {}", words_of(memory)));
        }
        line.memory_is(memory);
        line.set_watched(self.events.are_heard());
    }

    /// Tells those who watch how the store fares.
    pub(super) fn tell_health(&self, health: Health) {
        if self.index == 0 {
            self.events.tell("store", || {
                match health {
                    Health::Well => "the store works: everything is taken again",
                    Health::Full => "the store has no room: what would have to be stored is refused",
                    Health::Failed => "the store has failed: nothing is promised any more",
                }
                .to_owned()
            });
        }
    }
}

const fn words_of(memory: Memory) -> &'static str {
    match memory {
        Memory::Ample => "ample: everything is taken again",
        Memory::Tight => "tight: queues of absent clients and retained messages do not grow",
        Memory::Scarce => "scarce: newcomers are refused and QoS 0 is dropped",
    }
}
