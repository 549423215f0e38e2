//! The text of a file that is being read, and the places in it.

use std::ops::Range;

use crate::RulesError;

/// A file's name and text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'t> {
    pub(crate) name: &'t str,
    pub(crate) text: &'t str,
}

impl Source<'_> {
    /// The mistake that begins at byte `offset`.
    pub(crate) fn error(&self, offset: usize, what: impl Into<String>, remedy: impl Into<String>) -> RulesError {
        let (line, column) = self.position(offset);
        RulesError {
            file: self.name.to_owned(),
            line,
            column,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// The mistake that the TOML parser found. It says what it expected, which is the remedy.
    pub(crate) fn broken(&self, error: &toml::de::Error) -> RulesError {
        let offset = error.span().map_or(0, |span| span.start);
        let what = one_line(error.message());
        self.error(offset, what, "correct the TOML there")
    }

    /// Where byte `offset` of the TOML string that stands at `span` with the content `value` is in the file. Where escapes
    /// make the two differ: where the string begins.
    pub(crate) fn inside(&self, span: &Range<usize>, value: &str, offset: usize) -> usize {
        let raw = self.text.get(span.clone()).unwrap_or_default();
        let quote = if raw.starts_with("'''") || raw.starts_with("\"\"\"") {
            3
        } else {
            1
        };
        let content = raw.get(quote..).unwrap_or_default();
        // A line break right behind three quotes is not part of the string.
        let cut = match (quote, content) {
            (3, content) if content.starts_with("\r\n") => 2,
            (3, content) if content.starts_with('\n') => 1,
            _ => 0,
        };
        if content.get(cut..).unwrap_or_default().starts_with(value) {
            span.start + quote + cut + offset
        } else {
            span.start
        }
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

/// A message of another crate in one line.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
