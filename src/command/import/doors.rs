//! Keywords about listeners: where, by what transport, with which certificates.

use std::path::PathBuf;

use super::draft::{Domain, Draft, Given, Listener, NameFrom, Protocol, Rule};
use super::report::Note;
use super::source::Line;
use crate::failure::Failure;

/// Takes a line that is about a listener; `None`: it is about something else.
///
/// # Errors
///
/// A value that the keyword cannot have.
pub(super) fn take(draft: &mut Draft, line: &Line, at: usize) -> Result<Option<Note>, Failure> {
    let value = || line.value.clone();
    let note = match line.key.as_str() {
        "listener" => open(draft, line, at)?,
        "port" => {
            draft.default_listener.port = Some(line.number_of()?);
            wanted(draft)
        }
        "bind_address" => {
            draft.default_listener.host = Some(value());
            wanted(draft)
        }
        "protocol" => protocol(draft, line)?,
        "socket_domain" => {
            draft.listener().domain = match line.value.as_str() {
                "ipv4" => Some(Domain::V4),
                "ipv6" => Some(Domain::V6),
                _ => return Err(line.wrong("it is ipv4 or ipv6")),
            };
            Note::converted("in bind of the listener")
        }
        "max_connections" => connections(draft, line)?,
        "max_qos" => quality(draft, line)?,
        "websockets_origin" => {
            draft.listener().origins.push(value());
            Note::converted("listeners.origins")
        }
        "bind_interface" => hinder(
            draft,
            at,
            "it was bound to an interface: give it the address of that in bind",
        ),
        "mount_point" => hinder(
            draft,
            at,
            "its topics had a prefix of their own (mount_point): run a second broker for these clients",
        ),
        "http_dir" => Note::not_converted("no files are served: let a web server do it"),
        "use_username_as_clientid" if line.flag()? => Note::not_converted(
            "clients keep the identifier that they send; a rule on connect such as `client.id != user` can refuse others \
             (docs/POLICY.md)",
        ),
        "use_username_as_clientid" => Note::not_needed("it is so"),
        "max_topic_alias" => {
            draft.set("session", "topic_alias_max", value(), line);
            Note::converted("session.topic_alias_max, for all listeners")
        }
        "websockets_log_level" | "websockets_headers_size" => Note::not_needed("has no counterpart and needs none"),
        _ => return tls(draft, line, at),
    };
    draft.listener().is_wanted |= matters_to_the_default_listener(&line.key);
    Ok(Some(note))
}

/// The keywords that make Mosquitto open the default listener although nothing names its port.
fn matters_to_the_default_listener(key: &str) -> bool {
    matches!(
        key,
        "port" | "bind_address" | "protocol" | "socket_domain" | "max_connections" | "max_qos" | "mount_point"
    )
}

fn wanted(draft: &mut Draft) -> Note {
    draft.default_listener.is_wanted = true;
    Note::converted("listener.bind")
}

/// `listener PORT [ADDRESS or PATH]`
fn open(draft: &mut Draft, line: &Line, at: usize) -> Result<Note, Failure> {
    let (port, host) = line.value.split_once(' ').unwrap_or((&line.value, ""));
    let port = port
        .parse()
        .map_err(|_| line.wrong(&format!("`{port}` is not a port")))?;
    let host = host.trim();
    if port == 0 && host.is_empty() {
        return Err(line.wrong("port 0 wants the path of a Unix socket behind it"));
    }
    draft.bridge = None;
    draft.listeners.push(Listener {
        line: Some(at),
        port: Some(port),
        host: (!host.is_empty()).then(|| host.to_owned()),
        ..Listener::default()
    });
    // Its address is told when everything about it is known.
    Ok(Note::converted(""))
}

fn protocol(draft: &mut Draft, line: &Line) -> Result<Note, Failure> {
    draft.listener().protocol = match line.value.as_str() {
        "mqtt" => Protocol::Mqtt,
        "websockets" => Protocol::WebSockets,
        other => return Err(line.wrong(&format!("`{other}` is neither mqtt nor websockets"))),
    };
    Ok(match draft.listener().protocol {
        Protocol::Mqtt => Note::converted("as it is by default"),
        Protocol::WebSockets => Note::converted(
            "transport \"ws\" or \"wss\", on the path /mqtt alone; Mosquitto takes any: look at what your clients use \
             (listeners.path)",
        ),
    })
}

