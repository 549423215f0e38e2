//! The layer of the environment: `STROWGER_SECTION__KEY`.

use std::ffi::{OsStr, OsString};

use toml::Value;

use crate::configuration::settings;
use crate::error::Error;
use crate::layers::Entry;
use crate::loaded::shown_refused;
use crate::nearest::nearest;
use crate::origin::Origin;

const PREFIX: &str = "STROWGER_";

/// How far a variable without `__` may be from a setting's to count as that, mistyped.
const SLIP: usize = 2;

/// Picks the entries out of the environment's variables.
///
/// A variable of our shape that is no setting is refused. One without `__` is refused only if it is a setting's name
/// but for a slip: others are somebody else's, such as `STROWGER_SERVICE_HOST`, which Kubernetes sets for a service
/// of this name.
pub(crate) fn read(variables: &[(OsString, OsString)]) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        match settings().find(|setting| setting.variable() == name) {
            Some(setting) => {
                let origin = Origin::Environment(name.to_owned());
                let text = utf8(value, &origin, &setting.name())?;
                entries.push(Entry::new(&setting.name(), origin, |setting| setting.read(text))?);
            }
            None if is_ours(name) => {
                let nearest = nearest(name, settings().map(|setting| setting.variable()));
                return Err(Error::UnknownVariable {
                    variable: name.to_owned(),
                    nearest,
                });
            }
            None => {}
        }
    }
    Ok(entries)
}

fn is_ours(name: &str) -> bool {
    name.contains("__") || settings().any(|setting| strsim::damerau_levenshtein(name, &setting.variable()) <= SLIP)
}

fn utf8<'a>(value: &'a OsStr, origin: &Origin, key: &str) -> Result<&'a str, Error> {
    value.to_str().ok_or_else(|| Error::NotAllowed {
        origin: origin.clone(),
        key: key.to_owned(),
        value: shown_refused(key, &Value::String(value.to_string_lossy().into_owned())).to_string(),
        allowed: "text in UTF-8".to_owned(),
    })
}

#[cfg(test)]
mod tests;
