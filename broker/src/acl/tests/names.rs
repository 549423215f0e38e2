//! Names and topics that were made to get past the rights: patterns, wildcards, depth.

use super::{Action, Somebody, book};

const HOSTILE: [&str; 12] = [
    "+",
    "#",
    "/",
    "a/b",
    "a+",
    "$share",
    ".*",
    "__proto__",
    "%u",
    "%c",
    "",
    "../..",
];

/// A name stands for itself in a pattern, or for nothing.
#[test]
fn no_name_reaches_beyond_its_level() {
    let own = book("allow all home/%c/#\nallow all user/%u\n");
    let pattern = book("pattern home/%c/#\npattern user/%u\n");
    for name in HOSTILE {
        let is_usable = !name.is_empty() && !name.contains(['+', '#', '/']);
        for rights in [&own, &pattern] {
            let client = Somebody::new(Some("roger"), name);
            let user = Somebody::new(Some(name), "phone");
            for other in ["other", "b", "a", "roger", "x"] {
                assert!(!client.writes(rights, &format!("home/{other}/t")), "client {name:?}");
                assert!(!user.writes(rights, &format!("user/{other}")), "user {name:?}");
            }
            for filter in ["home/#", "home/+/t", "#", "+/+/t"] {
                assert!(!client.may(rights, Action::Subscribe, filter), "{name:?} {filter}");
            }
            assert_eq!(
                client.writes(rights, &format!("home/{name}/t")),
                is_usable,
                "client {name:?}"
            );
            assert_eq!(user.writes(rights, &format!("user/{name}")), is_usable, "user {name:?}");
        }
    }
}

/// Mosquitto refuses all patterns to such a client, not only those that name it.
#[test]
fn a_refused_name_is_allowed_nothing_by_patterns() {
    let rights = book("pattern read open/#\npattern deny closed\nallow receive ours\n");
    for name in ["a/b", "+", "x#"] {
        let client = Somebody::new(None, name);
        assert!(!client.reads(&rights, "open/x"));
        assert!(!client.reads(&rights, "closed"));
        assert!(client.reads(&rights, "ours"));
    }
    assert!(Somebody::new(None, "tame").reads(&rights, "open/x"));
}

/// Section names are compared as they are.
#[test]
fn hostile_names_are_found_by_their_section_alone() {
    for name in HOSTILE.into_iter().filter(|name| !name.is_empty()) {
        let rights = book(&format!(
            "user {name}\nallow publish a\nclient {name}\nallow publish b\n"
        ));
        for other in HOSTILE {
            let (user, client) = (Somebody::new(Some(other), "x"), Somebody::new(None, other));
            assert_eq!(user.writes(&rights, "a"), other == name);
            assert_eq!(client.writes(&rights, "b"), other == name);
        }
    }
}

#[test]
fn deep_topics_take_no_stack() {
    let deep = "/".repeat(65_535);
    let rule = "+/".repeat(30_000);
    let rights = book(&format!(
        "deny receive /x/#\nallow all {rule}#\nallow receive {}x\n",
        "/".repeat(60_000)
    ));
    let client = Somebody::new(None, "x");
    for action in [Action::Publish, Action::Receive, Action::Will, Action::Subscribe] {
        assert_eq!(client.decide(&rights, action, &deep).rule, Some(2));
    }
    assert!(client.decide(&rights, Action::Subscribe, "#").is_wide);
    assert!(!client.writes(&rights, "/"));
}