fn connections(draft: &mut Draft, line: &Line) -> Result<Note, Failure> {
    let limit: i64 = line.number_of()?;
    draft.listener().connections_max = u64::try_from(limit).ok().filter(|limit| *limit > 0);
    Ok(match draft.listener().connections_max {
        Some(_) => Note::converted("connections_max of the listener"),
        None => Note::converted("no limit of its own; listener.connections_max bounds all listeners"),
    })
}

fn quality(draft: &mut Draft, line: &Line) -> Result<Note, Failure> {
    let qos: u8 = line.number_of()?;
    draft.listener().qos_max = Some(qos).filter(|qos| *qos < 2);
    Ok(match qos {
        0 | 1 => Note::converted(
            "a rule disconnects who publishes with more; CONNACK does not tell clients of it, and subscriptions are granted \
             as asked",
        ),
        _ => Note::not_needed("it is so"),
    })
}

/// The listener cannot be what it was: it is not opened, so that nobody comes in by a door that is wider than it was.
fn hinder(draft: &mut Draft, at: usize, why: &str) -> Note {
    draft.listener().hindrance = Some(Given {
        value: why.to_owned(),
        line: at,
    });
    Note::not_converted(why)
}

fn tls(draft: &mut Draft, line: &Line, at: usize) -> Result<Option<Note>, Failure> {
    let value = || line.value.clone();
    let listener = draft.listener();
    let note = match line.key.as_str() {
        "certfile" => {
            listener.certificate = Some(value());
            listener.is_wanted = true;
            Note::converted("certificate of the listener; the broker's user has to be able to read it")
        }
        "keyfile" => {
            listener.key = Some(value());
            Note::converted("key of the listener; the broker's user has to be able to read it")
        }
        "cafile" => {
            listener.ca_file = Some(Given {
                value: value(),
                line: at,
            });
            Note::not_needed("clients are not asked for certificates")
        }
        "capath" => {
            listener.ca_directory = Some(Given {
                value: PathBuf::from(&line.value),
                line: at,
            });
            Note::not_needed("clients are not asked for certificates")
        }
        "crlfile" => {
            listener.crl = Some(value());
            Note::converted("client_crl of the listener")
        }
        "require_certificate" => {
            listener.requires_certificate = line.flag()?;
            Note::converted("client_ca of the listener")
        }
        "use_identity_as_username" | "use_subject_as_username" => names(listener, line, at)?,
        "tls_version" => {
            listener.is_tls_1_3_only = line.value == "tlsv1.3";
            match line.value.as_str() {
                "tlsv1.3" | "tlsv1.2" => Note::converted("tls_min of the listener"),
                _ => Note::not_converted("TLS 1.2 is the lowest that is spoken: look for clients that know no other"),
            }
        }
        "ciphers" | "ciphers_tls1.3" => Note::not_converted(
            "the suites are those of rustls (all with forward secrecy); nothing to do unless a client knows none of them",
        ),
        "dhparamfile" => Note::not_needed("keys are exchanged on elliptic curves"),
        "psk_hint" => hinder(
            draft,
            at,
            "keys that were shared before (TLS-PSK) are not spoken: use certificates",
        ),
        "tls_engine" | "tls_engine_kpass_sha1" | "tls_keyform" => {
            hinder(draft, at, "keys in an engine are not read: give the key as a PEM file")
        }
        _ => return Ok(None),
    };
    Ok(Some(note))
}

fn names(listener: &mut Listener, line: &Line, at: usize) -> Result<Note, Failure> {
    if !line.flag()? {
        return Ok(Note::not_needed("it is so"));
    }
    let value = if line.key == "use_identity_as_username" {
        NameFrom::CommonName
    } else {
        NameFrom::Subject
    };
    listener.name_from = Some(Given { value, line: at });
    Ok(Note::converted(
        "auth.certificate_name, for all listeners that ask for certificates",
    ))
}

/// What a listener that bounds the QoS becomes besides.
pub(super) fn rule_of_quality(listener: &Listener, name: &str) -> Option<Rule> {
    listener.qos_max.map(|qos| Rule {
        name: format!("max_qos.{name}"),
        on: "publish",
        when: format!("listener == '{name}' && qos > {qos}"),
        then: r#"{ disconnect = "unspecified" }"#,
    })
}
