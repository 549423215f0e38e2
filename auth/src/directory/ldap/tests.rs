use super::{LdapSettings, check, fill, filters};
use crate::directory::Secret;

fn settings() -> LdapSettings {
    LdapSettings {
        url: "ldaps://directory.example.org".to_owned(),
        bind_dn: String::new(),
        password: None,
        base: "dc=example,dc=org".to_owned(),
        filter: "(&(uid=%u)(device=%c))".to_owned(),
        name_attribute: "uid".to_owned(),
        group_attribute: "memberOf".to_owned(),
        group_base: String::new(),
        group_filter: "(member=%d)".to_owned(),
    }
}

/// RFC 4515, section 3: `*`, `(`, `)`, `\` and NUL are written as a backslash and two digits.
#[test]
fn a_name_stays_a_value_whatever_it_holds() {
    let (filter, groups) = filters(&settings()).unwrap();
    for (name, escaped) in [
        ("ann", "ann"),
        ("*", "\\2a"),
        ("ann)(uid=*", "ann\\29\\28uid=\\2a"),
        ("a\\b", "a\\5cb"),
        ("a\0b", "a\\00b"),
        ("Zoë", "Zoë"),
        ("%c", "%c"),
    ] {
        assert_eq!(fill(&filter, name, "c", ""), format!("(&(uid={escaped})(device=c))"));
        assert_eq!(fill(&filter, "u", name, ""), format!("(&(uid=u)(device={escaped}))"));
        let parsed = ldap3::parse_filter(fill(&filter, name, name, ""));
        assert!(parsed.is_ok(), "{name:?}");
    }
    let groups = groups.unwrap();
    assert_eq!(
        fill(&groups, "u", "c", "cn=A (b)\\, c"),
        "(member=cn=A \\28b\\29\\5c, c)"
    );
}

#[test]
fn settings_that_cannot_work_are_named() {
    assert!(check(&settings()).is_ok());
    let wrong = [
        LdapSettings {
            filter: "(uid=*)".to_owned(),
            ..settings()
        },
        LdapSettings {
            filter: "(uid=%u".to_owned(),
            ..settings()
        },
        LdapSettings {
            filter: "uid=%d".to_owned(),
            ..settings()
        },
        LdapSettings {
            group_filter: "member=%d)".to_owned(),
            ..settings()
        },
        LdapSettings {
            url: "http://x".to_owned(),
            ..settings()
        },
        LdapSettings {
            bind_dn: "cn=reader".to_owned(),
            ..settings()
        },
    ];
    for settings in wrong {
        assert!(check(&settings).is_err(), "{settings:?}");
    }
    let password = Some(Secret::Text("hidden".to_owned()));
    let with_password = LdapSettings {
        bind_dn: "cn=reader".to_owned(),
        password,
        ..settings()
    };
    assert!(check(&with_password).is_ok());
}
