//! What is wrong with a rule file or a file of cases.

/// A mistake in a file: where, what, and what to do about it. Its Display is one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {what}; {remedy}")]
pub struct RulesError {
    /// The file as it was named.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The culprit.
    pub what: String,
    /// What to do.
    pub remedy: String,
}
