//! The routing table and the retained messages, shared by all lines.
//!
//! The router actor is the only writer of the routing table. A line takes the read lock only for a topic whose
//! receivers it does not remember or whose memory is older than the last change, so that a steady flow of messages
//! touches one atomic number and no lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use broker::key::SessionKey;
use broker::message::{Message, Millis};
use broker::router::{
    Matches, Receiver, Retained, RetainedLimits, RetainedRefusal, Router, RouterLimits, ScanBudget, ShareKey,
    SubscriptionOptions,
};
use broker::routing::{RouteReply, RouteRequest, carry_out};
use broker::tables::Tables;
use mqtt_codec::{TopicFilter, TopicName};
use parking_lot::RwLock;

/// Retained messages that one look at the store takes out, and entries that it examines at most.
const SCAN: ScanBudget = ScanBudget {
    found_max: 64,
    examine_max: 2048,
};
/// Entries that one look for expired retained messages examines.
const SWEEP_EXAMINE_MAX: usize = 256;

/// A handle on the shared tables.
#[derive(Clone, Debug)]
pub(crate) struct SharedTables {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    router: RwLock<Router>,
    version: AtomicU64,
    retained: RwLock<Retained>,
}

impl SharedTables {
    /// Empty tables.
    #[must_use]
    pub(crate) fn new(router: RouterLimits, retained: RetainedLimits) -> Self {
        let inner = Inner {
            router: RwLock::new(Router::new(router)),
            version: AtomicU64::new(0),
            retained: RwLock::new(Retained::new(retained)),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Keeps other bounds from here on.
    pub(crate) fn set_limits(&self, router: RouterLimits, retained: RetainedLimits) {
        self.inner.router.write().set_limits(router);
        self.inner.retained.write().set_limits(retained);
    }

    /// Carries out changes in their order. When this returns, every line's next message sees them.
    pub(crate) fn change(&self, requests: Vec<RouteRequest>) -> Vec<RouteReply> {
        let mut router = self.inner.router.write();
        let replies = requests
            .into_iter()
            .filter_map(|request| carry_out(&mut router, request))
            .collect();
        self.inner.version.store(router.version(), Ordering::Release);
        replies
    }

    /// Deletes some of the retained messages whose time is over; says whose.
    pub(crate) fn sweep(&self, now: Millis) -> Vec<TopicName> {
        self.inner.retained.write().remove_expired(now, SWEEP_EXAMINE_MAX)
    }

    /// The retained message of a topic.
    pub(crate) fn retained_message(&self, topic: &str) -> Option<Arc<Message>> {
        self.inner.retained.read().get(topic).cloned()
    }

    /// Some of the retained messages whose topics begin with `prefix`: see [`Retained::walk`].
    pub(crate) fn walk_retained(
        &self,
        prefix: &str,
        cursor: Option<&TopicName>,
        visit: impl FnMut(&Arc<Message>),
    ) -> Option<TopicName> {
        let retained = self.inner.retained.read();
        retained.walk(prefix, cursor, SCAN.examine_max, visit)
    }

    /// Subscriptions, retained messages, and bytes of the latter.
    pub(crate) fn sizes(&self) -> (usize, usize, usize) {
        let retained = self.inner.retained.read();
        (
            self.inner.router.read().subscription_count(),
            retained.len(),
            retained.bytes(),
        )
    }
}

impl Tables for SharedTables {
    fn version(&self) -> u64 {
        self.inner.version.load(Ordering::Acquire)
    }

    fn find(&self, topic: &str, found: &mut Matches) {
        self.inner.router.read().find(topic, found);
    }

    fn find_for_publisher(&self, topic: &str, publisher: SessionKey, found: &mut Matches) {
        self.inner.router.read().find_for_publisher(topic, publisher, found);
    }

    fn group(&self, key: &ShareKey) -> Vec<Receiver> {
        self.inner.router.read().group(key)
    }

    fn subscriptions_behind(
        &self,
        session: SessionKey,
        skipped: usize,
        max: usize,
    ) -> Vec<(TopicFilter, SubscriptionOptions)> {
        self.inner.router.read().subscriptions_behind(session, skipped, max)
    }

    fn has_subscription(&self, session: SessionKey, filter: &TopicFilter) -> bool {
        self.inner.router.read().has_subscription(session, filter)
    }

    fn subscription_count(&self, session: SessionKey) -> usize {
        self.inner.router.read().subscription_count_of(session)
    }

    fn retain(&self, message: &Arc<Message>) -> Result<(), RetainedRefusal> {
        self.inner.retained.write().apply(message)
    }

    fn retained(
        &self,
        filter: &TopicFilter,
        cursor: Option<&TopicName>,
        now: Millis,
        found: &mut Vec<Arc<Message>>,
    ) -> Option<TopicName> {
        self.inner.retained.read().scan(filter, cursor, SCAN, now, found)
    }
}
