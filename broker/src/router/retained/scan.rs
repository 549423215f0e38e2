//! One filter against many topics in byte order: what matches, and where the next match can stand at the earliest.

/// What a topic is to a filter.
pub(super) enum Judgement<'a> {
    Match,
    Miss(Miss<'a>),
}

/// Where a topic parts from a filter.
pub(super) enum Miss<'a> {
    /// The topic begins with `$`, the filter with a wildcard.
    Hidden,
    /// At byte `at` of the topic starts a level where the filter has `wanted`.
    Level { at: usize, wanted: &'a str },
    /// At byte `at` of the topic starts a level that the filter does not have.
    TooDeep { at: usize },
    /// The filter goes on where the topic ends.
    TooShort,
}

/// The text that every topic that `filter` matches begins with. `None`: no wildcard, only the same text matches.
pub(super) fn prefix(filter: &str) -> Option<&str> {
    let mut at = 0;
    for level in filter.split('/') {
        match level {
            "+" => return filter.get(..at),
            // `a/#` matches `a`, which has no slash at its end. In front of the slash of `/#` there is no topic.
            "#" => return filter.get(..if at > 1 { at - 1 } else { at }),
            _ => at += level.len() + 1,
        }
    }
    None
}

pub(super) fn judge<'a>(filter: &'a str, topic: &str) -> Judgement<'a> {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return Judgement::Miss(Miss::Hidden);
    }
    let mut levels = topic.split('/');
    let mut at = 0;
    for wanted in filter.split('/') {
        if wanted == "#" {
            return Judgement::Match;
        }
        let Some(level) = levels.next() else {
            return Judgement::Miss(Miss::TooShort);
        };
        if wanted != "+" && wanted != level {
            return Judgement::Miss(Miss::Level { at, wanted });
        }
        at += level.len() + 1;
    }
    match levels.next() {
        Some(_) => Judgement::Miss(Miss::TooDeep { at }),
        None => Judgement::Match,
    }
}

impl Miss<'_> {
    /// A text behind `topic` that no match behind `topic` comes before. `None`: not known, look at the next topic.
    pub(super) fn next_candidate(&self, topic: &str) -> Option<String> {
        match *self {
            // `%` follows `$`.
            Self::Hidden => Some("%".to_owned()),
            Self::Level { at, wanted } => {
                let above = topic.get(..at)?;
                // Below the same levels, a match is `wanted` itself or has a slash behind it.
                let itself = [above, wanted].concat();
                if *itself > *topic {
                    return Some(itself);
                }
                let longer = itself + "/";
                if *longer > *topic { Some(longer) } else { behind(above) }
            }
            Self::TooDeep { at } => behind(topic.get(..at)?),
            Self::TooShort => None,
        }
    }
}

/// The first text behind all that begin with `above`, which ends with a slash: `0` follows `/`.
fn behind(above: &str) -> Option<String> {
    Some([above.strip_suffix('/')?, "0"].concat())
}
