//! From what was read to what is written: which listeners are opened and as what, and who comes in by them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::draft::{Draft, Given, Listener, NameFrom, Protocol, Rule, Security};
use super::report::{Note, Report};

/// A listener with what it is in the result.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) listener: Listener,
    pub(super) security: Security,
    /// Whether who has no name comes in.
    pub(super) is_anonymous: bool,
    pub(super) transport: &'static str,
    /// `host:port`, or the path of a socket; several where one listener has several addresses.
    pub(super) binds: Vec<String>,
    /// What rights and rules call them: one name for the section `listener`, else one for each of `binds`.
    pub(super) names: Vec<String>,
}

/// All listeners, and the files that the broker has one of.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) doors: Vec<Door>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) acl_file: Option<PathBuf>,
    pub(super) name_from: Option<NameFrom>,
}

/// The name of the section `listener`.
const DEFAULT: &str = "default";
/// Where Mosquitto listens by default.
const PORT: u16 = 1883;

/// Decides which listeners are opened. One that would let in more than it did is left out, and the report says why.
pub(super) fn plan(draft: &Draft, has_ipv6: bool, report: &mut Report) -> Plan {
    let mut doors = doors(draft, has_ipv6);
    let password_file = one_file(&mut doors, report, "password_file", |security| &security.password_file);
    let acl_file = one_file(&mut doors, report, "acl_file", |security| &security.acl_file);
    let name_from = one_name(&mut doors);
    for door in &mut doors {
        if door.security.has_plugin {
            hinder(
                door,
                "a plugin decided who came in and what they might do, and it is not there",
            );
        } else if door.listener.requires_certificate
            && door.listener.ca_file.is_none()
            && door.listener.ca_directory.is_none()
        {
            hinder(door, "it asks for certificates and names no authority (cafile)");
        } else if !door.is_anonymous
            && door.security.password_file.is_none()
            && door.listener.name_from.is_none()
            && password_file.is_some()
        {
            hinder(
                door,
                "nobody could come in by it: it has no password_file, and allow_anonymous is false",
            );
        }
    }
    for door in doors.iter().filter(|door| door.listener.hindrance.is_some()) {
        if let (Some(line), Some(why)) = (door.listener.line, &door.listener.hindrance) {
            report.correct(
                line,
                Note::not_converted(format!("the listener is left out: {}", why.value)),
            );
        }
    }
    doors.retain(|door| door.listener.hindrance.is_none());
    name(&mut doors);
    tell(&doors, password_file.is_some() || name_from.is_some(), report);
    Plan {
        doors,
        password_file,
        acl_file,
        name_from,
    }
}

fn doors(draft: &Draft, has_ipv6: bool) -> Vec<Door> {
    let nothing_is_named = draft.listeners.is_empty();
    let by_default = &draft.default_listener;
    // Without a listener, a port and an address Mosquitto lets in who is on this machine.
    let is_anonymous = nothing_is_named && by_default.port.is_none() && by_default.host.is_none();
    let with_default = (by_default.is_wanted || nothing_is_named).then(|| by_default.clone());
    let listeners = with_default.into_iter().chain(draft.listeners.iter().cloned());
    listeners
        .map(|mut listener| {
            listener.requires_certificate |= listener.name_from.is_some();
            let security = if draft.is_per_listener {
                listener.security.clone()
            } else {
                draft.security.clone()
            };
            Door {
                is_anonymous: security.anonymous.as_ref().map_or(is_anonymous, |given| given.value),
                transport: transport(&listener),
                binds: binds(&listener, nothing_is_named && !listener.is_wanted, has_ipv6),
                names: Vec::new(),
                security,
                listener,
            }
        })
        .collect()
}

fn transport(listener: &Listener) -> &'static str {
    let is_unix = listener.port == Some(0);
    match (listener.protocol, listener.certificate.is_some()) {
        (Protocol::Mqtt, _) if is_unix => "unix",
        (Protocol::Mqtt, false) => "tcp",
        (Protocol::Mqtt, true) => "tls",
        (Protocol::WebSockets, false) => "ws",
        (Protocol::WebSockets, true) => "wss",
    }
}

fn binds(listener: &Listener, is_local: bool, has_ipv6: bool) -> Vec<String> {
    use super::draft::Domain;

    let port = listener.port.unwrap_or(PORT);
    match &listener.host {
        Some(path) if port == 0 => return vec![path.clone()],
        Some(host) if host.contains(':') && !host.starts_with('[') => return vec![format!("[{host}]:{port}")],
        Some(host) => return vec![format!("{host}:{port}")],
        None => {}
    }
    let (v4, v6) = if is_local {
        ("127.0.0.1", "[::1]")
    } else {
        ("0.0.0.0", "[::]")
    };
    let domains = match listener.domain {
        Some(Domain::V4) => vec![v4],
        Some(Domain::V6) => vec![v6],
        None if has_ipv6 => vec![v4, v6],
        None => vec![v4],
    };
    domains.into_iter().map(|host| format!("{host}:{port}")).collect()
}

