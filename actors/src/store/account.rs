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
    /// Number, and parts that are still awaited.
    open: VecDeque<(u64, u16)>,
    /// Parts that came before their batch.
    early: HashMap<u64, u16>,
    /// The highest number up to which everything is applied.
    applied: u64,
    progress: Progress,
}

impl Accounts {
    pub(super) fn new(lines: u16) -> Self {
        Self {
            lines: (0..lines).map(|_| Account::default()).collect(),
        }
    }

    /// Notes a batch that was applied, and the parts of other lines' batches in it.
    pub(super) fn apply(&mut self, line: u16, number: u64, awaits: u16, parts: &[Part]) {
        if let Some(account) = self.lines.get_mut(usize::from(line)) {
            let early = account.early.remove(&number).unwrap_or(0);
            account.open.push_back((number, awaits.saturating_sub(early)));
            account.close();
        }
        for part in parts {
            if let Some(account) = self.lines.get_mut(usize::from(part.line)) {
                account.take_part(part.number);
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
    fn take_part(&mut self, number: u64) {
        match self.open.iter_mut().find(|(open, _)| *open == number) {
            Some((_, awaited)) => *awaited = awaited.saturating_sub(1),
            None => *self.early.entry(number).or_default() += 1,
        }
        self.close();
    }

    fn close(&mut self) {
        while let Some((number, 0)) = self.open.front().copied() {
            self.open.pop_front();
            self.applied = number;
        }
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
    fn a_part_that_comes_before_its_batch_is_not_forgotten() {
        let mut accounts = Accounts::new(2);
        accounts.apply(1, 1, 0, &[Part { line: 0, number: 7 }]);
        accounts.apply(0, 7, 2, &[]);
        assert_eq!(reports(&mut accounts, true), [(1, 1, 1)]);
        accounts.apply(1, 2, 0, &[Part { line: 0, number: 7 }]);
        assert_eq!(reports(&mut accounts, true), [(0, 7, 7), (1, 2, 2)]);
    }
}
