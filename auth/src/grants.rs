//! Rights as tokens and servers write them in JSON.

use serde::Deserialize;

use crate::{Actions, Grant};

/// More rights than this are a mistake, and a burden on every message.
pub(crate) const GRANTS_MAX: usize = 1_000;

/// `{"publish": ["a/#"], "subscribe": ["b/+"], "deny_publish": ["a/private/#"]}`; `all` is for both.
///
/// A key that is not known is an error: a misspelt denial must not turn into a right.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rights {
    publish: Vec<String>,
    subscribe: Vec<String>,
    all: Vec<String>,
    deny_publish: Vec<String>,
    deny_subscribe: Vec<String>,
    deny_all: Vec<String>,
}

impl Rights {
    /// The denials first, so that they hold whatever is allowed.
    ///
    /// # Errors
    ///
    /// What is wrong, as a clause.
    pub(crate) fn into_grants(self) -> Result<Vec<Grant>, String> {
        let lists = [
            (false, Actions::Both, self.deny_all),
            (false, Actions::Publish, self.deny_publish),
            (false, Actions::Subscribe, self.deny_subscribe),
            (true, Actions::Both, self.all),
            (true, Actions::Publish, self.publish),
            (true, Actions::Subscribe, self.subscribe),
        ];
        let mut grants = Vec::new();
        for (allow, actions, filters) in lists {
            for filter in filters {
                if !is_filter(&filter) {
                    return Err(format!("{filter:?} is not a topic filter"));
                }
                if grants.len() >= GRANTS_MAX {
                    return Err(format!("there are more than {GRANTS_MAX} rights"));
                }
                grants.push(Grant { allow, actions, filter });
            }
        }
        Ok(grants)
    }
}

/// \[MQTT-4.7.1-1\], \[MQTT-4.7.1-2\], \[MQTT-4.7.3-1\] to \[MQTT-4.7.3-3\] in 5.0.
pub(crate) fn is_filter(filter: &str) -> bool {
    let is_fine = |level: &str| level == "+" || !level.contains(['+', '#', '\0']);
    let above = filter
        .strip_suffix('#')
        .map(|above| above.strip_suffix('/').unwrap_or(above));
    let ends_well = match above {
        Some(above) => above.is_empty() || filter.ends_with("/#"),
        None => true,
    };
    let fits = (1..=usize::from(u16::MAX)).contains(&filter.len());
    fits && ends_well && above.unwrap_or(filter).split('/').all(is_fine)
}

#[cfg(test)]
mod tests;
