//! Before the load: connecting and subscribing, where trouble is a failure.

use std::time::Duration;

use super::{Crew, SHORT_STEP, report};
use crate::load::board::Figures;
use crate::load::failure::Failure;
use crate::load::watch::Phase;
use crate::load::worker::{Order, Who};

impl Crew<'_> {
    /// Connects clients, with sessions that begin empty or with those that the broker kept.
    ///
    /// # Errors
    ///
    /// What kept them from it, unless messages have been sent: then the run is broken.
    pub(in crate::load) fn connect(&mut self, who: Who, clean: bool, clients: u32) -> Result<(), Failure> {
        self.enter(Phase::Connecting, None, clients);
        self.order(Order::Dial { who, clean });
        self.await_orders()
    }

    /// Subscribes to everything.
    ///
    /// # Errors
    ///
    /// As [`Crew::connect`].
    pub(in crate::load) fn subscribe(&mut self, clients: u32) -> Result<(), Failure> {
        self.enter(Phase::Subscribing, None, clients);
        self.order(Order::Subscribe);
        self.await_orders()
    }

    /// Ends the sessions that the broker keeps for the subscribers: each is replaced by one that begins empty and ends
    /// with its connection. After a run that was broken or failed this is tried for a moment only, and what comes of it
    /// is not told.
    pub(in crate::load) fn end_sessions(&mut self, subscribers: u32) {
        const MOMENT: Duration = Duration::from_secs(2);
        self.hang_up(Who::Subscribers);
        if self.is_under_load && !self.is_broken() {
            // Under load trouble is an outcome.
            let _ = self.connect(Who::Subscribers, true, subscribers);
            return;
        }
        self.order(Order::Dial {
            who: Who::Subscribers,
            clean: true,
        });
        let end = self.board.clock.elapsed() + MOMENT;
        while self.board.clock.elapsed() < end
            && !self.are_orders_done(&self.board.figures())
            && self.board.take_trouble().is_none()
        {
            std::thread::sleep(SHORT_STEP);
        }
    }

    fn await_orders(&mut self) -> Result<(), Failure> {
        let (mut before, mut since) = (Figures::default(), self.board.clock.elapsed());
        loop {
            let figures = self.board.figures();
            if self.are_orders_done(&figures) {
                return Ok(());
            }
            let now = self.board.clock.elapsed();
            if (figures.ready, figures.received) != (before.ready, before.received) {
                (before, since) = (figures, now);
            }
            if now > since + self.plan.patience {
                self.silent_setup(&figures)?;
            }
            if self.broken.is_some() {
                return Ok(());
            }
            self.step_setup()?;
        }
    }

    /// One step while clients are set up: trouble is a failure as long as there is no load.
    fn step_setup(&mut self) -> Result<(), Failure> {
        std::thread::sleep(SHORT_STEP);
        self.show_and_turn();
        let Some(trouble) = self.board.take_trouble() else {
            return Ok(());
        };
        if self.is_under_load {
            self.break_off(&trouble);
            return Ok(());
        }
        let ready = u32::try_from(self.board.figures().ready).unwrap_or(u32::MAX);
        Err(report::failure(trouble, ready, self.wanted))
    }

    fn silent_setup(&mut self, figures: &Figures) -> Result<(), Failure> {
        let ready = u32::try_from(figures.ready).unwrap_or(u32::MAX);
        let silent = Failure::Silent {
            ready,
            wanted: self.wanted,
            patience: self.plan.patience,
        };
        if !self.is_under_load {
            return Err(silent);
        }
        self.break_with(silent.to_string(), self.board.clock.elapsed());
        Ok(())
    }
}
