//! Topic filters against topics, and against each other.

/// The filter behind the share name of a shared subscription, or all of a filter that is none.
pub(crate) fn inner(filter: &str) -> &str {
    let shared = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
    match shared {
        // What is no share name makes it a filter like any other, as the codec has it for 3.x.
        Some((name, inner)) if !name.is_empty() && !name.contains(['+', '#']) && !inner.is_empty() => inner,
        Some(_) | None => filter,
    }
}

/// Whether `filter` covers everything that `other`, a topic or a filter, stands for.
///
/// A wildcard in front does not cover a topic that begins with `$`: [MQTT-4.7.2-1] in 5.0.
pub(crate) fn covers(filter: &str, other: &str) -> bool {
    if other.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut wanted = filter.split('/');
    let mut given = other.split('/');
    loop {
        match (wanted.next(), given.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(level)) if level != "#" => {}
            (Some(one), Some(level)) if one == level && level != "#" => {}
            (Some(_) | None, Some(_)) | (Some(_), None) => return false,
        }
    }
}

/// Whether there is a topic that both filters match.
pub(crate) fn overlaps(one: &str, other: &str) -> bool {
    let outside = |filter: &str, wild: &str| filter.starts_with('$') && wild.starts_with(['+', '#']);
    if outside(one, other) || outside(other, one) {
        return false;
    }
    let mut ones = one.split('/');
    let mut others = other.split('/');
    loop {
        match (ones.next(), others.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some("+"), Some(_)) | (Some(_), Some("+")) => {}
            (Some(a), Some(b)) if a == b => {}
            (Some(_) | None, Some(_)) | (Some(_), None) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use mqtt_codec::TopicFilter;

    use super::{covers, inner, overlaps};

    #[test]
    fn the_filter_behind_a_share_name_is_that_of_the_codec() {
        for filter in [
            "$share/g/#",
            "$share/g/a/b",
            "$share//a",
            "$share/g",
            "$share/g/",
            "a/b",
            "$share",
        ] {
            let codec = TopicFilter::of_any_version(filter).unwrap();
            assert_eq!(inner(filter), codec.inner(), "{filter}");
        }
    }

    #[test]
    fn a_filter_covers_what_it_matches_and_narrower_filters() {
        for (filter, other, expected) in [
            ("a/b", "a/b", true),
            ("a/+", "a/b", true),
            ("a/+", "a", false),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("a/#", "b", false),
            ("#", "a/b", true),
            ("#", "$SYS/a", false),
            ("$SYS/#", "$SYS/a", true),
            ("a/+", "a/+", true),
            ("a/b", "a/+", false),
            ("a/+", "a/#", false),
            ("a/+/c", "a/#", false),
            ("a/#", "a/#", true),
            ("a/#", "#", false),
            ("+/b", "/b", true),
        ] {
            assert_eq!(covers(filter, other), expected, "{filter} {other}");
        }
    }

    #[test]
    fn filters_overlap_when_a_topic_matches_both() {
        for (one, other, expected) in [
            ("secret/#", "#", true),
            ("secret/#", "+/x", true),
            ("secret/#", "open/#", false),
            ("a/+/c", "a/b/#", true),
            ("a/b", "a/b/c", false),
            ("a/b/#", "a/b", true),
            ("#", "$SYS/#", false),
            ("$SYS/#", "$SYS/+", true),
        ] {
            assert_eq!(overlaps(one, other), expected, "{one} {other}");
            assert_eq!(overlaps(other, one), expected, "{other} {one}");
        }
    }
}
