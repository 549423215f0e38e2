//! What databases and Redis write of a user: yes and no, groups, rights. What is not one of the words is an error.

use crate::grants::{GRANTS_MAX, is_filter};
use crate::{Actions, Grant};

/// Longest list of groups, in bytes.
const GROUPS_BYTES_MAX: usize = 64 << 10;

/// Yes or no.
pub(super) fn flag(text: &str, name: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "true" => Ok(true),
        "0" | "f" | "false" | "" => Ok(false),
        _ => Err(format!("{name} is none of 1, 0, true and false")),
    }
}

/// Names with commas between them.
pub(super) fn groups(text: &str) -> Result<Vec<String>, String> {
    if text.len() > GROUPS_BYTES_MAX {
        return Err(format!("groups are longer than {GROUPS_BYTES_MAX} bytes"));
    }
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let groups: Vec<String> = text.split(',').map(|group| group.trim().to_owned()).collect();
    let is_wrong = |group: &String| group.is_empty() || group.contains(char::is_control);
    if groups.iter().any(is_wrong) {
        return Err("groups are not names with commas between them".to_owned());
    }
    Ok(groups)
}

/// `publish`, `subscribe` or `all`.
pub(super) fn actions(word: &str) -> Result<Actions, String> {
    match word {
        "publish" => Ok(Actions::Publish),
        "subscribe" => Ok(Actions::Subscribe),
        "all" => Ok(Actions::Both),
        _ => Err("what a right is about is none of publish, subscribe and all".to_owned()),
    }
}

/// Rights in the order in which they are to be looked at: denials first, so that they hold whatever is allowed.
pub(super) fn grants(rights: Vec<(bool, Actions, String)>) -> Result<Vec<Grant>, String> {
    if rights.len() > GRANTS_MAX {
        return Err(format!("there are more than {GRANTS_MAX} rights"));
    }
    if let Some((.., filter)) = rights.iter().find(|(.., filter)| !is_filter(filter)) {
        return Err(format!("{filter:?} is not a topic filter"));
    }
    let mut grants: Vec<Grant> = rights
        .into_iter()
        .map(|(allow, actions, filter)| Grant { allow, actions, filter })
        .collect();
    grants.sort_by_key(|grant| grant.allow);
    Ok(grants)
}

#[cfg(test)]
mod tests;
