//! What the standard says about matching, written down as slowly and plainly as possible.

use super::*;

/// Section 4.7 of 3.1.1 and of 5.0.
pub(super) fn matches(filter: &str, topic: &str) -> bool {
    let filter: Vec<&str> = filter.split('/').collect();
    let topic: Vec<&str> = topic.split('/').collect();
    let starts_with_wildcard = filter[0] == "+" || filter[0] == "#";
    if topic[0].starts_with('$') && starts_with_wildcard {
        return false;
    }
    levels_match(&filter, &topic)
}

fn levels_match(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        // The level in front of `#` has been matched already, and any number of further ones is fine: none, too.
        (["#"], _) | ([], []) => true,
        (["+", filter @ ..], [_, topic @ ..]) => levels_match(filter, topic),
        ([wanted, filter @ ..], [level, topic @ ..]) => wanted == level && levels_match(filter, topic),
        ([], [_, ..]) | ([_, ..], []) => false,
    }
}

/// What a session gets, with its identifiers in order.
pub(super) type Expected = BTreeMap<SessionKey, (QoS, NoLocal, bool, Vec<SubscriptionId>)>;

/// Members with their options, by share name and filter.
pub(super) type ExpectedGroups = BTreeMap<(String, String), Expected>;

/// A list of all subscriptions, looked through from the front to the back.
#[derive(Default)]
pub(super) struct Model {
    pub(super) subscriptions: Vec<(SessionKey, String, SubscriptionOptions)>,
}

impl Model {
    /// Returns what was there before.
    pub(super) fn subscribe(
        &mut self,
        session: SessionKey,
        filter: &str,
        options: SubscriptionOptions,
    ) -> Option<SubscriptionOptions> {
        let before = self
            .subscriptions
            .iter()
            .find(|(who, text, _)| *who == session && text == filter);
        let before = before.map(|&(_, _, options)| options);
        self.unsubscribe(session, filter);
        self.subscriptions.push((session, filter.to_owned(), options));
        before
    }

    pub(super) fn unsubscribe(&mut self, session: SessionKey, filter: &str) -> bool {
        let before = self.subscriptions.len();
        self.subscriptions
            .retain(|(who, text, _)| *who != session || text != filter);
        self.subscriptions.len() < before
    }

    pub(super) fn remove_session(&mut self, session: SessionKey) -> usize {
        let before = self.subscriptions.len();
        self.subscriptions.retain(|(who, _, _)| *who != session);
        before - self.subscriptions.len()
    }

    pub(super) fn find(&self, topic: &str, publisher: Option<SessionKey>) -> (Expected, ExpectedGroups) {
        let mut plain: BTreeMap<SessionKey, Vec<SubscriptionOptions>> = BTreeMap::new();
        let mut groups = ExpectedGroups::new();
        for (session, text, options) in &self.subscriptions {
            if let Some((share, inner)) = text.strip_prefix("$share/").and_then(|rest| rest.split_once('/')) {
                if matches(inner, topic) {
                    let group = groups.entry((share.to_owned(), inner.to_owned())).or_default();
                    group.insert(*session, merge(&[*options]));
                }
            } else if matches(text, topic) && !(options.no_local && publisher == Some(*session)) {
                plain.entry(*session).or_default().push(*options);
            }
        }
        (
            plain.into_iter().map(|(session, all)| (session, merge(&all))).collect(),
            groups,
        )
    }
}

fn merge(all: &[SubscriptionOptions]) -> (QoS, NoLocal, bool, Vec<SubscriptionId>) {
    let qos = all.iter().map(|options| options.qos).max().expect("not empty");
    let no_local = if all.iter().all(|options| options.no_local) {
        NoLocal::All
    } else if all.iter().any(|options| options.no_local) {
        NoLocal::Some
    } else {
        NoLocal::None
    };
    let mut ids: Vec<SubscriptionId> = all.iter().filter_map(|options| options.id).collect();
    ids.sort_unstable();
    (
        qos,
        no_local,
        all.iter().any(|options| options.retain_as_published),
        ids,
    )
}

/// What the router found, in the model's form. A session that stands there twice fails the test.
pub(super) fn seen(receivers: &[Receiver]) -> Expected {
    let mut seen = Expected::new();
    for receiver in receivers {
        let mut ids = receiver.ids.as_slice().to_vec();
        ids.sort_unstable();
        let what = (receiver.qos, receiver.no_local, receiver.retain_as_published, ids);
        assert!(
            seen.insert(receiver.session, what).is_none(),
            "{:?} twice",
            receiver.session
        );
    }
    seen
}
