use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::Version::{V5, V311};
use crate::violation::rules;

#[track_caller]
fn clause_of_name(text: &str) -> String {
    TopicName::new(text).expect_err("a bad name").clause().to_string()
}

#[track_caller]
fn clause_of_filter(text: &str) -> String {
    TopicFilter::new(text).expect_err("a bad filter").clause().to_string()
}

fn filter(text: &str) -> TopicFilter {
    TopicFilter::new(text).expect("a good filter")
}

/// [MQTT-4.7.0-1] in 5.0, [MQTT-4.7.1-1] in 3.1.1: wildcards are for filters.
#[test]
fn v5_4_7_0_1_a_name_has_no_wildcards() {
    for text in ["+", "#", "a/#", "a/+/b", "a+b"] {
        assert_eq!(clause_of_name(text), "[MQTT-4.7.0-1] in 5.0");
    }
    let mut long = "x".repeat(100);
    long.push('#');
    assert_eq!(clause_of_name(&long), "[MQTT-4.7.0-1] in 5.0");
}

/// [MQTT-4.7.3-1] in 3.1.1, [MQTT-4.7.3-1] in 5.0: names and filters have at least one character.
#[test]
fn v5_4_7_3_1_nothing_is_neither_a_name_nor_a_filter() {
    assert_eq!(clause_of_name(""), "[MQTT-4.7.3-1] in 5.0");
    assert_eq!(clause_of_filter(""), "[MQTT-4.7.3-1] in 5.0");
    assert!(TopicName::empty().is_empty());
}

/// [MQTT-4.7.3-2] in 3.1.1, [MQTT-4.7.3-2] in 5.0: neither has U+0000.
#[test]
fn v5_4_7_3_2_neither_names_nor_filters_have_a_null_character() {
    assert_eq!(
        TopicName::new("a\0").expect_err("bad").detail(),
        rules::NULL_CHARACTER.detail
    );
    assert_eq!(
        TopicName::new("a\0+").expect_err("bad").detail(),
        rules::NULL_CHARACTER.detail
    );
    assert_eq!(
        TopicFilter::new("a\0").expect_err("bad").detail(),
        rules::NULL_CHARACTER.detail
    );
}

/// [MQTT-4.7.3-3] in 3.1.1, [MQTT-4.7.3-3] in 5.0: neither is longer than 65,535 bytes.
#[test]
fn v5_4_7_3_3_names_and_filters_end_at_65_535_bytes() {
    let longest = "/".repeat(65_535);
    assert_eq!(TopicName::new(&*longest).expect("good").levels().count(), 65_536);
    assert_eq!(TopicFilter::new(&*longest).expect("good").levels().count(), 65_536);
    let longer = "é".repeat(32_768);
    assert_eq!(clause_of_name(&longer), "[MQTT-4.7.3-3] in 5.0");
    assert_eq!(clause_of_filter(&longer), "[MQTT-4.7.3-3] in 5.0");
}

/// [MQTT-4.7.3-4] in 3.1.1, [MQTT-4.7.3-4] in 5.0: what looks alike stays different, and nothing is tidied up.
#[test]
fn v5_4_7_3_4_topics_are_not_normalised() {
    for (one, other) in [
        ("A", "a"),
        ("a", "a/"),
        ("/a", "a"),
        ("a//b", "a/b"),
        ("\u{E9}", "e\u{301}"),
        (" a", "a"),
    ] {
        assert_ne!(TopicName::new(one).expect("good"), TopicName::new(other).expect("good"));
    }
}

/// [MQTT-4.7.1-2] in 3.1.1, [MQTT-4.7.1-1] in 5.0: `#` is the whole last level.
#[test]
fn v5_4_7_1_1_the_multi_level_wildcard_stands_alone_at_the_end() {
    for text in ["#", "/#", "a/#", "+/#", "$SYS/#"] {
        assert!(filter(text).is_wildcard());
    }
    for text in ["a#", "#/", "#/a", "a/#/b", "##", "a/b#"] {
        assert_eq!(clause_of_filter(text), "[MQTT-4.7.1-1] in 5.0", "{text}");
        let in_311 = TopicFilter::from_wire(Bytes::copy_from_slice(text.as_bytes()), V311);
        assert_eq!(in_311.expect_err("bad").v311, "MQTT-4.7.1-2");
    }
}

