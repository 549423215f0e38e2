//! Records held against each other: what a delivery, a count or a flight names has to be there.

use std::cmp::Ordering;
use std::iter::Peekable;

use bytes::Bytes;

use super::check::{CheckReport, JournalReport};
use super::entries::Entries;
use super::transfers::{transfer_key_of, transit};
use crate::record::{
    FLIGHT, FlightStep, GRAVE, MESSAGE, QUEUE, RECEIVED, REFERENCE, Record, SESSION, SUBSCRIPTION, TRANSFER, TRANSIT,
    session_key, session_of,
};
use crate::{Store, StoreError, Table};

/// Counts that are held against the queues in one pass over these.
const COUNTS_PER_PASS: usize = 1 << 20;

/// Checks all relations. Records that cannot be read were told before and are passed by.
pub(super) fn check(store: &dyn Store, report: &mut CheckReport) -> Result<(), StoreError> {
    for table in [SUBSCRIPTION, QUEUE, FLIGHT, RECEIVED] {
        let checked = check_owners(store, table, report);
        report.bear(checked)?;
    }
    let checked = check_flights(store, report);
    report.bear(checked)?;
    let checked = check_transfers(store, report);
    report.bear(checked)?;
    let checked = check_messages(store, report);
    report.bear(checked)?;
    let checked = check_counts(store, report);
    report.bear(checked)?;
    let checked = check_numbers(store, report);
    report.bear(checked).map(|_| ())
}

/// What belongs to a session needs one, or the grave of one.
fn check_owners(store: &dyn Store, table: Table, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut sessions = Keys::new(store, SESSION);
    let mut graves = Keys::new(store, GRAVE);
    for entry in Entries::new(store, table) {
        let (key, _) = entry?;
        let owner = key.get(..8).unwrap_or(&key);
        let travels = table == QUEUE && owner == session_key(TRANSIT);
        if !travels && !sessions.has(owner)? && !graves.has(owner)? {
            report.add_flaw(table, &key, "it belongs to a session that does not exist");
        }
    }
    Ok(())
}

/// What was sent has its entry, and what was released has none.
fn check_flights(store: &dyn Store, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut queue = Keys::new(store, QUEUE);
    for entry in Entries::new(store, FLIGHT) {
        let (key, value) = entry?;
        let Ok(Record::Flight(flight)) = Record::read(FLIGHT, &key, &value) else {
            continue;
        };
        match (flight.step, queue.has(&key)?) {
            (FlightStep::Sent, true) | (FlightStep::Released, false) => {}
            (FlightStep::Sent, false) => report.add_flaw(FLIGHT, &key, "it was sent, and its entry is missing"),
            (FlightStep::Released, true) => report.add_flaw(FLIGHT, &key, "it was released, and its entry is there"),
        }
    }
    Ok(())
}

/// A message that travels has its receivers, and these have their message.
fn check_transfers(store: &dyn Store, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut records = Keys::new(store, TRANSFER);
    for entry in transit(store) {
        let (key, _) = entry?;
        if !records.has(transfer_key_of(&key))? {
            report.add_flaw(QUEUE, &key, "nothing says who gets the message that travels");
        }
    }
    let mut queue = Keys::new(store, QUEUE);
    for entry in Entries::new(store, TRANSFER) {
        let (key, _) = entry?;
        let place = [&session_key(TRANSIT), &*key].concat();
        if !queue.has(&place)? {
            report.add_flaw(TRANSFER, &key, "the message that travels is missing");
        }
    }
    Ok(())
}

/// Each shared message has a count, and each count its message.
fn check_messages(store: &dyn Store, report: &mut CheckReport) -> Result<(), StoreError> {
    for (table, other, what) in [
        (MESSAGE, REFERENCE, "nothing says how many deliveries share it"),
        (REFERENCE, MESSAGE, "the message that it counts is missing"),
    ] {
        let mut others = Keys::new(store, other);
        for entry in Entries::new(store, table) {
            let (key, _) = entry?;
            if !others.has(&key)? {
                report.add_flaw(table, &key, what);
            }
        }
    }
    Ok(())
}

