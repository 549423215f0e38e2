//! Many at once, and one that does not keep up.
