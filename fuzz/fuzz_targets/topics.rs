//! Any text as Topic Name and Topic Filter, against the rules applied level by level.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mqtt_codec::{TopicFilter, TopicName};

fuzz_target!(|text: &str| {
    let name = TopicName::new(text);
    assert_eq!(
        name.is_ok(),
        !text.is_empty() && text.len() <= 65_535 && !text.contains(['+', '#', '\0'])
    );
    if let Ok(name) = name {
        assert_eq!(name.levels().collect::<Vec<_>>().join("/"), text);
        assert_eq!(name.detach(), name);
    }

    let filter = TopicFilter::new(text);
    assert_eq!(filter.is_ok(), is_filter(text));
    if let Ok(filter) = filter {
        assert_eq!(filter.levels().collect::<Vec<_>>().join("/"), filter.inner());
        assert_eq!(filter.share().is_some(), text.starts_with("$share/"));
        if let Some((name, inner)) = filter.share() {
            assert_eq!(format!("$share/{name}/{inner}"), text);
            assert!(!name.contains(['/', '+', '#']));
        }
    }
});

fn is_filter(text: &str) -> bool {
    if text.len() > 65_535 || text.contains('\0') {
        return false;
    }
    let inner = match text.strip_prefix("$share/") {
        Some(rest) => match rest.split_once('/') {
            Some((name, inner)) if !name.is_empty() && !name.contains(['+', '#']) => inner,
            Some(_) | None => return false,
        },
        None => text,
    };
    let levels: Vec<_> = inner.split('/').collect();
    !inner.is_empty()
        && levels.iter().enumerate().all(|(at, level)| match *level {
            "#" => at + 1 == levels.len(),
            "+" => true,
            other => !other.contains(['+', '#']),
        })
}
