//! What an evaluation may cost.

/// Bounds of the evaluation of rules; each is a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Steps that one predicate or one value may take. A node of the expression is one, an element of a list that is gone
    /// through one for each node that looks at it, and each 256 bytes of text that are compared, searched or copied one.
    pub steps_max: u32,
    /// Bytes of a text or of bytes that an expression puts together, and of a payload that it sets.
    pub text_bytes_max: usize,
    /// Bytes of a payload that is parsed as JSON. Its depth is bounded at 128.
    pub json_bytes_max: usize,
    /// Token buckets that one line remembers for `rate`, at some 40 bytes each. The buckets of clients that asked longest
    /// ago are forgotten first, and begin full when they ask again.
    pub rate_buckets_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps_max: 10_000,
            text_bytes_max: 65_536,
            json_bytes_max: 65_536,
            rate_buckets_max: 65_536,
        }
    }
}
