//! The examples of `docs/POLICY.md`: each is compiled, and each of its cases is met.

use rules::{Cases, Limits, RuleBook};

const MANUAL: &str = include_str!("../../docs/POLICY.md");

/// The contents of the fenced blocks with this label.
fn blocks(label: &str) -> Vec<String> {
    let fence = format!("```toml {label}\n");
    let rest = MANUAL.split(&fence).skip(1);
    rest.map(|block| block.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn each_example_of_the_manual_does_what_its_cases_say() {
    let (rules, cases) = (blocks("rules"), blocks("cases"));
    assert!(rules.len() >= 10, "{} examples", rules.len());
    assert_eq!(rules.len(), cases.len(), "each example has cases");
    for (rules, cases) in rules.iter().zip(&cases) {
        let book =
            RuleBook::parse("rules.toml", rules, Limits::default()).unwrap_or_else(|error| panic!("{error}\n{rules}"));
        let checked = Cases::parse("cases.toml", cases)
            .unwrap_or_else(|error| panic!("{error}\n{cases}"))
            .run(&book);
        for case in &checked {
            assert_eq!(case.differences, [""; 0], "{}: {}\n{rules}", case.name, case.said);
        }
        // Cases that a book without rules meets as well show nothing.
        let empty = RuleBook::parse("empty.toml", "", Limits::default()).unwrap();
        let unmet = Cases::parse("cases.toml", cases).unwrap().run(&empty);
        assert!(unmet.iter().any(|case| !case.differences.is_empty()), "{rules}");
    }
}
