//! What the daemon tells operators that the broker does not know: settings, rules, what would happen.

use std::sync::Arc;

use admin::knowledge::{Answer, Book, Knowledge, Query, Rule, Rules, Setting, Tag};

use super::reload::Reader;
use crate::command::explain;

/// See the module.
#[derive(Debug)]
pub(super) struct Books {
    layers: conf::Layers,
    policy: Arc<dyn actors::Policy>,
    reader: Arc<Reader>,
}

impl Books {
    /// `layers` are what the settings were read from, `policy` and what `reader` has are in force.
    pub(super) fn new(layers: conf::Layers, policy: Arc<dyn actors::Policy>, reader: Arc<Reader>) -> Arc<Self> {
        Arc::new(Self { layers, policy, reader })
    }

    /// What is in force, with the origins as they stand.
    fn loaded(&self) -> Option<conf::Loaded> {
        let loaded = self.layers.clone().load();
        let mut loaded = loaded
            .inspect_err(|error| tracing::warn!(%error, "the origins of settings cannot be told"))
            .ok()?;
        loaded.configuration = self.reader.running();
        Some(loaded)
    }
}

impl Knowledge for Books {
    fn settings(&self) -> Vec<Setting> {
        let entries = self.loaded().and_then(|loaded| loaded.entries().ok());
        let setting = |entry: conf::Entry| Setting {
            section: entry.section.to_owned(),
            key: entry.key.to_owned(),
            value: entry.value,
            origin: entry.origin,
            default: entry.default,
            meaning: entry.meaning,
            live: entry.live != conf::Live::Restart,
        };
        entries.unwrap_or_default().into_iter().map(setting).collect()
    }

    fn rules(&self) -> Rules {
        let file = self.reader.running().rules.file;
        let rules = self.policy.counts().into_iter();
        let tag = |(name, count): (String, String)| {
            let name = name.strip_prefix("tags/")?.to_owned();
            let count = count.parse().ok()?;
            Some(Tag { name, count })
        };
        Rules {
            book: (!file.is_empty()).then_some(Book { file }),
            rules: rules
                .map(|(name, [asked, matched, failed])| Rule {
                    name,
                    asked,
                    matched,
                    failed,
                })
                .collect(),
            tags: self.policy.states().into_iter().filter_map(tag).collect(),
        }
    }

    fn explain(&self, query: &Query) -> Result<Answer, String> {
        explain::answer(query, &self.reader.running())
    }
}
