//! Whether a topic matches a filter, for `-T`.

use mqtt_codec::{TopicFilter, TopicName};

/// Matches as a broker does; a filter that starts with a wildcard leaves `$` topics alone.
pub(super) fn matches(filter: &TopicFilter, topic: &TopicName) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        match (wanted, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            (_, _) => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests;
