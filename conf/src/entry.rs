//! Every setting with its value, for those who list them.

use crate::configuration::{Configuration, SECTIONS};
use crate::error::Error;
use crate::live::Live;
use crate::loaded::{Loaded, shown};

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
            let value = setting.find(&values).map(|value| shown(&name, value));
            entries.push(Entry {
                section: setting.section,
                key: setting.key,
                value: value.as_ref().map(ToString::to_string).unwrap_or_default(),
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
    fn an_address_is_shown_without_its_password() {
        for (key, value, expected) in [
            (
                "http_url",
                "https://ann:planted@localhost:9/a?b@c",
                "https://(secret)@localhost:9/a?b@c",
            ),
            (
                "http_url",
                "https://planted@auth.example.com",
                "https://(secret)@auth.example.com",
            ),
            ("http_url", "https://auth.example.com/@x", "https://auth.example.com/@x"),
            (
                "jwt_keys",
                "https://ann:pl@nted@keys.example.com/",
                "https://(secret)@keys.example.com/",
            ),
        ] {
            let loaded = Layers::default()
                .set(format!("auth.{key}={value}"))
                .load()
                .expect("good settings");
            let entries = loaded.entries().expect("the table");
            let entry = entries.iter().find(|entry| entry.key == key).expect("listed");
            assert_eq!(entry.value, format!("\"{expected}\""));
            assert!(loaded.to_string().contains(expected), "{loaded}");
            let default = Layers::default().load().expect("good settings").configuration;
            let changes = crate::changes(&default, &loaded.configuration).expect("the table");
            assert!(changes.iter().any(|change| change.after == entry.value), "{changes:?}");
        }
    }

    #[test]
    fn a_value_that_is_refused_is_quoted_without_its_password() {
        for (pair, expected) in [
            (
                "auth.http_url=http://ann:planted@auth.example.com/x",
                "http://(secret)@auth.example.com/x",
            ),
            ("auth.http_url=ann:planted@127.0.0.1:9/x", "\"(secret)@127.0.0.1:9/x\""),
            (
                "auth.http_url=http://ann:pl/planted@127.0.0.1",
                "\"http://(secret)@127.0.0.1\"",
            ),
            ("auth.http_url:http://ann:planted@localhost", "(secret)@localhost"),
            ("listener.bind=ann:planted@127.0.0.1:1883", "(secret)@127.0.0.1:1883"),
        ] {
            let refused = Layers::default().set(pair).load().expect_err("refused").to_string();
            assert!(refused.contains(expected), "{refused}");
            assert!(!refused.contains("planted"), "{refused}");
        }
        for text in [
            "[auth]\nhttp_url = [\"http://ann:planted@localhost\"]\n",
            "[auth]\nsql_url = [\"postgres:planted\"]\n",
            "[[listeners]]\nbind = \"http://ann:planted@localhost\"\ntransport = \"ann:planted@tcp\"\n",
        ] {
            let refused = Layers::default()
                .text("strowger.toml", text)
                .load()
                .expect_err("refused")
                .to_string();
            assert!(refused.contains("(secret)"), "{refused}");
            assert!(!refused.contains("planted"), "{refused}");
        }
    }

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
