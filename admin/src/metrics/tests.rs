//! The families as a whole: names by the conventions, none twice, and a manual that is not stale.

use std::collections::BTreeSet;
use std::fs;

use super::family::Shape;
use super::{CHAPTERS, manual};

#[test]
fn the_manual_is_fresh() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/METRICS.md");
    let found = fs::read_to_string(file).expect("docs/METRICS.md is there");
    assert!(
        found == manual(),
        "docs/METRICS.md is stale: run `cargo run -q -- generate`"
    );
}

#[test]
fn names_follow_the_conventions() {
    let mut names = BTreeSet::new();
    for family in CHAPTERS.iter().flat_map(|(_, families)| families.iter()) {
        let name = family.name;
        assert!(names.insert(name), "{name} is there twice");
        assert!(name.starts_with("strowger_") || name.starts_with("process_"), "{name}");
        assert_eq!(name.ends_with("_total"), family.shape == Shape::Counter, "{name}");
        assert!(family.shape != Shape::Histogram || name.ends_with("_seconds"), "{name}");
        assert!(
            family.help.ends_with('.') && !family.help.contains(['|', '\n']),
            "{name}"
        );
    }
}
