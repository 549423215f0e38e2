use std::fs;

use super::*;

#[test]
fn the_option_comes_before_the_variable_and_that_before_what_is_installed() {
    let directory = tempfile::tempdir().unwrap();
    let installed = directory.path().join("strowger.toml");
    let find = |given: Option<&str>, variable: Option<&str>| {
        find(given.map(Path::new), variable.map(OsString::from), &installed).unwrap()
    };
    assert_eq!(find(None, None), None, "a machine without any goes by the defaults");
    assert_eq!(find(None, Some("v")), Some("v".into()));

    fs::write(&installed, "").unwrap();
    assert_eq!(find(None, None), Some(installed.clone()));
    assert_eq!(find(None, Some("v")), Some("v".into()));
    assert_eq!(find(None, Some("")), None, "empty, it says that there is none");
    assert_eq!(find(Some("g"), Some("v")), Some("g".into()));
}

#[test]
fn installed_settings_that_cannot_be_read_are_not_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let words = find(None, None, &file.join("strowger.toml")).unwrap_err().to_string();
    assert!(
        words.contains("file/strowger.toml") && words.contains("--conf FILE"),
        "{words}"
    );
}
