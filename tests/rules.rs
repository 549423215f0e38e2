//! `strowger rules` as an operator meets it: the ten examples of the manual, and what a mistake looks like.

#![expect(clippy::unwrap_used, reason = "a test's own machinery fails by panic")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const MANUAL: &str = include_str!("../docs/POLICY.md");

/// The contents of the fenced blocks with this label.
fn blocks(label: &str) -> Vec<&'static str> {
    let fence = format!("```toml {label}\n");
    let rest = MANUAL.split(&fence).skip(1);
    rest.map(|block| block.split("```").next().unwrap()).collect()
}

fn file(name: &str, text: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("rules");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

fn strowger(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strowger"));
    command.arg("rules").args(arguments).stdin(Stdio::null());
    command.output().unwrap()
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn the_examples_of_the_manual_pass() {
    let pairs = blocks("rules").into_iter().zip(blocks("cases"));
    for (number, (rules, cases)) in pairs.enumerate() {
        let rules = file(&format!("{number}.rules.toml"), rules);
        let cases = file(&format!("{number}.cases.toml"), cases);
        let output = strowger(&["test", cases.to_str().unwrap(), "--rules", rules.to_str().unwrap()]);
        let (code, out, error) = said(&output);
        assert_eq!(code, 0, "{out}{error}");
        assert!(out.ends_with(" passed, 0 failed\n"), "{out}");
        let (code, out, _) = said(&strowger(&["check", rules.to_str().unwrap()]));
        assert_eq!(code, 0);
        assert!(out.contains(": OK, "), "{out}");
    }
}

#[test]
fn a_case_that_is_not_met_ends_with_1_and_says_what_differs() {
    let rules = file("none.rules.toml", "");
    let case = "[[case]]\nname = \"a\"\npacket = \"publish\"\nexpect = { verdict = \"deny\" }\n";
    let cases = file("unmet.cases.toml", case);
    let output = strowger(&["test", cases.to_str().unwrap(), "--rules", rules.to_str().unwrap()]);
    let expected = "FAIL  a  allow\n      verdict is \"allow\", expected \"deny\"\n0 passed, 1 failed\n";
    assert_eq!(said(&output), (1, expected.to_owned(), String::new()));
}

#[test]
fn a_mistake_is_one_line_with_place_and_remedy_and_ends_with_64() {
    let text = "[[rule]]\nname = \"x\"\non = [\"publish\"]\nwhen = \"paylod == b''\"\nthen = [\"allow\"]\n";
    let rules = file("wrong.rules.toml", text);
    let (code, out, error) = said(&strowger(&["check", rules.to_str().unwrap()]));
    let place = rules.display();
    let expected = format!("strowger rules check: {place}:4:9: `paylod` is not known; did you mean `payload`?\n");
    assert_eq!((code, out.as_str(), error), (64, "", expected));

    let (code, _, error) = said(&strowger(&["check", "/nowhere/rules.toml"]));
    assert_eq!(code, 74);
    assert!(
        error.starts_with("strowger rules check: cannot read /nowhere/rules.toml: "),
        "{error}"
    );
}
