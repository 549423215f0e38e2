use std::ffi::OsString;
use std::path::PathBuf;

use super::Layers;
use crate::{Durability, Override};

/// A file that lives as long as the test.
struct Scrap(PathBuf);

impl Scrap {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("strowger-conf-{}-{name}.toml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for Scrap {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn variable(name: &str, value: &str) -> [(OsString, OsString); 1] {
    [(name.into(), value.into())]
}

#[test]
fn each_layer_goes_before_the_one_below_and_leaves_its_origin() {
    let file = Scrap::new(
        "layers",
        "[session]\nreceive_maximum = 100\ninflight_max = 100\nsubscriptions_max = 100\n[log]\nformat = \"json\"\n",
    );
    let loaded = Layers::default()
        .set("session.subscriptions_max=300")
        .environment(variable("STROWGER_SESSION__INFLIGHT_MAX", "200"))
        .environment(variable("STROWGER_SESSION__SUBSCRIPTIONS_MAX", "200"))
        .file(&file.0)
        .load()
        .unwrap();

    let session = &loaded.configuration.session;
    assert_eq!(
        (session.receive_maximum, session.inflight_max, session.subscriptions_max),
        (100, 200, 300)
    );
    assert_eq!(session.topic_alias_max, 32);

    let line = |line: usize| format!("{}:{line}", file.0.display());
    assert_eq!(loaded.origin("session.receive_maximum"), Some(&*line(2)));
    assert_eq!(loaded.origin("log.format"), Some(&*line(6)));
    assert_eq!(
        loaded.origin("session.inflight_max"),
        Some("environment STROWGER_SESSION__INFLIGHT_MAX")
    );
    assert_eq!(loaded.origin("session.subscriptions_max"), Some("flag --set"));
    assert_eq!(loaded.origin("session.topic_alias_max"), Some("default"));
    assert_eq!(loaded.origin("session.no_such_key"), None);
}

#[test]
fn a_list_replaces_the_one_below_whole() {
    let file = Scrap::new("list", "[listener]\nbind = [\"127.0.0.1:1\", \"127.0.0.1:2\"]\n");
    let from_file = Layers::default().file(&file.0);
    assert_eq!(
        from_file.clone().load().unwrap().configuration.listener.bind,
        ["127.0.0.1:1", "127.0.0.1:2"]
    );

    let bound = from_file.bind(&["127.0.0.1:3".to_owned()]).load().unwrap();
    assert_eq!(bound.configuration.listener.bind, ["127.0.0.1:3"]);
    assert_eq!(bound.origin("listener.bind"), Some("flag --bind"));
}

#[test]
fn of_two_flags_for_one_key_the_later_wins() {
    let loaded = Layers::default()
        .set("log.level=debug")
        .set("log.level=warn")
        .load()
        .unwrap();
    assert_eq!(loaded.configuration.log.level, "warn");
}

#[test]
fn what_is_printed_is_a_file_that_gives_the_same_configuration() {
    let loaded = Layers::default()
        .bind(&["127.0.0.1:1".to_owned(), "[::1]:2".to_owned()])
        .data_dir("/var/lib/a \"b\" # c")
        .set("log.level=info,actors=debug")
        .load()
        .unwrap();
    let printed = Scrap::new("printed", &loaded.to_string());
    assert_eq!(
        Layers::default().file(&printed.0).load().unwrap().configuration,
        loaded.configuration
    );
}

#[test]
fn a_wrong_flag_is_refused() {
    let error = |pair: &str| Layers::default().set(pair).load().unwrap_err().to_string();
    assert_eq!(
        error("log.level"),
        "flag --set: `log.level` has no `=`; write --set section.key=value"
    );
    assert_eq!(
        error("log.levle=info"),
        "flag --set: unknown key `log.levle`; did you mean `log.level`?"
    );
    assert_eq!(
        Layers::default()
            .bind(&["1883".to_owned()])
            .load()
            .unwrap_err()
            .to_string(),
        "flag --bind: `listener.bind` cannot be [\"1883\"]; \
         allowed: host:port such as \"127.0.0.1:1883\" or \"[::1]:1883\", systemd:NAME, or none, or a list of at least one"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = Layers::default()
        .file("/no/such/strowger.toml")
        .load()
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("cannot read the configuration file /no/such/strowger.toml: "),
        "{error}"
    );
}

#[test]
fn a_wrong_value_is_refused_even_where_a_flag_replaces_it() {
    let file = Scrap::new("replaced", "[log]\nlevel = \"loud\"\n");
    assert!(Layers::default().file(&file.0).set("log.level=info").load().is_err());
}

/// The file gives a list of tables whole; what is printed is read back as the same.
#[test]
fn a_list_of_tables_comes_out_of_the_file_in_its_order() {
    let file = Scrap::new(
        "tables",
        "[storage]\nengine = \"sled\"\n[[storage.override]]\nfilter = \"b/#\"\ndurability = \"memory\"\n\
         [[storage.override]]\nfilter = \"+\"\ndurability = \"os\"\n[log]\nlevel = \"warn\"\n",
    );
    let loaded = Layers::default().file(&file.0).load().unwrap();
    let overrides = [("b/#", Durability::Memory), ("+", Durability::Os)].map(|(filter, durability)| Override {
        filter: filter.to_owned(),
        durability,
    });
    assert_eq!(loaded.configuration.storage.overrides, overrides);
    assert_eq!(
        loaded.origin("storage.override"),
        Some(&*format!("{}:3", file.0.display()))
    );

    let printed = Scrap::new("tables-printed", &loaded.to_string());
    let again = Layers::default().file(&printed.0).load().unwrap();
    assert_eq!(again.configuration, loaded.configuration);
}

#[test]
fn neither_variables_nor_flags_give_a_list_of_tables() {
    let allowed = "allowed: [[storage.override]] tables with filter and durability in the file, at most 256";
    let flag = Layers::default().set("storage.override=a/#").load();
    assert_eq!(
        flag.unwrap_err().to_string(),
        format!("flag --set: `storage.override` cannot be \"a/#\"; {allowed}")
    );
    let variables = variable("STROWGER_STORAGE__OVERRIDE", "[]");
    let environment = Layers::default().environment(variables).load();
    assert_eq!(
        environment.unwrap_err().to_string(),
        format!("environment STROWGER_STORAGE__OVERRIDE: `storage.override` cannot be \"[]\"; {allowed}")
    );
}
