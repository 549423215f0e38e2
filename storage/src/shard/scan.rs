//! Entries of the overlay over those of the engine, in one order.

use std::cmp::Ordering;
use std::ops::Bound;

use bytes::Bytes;

use super::Shard;
use crate::batch::Place;
use crate::overlay::Known;
use crate::{ScanLimit, Store, StoreError, Table};

/// Which state of a shard is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Present,
    Frozen,
}

/// [`Store::scan`] over both.
pub(super) fn merged(
    shard: &Shard,
    table: Table,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: ScanLimit,
    view: View,
) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
    let wanted = Place::new(table, prefix);
    let from = match after {
        Some(after) if after >= prefix => Bound::Excluded(Place::new(table, after)),
        Some(_) | None => Bound::Included(wanted.clone()),
    };
    let overlay = shard.overlay.range(from, view == View::Frozen);
    let mut overlay = overlay
        .take_while(|(place, _)| place.as_bytes().starts_with(wanted.as_bytes()))
        .peekable();
    let mut shelf = Pages {
        engine: &*shard.engine,
        table,
        prefix,
        after: after.map(Bytes::copy_from_slice),
        limit,
        page: Vec::new().into_iter(),
        next: None,
        is_through: false,
    };
    let mut found = Vec::new();
    let mut bytes = 0;
    while !limit.is_reached(found.len(), bytes) {
        let order = match (overlay.peek(), shelf.peek()?) {
            (Some((place, _)), Some(key)) => place.key().cmp(key),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        let from_shelf = if order == Ordering::Less { None } else { shelf.take() };
        let entry = match order {
            Ordering::Greater => from_shelf,
            // What the overlay knows hides what the engine has.
            Ordering::Less | Ordering::Equal => overlay.next().and_then(|(place, known)| match known {
                Known::Value(value) => Some((Bytes::copy_from_slice(place.key()), value)),
                Known::Removed | Known::Nothing => None,
            }),
        };
        if let Some((key, value)) = entry {
            bytes += key.len() + value.len();
            found.push((key, value));
        }
    }
    Ok(found)
}

/// The engine's entries, taken page by page.
struct Pages<'a> {
    engine: &'a dyn Store,
    table: Table,
    prefix: &'a [u8],
    after: Option<Bytes>,
    limit: ScanLimit,
    page: std::vec::IntoIter<(Bytes, Bytes)>,
    next: Option<(Bytes, Bytes)>,
    is_through: bool,
}

impl Pages<'_> {
    /// The next key.
    fn peek(&mut self) -> Result<Option<&Bytes>, StoreError> {
        if self.next.is_none() {
            self.next = self.page.next();
        }
        if self.next.is_none() && !self.is_through {
            let page = self
                .engine
                .scan(self.table, self.prefix, self.after.as_deref(), self.limit)?;
            let bytes = page.iter().map(|(key, value)| key.len() + value.len()).sum();
            self.is_through = page.is_empty() || !self.limit.is_reached(page.len(), bytes);
            self.after = page.last().map(|(key, _)| key.clone());
            self.page = page.into_iter();
            self.next = self.page.next();
        }
        Ok(self.next.as_ref().map(|(key, _)| key))
    }

    fn take(&mut self) -> Option<(Bytes, Bytes)> {
        self.next.take()
    }
}
