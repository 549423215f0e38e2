use super::*;

fn layouts() -> Vec<Layout> {
    let mut layouts = Vec::new();
    for scenario in Scenario::ALL {
        let standard = Plan::of(scenario);
        for (publishers, subscribers, topics) in [(6, 6, 1), (7, 3, 1), (2, 5, 3), (1, 4, 2)] {
            let plan = Plan {
                publishers,
                subscribers,
                topics,
                connections: 5,
                subscriptions: 43,
                ..standard.clone()
            };
            layouts.push(Layout::of(&plan));
        }
    }
    layouts
}

/// Whether a topic filter matches a topic, level by level.
fn matches(filter: &str, topic: &str) -> bool {
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

#[test]
fn who_hears_what_is_what_the_topic_filters_say() {
    for layout in layouts() {
        for publisher in 0..layout.publishers() {
            for place in 0..layout.topics() {
                let topic = layout.topic(publisher, place);
                let mut audience = 0;
                for subscriber in 0..layout.subscribers() {
                    let role = Role::Subscriber(subscriber);
                    let matching = (0..layout.filters(role))
                        .filter(|number| matches(&layout.filter(role, *number), &topic))
                        .count();
                    let ear = layout.ear(subscriber);
                    let hears = ear.publishers.contains(&publisher)
                        && ear.topics.contains(&place)
                        && layout.hears(subscriber, publisher, place);
                    assert_eq!(matching, usize::from(hears), "{layout:?}: {subscriber} hears {topic}");
                    audience += u32::from(hears && layout.counts(subscriber));
                }
                if !matches!(layout.shape, Shape::Retained) {
                    assert_eq!(layout.audience(publisher, place), audience, "{layout:?}: {topic}");
                }
            }
        }
    }
}

#[test]
fn half_of_the_topic_filters_have_wildcards_where_asked() {
    for (wildcard, wanted) in [(true, 500), (false, 0)] {
        let plan = Plan {
            subscriptions: 1_000,
            wildcard,
            ..Plan::of(Scenario::Wildcards)
        };
        let layout = Layout::of(&plan);
        let filters: Vec<_> = (0..layout.subscribers())
            .map(Role::Subscriber)
            .flat_map(|role| (0..layout.filters(role)).map(move |number| (role, number)))
            .map(|(role, number)| layout.filter(role, number))
            .collect();
        assert_eq!(filters.len(), 1_000);
        let wild = filters.iter().filter(|filter| filter.contains(['+', '#'])).count();
        assert_eq!(wild, wanted);
    }
}

#[test]
fn client_ids_are_short_and_differ() {
    for layout in layouts() {
        let ids: std::collections::BTreeSet<_> = layout.clients().map(|role| layout.client_id(role)).collect();
        assert_eq!(ids.len(), layout.clients().count());
        assert!(
            ids.iter()
                .all(|id| id.len() <= 23 && id.chars().all(char::is_alphanumeric)),
            "{ids:?}"
        );
    }
}
