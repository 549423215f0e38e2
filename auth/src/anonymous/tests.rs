use bytes::Bytes;

use super::{Listeners, Settings, ask};
use crate::{Credentials, Verdict};

fn from(address: Option<&str>) -> Credentials {
    Credentials {
        client_id: "a".to_owned(),
        username: None,
        password: None,
        address: address.map(|address| address.parse().unwrap()),
        listener: "tcp".to_owned(),
        certificate: None,
    }
}

#[test]
fn only_this_machine_is_trusted_unless_listeners_are_named() {
    let named = |name: &str| Listeners::Named(vec![name.to_owned()]);
    for (address, local) in [
        (None, true),
        (Some("127.0.0.1"), true),
        (Some("127.9.9.9"), true),
        (Some("::1"), true),
        (Some("::ffff:127.0.0.1"), true),
        (Some("192.0.2.1"), false),
        (Some("0.0.0.0"), false),
        (Some("2001:db8::1"), false),
    ] {
        let comes_in = |on| {
            matches!(
                ask(
                    &Settings {
                        on,
                        ..Settings::default()
                    },
                    &from(address)
                ),
                Verdict::Known(_)
            )
        };
        assert_eq!(comes_in(Listeners::Local), local, "{address:?}");
        assert!(comes_in(Listeners::All) && comes_in(named("tcp")) && !comes_in(named("tls")));
    }
}

#[test]
fn a_name_that_nobody_checked_is_no_name() {
    let named = Credentials {
        username: Some("admin".to_owned()),
        ..from(None)
    };
    let with_password = Credentials {
        password: Some(Bytes::from_static(b"x")),
        ..from(None)
    };
    for who in [named, with_password] {
        assert!(matches!(ask(&Settings::default(), &who), Verdict::NotMine));
        let lax = Settings {
            are_names_ignored: true,
            ..Settings::default()
        };
        assert!(matches!(ask(&lax, &who), Verdict::Known(identity) if identity.username.is_none()));
    }
}
