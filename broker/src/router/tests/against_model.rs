//! Random subscriptions, searches and removals: the router and the model have to agree at every step.

use super::model::{Expected, ExpectedGroups, Model, seen};
use super::random::{Random, seed};
use super::*;

const FILTER_LEVELS: &[&str] = &["", "a", "b", "$x", "+", "+", "a-level-of-more-than-14-bytes"];
const TOPIC_LEVELS: &[&str] = &["", "a", "b", "$x", "a-level-of-more-than-14-bytes"];
const SESSIONS: u32 = 8;

struct World {
    random: Random,
    router: Router,
    model: Model,
    found: Matches,
}

impl World {
    fn new(seed: u64) -> Self {
        let limits = RouterLimits { seed, ..limits() };
        let found = Matches::default();
        Self {
            random: Random::new(seed),
            router: Router::new(limits),
            model: Model::default(),
            found,
        }
    }

    fn session(&mut self) -> SessionKey {
        session(self.random.below(SESSIONS as usize) as u32)
    }

    /// Often one that is subscribed to, so that something is replaced and removed.
    fn session_and_filter(&mut self) -> (SessionKey, String) {
        if !self.model.subscriptions.is_empty() && self.random.one_in(2) {
            let at = self.random.below(self.model.subscriptions.len());
            let (session, text, _) = &self.model.subscriptions[at];
            return (*session, text.clone());
        }
        let text = self.random.filter(FILTER_LEVELS);
        let share = match self.random.below(6) {
            0 => "$share/g/",
            1 => "$share/h/",
            _ => "",
        };
        (self.session(), share.to_owned() + &text)
    }

    fn options(&mut self, filter: &str) -> SubscriptionOptions {
        let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][self.random.below(3)];
        let shared = filter.starts_with("$share/");
        SubscriptionOptions {
            qos,
            no_local: !shared && self.random.one_in(3),
            retain_as_published: self.random.one_in(3),
            id: SubscriptionId::new(self.random.below(5) as u32),
        }
    }

    fn change(&mut self) {
        let version = self.router.version();
        let changed = match self.random.below(20) {
            0..=11 => {
                let (session, text) = self.session_and_filter();
                let options = self.options(&text);
                let before = self.model.subscribe(session, &text, options);
                let existed = self.router.subscribe(session, &filter(&text), options);
                assert_eq!(existed, Ok(before.is_some()));
                before != Some(options)
            }
            12..=17 => {
                let (session, text) = self.session_and_filter();
                let existed = self.router.unsubscribe(session, &filter(&text));
                assert_eq!(existed, self.model.unsubscribe(session, &text));
                existed
            }
            18 => {
                let session = self.session();
                let removed = self.router.remove_session(session);
                assert_eq!(removed, self.model.remove_session(session));
                removed > 0
            }
            _ => false,
        };
        assert_eq!(self.router.version() > version, changed);
        assert_eq!(self.router.subscription_count(), self.model.subscriptions.len());
    }

    fn search(&mut self) {
        let topic = self.random.levels(TOPIC_LEVELS);
        let publisher = self.session();
        self.router.find(&topic, &mut self.found);
        self.compare(&topic, None);
        self.router.find_for_publisher(&topic, publisher, &mut self.found);
        self.compare(&topic, Some(publisher));
    }

    fn compare(&self, topic: &str, publisher: Option<SessionKey>) {
        let (receivers, groups) = self.model.find(topic, publisher);
        assert_eq!(seen(&self.found.receivers), receivers, "receivers of {topic:?}");
        let mut found_groups = ExpectedGroups::new();
        for group in &self.found.groups {
            let key = (group.key.share.to_string(), group.key.filter.to_string());
            assert_eq!(self.router.group(&group.key), group.members);
            assert!(found_groups.insert(key, seen(&group.members)).is_none(), "group twice");
        }
        assert_eq!(found_groups, groups, "groups of {topic:?}");
    }

    fn list(&mut self) {
        let who = self.session();
        let mut listed: Vec<String> = self
            .router
            .subscriptions(who)
            .iter()
            .map(|(filter, _)| filter.to_string())
            .collect();
        listed.sort_unstable();
        let mut expected: Vec<String> = self
            .model
            .subscriptions
            .iter()
            .filter(|(session, ..)| *session == who)
            .map(|s| s.1.clone())
            .collect();
        expected.sort_unstable();
        assert_eq!(listed, expected);
    }
}

/// [MQTT-4.7.2-1] in 3.1.1, [MQTT-4.7.2-1] in 5.0, [MQTT-3.3.5-1] in 3.1.1, [MQTT-3.3.4-2] in 5.0,
/// [MQTT-3.3.4-4] in 5.0, [MQTT-3.10.4-1] in 3.1.1, [MQTT-3.10.4-1] in 5.0: 100,000 searches between random changes
/// find what the model finds, and when the last session is gone the tree is bare.
#[test]
fn one_hundred_thousand_searches_agree_with_the_model() {
    let seed = seed();
    for world in 0..1_000 {
        let mut world = World::new(seed.wrapping_add(world));
        for _ in 0..50 {
            world.change();
            world.search();
        }
        world.list();
        for number in 0..SESSIONS {
            world.router.remove_session(session(number));
        }
        assert_eq!(world.router.subscription_count(), 0);
        assert_eq!(world.router.trie.node_count(), 1);
        assert_eq!(world.router.groups.len(), 0);
        world.router.find("a", &mut world.found);
        assert_eq!(seen(&world.found.receivers), Expected::new());
    }
}
