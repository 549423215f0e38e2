//! Other settings for the lines of a world.

use std::sync::Arc;

use broker::acl::{Rights, Subject};
use broker::effect::Parting;
use broker::limits::Limits;
use broker::line::{Findings, Review};

use super::World;

/// Sessions that are looked at in one go: few, so that every story takes several.
const SLICE: u32 = 2;

impl World {
    /// Settings that are to come: other bounds, the book of rights if there is another, and who may stay.
    pub fn review(
        &self,
        change: impl FnOnce(&mut Limits),
        book: Option<&str>,
        may_stay: fn(&Subject<'_>) -> Result<(), Parting>,
    ) -> Review {
        let mut limits = self.config.limits.clone();
        change(&mut limits);
        let rights = book.map(|book| Rights::parse("next.acl", book).unwrap());
        Review {
            limits: Arc::new(limits),
            are_rights_other: rights.is_some(),
            rights: rights.unwrap_or_else(|| self.rights.clone()),
            may_stay: Arc::new(may_stay),
        }
    }

    /// Whom they would hit.
    pub fn look(&self, review: &Review) -> Findings {
        let mut found = Findings::default();
        for line in &self.lines {
            let mut from = Some(0);
            while let Some(place) = from {
                let (of_slice, next) = line.review(review, place, SLICE);
                found.extend(of_slice);
                from = next;
            }
        }
        found
    }

    /// Puts them in force.
    pub fn take(&mut self, review: &Review) {
        let now = self.now;
        self.rights = review.rights.clone();
        self.config.limits = (*review.limits).clone();
        for line in 0..self.lines.len() {
            self.lines[line].set_limits((*review.limits).clone(), now);
            self.lines[line].exchange_rights(review.rights.clone(), now);
            let mut from = Some(0);
            while let Some(place) = from {
                from = self.lines[line].enforce(review, place, SLICE, now);
            }
        }
        self.settle();
    }
}
