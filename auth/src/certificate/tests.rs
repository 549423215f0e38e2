use super::{NameFrom, Settings, ask};
use crate::{Certificate, Credentials, Refusal, Verdict};

fn bearer(username: Option<&str>, certificate: Option<Certificate>) -> Credentials {
    Credentials {
        client_id: "meter-7".to_owned(),
        username: username.map(str::to_owned),
        password: None,
        address: None,
        listener: "tls".to_owned(),
        certificate,
    }
}

fn certificate() -> Certificate {
    Certificate {
        subject: "CN=meter,O=Works".to_owned(),
        common_name: Some("meter".to_owned()),
        dns_names: vec!["meter.example".to_owned(), "other.example".to_owned()],
        emails: vec!["meter@works.example".to_owned()],
        not_after_unix_secs: 1_900_000_000,
    }
}

#[test]
fn each_part_can_name_the_user_and_the_certificate_ends_the_identity() {
    for (name_from, name) in [
        (NameFrom::CommonName, "meter"),
        (NameFrom::DnsName, "meter.example"),
        (NameFrom::Email, "meter@works.example"),
        (NameFrom::Subject, "CN=meter,O=Works"),
    ] {
        let settings = Settings {
            name_from,
            ..Settings::default()
        };
        let Verdict::Known(identity) = ask(settings, &bearer(None, Some(certificate()))) else {
            panic!("{name_from:?}");
        };
        assert_eq!(identity.username.as_deref(), Some(name));
        assert_eq!(identity.expires_at_unix_secs, Some(1_900_000_000));
    }
}

#[test]
fn a_certificate_without_the_part_names_nobody() {
    let nameless = Certificate {
        common_name: None,
        dns_names: Vec::new(),
        emails: vec![String::new()],
        ..certificate()
    };
    let poisoned = Certificate {
        common_name: Some("root\0.example".to_owned()),
        ..certificate()
    };
    let refused = |name_from, certificate: &Certificate| {
        let settings = Settings {
            name_from,
            ..Settings::default()
        };
        matches!(
            ask(settings, &bearer(None, Some(certificate.clone()))),
            Verdict::Refused(Refusal::NotAuthorized)
        )
    };
    for name_from in [NameFrom::CommonName, NameFrom::DnsName, NameFrom::Email] {
        assert!(refused(name_from, &nameless), "{name_from:?}");
    }
    assert!(refused(NameFrom::CommonName, &poisoned));
    assert!(matches!(
        ask(Settings::default(), &bearer(Some("meter"), None)),
        Verdict::NotMine
    ));
}

#[test]
fn another_name_in_connect_is_refused_or_ignored() {
    let strict = Settings::default();
    let lax = Settings {
        is_other_name_refused: false,
        ..strict
    };
    let other = bearer(Some("admin"), Some(certificate()));
    assert!(matches!(ask(strict, &other), Verdict::Refused(Refusal::NotAuthorized)));
    assert!(matches!(ask(lax, &other), Verdict::Known(identity) if identity.username.as_deref() == Some("meter")));
    assert!(matches!(
        ask(strict, &bearer(Some("meter"), Some(certificate()))),
        Verdict::Known(_)
    ));
}
