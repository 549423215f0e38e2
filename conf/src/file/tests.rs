use std::path::Path;

use super::parse;

fn error_of(text: &str) -> String {
    parse(text, Path::new("strowger.toml")).unwrap_err().to_string()
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_key() {
    let text = "[listener]\nbind = \"127.0.0.1:1883\"\n\n\n\n[sesion]\nexpiry_max_secs = 5\n";
    assert_eq!(
        error_of(text),
        "strowger.toml:7: unknown key `sesion.expiry_max_secs`; did you mean `session.expiry_max_secs`?"
    );
}

#[test]
fn an_unknown_section_without_keys_is_refused_too() {
    assert_eq!(
        error_of("[log]\n[bridge]\n"),
        "strowger.toml:2: unknown key `bridge`; `strowger serve --print-conf` lists the keys"
    );
}

#[test]
fn of_two_mistakes_the_upper_one_is_reported() {
    let text = "[session]\nreceive_maximum = 5\n[listener]\nbind = 7\n";
    assert_eq!(
        error_of(text),
        "strowger.toml:2: `session.receive_maximum` cannot be 5; allowed: 32 to 65535 messages"
    );
}

#[test]
fn a_value_of_another_kind_is_shown_as_it_was_written() {
    for (value, shown) in [
        ("\"1000\"", "\"1000\""),
        ("1.5", "1.5"),
        ("true", "true"),
        ("[1]", "[1]"),
        ("1979-05-27", "1979-05-27"),
        ("99999999999999999999", "\"99999999999999999999\""),
    ] {
        let error = error_of(&format!("session.receive_maximum = {value}"));
        assert!(error.contains(&format!("cannot be {shown};")), "{error}");
    }
}

#[test]
fn numbers_may_be_written_in_any_way_of_toml() {
    for number in ["1_000", "0x3e8", "0o1750", "0b1111101000", "+1000"] {
        let entries = parse(&format!("session.receive_maximum = {number}"), Path::new("f")).unwrap();
        assert_eq!(entries.len(), 1, "{number}");
    }
}

#[test]
fn a_key_below_a_setting_is_unknown() {
    let error = error_of("[session.receive_maximum]\nx = 1\n");
    assert!(
        error.starts_with("strowger.toml:2: unknown key `session.receive_maximum.x`"),
        "{error}"
    );
}

#[test]
fn what_is_not_toml_is_refused_in_one_line_with_its_number() {
    for (text, line) in [
        ("[log]\nlevel = \n", 2),
        ("[log\n", 1),
        ("[log]\nlevel = 'info'\nlevel = 'debug'\n", 3),
    ] {
        let error = error_of(text);
        assert!(
            error.starts_with(&format!("strowger.toml:{line}: not valid TOML: ")),
            "{error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn keys_keep_their_case() {
    let error = error_of("[Session]\nreceive_maximum = 64\n");
    assert!(
        error.contains("unknown key `Session.receive_maximum`; did you mean `session.receive_maximum`?"),
        "{error}"
    );
}

const OVERRIDE: &str = "[[storage.override]]\nfilter = \"a/#\"\ndurability = \"os\"\n";

#[test]
fn a_list_of_tables_may_be_written_in_both_ways_of_toml() {
    let inline = "storage.override = [{ filter = \"a/#\", durability = \"os\" }]\n";
    for text in [OVERRIDE, inline, "storage.override = []"] {
        assert_eq!(parse(text, Path::new("f")).unwrap().len(), 1, "{text}");
    }
    assert_eq!(parse(&OVERRIDE.repeat(256), Path::new("f")).unwrap().len(), 1);
}

#[test]
fn a_mistake_in_a_table_of_a_list_is_told_with_its_own_line() {
    for (table, told) in [
        (
            "filter = \"a/#/b\"\ndurability = \"os\"",
            "strowger.toml:5: `storage.override.filter` cannot be \"a/#/b\"; allowed: a topic filter such as",
        ),
        (
            "filter = \"b\"\ndurability = \"ram\"",
            "strowger.toml:6: `storage.override.durability` cannot be \"ram\"; \
             allowed: \"disk\" or \"os\" or \"memory\"",
        ),
        (
            "filter = \"b\"\ndurabilty = \"os\"",
            "strowger.toml:6: unknown key `storage.override.durabilty`; \
             did you mean `storage.override.durability`?",
        ),
        (
            "topic = \"b\"\ndurability = \"os\"",
            "strowger.toml:5: unknown key `storage.override.topic`; did you mean `storage.override.filter`?",
        ),
        (
            "filter = \"b\"",
            "strowger.toml:4: `storage.override` without `durability`; allowed: \"disk\" or \"os\" or \"memory\"",
        ),
    ] {
        let error = error_of(&format!("{OVERRIDE}[[storage.override]]\n{table}\n"));
        assert!(error.starts_with(told), "{error}");
    }
}

#[test]
fn what_is_no_list_of_tables_is_told_how_to_be_one() {
    let allowed = "allowed: [[storage.override]] tables with filter and durability in the file, at most 256";
    for (text, told) in [
        (
            "storage.override = \"a\"",
            "strowger.toml:1: `storage.override` cannot be \"a\"; ",
        ),
        (
            "storage.override = [\"a\"]",
            "strowger.toml:1: `storage.override` cannot be [\"a\"]; ",
        ),
        (
            "[storage.override]\nfilter = \"a\"",
            "strowger.toml:1: `storage.override` cannot be { filter = \"a\" }; ",
        ),
        (
            &OVERRIDE.repeat(257),
            "strowger.toml:769: `storage.override` cannot be 257 tables; ",
        ),
    ] {
        assert_eq!(error_of(text), format!("{told}{allowed}"));
    }
}
