//! The router and the retained messages: single stories here and in `stories`, random ones against a model in
//! `against_model`.

mod against_model;
mod model;
mod random;
mod retained;
mod roll;
mod shared;
mod stories;

use std::collections::BTreeMap;

use mqtt_codec::{QoS, SubscriptionId, TopicFilter};

use super::{Matches, NoLocal, Receiver, Router, RouterLimits, SubscriptionOptions};
use crate::key::SessionKey;

fn limits() -> RouterLimits {
    RouterLimits {
        subscriptions_per_session_max: 1_000,
        topic_levels_max: 128,
        seed: 7,
    }
}

fn router() -> Router {
    Router::new(limits())
}

fn session(number: u32) -> SessionKey {
    SessionKey::new(0, number, 1)
}

fn filter(text: &str) -> TopicFilter {
    TopicFilter::new(text.to_owned()).expect("a valid filter")
}

fn id(number: u32) -> Option<SubscriptionId> {
    Some(SubscriptionId::new(number).expect("not 0"))
}

fn options(qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions {
        qos,
        no_local: false,
        retain_as_published: false,
        id: None,
    }
}

fn find(router: &Router, topic: &str) -> Matches {
    let mut found = Matches::default();
    router.find(topic, &mut found);
    found
}

/// Who gets a message on `topic`, by slot, in order.
fn slots(router: &Router, topic: &str) -> Vec<u32> {
    let mut slots: Vec<u32> = find(router, topic)
        .receivers
        .iter()
        .map(|receiver| receiver.session.slot())
        .collect();
    slots.sort_unstable();
    slots
}

/// A router in which session `n` holds the `n`th filter.
fn subscribed(filters: &[&str]) -> Router {
    let mut router = router();
    for (number, text) in (0..).zip(filters) {
        router
            .subscribe(session(number), &filter(text), options(QoS::AtMostOnce))
            .expect("within limits");
    }
    router
}
