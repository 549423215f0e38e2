use toml::Value;

use crate::configuration::settings;
use crate::table::{Allowed, Setting};

fn setting(name: &str) -> &'static Setting {
    settings().find(|setting| setting.name() == name).unwrap()
}

#[test]
fn a_number_is_taken_at_both_ends_of_its_range_and_refused_outside() {
    let window = setting("session.receive_maximum");
    for (number, good) in [(31, false), (32, true), (65_535, true), (65_536, false), (-1, false)] {
        assert_eq!(window.check(Value::Integer(number)).is_some(), good, "{number}");
    }
}

#[test]
fn a_number_may_be_written_with_underscores_but_not_as_text() {
    let window = setting("session.receive_maximum");
    assert_eq!(window.read("1_000"), Value::Integer(1000));
    assert_eq!(window.check(Value::String("1000".to_owned())), None);
    assert_eq!(window.check(window.read("many")), None);
    assert_eq!(window.check(Value::Float(1000.0)), None);
    assert_eq!(window.check(Value::Boolean(true)), None);
}

#[test]
fn a_choice_takes_its_words_only() {
    let full = setting("session.queue_full");
    assert!(full.check(full.read("drop")).is_some());
    assert!(full.check(full.read("Drop")).is_none());
    assert_eq!(full.allowed(), "\"refuse\" or \"drop\"");
}

#[test]
fn a_list_takes_one_or_many_but_not_none() {
    let bind = setting("listener.bind");
    let many = bind.check(bind.read("127.0.0.1:1, [::1]:2")).unwrap();
    assert_eq!(many.to_string(), r#"["127.0.0.1:1", "[::1]:2"]"#);
    assert!(bind.check(Value::String("127.0.0.1:1".to_owned())).unwrap().is_array());
    assert!(bind.check(Value::Array(Vec::new())).is_none());
    assert!(bind.check(bind.read("")).is_none());
    assert!(bind.check(bind.read("127.0.0.1:1,")).is_none());
}

#[test]
fn a_number_says_its_range_with_the_unit() {
    assert_eq!(setting("listener.connect_timeout_secs").allowed(), "1 to 3600 seconds");
}

#[test]
fn every_setting_explains_itself_and_every_number_has_a_unit() {
    let of_tables = || settings().filter_map(Setting::tables).flat_map(|tables| tables.keys);
    for setting in settings().chain(of_tables()) {
        assert!(
            setting.meaning().ends_with('.'),
            "{}: its doc comment is one or more sentences",
            setting.name()
        );
        assert!(
            !setting.meaning().contains('|'),
            "{}: a bar would break the table of CONFIG.md",
            setting.name()
        );
        assert_eq!(
            matches!(setting.allowed, Allowed::Range(_)),
            !setting.unit.is_empty(),
            "{}",
            setting.name()
        );
    }
}

#[test]
fn the_environment_variable_has_two_underscores_after_the_section() {
    assert_eq!(
        setting("session.receive_maximum").variable(),
        "STROWGER_SESSION__RECEIVE_MAXIMUM"
    );
}

#[test]
fn a_list_of_tables_takes_none_or_many_but_no_text() {
    let list = setting("storage.override");
    assert!(list.check(Value::Array(Vec::new())).is_some());
    assert!(list.check(list.read("a/#=memory")).is_none());
    let table = |text: &str| Value::Array(vec![Value::Table(text.parse().unwrap())]);
    let both = "filter = \"a\"\ndurability = \"os\"\n";
    assert!(list.check(table(both)).is_some());
    assert!(list.check(table(&format!("{both}more = 1"))).is_none());
    assert!(list.check(table("filter = \"a\"")).is_none());
    assert!(list.check(table("filter = \"a\"\ndurability = \"ram\"")).is_none());
}
