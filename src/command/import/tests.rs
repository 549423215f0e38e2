use std::fs;
use std::path::{Path, PathBuf};

use super::report::{Fate, Report};
use super::result::{Made, Places};
use super::{Options, convert, run, source};
use crate::failure::Failure;

fn places(out: &Path) -> Places {
    Places {
        out: out.to_owned(),
        data: PathBuf::from("/var/lib/strowger"),
    }
}

fn try_import(text: &str) -> Result<(Vec<Made>, Report), Failure> {
    convert(
        &source::lines_in("m.conf", text),
        &places(Path::new("/etc/strowger")),
        false,
    )
}

/// The settings that become of the lines, and the report.
fn import(text: &str) -> (String, String) {
    let (files, report) = try_import(text).unwrap();
    assert_eq!(files.last().unwrap().name, "strowger.toml");
    (files.last().unwrap().text.clone(), report.text())
}

/// What the report says of the line that begins so.
fn fate(report: &str, line: &str) -> String {
    let mut lines = report.lines().skip_while(|told| !told.contains(&format!(": {line}")));
    lines
        .nth(1)
        .unwrap_or_else(|| panic!("nothing of {line}:\n{report}"))
        .trim()
        .to_owned()
}

#[test]
fn without_a_line_it_listens_on_this_machine_alone() {
    let (settings, _) = import("# nothing\n");
    assert!(settings.contains("bind = [\"127.0.0.1:1883\"]"), "{settings}");
    assert!(settings.contains("anonymous = \"allow\""), "{settings}");
    assert!(settings.contains("engine = \"memory\""), "nothing was kept: {settings}");
}

#[test]
fn a_listener_takes_in_nobody_without_a_name_unless_told_so() {
    let (settings, report) = import("listener 1884\npersistence true\n");
    assert!(settings.contains("bind = [\"0.0.0.0:1884\"]"), "{settings}");
    assert!(
        settings.contains("anonymous = \"deny\"") && !settings.contains("engine"),
        "{settings}"
    );
    assert_eq!(
        fate(&report, "listener 1884"),
        "converted: listens on 0.0.0.0:1884 as \"default\""
    );
}

#[test]
fn each_listener_keeps_its_transport_and_its_bounds() {
    let text = "listener 8883 broker.example.com\ncertfile /c.pem\nkeyfile /k.pem\ncafile /ca.pem\nrequire_certificate true\n\
                use_identity_as_username true\ntls_version tlsv1.3\nmax_connections 7\n\
                listener 9001\nprotocol websockets\nlistener 0 /run/m.sock\nlistener 1883 ::1\n";
    let (settings, report) = import(text);
    for expected in [
        "[listener]\nbind = [\"[::1]:1883\"]",
        "name = \"tls-8883\"\nbind = \"broker.example.com:8883\"\ntransport = \"tls\"\nconnections_max = 7\n\
         certificate = \"/c.pem\"\nkey = \"/k.pem\"\ntls_min = \"1.3\"\nclient_ca = \"/ca.pem\"\n",
        "name = \"ws-9001\"\nbind = \"0.0.0.0:9001\"\ntransport = \"ws\"",
        "name = \"unix\"\nbind = \"/run/m.sock\"\ntransport = \"unix\"",
        "certificate_name = \"common_name\"",
    ] {
        assert!(settings.contains(expected), "{expected}\n--- is not in\n{settings}");
    }
    assert!(report.contains("12 lines: 12 converted"), "{report}");
}

#[test]
fn without_a_plain_listener_the_default_one_is_not_opened() {
    let (settings, _) = import("listener 8883\ncertfile /c.pem\nkeyfile /k.pem\ncafile /ca.pem\n");
    assert!(settings.contains("[listener]\nbind = \"none\""), "{settings}");
    assert!(!settings.contains("client_ca"), "clients were not asked: {settings}");
}

#[test]
fn a_listener_that_would_let_in_more_is_left_out() {
    let text = "per_listener_settings true\nlistener 1883\nallow_anonymous true\nmount_point site/\n\
                listener 1884\nallow_anonymous true\n";
    let (settings, report) = import(text);
    assert!(settings.contains(":1884") && !settings.contains(":1883"), "{settings}");
    assert!(
        fate(&report, "listener 1883").starts_with("NOT CONVERTED: the listener is left out"),
        "{report}"
    );
}

