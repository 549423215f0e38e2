//! Every setting with its value, for those who list them.

use crate::configuration::{Configuration, SECTIONS};
use crate::error::Error;
use crate::live::Live;
use crate::loaded::{Loaded, is_secret};

/// What stands in the place of a secret.
const HIDDEN: &str = "\"(secret)\"";

/// A setting with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its section; empty: it stands in none.
    pub section: &'static str,
    /// Its name there.
    pub key: &'static str,
    /// Its value, as TOML writes it. Secrets are not shown.
    pub value: String,
    /// Where that comes from.
    pub origin: String,
    /// What it would be otherwise, as TOML writes it.
    pub default: String,
    /// What it means, in one line.
    pub meaning: String,
    /// When another value is in force.
    pub live: Live,
}

impl Loaded {
    /// All settings, in the order of the reference.
    ///
    /// # Errors
    ///
    /// [`Error::Inconsistent`] if the configuration does not fit the table.
    pub fn entries(&self) -> Result<Vec<Entry>, Error> {
        let values = Self::value_of(&self.configuration)?;
        let defaults = Self::value_of(&Configuration::default())?;
        let mut entries = Vec::new();
        for setting in SECTIONS.iter().flat_map(|section| section.settings) {
            let name = setting.name();
            let value = setting.find(&values);
            let is_given = value.is_some_and(|value| value.as_str().is_none_or(|text| !text.is_empty()));
            let text = value.map(ToString::to_string).unwrap_or_default();
            entries.push(Entry {
                section: setting.section,
                key: setting.key,
                value: if is_given && is_secret(&name) {
                    HIDDEN.to_owned()
                } else {
                    text
                },
                origin: self.origin(&name).unwrap_or_default().to_owned(),
                default: setting.find(&defaults).map(ToString::to_string).unwrap_or_default(),
                meaning: setting.meaning(),
                live: setting.live(),
            });
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use crate::Layers;

    #[test]
    fn every_setting_is_listed_and_secrets_are_hidden() {
        let layers = Layers::default().set("auth.sql_url=postgres://ann:planted-secret@db/mqtt");
        let entries = layers.load().expect("good settings").entries().expect("the table");
        assert!(entries.len() > 50);
        assert!(entries.iter().all(|entry| !entry.value.contains("planted-secret")));
        let url = entries.iter().find(|entry| entry.key == "sql_url").expect("listed");
        assert_eq!((&*url.value, &*url.origin), ("\"(secret)\"", "flag --set"));
        let bytes_max = entries
            .iter()
            .find(|entry| (entry.section, entry.key) == ("packet", "bytes_max"));
        assert_eq!(bytes_max.map(|entry| &*entry.value), Some("1048576"));
    }
}