/// One count, and what was found of it.
struct Count {
    key: Bytes,
    stored: u32,
    found: u32,
}

/// Each count is that of the entries that name its message. In passes, so that memory has a bound.
fn check_counts(store: &dyn Store, report: &mut CheckReport) -> Result<(), StoreError> {
    let mut references = Entries::new(store, REFERENCE);
    let mut above: Option<Bytes> = None;
    loop {
        let mut counts = Vec::new();
        for entry in references.by_ref() {
            let (key, value) = entry?;
            if let Ok(Record::References(stored)) = Record::read(REFERENCE, &key, &value) {
                counts.push(Count { key, stored, found: 0 });
            }
            if counts.len() == COUNTS_PER_PASS {
                break;
            }
        }
        let is_last = counts.len() < COUNTS_PER_PASS;
        let highest = counts.last().map(|count| count.key.clone());
        let range = Range {
            above: above.as_deref(),
            up_to: highest.as_deref().filter(|_| !is_last),
        };
        count_entries(store, &mut counts, range, report)?;
        for count in counts.iter().filter(|count| count.stored != count.found) {
            report.add_flaw(
                REFERENCE,
                &count.key,
                "it does not count the deliveries that name its message",
            );
        }
        if is_last {
            return Ok(());
        }
        above = highest;
    }
}

/// The messages of one pass.
#[derive(Clone, Copy)]
struct Range<'a> {
    above: Option<&'a [u8]>,
    up_to: Option<&'a [u8]>,
}

impl Range<'_> {
    fn contains(&self, key: &[u8]) -> bool {
        self.above.is_none_or(|above| key > above) && self.up_to.is_none_or(|up_to| key <= up_to)
    }
}

fn count_entries(
    store: &dyn Store,
    counts: &mut [Count],
    range: Range<'_>,
    report: &mut CheckReport,
) -> Result<(), StoreError> {
    for entry in Entries::new(store, QUEUE) {
        let (key, value) = entry?;
        let Ok(Record::Entry(delivery)) = Record::read(QUEUE, &key, &value) else {
            continue;
        };
        let shared = delivery.shared().map(|id| id.0.to_be_bytes());
        let Some(id) = shared.filter(|id| range.contains(id)) else {
            continue;
        };
        let found = counts.binary_search_by(|count| (*count.key).cmp(&id[..]));
        match found.ok().and_then(|index| counts.get_mut(index)) {
            Some(count) => count.found = count.found.saturating_add(1),
            None => report.add_flaw(QUEUE, &key, "it names a message that nothing counts"),
        }
    }
    Ok(())
}

/// No session and no message has a number that the store has yet to give out.
fn check_numbers(store: &dyn Store, report: &mut CheckReport) -> Result<(), StoreError> {
    let highest = report
        .journal
        .as_ref()
        .map(JournalReport::stamp)
        .unwrap_or_default()
        .number;
    for table in [SESSION, MESSAGE] {
        for entry in Entries::new(store, table) {
            let (key, _) = entry?;
            if session_of(&key).is_some_and(|number| number.0 > highest) {
                report.add_flaw(table, &key, "its number is above the last that the journal knows of");
            }
        }
    }
    Ok(())
}

/// The keys of a table, asked for in ascending order.
struct Keys<'a> {
    entries: Peekable<Entries<'a>>,
}

impl<'a> Keys<'a> {
    fn new(store: &'a dyn Store, table: Table) -> Self {
        Self {
            entries: Entries::new(store, table).peekable(),
        }
    }

    /// Whether the table has that key, which is not below the one that was asked for before.
    fn has(&mut self, key: &[u8]) -> Result<bool, StoreError> {
        loop {
            let order = match self.entries.peek() {
                Some(Ok((known, _))) => (**known).cmp(key),
                Some(Err(_)) => Ordering::Less,
                None => return Ok(false),
            };
            match order {
                Ordering::Less => self.entries.next().transpose()?,
                Ordering::Equal => return Ok(true),
                Ordering::Greater => return Ok(false),
            };
        }
    }
}
