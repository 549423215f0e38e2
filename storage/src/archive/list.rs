//! What a broker reads when it starts: sessions, retained messages and wills, page by page.

use bytes::Bytes;

use super::Archive;
use super::load::SMALL;
use super::walk::Walk;
use crate::record::{
    Fault, Fields, Flaw, MessageRecord, RETAINED, SESSION, SUBSCRIPTION, SessionId, SessionRecord, SubscriptionRecord,
    WILL, WillRecord, open, session_of,
};
use crate::{ScanLimit, Store, StoreError, Table};

/// Where a page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Box<[u8]>);

/// Some of all.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// In the order of their keys.
    pub items: Vec<T>,
    /// Where to go on; `None`: this was the last page.
    pub next: Option<Cursor>,
}

/// A session with its subscriptions.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSession {
    /// Its number.
    pub id: SessionId,
    /// Whose it is.
    pub record: SessionRecord,
    /// All of its subscriptions.
    pub subscriptions: Vec<SubscriptionRecord>,
}

impl<S: Store> Archive<S> {
    /// Sessions behind a cursor with their subscriptions. The page ends with the session whose records, or those of its
    /// subscriptions, reach `limit`.
    ///
    /// # Errors
    ///
    /// The store failed or a record is damaged.
    pub fn sessions(&mut self, cursor: Option<&Cursor>, limit: ScanLimit) -> Result<Page<StoredSession>, StoreError> {
        self.apply()?;
        let mut sessions = Walk::new(SESSION, &[], cursor.map(|cursor| &*cursor.0), limit);
        let first = sessions.peek(&self.store)?.map(|(key, _)| key.clone());
        let mut subscriptions = Walk::new(SUBSCRIPTION, &[], first.as_deref(), SMALL);
        let (mut items, mut last) = (Vec::new(), Bytes::new());
        let (mut records, mut bytes) = (0, 0);
        while items.is_empty() || !limit.is_reached(records, bytes) {
            let Some((key, value)) = sessions.next(&self.store)? else {
                break;
            };
            let session = StoredSession {
                id: self.session(SESSION, &key)?,
                record: self.decode(SESSION, &key, &value, SessionRecord::read)?,
                subscriptions: self.subscriptions(&key, &mut subscriptions, &mut bytes)?,
            };
            records += 1 + session.subscriptions.len();
            bytes += value.len();
            items.push(session);
            last = key;
        }
        let next = sessions.peek(&self.store)?.map(|_| Cursor(Box::from(&*last)));
        Ok(Page { items, next })
    }

    /// Retained messages behind a cursor, in no order that means anything; detached, for keeping.
    ///
    /// # Errors
    ///
    /// The store failed or a record is damaged.
    pub fn retained(&mut self, cursor: Option<&Cursor>, limit: ScanLimit) -> Result<Page<MessageRecord>, StoreError> {
        self.page(RETAINED, cursor, limit, |archive, key, value| {
            let message = archive.decode(RETAINED, key, value, MessageRecord::read)?;
            Ok(message.detach())
        })
    }

    /// Wills behind a cursor, of clients whose session is not kept.
    ///
    /// # Errors
    ///
    /// The store failed or a record is damaged.
    pub fn wills(
        &mut self,
        cursor: Option<&Cursor>,
        limit: ScanLimit,
    ) -> Result<Page<(SessionId, WillRecord)>, StoreError> {
        self.page(WILL, cursor, limit, |archive, key, value| {
            let record = archive.decode(WILL, key, value, WillRecord::read)?;
            Ok((archive.session(WILL, key)?, record))
        })
    }

    fn page<T>(
        &mut self,
        table: Table,
        cursor: Option<&Cursor>,
        limit: ScanLimit,
        read: impl Fn(&Self, &Bytes, &Bytes) -> Result<T, StoreError>,
    ) -> Result<Page<T>, StoreError> {
        self.apply()?;
        let found = self.store.scan(table, &[], cursor.map(|cursor| &*cursor.0), limit)?;
        let bytes = found.iter().map(|(key, value)| key.len() + value.len()).sum();
        let next = found.last().filter(|_| limit.is_reached(found.len(), bytes));
        let items = found.iter().map(|(key, value)| read(self, key, value));
        Ok(Page {
            items: items.collect::<Result<_, _>>()?,
            next: next.map(|(key, _)| Cursor(Box::from(&**key))),
        })
    }

    /// Takes the subscriptions of the session with this key off a walk that stands before them, and passes by those of
    /// sessions that ended.
    fn subscriptions(
        &self,
        session: &[u8],
        walk: &mut Walk,
        bytes: &mut usize,
    ) -> Result<Vec<SubscriptionRecord>, StoreError> {
        let mut found = Vec::new();
        while let Some((key, _)) = walk.peek(&self.store)? {
            let is_own = key.starts_with(session);
            if !is_own && **key > *session {
                break;
            }
            let Some((key, value)) = walk.next(&self.store)? else {
                break;
            };
            if is_own {
                *bytes += value.len();
                found.push(self.decode(SUBSCRIPTION, &key, &value, SubscriptionRecord::read)?);
            }
        }
        Ok(found)
    }

    fn decode<T>(
        &self,
        table: Table,
        key: &[u8],
        value: &Bytes,
        read: impl FnOnce(&mut Fields) -> Result<T, &'static str>,
    ) -> Result<T, StoreError> {
        open(table, key, value, read).map_err(|fault| self.damaged(&fault))
    }

    fn session(&self, table: Table, key: &[u8]) -> Result<SessionId, StoreError> {
        session_of(key).ok_or_else(|| self.damaged(&Fault::new(table, key, Flaw::Content("its key names no session"))))
    }
}