#[test]
fn listeners_that_differ_about_strangers_are_told_apart_by_a_rule() {
    let text = "per_listener_settings true\nlistener 1883 127.0.0.1\nallow_anonymous true\nlistener 1884\n";
    let (files, _) = try_import(text).unwrap();
    let rules = files.iter().find(|made| made.name == "rules.toml").unwrap();
    assert!(
        rules.text.contains("when = \"listener == 'tcp-1884' && user == ''\""),
        "{}",
        rules.text
    );
}

#[test]
fn two_password_files_are_not_thrown_together() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("one"), directory.path().join("two"));
    fs::write(&one, "").unwrap();
    fs::write(&two, "").unwrap();
    let text = format!(
        "per_listener_settings true\nlistener 1883\npassword_file {}\nlistener 1884\npassword_file {}\n",
        one.display(),
        two.display()
    );
    let (settings, report) = import(&text);
    assert!(settings.contains(":1883") && !settings.contains(":1884"), "{settings}");
    assert!(
        fate(&report, &format!("password_file {}", two.display())).starts_with("NOT CONVERTED"),
        "{report}"
    );
}

#[test]
fn what_has_no_counterpart_is_said_and_secrets_are_not_shown() {
    let text = "connection head-office\naddress 192.0.2.1\nremote_password swordfish\ntopic # out\n\
                plugin /p.so\nplugin_opt_db_password hunter2\nno_such_keyword 7\nlistener 1883\n";
    let (_, report) = import(text);
    assert!(!report.contains("swordfish") && !report.contains("hunter2"), "{report}");
    assert_eq!(
        fate(&report, "topic # out"),
        "NOT CONVERTED: belongs to the bridge head-office"
    );
    for line in ["connection head-office", "plugin /p.so", "no_such_keyword 7"] {
        assert!(fate(&report, line).starts_with("NOT CONVERTED"), "{line}: {report}");
    }
    assert!(
        report.contains("8 lines: 0 converted, 0 not needed, 8 not converted"),
        "{report}"
    );
}

#[test]
fn a_listener_whose_rights_came_from_a_plugin_is_left_out() {
    let (settings, report) = import("plugin /dynsec.so\nallow_anonymous true\nlistener 1883 0.0.0.0\n");
    assert!(!settings.contains("0.0.0.0"), "{settings}");
    assert!(
        fate(&report, "listener 1883 0.0.0.0").contains("left out: a plugin"),
        "{report}"
    );
}

#[test]
fn bounds_keep_their_numbers() {
    let text = "max_inflight_messages 1\nmax_queued_messages 0\npersistent_client_expiration 2w\nmax_packet_size 5000\n\
                message_size_limit 100\nlog_type error\nlog_type warning\nsys_interval 0\n";
    let (settings, report) = import(text);
    for expected in [
        "inflight_max = 1 # m.conf:1",
        "inflight_max_v3 = 1 # m.conf:1",
        "queue_messages_max = 10000000 # m.conf:2",
        "expiry_max_secs = 1209600 # m.conf:3",
        "bytes_max = 5000 # m.conf:4",
        "level = \"warn\"",
        "sys_interval_secs = 0 # m.conf:8",
        "file = \"/etc/strowger/rules.toml\"",
    ] {
        assert!(settings.contains(expected), "{expected}\n--- is not in\n{settings}");
    }
    assert!(report.contains("8 lines: 8 converted"), "{report}");
}

#[test]
fn a_value_that_cannot_be_is_named_with_its_place() {
    let error = try_import("listener 1883\nmax_connections many\n")
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "m.conf:2: max_connections: `many` is no number that fits here; mend the line, and import again"
    );
}

