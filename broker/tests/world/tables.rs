//! The shared tables of a world of one thread.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use broker::key::SessionKey;
use broker::message::{Message, Millis};
use broker::router::{Matches, Receiver, Retained, RetainedRefusal, Router, ScanBudget, ShareKey, SubscriptionOptions};
use broker::tables::Tables;
use mqtt_codec::{TopicFilter, TopicName};

use super::Config;

#[derive(Clone, Debug)]
pub struct WorldTables {
    pub router: Rc<RefCell<Router>>,
    pub retained: Rc<RefCell<Retained>>,
}

impl WorldTables {
    pub fn new(config: &Config) -> Self {
        Self {
            router: Rc::new(RefCell::new(Router::new(config.router))),
            retained: Rc::new(RefCell::new(Retained::new(config.retained))),
        }
    }
}

impl Tables for WorldTables {
    fn version(&self) -> u64 {
        self.router.borrow().version()
    }

    fn find(&self, topic: &str, found: &mut Matches) {
        self.router.borrow().find(topic, found);
    }

    fn find_for_publisher(&self, topic: &str, publisher: SessionKey, found: &mut Matches) {
        self.router.borrow().find_for_publisher(topic, publisher, found);
    }

    fn group(&self, key: &ShareKey) -> Vec<Receiver> {
        self.router.borrow().group(key)
    }

    fn subscriptions_behind(
        &self,
        session: SessionKey,
        skipped: usize,
        max: usize,
    ) -> Vec<(TopicFilter, SubscriptionOptions)> {
        self.router.borrow().subscriptions_behind(session, skipped, max)
    }

    fn has_subscription(&self, session: SessionKey, filter: &TopicFilter) -> bool {
        self.router.borrow().has_subscription(session, filter)
    }

    fn subscription_count(&self, session: SessionKey) -> usize {
        self.router.borrow().subscription_count_of(session)
    }

    fn retain(&self, message: &Arc<Message>) -> Result<(), RetainedRefusal> {
        self.retained.borrow_mut().apply(message)
    }

    fn retained(
        &self,
        filter: &TopicFilter,
        cursor: Option<&TopicName>,
        now: Millis,
        found: &mut Vec<Arc<Message>>,
    ) -> Option<TopicName> {
        // A small budget, so that tests see the pauses between two looks.
        let budget = ScanBudget {
            found_max: 4,
            examine_max: 16,
        };
        self.retained.borrow().scan(filter, cursor, budget, now, found)
    }
}
