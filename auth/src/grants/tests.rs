use super::{GRANTS_MAX, Rights, is_filter};
use crate::{Actions, Grant};

fn grants(json: &str) -> Result<Vec<Grant>, String> {
    let rights: Rights = serde_json::from_str(json).map_err(|error| error.to_string())?;
    rights.into_grants()
}

#[test]
fn denials_come_first() {
    let json = r#"{"publish": ["a/#"], "subscribe": ["b/+"], "deny_publish": ["a/x"], "all": ["c"]}"#;
    let found: Vec<_> = grants(json).unwrap();
    let grant = |allow, actions, filter: &str| Grant {
        allow,
        actions,
        filter: filter.to_owned(),
    };
    let expected = [
        grant(false, Actions::Publish, "a/x"),
        grant(true, Actions::Both, "c"),
        grant(true, Actions::Publish, "a/#"),
        grant(true, Actions::Subscribe, "b/+"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_is_not_understood_gives_no_right() {
    let many = format!(r#"{{"all": [{}]}}"#, vec![r#""a""#; GRANTS_MAX + 1].join(","));
    for json in [
        r#"{"denny_publish": ["a"]}"#,
        r#"{"publish": "a"}"#,
        r#"{"all": ["a/#/b"]}"#,
        "[1]",
        &many,
    ] {
        assert!(grants(json).is_err(), "{json}");
    }
}

#[test]
fn filters_are_those_of_mqtt() {
    for filter in [
        "#",
        "+",
        "/",
        "a",
        "a/#",
        "+/+/#",
        "/#",
        "$SYS/#",
        "a//b",
        "%u/x",
        "$share/g/a",
    ] {
        assert!(is_filter(filter), "{filter}");
    }
    for filter in [
        "", "a#", "#/a", "a/#/b", "a+", "+a/b", "a/b+", "##", "a/##", "a\0b", "+#",
    ] {
        assert!(!is_filter(filter), "{filter}");
    }
    assert!(!is_filter(&"a".repeat(65_536)));
}