/// The one file that all listeners have, of those that have any. A listener with another one is hindered.
fn one_file(
    doors: &mut [Door],
    report: &mut Report,
    key: &str,
    of: impl Fn(&Security) -> &Option<Given<PathBuf>>,
) -> Option<PathBuf> {
    let mut chosen: Option<PathBuf> = None;
    for door in doors.iter_mut().filter(|door| door.listener.hindrance.is_none()) {
        let Some(given) = of(&door.security).clone() else {
            continue;
        };
        match &chosen {
            None => chosen = Some(given.value),
            Some(file) if *file == given.value => {}
            Some(file) => {
                let why = format!(
                    "its {key} is not that of an earlier listener ({}), and there is one for all: put them together if no \
                     name is in both, or run a second broker",
                    file.display()
                );
                report.correct(given.line, Note::not_converted(why.clone()));
                hinder(door, &why);
            }
        }
    }
    chosen
}

/// The one part of certificates that is the user name on all listeners that ask for them.
fn one_name(doors: &mut [Door]) -> Option<NameFrom> {
    let mut asking: Vec<&mut Door> = doors
        .iter_mut()
        .filter(|door| door.listener.hindrance.is_none() && door.listener.requires_certificate)
        .collect();
    let name_of = |door: &Door| door.listener.name_from.as_ref().map(|given| given.value);
    let chosen = asking.iter().find_map(|door| name_of(door));
    for door in asking.iter_mut().filter(|door| name_of(door) != chosen) {
        hinder(
            door,
            "user names would come from other parts of its clients' certificates than they did; auth.certificate_name is \
             for all listeners",
        );
    }
    chosen
}

fn hinder(door: &mut Door, why: &str) {
    if door.listener.hindrance.is_none() {
        door.listener.hindrance = Some(Given {
            value: why.to_owned(),
            line: 0,
        });
    }
}

/// The first plain listener becomes the section `listener`; the others get a name by transport and port.
fn name(doors: &mut [Door]) {
    let first = doors.iter().position(|door| door.transport == "tcp");
    if let Some(before) = first.and_then(|first| doors.get_mut(..=first)) {
        before.rotate_right(1);
    }
    let mut taken = BTreeSet::new();
    for (place, door) in doors.iter_mut().enumerate() {
        if place == 0 && door.transport == "tcp" {
            door.names = vec![DEFAULT.to_owned()];
            continue;
        }
        for bind in &door.binds {
            let port = bind.rsplit(':').next().unwrap_or_default();
            let base = match door.transport {
                "unix" => "unix".to_owned(),
                transport => format!("{transport}-{port}"),
            };
            let mut name = base.clone();
            let mut nth = 2;
            while !taken.insert(name.clone()) {
                name = format!("{base}-{nth}");
                nth += 1;
            }
            door.names.push(name);
        }
    }
}

fn tell(doors: &[Door], names_are_checked: bool, report: &mut Report) {
    for door in doors {
        let Some(line) = door.listener.line else { continue };
        let (binds, names) = (door.binds.join(", "), door.names.join(", "));
        let name_is_checked_here = door.security.password_file.is_some() || door.listener.name_from.is_some();
        report.correct(
            line,
            if names_are_checked && door.is_anonymous && !name_is_checked_here {
                Note::not_converted(format!(
                    "listens on {binds} as \"{names}\", but there a client that sends a user name has to be in the password \
                     file of the others; without a name it comes in"
                ))
            } else {
                Note::converted(format!("listens on {binds} as \"{names}\""))
            },
        );
    }
}

/// Rules that keep those without a name out of some of the listeners.
pub(super) fn rules_of_strangers(doors: &[Door]) -> Vec<Rule> {
    let closed = doors.iter().filter(|door| !door.is_anonymous);
    let names: Vec<&String> = closed.flat_map(|door| &door.names).collect();
    if names.is_empty() || doors.iter().all(|door| !door.is_anonymous) {
        return Vec::new();
    }
    let rule = |name: &&String| Rule {
        name: format!("allow_anonymous.{name}"),
        on: "connect",
        when: format!("listener == '{name}' && user == ''"),
        then: r#"{ deny = "not_authorized" }"#,
    };
    names.iter().map(rule).collect()
}
