use super::*;

fn options(file: &Path, verb: Verb) -> Options {
    Options {
        verb,
        file: Some(file.to_owned()),
        conf: None,
        data_dir: None,
    }
}

#[test]
fn a_token_is_added_once_and_removed_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("admin.tokens");
    let add = || Verb::Add {
        name: "ann".to_owned(),
        role: "viewer".to_owned(),
        certificate: false,
    };
    let remove = || Verb::Remove { name: "ann".to_owned() };
    assert!(run(&options(&file, add())).1.is_ok());
    let text = fs::read_to_string(&file).expect("the file");
    assert!(text.starts_with("ann:viewer:sha256:"), "{text}");
    assert!(run(&options(&file, add())).1.is_err(), "the name is taken");
    assert_eq!(fs::read_to_string(&file).expect("the file"), text);
    assert!(run(&options(&file, remove())).1.is_ok());
    assert_eq!(fs::read_to_string(&file).expect("the file"), "");
    assert!(run(&options(&file, remove())).1.is_err(), "there is none");
}
