//! One kind of figure: its name, its labels, what it means. The page and docs/METRICS.md are read off these.

/// How the figures of a family behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// It only grows while the broker runs.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Durations counted by size.
    Histogram,
}

impl Shape {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) labels: &'static [&'static str],
    /// One sentence or more, without line breaks.
    pub(super) help: &'static str,
}

/// Families as constants, and the list of them with a title.
macro_rules! families {
    ($title:literal; $($shape:ident $id:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(super) const $id: $crate::metrics::family::Family = $crate::metrics::family::Family {
            name: $name,
            shape: $crate::metrics::family::Shape::$shape,
            labels: &[$($label),*],
            help: $help,
        };)*
        /// All of the above, under one title.
        pub(super) const FAMILIES: (&str, &[&$crate::metrics::family::Family]) = ($title, &[$(&$id),*]);
    };
}
pub(super) use families;
