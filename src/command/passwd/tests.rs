use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{Options, run};

fn options(file: &std::path::Path, name: &str, batch: Option<&str>) -> Options {
    Options {
        file: file.to_owned(),
        name: name.to_owned(),
        delete: batch.is_none(),
        scram: false,
        batch: batch.map(str::to_owned),
    }
}

#[test]
fn users_come_change_and_go_and_other_lines_stay() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("passwords");
    run(&options(&file, "clerk", Some("secret"))).unwrap();
    let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    let first = fs::read_to_string(&file).unwrap();
    assert!(
        first.starts_with("clerk:$argon2id$v=19$m=19456,t=2,p=1$") && first.ends_with('\n'),
        "{first}"
    );

    fs::write(&file, format!("# ours\n{first}")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    run(&options(&file, "sensor", Some("other"))).unwrap();
    assert_eq!(mode(), 0o644, "whoever could read it reads on");
    let both = fs::read_to_string(&file).unwrap();
    assert!(both.starts_with(&format!("# ours\n{first}sensor:$argon2id$")), "{both}");

    run(&options(&file, "clerk", Some("secret"))).unwrap();
    let changed = fs::read_to_string(&file).unwrap();
    assert!(changed != both && changed.lines().count() == 3, "{changed}");
    let scram = Options {
        scram: true,
        ..options(&file, "clerk", Some("secret"))
    };
    run(&scram).unwrap();
    let changed = fs::read_to_string(&file).unwrap();
    assert!(changed.contains("\nclerk:$scram-sha-256$20000$"), "{changed}");
    run(&options(&file, "clerk", None)).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2);
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        1,
        "nothing is left behind"
    );
}

#[test]
fn what_cannot_be_done_changes_nothing_and_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("passwords");
    let missing = run(&options(&file, "clerk", None)).unwrap_err().to_string();
    assert!(missing.starts_with("cannot read ") && !file.exists(), "{missing}");

    fs::write(&file, "clerk:$6$x\n").unwrap();
    let unknown = run(&options(&file, "ghost", None)).unwrap_err().to_string();
    assert!(unknown.ends_with("there is no user \"ghost\""), "{unknown}");
    let bad = run(&options(&file, "a:b", Some("x"))).unwrap_err().to_string();
    assert!(bad.contains("cannot be a user's name"), "{bad}");
    assert!(run(&options(&file, "clerk", Some(""))).is_err());

    fs::write(directory.path().join("passwords.new"), "").unwrap();
    let busy = run(&options(&file, "clerk", Some("x"))).unwrap_err().to_string();
    assert!(busy.contains("passwords.new") && busy.contains("remove it"), "{busy}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "clerk:$6$x\n");
    assert!(
        directory.path().join("passwords.new").exists(),
        "it belongs to somebody else"
    );
}
