//! Which batches of a line are kept, with the parts of them that other lines carried out.

use std::collections::{HashMap, VecDeque};

use broker::durable::{Part, Progress};

/// The account of all lines.
#[derive(Debug)]
pub(super) struct Accounts {
    lines: Vec<Account>,
}

/// One line's batches that are applied and not yet reported.
#[derive(Debug, Default)]
struct Account {
    open: VecDeque<Open>,
    /// Parts that came before their batch.
    early: HashMap<u64, u16>,
    /// The highest number up to which everything is applied.
    applied: u64,
    progress: Progress,
}

/// A batch that is applied.
#[derive(Debug)]
struct Open {
    number: u64,
    /// Parts that are still to come.
    awaits: u16,
    /// The batches that it carries out a part of. Not before its own parts have come: a message may travel on.
    parts: Vec<Part>,
}

impl Accounts {
    pub(super) fn new(lines: u16) -> Self {
        Self {
            lines: (0..lines).map(|_| Account::default()).collect(),
        }
    }

    /// Notes a batch that was applied, and the parts of other lines' batches in it.
    pub(super) fn apply(&mut self, line: u16, number: u64, awaits: u16, parts: &[Part]) {
        let Some(account) = self.lines.get_mut(usize::from(line)) else {
            return;
        };
        let early = account.early.remove(&number).unwrap_or(0);
        account.open.push_back(Open {
            number,
            awaits: awaits.saturating_sub(early),
            parts: parts.to_vec(),
        });
        let mut carried_out = account.settle();
        while let Some(part) = carried_out.pop() {
            if let Some(account) = self.lines.get_mut(usize::from(part.line)) {
                carried_out.extend(account.take_part(part.number));
            }
        }
    }

    /// Everything that was applied is with the kernel; with `synced`, on the device too. Calls `report` for each line
    /// that has come further.
    pub(super) fn commit(&mut self, synced: bool, mut report: impl FnMut(usize, Progress)) {
        for (line, account) in self.lines.iter_mut().enumerate() {
            let progress = Progress {
                written: account.applied,
                synced: if synced {
                    account.applied
                } else {
                    account.progress.synced
                },
            };
            if progress != account.progress {
                account.progress = progress;
                report(line, progress);
            }
        }
    }
}

impl Account {
    /// Takes a part of a batch of this line; gives what that batch has carried out of others.
    fn take_part(&mut self, number: u64) -> Vec<Part> {
        match self.open.iter_mut().find(|open| open.number == number) {
            Some(open) => open.awaits = open.awaits.saturating_sub(1),
            None => *self.early.entry(number).or_default() += 1,
        }
        self.settle()
    }

    /// Drops batches off the front that are whole; gives what all that are whole have carried out of others.
    fn settle(&mut self) -> Vec<Part> {
        let whole = self.open.iter_mut().filter(|open| open.awaits == 0);
        // In any order: lines may wait for each other.
        let carried_out = whole.flat_map(|open| std::mem::take(&mut open.parts)).collect();
        while let Some(open) = self.open.pop_front_if(|open| open.awaits == 0) {
            self.applied = open.number;
        }
        carried_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reports(accounts: &mut Accounts, synced: bool) -> Vec<(usize, u64, u64)> {
        let mut reports = Vec::new();
        accounts.commit(synced, |line, progress| {
            reports.push((line, progress.written, progress.synced))
        });
        reports
    }

    #[test]
    fn a_batch_counts_when_its_parts_on_other_lines_are_kept_and_not_before_an_older_one() {
        let mut accounts = Accounts::new(2);
        accounts.apply(0, 1, 1, &[]);
        accounts.apply(0, 2, 0, &[]);
        assert_eq!(reports(&mut accounts, true), []);
        accounts.apply(1, 1, 0, &[Part { line: 0, number: 1 }]);
        assert_eq!(reports(&mut accounts, false), [(0, 2, 0), (1, 1, 0)]);
        assert_eq!(reports(&mut accounts, true), [(0, 2, 2), (1, 1, 1)]);
        assert_eq!(reports(&mut accounts, true), []);
    }

    #[test]
    fn a_part_counts_when_what_it_was_passed_on_to_is_kept_too_and_lines_that_wait_for_each_other_go_on() {
        let mut accounts = Accounts::new(2);
        accounts.apply(0, 1, 1, &[]);
        accounts.apply(1, 1, 1, &[Part { line: 0, number: 1 }]);
        assert_eq!(reports(&mut accounts, true), []);
        accounts.apply(0, 2, 0, &[Part { line: 1, number: 1 }]);
        assert_eq!(reports(&mut accounts, true), [(0, 2, 2), (1, 1, 1)]);
    }

    #[test]
    fn a_part_that_comes_before_its_batch_is_not_forgotten() {
        let mut accounts = Accounts::new(2);
        accounts.apply(1, 1, 0, &[Part { line: 0, number: 7 }]);
        accounts.apply(0, 7, 2, &[]);
        assert_eq!(reports(&mut accounts, true), [(1, 1, 1)]);
        accounts.apply(1, 2, 0, &[Part { line: 0, number: 7 }]);
        assert_eq!(reports(&mut accounts, true), [(0, 7, 7), (1, 2, 2)]);
    }
}
