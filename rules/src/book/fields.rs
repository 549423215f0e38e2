//! A table of the file whose keys are taken one by one.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::RulesError;
use crate::source::Source;

/// The keys of one table. What a reader does not ask for is refused before it asks.
#[derive(Debug)]
pub(super) struct Fields<'t> {
    source: Source<'t>,
    table: &'t DeTable<'t>,
    /// Where the table begins.
    at: usize,
    /// What the table is, for people: "a rule".
    what: &'static str,
}

/// A text of the file, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Text<'t> {
    pub(super) text: &'t str,
    pub(super) span: Range<usize>,
}

impl<'t> Fields<'t> {
    /// The keys of `value`, all of which have to be in `known`.
    pub(super) fn of(
        source: Source<'t>,
        value: &'t Spanned<DeValue<'t>>,
        what: &'static str,
        known: &[&str],
    ) -> Result<Self, RulesError> {
        let Some(table) = value.get_ref().as_table() else {
            let found = value.get_ref().type_str();
            return Err(source.error(
                value.span().start,
                format!("{what} cannot be a {found}"),
                "write a table",
            ));
        };
        if let Some(key) = table.keys().find(|key| !known.contains(&key.get_ref().as_ref())) {
            let text = format!("{what} has no key `{}`", key.get_ref());
            return Err(source.error(key.span().start, text, format!("use {}", known.join(", "))));
        }
        Ok(Self {
            source,
            table,
            at: value.span().start,
            what,
        })
    }

    pub(super) fn get(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.table.get(key)
    }

    /// The text under `key`.
    pub(super) fn text(&self, key: &str) -> Result<Option<Text<'t>>, RulesError> {
        self.get(key).map(|value| text(self.source, value, key)).transpose()
    }

    /// The text under `key`, which has to be there.
    pub(super) fn required(&self, key: &str, remedy: &str) -> Result<Text<'t>, RulesError> {
        let what = format!("{} has no `{key}`", self.what);
        self.text(key)?.ok_or_else(|| self.source.error(self.at, what, remedy))
    }

    /// The texts of the list under `key`; none if it is not there.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<Text<'t>>, RulesError> {
        let Some(value) = self.get(key) else {
            return Ok(Vec::new());
        };
        let Some(list) = value.get_ref().as_array() else {
            let what = format!("`{key}` is a {}", value.get_ref().type_str());
            return Err(self
                .source
                .error(value.span().start, what, format!("write a list: {key} = [\"…\"]")));
        };
        list.iter().map(|value| text(self.source, value, key)).collect()
    }
}

/// The text that a value is.
pub(super) fn text<'t>(source: Source<'t>, value: &'t Spanned<DeValue<'t>>, key: &str) -> Result<Text<'t>, RulesError> {
    match value.get_ref().as_str() {
        Some(text) => Ok(Text {
            text,
            span: value.span(),
        }),
        None => {
            let what = format!("`{key}` has a {}", value.get_ref().type_str());
            Err(source.error(value.span().start, what, "write a text in quotes"))
        }
    }
}
