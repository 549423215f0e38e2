use std::path::PathBuf;

use crate::layers::Layers;
use crate::{Configuration, Transport};

const TLS: &str = "transport = \"tls\"\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n";

fn load(text: &str) -> Result<Configuration, String> {
    static NUMBERS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBERS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path: PathBuf = std::env::temp_dir().join(format!("strowger-listeners-{}-{number}.toml", std::process::id()));
    std::fs::write(&path, text).unwrap();
    let loaded = Layers::default().file(&path).load();
    std::fs::remove_file(&path).unwrap();
    loaded
        .map(|loaded| loaded.configuration)
        .map_err(|error| error.to_string().replace(&path.display().to_string(), "f"))
}

#[test]
fn a_listener_takes_one_certificate_or_a_list_and_what_it_does_not_say_is_left_open() {
    let text = format!(
        "[[listeners]]\nbind = \"0.0.0.0:8883\"\n{TLS}connections_max = 5\n\
         [[listeners]]\nbind = \"/run/a.sock\"\ntransport = \"unix\"\nname = \"local\"\n"
    );
    let listeners = load(&text).unwrap().listeners;
    assert_eq!(listeners.len(), 2);
    assert_eq!(listeners[0].certificate.as_deref(), Some(&["c.pem".to_owned()][..]));
    assert_eq!(
        (listeners[0].transport, listeners[0].connections_max),
        (Transport::Tls, Some(5))
    );
    assert_eq!(
        (listeners[0].name(), listeners[1].name()),
        ("tls:0.0.0.0:8883".to_owned(), "local".to_owned())
    );
    assert_eq!(listeners[1].mode, None);
}

#[test]
fn what_is_printed_of_listeners_is_a_file_that_gives_them_again() {
    let text = format!("[[listeners]]\nbind = \"0.0.0.0:8883\"\n{TLS}tls_min = \"1.3\"\n");
    let configuration = load(&text).unwrap();
    let path = std::env::temp_dir().join(format!("strowger-listeners-print-{}.toml", std::process::id()));
    std::fs::write(&path, &text).unwrap();
    let printed = Layers::default().file(&path).load().unwrap().to_string();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(load(&printed).unwrap(), configuration, "{printed}");
}

#[test]
fn keys_that_do_not_agree_are_told_with_their_line() {
    let tls = |more: &str| format!("{TLS}bind = \"0.0.0.0:1\"\n{more}\n");
    for (table, told) in [
        (
            "bind = \"0.0.0.0:1\"".to_owned(),
            "f:1: `listeners` without `transport`",
        ),
        (
            tls("transprot = \"tls\""),
            "f:6: unknown key `listeners.transprot`; did you mean `listeners.transport`?",
        ),
        (
            tls("path = \"/x\""),
            "f:6: `listeners.path` cannot be \"/x\"; allowed: only with the transport \"ws\" or \"wss\"",
        ),
        (
            tls("client_crl = \"x\""),
            "f:6: `listeners.client_crl` cannot be \"x\"; allowed: only with client_ca",
        ),
        (
            tls("proxy_protocol = \"required\""),
            "f:1: `listeners.trusted_proxies` cannot be missing; allowed: the networks",
        ),
        (
            tls("trusted_proxies = [\"10.0.0.0/33\"]"),
            "f:6: `listeners.trusted_proxies` cannot be [\"10.0.0.0/33\"]; ",
        ),
        (
            "transport = \"tls\"\nbind = \"0.0.0.0:1\"\ncertificate = [\"a\", \"b\"]\nkey = \"a\"".to_owned(),
            "f:5: `listeners.key` cannot be \"a\"; allowed: one private key for each certificate",
        ),
        (
            "transport = \"wss\"\nbind = \"0.0.0.0:1\"".to_owned(),
            "f:1: `listeners.certificate` cannot be missing; ",
        ),
        (
            "transport = \"unix\"\nbind = \"0.0.0.0:1\"".to_owned(),
            "f:3: `listeners.bind` cannot be \"0.0.0.0:1\"; ",
        ),
        (
            "transport = \"tcp\"\nbind = \"/run/a\"".to_owned(),
            "f:3: `listeners.bind` cannot be \"/run/a\"; ",
        ),
        (
            "transport = \"tcp\"\nbind = \"0.0.0.0:1\"\nmode = \"0660\"".to_owned(),
            "f:4: `listeners.mode` cannot be",
        ),
        (
            "transport = \"unix\"\nbind = \"/a\"\nmode = \"0999\"".to_owned(),
            "f:4: `listeners.mode` cannot be",
        ),
        (
            "transport = \"unix\"\nbind = \"systemd:local\"\nmode = \"0660\"".to_owned(),
            "f:4: `listeners.mode` cannot be \"0660\"; allowed: not with bind = \"systemd:local\"",
        ),
        (
            "transport = \"quic\"\nbind = \"0.0.0.0:1\"".to_owned(),
            "f:1: `listeners.certificate` cannot be missing; ",
        ),
        (
            "transport = \"quic\"\nbind = \"0.0.0.0:1\"\ntls_min = \"1.2\"".to_owned(),
            "f:4: `listeners.tls_min` cannot be",
        ),
        (
            tls("quic_window_bytes = 65536"),
            "f:6: `listeners.quic_window_bytes` cannot be 65536; allowed: only with the transport \"quic\"",
        ),
    ] {
        let error = load(&format!("[[listeners]]\n{table}\n")).unwrap_err();
        assert!(error.starts_with(told), "{error}\nfor {told}");
    }
}

#[test]
fn two_listeners_of_one_name_are_refused() {
    let one = "[[listeners]]\nbind = \"0.0.0.0:1\"\ntransport = \"tcp\"\nname = \"a\"\n";
    let error = load(&one.repeat(2)).unwrap_err();
    assert!(
        error.starts_with("f:8: `listeners.name` cannot be \"a\"; allowed: a name that no other"),
        "{error}"
    );
}
