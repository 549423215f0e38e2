use std::path::Path;

use super::{CONNECTIONS, Change, Configuration, LISTENER_PLACE, LISTENER_RESTART, Live, NOW, RESTART, SECTIONS_NOW};
use super::{changes, live};
use crate::configuration::{SECTIONS, settings};
use crate::layers::Layers;

fn read(text: &str) -> Configuration {
    let layers = Layers::default().text("f.toml", text);
    layers.load().unwrap().configuration
}

fn differ(before: &str, after: &str) -> Vec<(String, String, String, Live)> {
    let changes = changes(&read(before), &read(after)).unwrap();
    let parts = |change: Change| (change.key, change.before, change.after, change.live);
    changes.into_iter().map(parts).collect()
}

#[test]
fn the_lists_name_settings_that_exist() {
    for name in NOW.iter().chain(&CONNECTIONS).chain(&RESTART) {
        assert!(settings().any(|setting| setting.name() == *name), "{name}");
    }
    for name in SECTIONS_NOW {
        assert!(SECTIONS.iter().any(|section| section.name == name), "{name}");
    }
    let listeners = settings().find(|setting| setting.name() == "listeners").unwrap();
    let keys = listeners.tables().unwrap().keys;
    for name in LISTENER_RESTART.iter().chain(&LISTENER_PLACE) {
        assert!(keys.iter().any(|key| key.key == *name), "{name}");
    }
}

#[test]
fn what_nobody_has_said_is_live_needs_a_restart() {
    assert_eq!(live("storage.engine"), Live::Restart);
    assert_eq!(live("broker.lines"), Live::Restart);
    assert_eq!(live("something.else"), Live::Restart);
    assert_eq!(live("packet.bytes_max"), Live::Restart);
    assert_eq!(live("session.receive_maximum"), Live::Connections);
    assert_eq!(live("session.queue_messages_max"), Live::Now);
    assert_eq!(live("storage.override"), Live::Now);
}

#[test]
fn equal_configurations_differ_in_nothing() {
    assert_eq!(differ("", "[session]\nqueue_messages_max = 10000"), []);
}

#[test]
fn a_setting_that_differs_is_told_with_both_values_and_a_secret_with_none() {
    let queue = ("session.queue_messages_max", "10000", "5", Live::Now);
    let url = ("auth.sql_url", "\"\"", "\"(secret)\"", Live::Now);
    let told = differ(
        "",
        "[session]\nqueue_messages_max = 5\n[auth]\nsql_url = \"postgres://u:p@h/d\"\n",
    );
    let owned =
        |(key, before, after, live): (&str, &str, &str, _)| (key.to_owned(), before.to_owned(), after.to_owned(), live);
    assert_eq!(told, [owned(url), owned(queue)]);
}

#[test]
fn a_listener_is_compared_key_by_key_with_the_one_of_its_name() {
    let listener =
        |more: &str| format!("[[listeners]]\nname = \"a\"\nbind = \"127.0.0.1:1\"\ntransport = \"tcp\"\n{more}");
    let told = differ(&listener("connections_max = 5"), &listener("connect_burst = 2"));
    let told: Vec<_> = told
        .iter()
        .map(|(key, before, after, _)| format!("{key} {before} {after}"))
        .collect();
    assert_eq!(
        told,
        ["listeners.a.connect_burst none 2", "listeners.a.connections_max 5 none"]
    );
    // That one moves, comes or goes is told of the listener.
    assert_eq!(differ(&listener(""), &listener("").replace(":1\"", ":2\"")), []);
    assert_eq!(differ(&listener(""), ""), []);
    let quic = |more: &str| {
        format!(
            "[[listeners]]\nname = \"q\"\nbind = \"127.0.0.1:1\"\ntransport = \"quic\"\ncertificate = \"c\"\nkey = \"k\"\n{more}"
        )
    };
    let told = differ(&quic(""), &quic("connections_max = 5\nclient_bytes_per_sec = 9"));
    let lives: Vec<_> = told.iter().map(|(key, .., live)| (key.as_str(), *live)).collect();
    assert_eq!(
        lives,
        [
            ("listeners.q.client_bytes_per_sec", Live::Now),
            ("listeners.q.connections_max", Live::Restart)
        ]
    );
}

#[test]
fn a_text_in_the_place_of_the_file_is_checked_like_one() {
    let layers = Layers::default()
        .file(Path::new("/nowhere"))
        .text("next.toml", "[session]\nqueue = 1\n");
    let error = layers.load().unwrap_err().to_string();
    assert!(error.starts_with("next.toml:2:"), "{error}");
}

#[test]
fn what_needs_a_restart_is_told_again_until_there_is_one() {
    let quic = |max: u32| {
        format!(
            "[[listeners]]\nname = \"q\"\nbind = \"127.0.0.1:1\"\ntransport = \"quic\"\ncertificate = \"c\"\nkey = \"k\"\nconnections_max = {max}\n"
        )
    };
    let before = read(&format!("{}[broker]\nlines = 1\n", quic(1)));
    let after = read(&format!("{}[broker]\nlines = 2\ndrain_timeout_secs = 3\n", quic(2)));
    let taken = super::taken(&before, &after).unwrap();
    assert_eq!((taken.broker.lines, taken.broker.drain_timeout_secs), (1, 3));
    let left = changes(&taken, &after).unwrap();
    let keys: Vec<&str> = left.iter().map(|change| change.key.as_str()).collect();
    assert_eq!(keys, ["listeners.q.connections_max", "broker.lines"]);
}
