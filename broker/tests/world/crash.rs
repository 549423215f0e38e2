//! The store beside the broker: its pace, its health, and the broker's end without a word and start with what was kept.

use std::sync::Arc;

use broker::durable::{Durability, Health};
use broker::line::home_line;
use broker::presence::Presence;
use bytes::BytesMut;

use super::store::{Image, ModelStore, Pace, Survive};
use super::tables::WorldTables;
use super::{World, lines_of};

impl World {
    pub(super) fn hear_from_store(&mut self) -> bool {
        let answers = self.store.take_up(&self.tables.retained.borrow(), self.now);
        let mut busy = !answers.is_empty();
        for (line, fetched) in answers {
            self.lines[usize::from(line)].fetched(fetched, self.now);
        }
        for line in 0..self.lines.len() {
            if let Some(progress) = self.store.word_for(line as u16) {
                busy = true;
                self.lines[line].kept(progress, self.now);
            }
        }
        busy
    }

    /// How the store goes on from here.
    pub fn set_pace(&mut self, pace: Pace) {
        self.store.pace = pace;
        self.settle();
    }

    /// A store that is held back commits so many batches.
    pub fn commit(&mut self, batches: usize, durability: Durability) {
        self.store.commit(batches, durability);
        self.settle();
    }

    /// The store's health changes.
    pub fn store_is(&mut self, health: Health) {
        for line in 0..self.lines.len() {
            self.lines[line].store_is(health, self.now);
        }
        self.settle();
    }

    /// The broker ends at this moment and starts anew with what survives. All connections are gone; what had arrived
    /// at the clients stays with them.
    pub fn crash(&mut self, survive: Survive) {
        self.crash_to(survive, self.config.lines);
    }

    /// The same with another number of lines from then on.
    pub fn crash_to(&mut self, survive: Survive, lines: u16) {
        self.crash_with(survive, lines, 0);
    }

    /// The broker is away for so many milliseconds.
    pub fn crash_for(&mut self, survive: Survive, millis: u64) {
        self.crash_with(survive, self.config.lines, millis);
    }

    /// Both at once. Returns what survived.
    pub fn crash_with(&mut self, survive: Survive, lines: u16, millis: u64) -> Image {
        self.end(survive, lines);
        self.now = self.now.plus(millis);
        let image = self.store.image().clone();
        self.start();
        image
    }

    /// Another binary takes over: the clients are sent away, the store has everything, and their wills wait so long for
    /// their return.
    pub fn upgrade(&mut self, lines: u16, grace_millis: u64) {
        for line in 0..self.lines.len() {
            let mut from = Some(0);
            while let Some(slot) = from {
                from = self.lines[line].suspend(slot, self.now).next;
            }
        }
        self.settle();
        self.end(Survive::All, lines);
        self.grace_millis = grace_millis;
        self.start();
        self.grace_millis = 0;
    }

    fn end(&mut self, survive: Survive, lines: u16) {
        let mut image = self.store.survivor(survive, &self.tables.retained.borrow());
        image.finish_transfers();
        self.config.lines = lines;
        self.store = ModelStore::new(image);
        self.hold_routes = false;
        self.waiting_routes.clear();
        self.hold_replies = false;
        self.waiting_replies.clear();
        for connection in &mut self.connections {
            connection.key = None;
            connection.held = false;
            connection.stalled = false;
            connection.unread.clear();
            connection.partial = BytesMut::new();
        }
    }

    fn start(&mut self) {
        let image: Image = self.store.image().clone();
        let count = self.config.lines;
        self.tables = WorldTables::new(&self.config);
        self.presence = Arc::new(Presence::new(count, 100_000));
        self.lines = lines_of(&self.config, &self.tables, &self.presence, image.serial);
        for line in &mut self.lines {
            line.set_rights(self.rights.clone(), self.now);
            line.await_return(self.now.plus(self.grace_millis));
        }
        for message in image.retained.values() {
            let taken = self.tables.retained.borrow_mut().apply(message);
            taken.expect("room for what was retained before");
        }
        for kept in image.sessions.into_values() {
            let home = usize::from(home_line(&kept.image.client_id, count, 0));
            let subscriptions = kept.subscriptions.into_values().collect();
            self.lines[home].restore(kept.image, subscriptions, self.now);
        }
        self.settle();
        for will in image.wills.into_values() {
            let home = usize::from(home_line(&will.client_id, count, 0));
            self.lines[home].execute_will(will, self.now);
        }
        self.settle();
        self.pass(0);
    }
}
