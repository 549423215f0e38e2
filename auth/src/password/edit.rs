//! Changes one entry of a password file and leaves every other line as it is.

use super::entries::check_name;

/// Why an entry cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The name cannot stand in the file.
    #[error("{0}")]
    Name(String),
    /// There is no such user.
    #[error("there is no user {0:?}")]
    Unknown(String),
}

/// The text with `name` having `hash`: in its line, with its groups, or in a line at the end.
///
/// # Errors
///
/// [`EditError::Name`].
pub fn put(text: &str, name: &str, hash: &str) -> Result<String, EditError> {
    check_name(name).map_err(|flaw| EditError::Name(format!("{}; {}", flaw.what, flaw.remedy)))?;
    let mut edited = String::with_capacity(text.len() + name.len() + hash.len() + 2);
    let mut is_put = false;
    for line in text.lines() {
        match fields(line) {
            // A second line of the same name would be refused at the next start.
            Some((found, _)) if found == name && is_put => continue,
            Some((found, groups)) if found == name => {
                push_entry(&mut edited, name, hash, groups);
                is_put = true;
            }
            Some(_) | None => push_line(&mut edited, line),
        }
    }
    if !is_put {
        push_entry(&mut edited, name, hash, None);
    }
    Ok(edited)
}

/// The text without `name`.
///
/// # Errors
///
/// [`EditError::Unknown`].
pub fn remove(text: &str, name: &str) -> Result<String, EditError> {
    let mut edited = String::with_capacity(text.len());
    let mut is_found = false;
    for line in text.lines() {
        if fields(line).is_some_and(|(found, _)| found == name) {
            is_found = true;
        } else {
            push_line(&mut edited, line);
        }
    }
    if is_found {
        Ok(edited)
    } else {
        Err(EditError::Unknown(name.to_owned()))
    }
}

/// The name of a line, and its groups.
fn fields(line: &str) -> Option<(&str, Option<&str>)> {
    if line.starts_with('#') {
        return None;
    }
    let (name, rest) = line.split_once(':')?;
    Some((name, rest.split_once(':').map(|(_, groups)| groups)))
}

fn push_entry(text: &mut String, name: &str, hash: &str, groups: Option<&str>) {
    text.push_str(name);
    text.push(':');
    text.push_str(hash);
    if let Some(groups) = groups {
        text.push(':');
        text.push_str(groups);
    }
    text.push('\n');
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