#[test]
fn rights_are_copied_but_for_grants_that_cannot_be_read() {
    let directory = tempfile::tempdir().unwrap();
    let acl = directory.path().join("acl");
    let write = |text: &str| fs::write(&acl, text).unwrap();
    let text = format!("listener 1883\nallow_anonymous true\nacl_file {}\n", acl.display());

    write("topic read a/#\ntopic a+/b\nuser ann\ntopic b");
    let (files, report) = try_import(&text).unwrap();
    let book = &files.iter().find(|made| made.name == "rights").unwrap().text;
    assert_eq!(book, "topic read a/#\n# not converted: topic a+/b\nuser ann\ntopic b\n");
    assert!(
        report.text().contains("acl:2: topic a+/b\n    NOT CONVERTED"),
        "{}",
        report.text()
    );
    assert!(
        report.text().contains("apply to nobody"),
        "names are not checked: {}",
        report.text()
    );

    write("topic a/#\ntopic deny a+/b\n");
    let error = try_import(&text).unwrap_err().to_string();
    assert!(
        error.contains("acl:2:"),
        "what is taken away is not left out in silence: {error}"
    );
}

#[test]
fn included_files_follow_in_the_order_of_mosquitto() {
    let directory = tempfile::tempdir().unwrap();
    let parts = directory.path().join("conf.d");
    fs::create_dir(&parts).unwrap();
    for (name, line) in [
        ("b.conf", "port 2"),
        ("B.conf", "port 1"),
        ("a.txt", "port 9"),
        ("c.conf", "port 3"),
    ] {
        fs::write(parts.join(name), line).unwrap();
    }
    let main = directory.path().join("mosquitto.conf");
    fs::write(&main, format!("include_dir {}\nuser nobody\n", parts.display())).unwrap();
    let read = source::read(&main).unwrap();
    let values: Vec<&str> = read.iter().skip(1).map(|line| line.value.as_str()).collect();
    assert_eq!(values, ["1", "2", "3", "nobody"]);
}

#[test]
fn a_result_that_is_there_is_replaced_only_by_force() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mosquitto.conf");
    fs::write(&file, "listener 1883\n").unwrap();
    let options = |force| Options {
        file: file.clone(),
        out: directory.path().join("out"),
        data_dir: PathBuf::from("/var/lib/strowger"),
        force,
    };
    run(&options(false)).unwrap();
    let error = run(&options(false)).unwrap_err().to_string();
    assert!(
        error.contains("is there already") && error.contains("--force"),
        "{error}"
    );
    run(&options(true)).unwrap();
}

#[test]
fn the_report_counts_by_fate() {
    let (_, report) = try_import("listener 1883\nuser nobody\nconnection x\n").unwrap();
    let counts = [Fate::Converted, Fate::NotNeeded, Fate::NotConverted].map(|fate| report.count(fate));
    assert_eq!(counts, [1, 1, 1]);
}

#[test]
fn authorities_of_a_file_and_of_a_directory_are_both_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let (file, path) = (directory.path().join("ca.pem"), directory.path().join("cas"));
    fs::create_dir(&path).unwrap();
    fs::write(&file, "first").unwrap();
    fs::write(path.join("b.pem"), "second\n").unwrap();
    let text = format!(
        "listener 8883\ncertfile /c.pem\nkeyfile /k.pem\ncafile {}\ncapath {}\nrequire_certificate true\n",
        file.display(),
        path.display()
    );
    let (files, report) = try_import(&text).unwrap();
    let copy = files
        .iter()
        .find(|made| made.name.ends_with("-authorities.pem"))
        .unwrap();
    assert_eq!(copy.text, "first\nsecond\n");
    let settings = &files.last().unwrap().text;
    assert!(
        settings.contains(&format!("client_ca = \"/etc/strowger/{}\"", copy.name)),
        "{settings}"
    );
    for line in ["cafile", "capath"] {
        assert_eq!(
            fate(&report.text(), line),
            "converted: client_ca of the listener, a copy of all authorities"
        );
    }
}

#[test]
fn a_log_in_a_file_is_told_to_be_elsewhere() {
    let (settings, report) = import("log_dest file /var/log/mosquitto/mosquitto.log\n");
    assert!(!settings.contains("[log]"), "{settings}");
    let told = fate(&report, "log_dest file");
    assert!(told.starts_with("NOT CONVERTED") && told.contains("log.file"), "{told}");
}
