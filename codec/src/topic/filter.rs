//! Topic Filters: what a subscription asks for.

use bytes::Bytes;
use bytestring::ByteString;

use crate::text::{checked, has_null, wire_text};
use crate::violation::rules::{self, Rule};
use crate::{TEXT_BYTES_MAX, Version, Violation};

const SHARE_PREFIX: &str = "$share/";

wire_text! {
    /// Which topics a subscription wants: levels, `+` for any one level, `#` for all that follow, and perhaps
    /// `$share/<name>/` in front.
    TopicFilter
}

impl TopicFilter {
    /// Checks by the rules of 5.0, where `$share/` in front makes a shared subscription.
    ///
    /// # Errors
    ///
    /// A wildcard that is not a whole level, or `#` before the end ([MQTT-4.7.1-1], [MQTT-4.7.1-2] in 5.0), a share
    /// name that is empty, holds a wildcard or has no filter behind it ([MQTT-4.8.2-1], [MQTT-4.8.2-2] in 5.0),
    /// U+0000, nothing at all, more than 65,535 bytes.
    pub fn new(text: impl Into<ByteString>) -> Result<Self, Violation> {
        let text = text.into();
        let broken = |rule| Violation::new(rule, Version::V5);
        if text.len() > TEXT_BYTES_MAX {
            return Err(broken(&rules::TOPIC_TOO_LONG));
        }
        if has_null(text.as_bytes()) {
            return Err(broken(&rules::NULL_CHARACTER));
        }
        check(&text, Version::V5).map_err(broken)?;
        Ok(Self(text))
    }

    /// Checks by the rules of 3.1.1, which let more stand behind `$share/`: for filters that a client of any version may
    /// have subscribed to.
    ///
    /// # Errors
    ///
    /// As [`TopicFilter::new`], apart from what concerns the share name.
    pub fn of_any_version(text: impl Into<ByteString>) -> Result<Self, Violation> {
        let text = text.into();
        check(&text, Version::V311).map_err(|rule| Violation::new(rule, Version::V311))?;
        Ok(Self(text))
    }

    /// The share name and the filter behind it, when this is a shared subscription.
    #[must_use]
    pub fn share(&self) -> Option<(&str, &str)> {
        let (name, filter) = self.strip_prefix(SHARE_PREFIX)?.split_once('/')?;
        // 3.x lets any text stand after `$share/`; what is not a share there is a filter like any other.
        check_share(name, filter).is_ok().then_some((name, filter))
    }

    /// The filter that topics are matched against: what follows the share name, or all of it.
    #[must_use]
    pub fn inner(&self) -> &str {
        self.share().map_or(self.as_str(), |(_, filter)| filter)
    }

    /// The parts between the slashes of the inner filter, from the left.
    pub fn levels(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.inner().split('/')
    }

    /// Whether it can match more than one topic.
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.inner().contains(['+', '#'])
    }

    /// Checks bytes of the wire.
    pub(crate) fn from_wire(bytes: Bytes, version: Version) -> Result<Self, &'static Rule> {
        let text = checked(bytes)?;
        check(&text, version)?;
        Ok(Self(text))
    }
}

fn check(text: &str, version: Version) -> Result<(), &'static Rule> {
    match text.strip_prefix(SHARE_PREFIX) {
        Some(rest) if version == Version::V5 => {
            let (name, filter) = rest.split_once('/').unwrap_or((rest, ""));
            check_share(name, filter)?;
            check_levels(filter)
        }
        Some(_) | None => check_levels(text),
    }
}

fn check_share(name: &str, filter: &str) -> Result<(), &'static Rule> {
    if name.is_empty() {
        Err(&rules::SHARE_NAME_EMPTY)
    } else if filter.is_empty() || name.contains(['+', '#']) {
        Err(&rules::SHARE_SYNTAX)
    } else {
        Ok(())
    }
}

fn check_levels(filter: &str) -> Result<(), &'static Rule> {
    if filter.is_empty() {
        return Err(&rules::FILTER_EMPTY);
    }
    // Most filters have few wildcards: look at each wildcard's neighbours instead of at each level.
    let bytes = filter.as_bytes();
    for (at, _) in filter.match_indices(['+', '#']) {
        let opens_level = at == 0 || bytes.get(at - 1) == Some(&b'/');
        let next = bytes.get(at + 1);
        if bytes.get(at) == Some(&b'#') {
            if !opens_level || next.is_some() {
                return Err(&rules::FILTER_MULTI_LEVEL);
            }
        } else if !opens_level || next.is_some_and(|&byte| byte != b'/') {
            return Err(&rules::FILTER_SINGLE_LEVEL);
        }
    }
    Ok(())
}
