use std::borrow::Cow;

use super::{Names, Pattern};

fn filled(pattern: &str, user: &str, client: &str) -> String {
    let names = Names {
        user,
        client,
        entry: "",
    };
    let pattern = Pattern::parse(pattern, "uc").unwrap();
    pattern.fill(names, |name| Cow::Borrowed(name))
}

#[test]
fn names_are_put_in_once() {
    assert_eq!(filled("mqtt:%u:%c:100%%", "ann", "meter"), "mqtt:ann:meter:100%");
    assert_eq!(filled("%u", "%c%u%%", "meter"), "%c%u%%");
    assert_eq!(filled("none", "ann", "meter"), "none");
}

#[test]
fn what_stands_for_nothing_is_a_mistake() {
    for wrong in ["%", "%x", "a%", "%d", "% u"] {
        assert!(Pattern::parse(wrong, "uc").is_err(), "{wrong}");
    }
    assert!(!Pattern::parse("%%u", "uc").unwrap().names_a_user());
}
