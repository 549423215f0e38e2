//! Rules about the files themselves: size, names, and what must not stand in them.

use crate::File;

const LINES_MAX: usize = 500;
const NAMES_THAT_SAY_NOTHING: [&str; 7] = ["common", "helper", "helpers", "manager", "types", "util", "utils"];

/// Marks of unfinished work. They are put together here so that this file does not break its own rule.
const UNFINISHED: [&str; 4] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
];

/// Beginnings of paths that exist on one machine only.
const PLACES: [&str; 4] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
];

fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// Files that have grown too long. Tests may be longer.
pub(crate) fn size(file: &File) -> Vec<String> {
    let lines = file.text.lines().count();
    let is_code = file.path.ends_with(".rs") || file.path.ends_with(".py") || file.path.ends_with(".mjs");
    if !is_code || is_test(&file.path) || lines <= LINES_MAX {
        return Vec::new();
    }
    vec![format!(
        "{}: {lines} lines, {LINES_MAX} are the limit; two nouns share this room: give the second a file of its own",
        file.path
    )]
}

/// Files whose name does not say what is in them.
pub(crate) fn names(file: &File) -> Vec<String> {
    let Some(stem) = file.path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs")) else {
        return Vec::new();
    };
    if stem == "mod" {
        return vec![format!(
            "{}: rename it to the folder's name, one level up: thing.rs beside thing/",
            file.path
        )];
    }
    if NAMES_THAT_SAY_NOTHING.contains(&stem) {
        return vec![format!("{}: name it after the noun that it holds", file.path)];
    }
    Vec::new()
}

/// Marks of work that was left for later.
pub(crate) fn unfinished(file: &File) -> Vec<String> {
    let has = |line: &str| {
        UNFINISHED
            .into_iter()
            .find(|mark| words(line).any(|word| word == *mark))
    };
    lines_with(file, has, "finish it, or open an issue and take the mark out")
}

/// Paths of somebody's machine.
pub(crate) fn machine_paths(file: &File) -> Vec<String> {
    let has = |line: &str| PLACES.into_iter().find(|place| line.contains(place));
    lines_with(
        file,
        has,
        "write it relative to the root of the repository, or take it from the environment",
    )
}

/// Tests that are there and do not run.
pub(crate) fn ignored_tests(file: &File) -> Vec<String> {
    let is_rust = file.path.ends_with(".rs");
    let has = |line: &str| (is_rust && line.trim_start().starts_with("#[ignore")).then_some("#[ignore]");
    lines_with(
        file,
        has,
        "make it run, or delete it: a test that never runs shows nothing",
    )
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
}

fn lines_with(file: &File, has: impl Fn(&str) -> Option<&'static str>, remedy: &str) -> Vec<String> {
    let found = file
        .text
        .lines()
        .enumerate()
        .filter_map(|(number, line)| Some((number + 1, has(line)?)));
    found
        .map(|(number, what)| format!("{}:{number}: `{what}`; {remedy}", file.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{File, ignored_tests, machine_paths, names, size, unfinished};
    use crate::check;

    #[test]
    fn files_are_of_a_size_that_one_can_read() {
        check(size);
    }

    #[test]
    fn a_long_file_is_reported_with_the_remedy() {
        let long = "//\n".repeat(501);
        assert!(size(&File::sample("broker/src/session.rs", &long))[0].contains("a file of its own"));
        assert_eq!(
            size(&File::sample("broker/src/session.rs", &"//\n".repeat(500))),
            [""; 0]
        );
        assert_eq!(size(&File::sample("broker/src/session/tests.rs", &long)), [""; 0]);
        assert_eq!(size(&File::sample("docs/SPEC.md", &long)), [""; 0]);
    }

    #[test]
    fn file_names_say_what_is_inside() {
        check(names);
    }

    #[test]
    fn an_empty_name_is_reported_with_the_remedy() {
        assert!(names(&File::sample("broker/src/session/mod.rs", ""))[0].contains("thing.rs beside thing/"));
        assert!(names(&File::sample("broker/src/utils.rs", ""))[0].contains("after the noun"));
        assert_eq!(names(&File::sample("broker/src/session.rs", "")), [""; 0]);
    }

    #[test]
    fn nothing_is_left_for_later() {
        check(unfinished);
    }

    #[test]
    fn a_mark_of_unfinished_work_is_reported_with_the_remedy() {
        let bad = format!("fn a() {{}}\n// {}: later\n", super::UNFINISHED[0]);
        let breaches = unfinished(&File::sample("src/main.rs", &bad));
        assert!(
            breaches[0].starts_with("src/main.rs:2: ") && breaches[0].contains("open an issue"),
            "{breaches:?}"
        );
        assert_eq!(
            unfinished(&File::sample("src/main.rs", "const HACKNEY: u8 = 0;\n")),
            [""; 0]
        );
    }

    #[test]
    fn no_path_of_a_machine_is_in_the_repository() {
        check(machine_paths);
    }

    #[test]
    fn a_path_of_a_machine_is_reported_with_the_remedy() {
        let bad = format!("see {}main/notes\n", super::PLACES[0]);
        assert!(machine_paths(&File::sample("docs/x.md", &bad))[0].contains("relative to the root"));
        assert_eq!(
            machine_paths(&File::sample("docs/x.md", "tests/system and network/io\n")),
            [""; 0]
        );
    }

    #[test]
    fn every_test_runs() {
        check(ignored_tests);
    }

    #[test]
    fn an_ignored_test_is_reported_with_the_remedy() {
        let bad = "#[test]\n#[ignore = \"slow\"]\nfn a() {}\n";
        assert!(ignored_tests(&File::sample("src/x.rs", bad))[0].contains("make it run"));
    }
}
