use mqtt_codec::{TopicFilter, TopicName};

use super::matches;

#[test]
fn filters_match_as_in_a_broker() {
    for (filter, topic, expected) in [
        ("a/b", "a/b", true),
        ("a/b", "a", false),
        ("a", "a/b", false),
        ("a/+", "a/b", true),
        ("a/+", "a", false),
        ("a/#", "a", true),
        ("a/#", "a/b/c", true),
        ("#", "a", true),
        ("#", "$SYS/a", false),
        ("+/a", "$SYS/a", false),
        ("$SYS/#", "$SYS/a", true),
        ("/+", "/", true),
    ] {
        let topic = TopicName::new(topic).unwrap();
        assert_eq!(
            matches(&TopicFilter::new(filter).unwrap(), &topic),
            expected,
            "{filter} {topic}"
        );
    }
}
