//! The broker ends without a word and starts again, and its store lags behind in between.

use broker::counters::Drop;
use broker::durable::Durability;

use super::{DEVICES, History, PUBLISHER, RETAINED_TOPIC};
use crate::sim::ledger::Verdict;
use crate::world::store::{Pace, Survive};

impl History {
    pub(super) fn crash(&mut self) {
        let later = self.world.store.unsynced();
        let survive = match self.dice.below(5) {
            0 => Survive::Synced,
            1 => Survive::Written,
            2 => Survive::All,
            _ => Survive::More(self.dice.below(later + 1)),
        };
        let lines = if self.dice.percent(30) {
            self.dice.pick(&[1, 2, 3])
        } else {
            self.world.lines.len() as u16
        };
        let away_millis = self.dice.pick(&[0, 0, 50, 1000, 40_000]);
        for device in 0..DEVICES {
            if self.devices[device].client.is_some() {
                let seen = self.dice.below(self.devices[device].inbox.len() + 1);
                self.read(device, seen);
            }
        }
        self.note(|| format!("the broker ends: {survive:?} of {later} survive, {away_millis} ms, {lines} lines"));
        self.ledger.crashed();
        if std::mem::take(&mut self.fleeting_members) {
            // What the group gave to a member whose session is not kept ended with it, or was on its way to another.
            self.ledger.group_broken = self.ledger.now;
        }
        self.ledger.left_to_nobody += self.world.counters().dropped[Drop::NoMember as usize] as usize;
        let ended_at = self.world.now;
        let survivor = self.world.crash_with(survive, lines, away_millis);
        for device in 0..DEVICES {
            let model = &mut self.devices[device];
            if model.client.is_some() {
                model.lost(ended_at);
            }
            let kept = survivor.session_of(&model.id).map(|kept| &kept.image);
            assert!(
                kept.is_some() || !model.life.alive,
                "device {device} has lost its session"
            );
            if let Some(image) = kept {
                // The store may not have heard that the client had left: then it left with the broker.
                let left_at = image.left_at.unwrap_or(self.world.now);
                model.life.ends_at = Some(left_at.plus_secs(u64::from(image.expiry_secs)));
            }
            model.age(self.world.now);
            model.forget_what_was_not_kept(&self.ledger, survive == Survive::All);
        }
        self.check_retained();
    }

    /// A session that comes back is read before its client is answered, so that the store has to keep up.
    pub(super) fn with_a_store_awake<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let pace = self.world.store.pace;
        self.world.set_pace(Pace::AsAsked);
        let answer = act(self);
        self.world.set_pace(pace);
        answer
    }

    pub(super) fn hold_or_commit(&mut self) {
        match self.dice.below(6) {
            0 => self.set_pace(Pace::AsAsked),
            1 => self.set_pace(Pace::Asleep),
            2 => self.set_pace(Pace::Held),
            _ => {
                let batches = self.dice.pick(&[1, 1, 2, 5, usize::MAX]);
                let durability = self.dice.pick(&[Durability::Os, Durability::Disk]);
                self.note(|| format!("the store commits {batches} batches: {durability:?}"));
                self.world.commit(batches, durability);
            }
        }
    }

    fn set_pace(&mut self, pace: Pace) {
        self.note(|| format!("the store is {pace:?}"));
        self.world.set_pace(pace);
    }

    /// The retained message is the last that was acknowledged or one that was sent after it.
    pub(super) fn check_retained(&self) {
        let of_topic = |verdict| {
            let entries = self.ledger.entries.iter().enumerate();
            entries.filter(move |(_, entry)| {
                entry.publisher == PUBLISHER && entry.topic == RETAINED_TOPIC && entry.verdict == verdict
            })
        };
        let Some((least, _)) = of_topic(Verdict::Accepted).next_back() else {
            return;
        };
        let retained = self.world.tables.retained.borrow();
        let message = retained.get(RETAINED_TOPIC).expect("a message was acknowledged");
        let payload = std::str::from_utf8(&message.payload).unwrap();
        let found: usize = payload.split(':').next().unwrap().parse().unwrap();
        assert!(
            found >= least,
            "message {least} was acknowledged, and {found} is retained"
        );
    }
}