/// [MQTT-4.7.1-3] in 3.1.1, [MQTT-4.7.1-2] in 5.0: `+` is a whole level, any level.
#[test]
fn v5_4_7_1_2_the_single_level_wildcard_is_a_whole_level() {
    for text in ["+", "/+", "+/", "+/+", "a/+/b", "+/a/+"] {
        assert!(filter(text).is_wildcard());
    }
    for text in ["a+", "+a", "a/+b", "a+/b", "++", "é+"] {
        assert_eq!(clause_of_filter(text), "[MQTT-4.7.1-2] in 5.0", "{text}");
    }
}

/// [MQTT-4.8.2-1] in 5.0: a shared subscription has a share name.
#[test]
fn v5_4_8_2_1_a_share_has_a_name() {
    assert_eq!(filter("$share/g/a/b").share(), Some(("g", "a/b")));
    assert_eq!(filter("$share/g//b").share(), Some(("g", "/b")));
    for text in ["$share/", "$share//a", "$share//"] {
        assert_eq!(clause_of_filter(text), "[MQTT-4.8.2-1] in 5.0", "{text}");
    }
}

/// [MQTT-4.8.2-2] in 5.0: the share name has no wildcard, and a filter follows it.
#[test]
fn v5_4_8_2_2_a_share_name_is_followed_by_a_filter() {
    for text in ["$share/g", "$share/g/", "$share/+/a", "$share/g#/a", "$share/#"] {
        assert_eq!(clause_of_filter(text), "[MQTT-4.8.2-2] in 5.0", "{text}");
    }
    assert_eq!(clause_of_filter("$share/g/a#"), "[MQTT-4.7.1-1] in 5.0");
    assert_eq!(TopicFilter::new("$share/g").expect_err("bad").reason().code(), 0x8F);
}

#[test]
fn what_only_looks_like_a_share_is_a_filter() {
    for text in ["$share", "$shared/g/a", "$SHARE/g/a", "/$share/g/a"] {
        assert_eq!(filter(text).share(), None);
        assert_eq!(filter(text).inner(), text);
    }
}

#[test]
fn a_share_without_filter_is_an_ordinary_filter_in_3x() {
    for text in ["$share/g", "$share/", "$share//a"] {
        let found = TopicFilter::from_wire(Bytes::copy_from_slice(text.as_bytes()), V311).expect("good in 3.1.1");
        assert_eq!((found.share(), found.inner()), (None, text));
        assert!(TopicFilter::from_wire(Bytes::copy_from_slice(text.as_bytes()), V5).is_err());
    }
    let shared = TopicFilter::from_wire(Bytes::from_static(b"$share/g/a"), V311).expect("good");
    assert_eq!(shared.share(), Some(("g", "a")));
}

#[test]
fn levels_are_those_of_the_inner_filter() {
    assert_eq!(filter("$share/g/+/b/#").levels().collect::<Vec<_>>(), ["+", "b", "#"]);
    assert_eq!(
        TopicName::new("/a//").expect("good").levels().collect::<Vec<_>>(),
        ["", "a", "", ""]
    );
    assert!(!filter("$share/g/a").is_wildcard());
}

#[test]
fn names_are_found_by_text_in_a_map() {
    let map = std::collections::HashMap::from([(TopicName::new("a").expect("good"), 1)]);
    assert_eq!(map.get("a"), Some(&1));
}

/// What the rules say, level by level.
fn is_filter(text: &str) -> bool {
    let levels: Vec<_> = text.split('/').collect();
    !text.is_empty()
        && levels.iter().enumerate().all(|(at, level)| match *level {
            "#" => at + 1 == levels.len(),
            "+" => true,
            other => !other.contains(['+', '#']),
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn filters_are_judged_as_level_by_level(text in "[a/+#é]{0,7}") {
        prop_assert_eq!(TopicFilter::new(&*text).is_ok(), is_filter(&text));
        let shared = format!("$share/g/{text}");
        prop_assert_eq!(TopicFilter::new(shared).is_ok(), is_filter(&text));
    }

    #[test]
    fn names_are_judged_as_byte_by_byte(text in "[a/é]{0,40}[a+#\0]{0,2}[a/é]{0,40}") {
        let good = !text.is_empty() && !text.contains(['+', '#', '\0']);
        prop_assert_eq!(TopicName::new(&*text).is_ok(), good);
    }
}
