use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use auth::News;
use broker::effect::Parting;
use broker::line::{Clients, Findings};

use super::{DoorStep, Facts, Plan, SettingChange, StepKind, When, door_steps, steps};
use crate::settings::{
    Endpoint, ListenerLimits, ListenerSettings, PassedSocket, ProxySettings, QuicSettings, SocketFile, TlsSettings,
};

fn listener(name: &str, address: &str) -> ListenerSettings {
    ListenerSettings {
        name: name.to_owned(),
        endpoint: Endpoint::Address(address.parse::<SocketAddr>().unwrap()),
        tls: None,
        websocket: None,
        quic: None,
        proxies: ProxySettings::default(),
        limits: ListenerLimits {
            connections_max: 10,
            connect_rate_per_sec: 1,
            connect_burst: 1,
            connect_timeout: Duration::ZERO,
            handshake_timeout: Duration::ZERO,
            handshakes_max: 1,
        },
    }
}

fn unix(name: &str, mode: u32) -> ListenerSettings {
    let file = SocketFile {
        path: PathBuf::from("/run/s"),
        mode,
        owner: None,
        group: None,
    };
    ListenerSettings {
        endpoint: Endpoint::Socket(file),
        ..listener(name, "127.0.0.1:0")
    }
}

fn passed(name: &str) -> ListenerSettings {
    ListenerSettings {
        endpoint: Endpoint::Passed(PassedSocket {
            name: "mqtt".to_owned(),
            is_unix: false,
        }),
        ..listener(name, "127.0.0.1:0")
    }
}

fn tls(name: &str, address: &str) -> ListenerSettings {
    ListenerSettings {
        tls: Some(TlsSettings {
            certificates: Vec::new(),
            client_ca: None,
            client_crls: Vec::new(),
            client_certificate_required: false,
            tls13_only: false,
        }),
        ..listener(name, address)
    }
}

fn quic(name: &str, address: &str) -> ListenerSettings {
    ListenerSettings {
        quic: Some(QuicSettings {
            idle_timeout: Duration::ZERO,
            window_bytes: 1,
        }),
        ..tls(name, address)
    }
}

fn wider(mut listener: ListenerSettings, connections_max: usize) -> ListenerSettings {
    listener.limits.connections_max = connections_max;
    listener
}

fn between(old: &[ListenerSettings], new: &[ListenerSettings]) -> Vec<DoorStep> {
    door_steps(&old.iter().collect::<Vec<_>>(), new)
}

const A: &str = "127.0.0.1:1";
const B: &str = "127.0.0.1:2";

#[test]
fn a_listener_is_known_again_by_name_and_place() {
    use DoorStep::{Change, Close, Keep, Open, Replace};
    let (a, b) = (listener("a", A), listener("b", B));
    assert_eq!(
        between(&[a.clone(), b.clone()], &[b.clone(), a.clone()]),
        [Keep { old: 0 }, Keep { old: 1 }]
    );
    assert_eq!(
        between(std::slice::from_ref(&a), &[wider(a.clone(), 5)]),
        [Change { old: 0, new: 0 }]
    );
    assert_eq!(
        between(&[a.clone(), b.clone()], std::slice::from_ref(&b)),
        [Close { old: 0 }, Keep { old: 1 }]
    );
    assert_eq!(
        between(std::slice::from_ref(&a), &[a.clone(), b]),
        [Keep { old: 0 }, Open { new: 1 }]
    );
    assert_eq!(
        between(std::slice::from_ref(&a), &[listener("a", B)]),
        [Close { old: 0 }, Open { new: 0 }]
    );
    let why = "its name changes";
    assert_eq!(
        between(std::slice::from_ref(&a), &[listener("c", A)]),
        [Replace { old: 0, new: 0, why }]
    );
    let why = "its transport changes";
    assert_eq!(
        between(std::slice::from_ref(&a), &[tls("a", A)]),
        [Replace { old: 0, new: 0, why }]
    );
}

#[test]
fn two_listeners_that_change_places_keep_their_sockets() {
    let old = [listener("a", A), listener("b", B)];
    let why = "its name changes";
    assert_eq!(
        between(&old, &[listener("a", B), listener("b", A)]),
        [
            DoorStep::Replace { old: 0, new: 1, why },
            DoorStep::Replace { old: 1, new: 0, why }
        ]
    );
}

#[test]
fn what_only_a_start_can_make_stays() {
    use DoorStep::{Change, Close, Keep, Later, Open, Stay};
    let why = super::doors::QUIC;
    assert_eq!(between(&[quic("q", A)], &[]), [Stay { old: 0, why }]);
    assert_eq!(between(&[], &[quic("q", A)]), [Later { new: 0, why }]);
    assert_eq!(between(&[quic("q", A)], &[wider(quic("q", A), 5)]), [Keep { old: 0 }]);
    // UDP and TCP are two places.
    assert_eq!(
        between(&[quic("q", A)], &[listener("q", A)]),
        [Stay { old: 0, why }, Open { new: 0 }]
    );
    assert_eq!(between(&[unix("u", 0o600)], &[unix("u", 0o660)]), [Keep { old: 0 }]);
    assert_eq!(
        between(&[unix("u", 0o600)], &[wider(unix("u", 0o660), 5)]),
        [Change { old: 0, new: 0 }]
    );
    let why = super::doors::PASSED;
    assert_eq!(between(&[], &[passed("p")]), [Later { new: 0, why }]);
    let two = [passed("p"), passed("p")];
    assert_eq!(between(&two, &[passed("p")]), [Keep { old: 0 }, Keep { old: 1 }]);
    assert_eq!(between(&two, &[]), [Close { old: 0 }, Close { old: 1 }]);
}

fn clients(count: u64) -> Clients {
    let names = (0..count.min(10)).map(|nth| mqtt_codec::ClientId::new(format!("c{nth}")).unwrap());
    Clients {
        names: names.collect(),
        count,
    }
}

/// Nothing differs, and these were found.
fn only(found: &Findings) -> Facts<'_> {
    Facts {
        changes: &[],
        old: &[],
        new: &[],
        doors: &[],
        certificates: &[],
        are_rights_other: false,
        loss_disconnects: true,
        news: News::default(),
        rules: None,
        retained: 0,
        found,
    }
}

/// The lines of a plan.
fn said(facts: &Facts<'_>) -> Vec<String> {
    Plan { steps: steps(facts) }.lines()
}

fn setting(key: &str, before: &str, after: &str, when: When) -> SettingChange {
    SettingChange {
        key: key.to_owned(),
        before: before.to_owned(),
        after: after.to_owned(),
        when,
    }
}

#[test]
fn nothing_is_said_to_be_nothing() {
    assert_eq!(said(&only(&Findings::default())), ["nothing changes"]);
}

#[test]
fn settings_say_when_they_are_in_force_and_what_is_above_them() {
    let changes = [
        setting("session.queue_messages_max", "9", "5", When::Now),
        setting("session.receive_maximum", "9", "50", When::Connections),
        setting("storage.engine", "\"fjall\"", "\"sled\"", When::Restart),
        setting("retained.messages_max", "9", "5", When::Now),
    ];
    let found = Findings {
        overfull: clients(2),
        ..Findings::default()
    };
    let lines = said(&Facts {
        changes: &changes,
        retained: 7,
        ..only(&found)
    });
    assert_eq!(
        lines,
        [
            "session.queue_messages_max: 9 -> 5; 2 absent clients have more waiting and get nothing further before it is \
             less (c0, c1)",
            "session.receive_maximum: 9 -> 50, for connections that come; those that are open keep what they were granted",
            "storage.engine: \"fjall\" -> \"sled\" needs a restart",
            "retained.messages_max: 9 -> 5; 7 are retained and stay, further topics are refused",
        ]
    );
}

#[test]
fn listeners_say_whose_connections_end() {
    let (old_a, old_b, new) = (tls("tls", A), listener("x", A), [tls("tls", B), listener("y", A)]);
    let old = [(&old_a, 40), (&old_b, 1)];
    let doors = between(&[old_a.clone(), old_b.clone()], &new[..1]);
    let found = Findings {
        parting: vec![
            (Parting::ListenerGone(0), clients(40)),
            (Parting::ListenerGone(1), clients(1)),
        ],
        ..Findings::default()
    };
    let lines = said(&Facts {
        old: &old,
        new: &new[..1],
        doors: &doors,
        ..only(&found)
    });
    assert_eq!(
        lines,
        [
            "restarts listener tls: its address changes from 127.0.0.1:1 to 127.0.0.1:2; 40 clients are disconnected (c0, \
             c1, c2, c3, c4, c5, c6, c7, c8, c9 and 30 more)",
            "closes listener x on 127.0.0.1:1; 1 client is disconnected (c0)",
        ]
    );
    let nobody = Findings::default();
    let old = [(&old_b, 11)];
    let new = [wider(listener("x", A), 5), quic("q", B), listener("z", B)];
    let doors = between(std::slice::from_ref(&old_b), &new);
    let lines = said(&Facts {
        old: &old,
        new: &new,
        doors: &doors,
        ..only(&nobody)
    });
    assert_eq!(
        lines,
        [
            "listener x has 11 connections, which stay; nobody comes in above 5",
            "listener q needs a restart: listeners of QUIC are opened and closed with the broker",
            "opens listener z on 127.0.0.1:2 for TCP",
        ]
    );
}

#[test]
fn rights_users_and_rules_say_whom_they_hit() {
    let found = Findings {
        subscriptions_lost: 12,
        losing: clients(3),
        parting: vec![(Parting::Banned, clients(1)), (Parting::NotKnown, clients(2))],
        ..Findings::default()
    };
    let certificates = ["tls".to_owned()];
    let lines = said(&Facts {
        are_rights_other: true,
        certificates: &certificates,
        rules: Some("1 before, 2 after; adds b"),
        news: News {
            users_added: 1,
            users_gone: 2,
            users_other: 0,
            bans: Some((0, 1)),
        },
        ..only(&found)
    });
    assert_eq!(
        lines,
        [
            "listener tls: certificates are read again; its clients stay",
            "users: 1 added, 2 gone",
            "bans: 0 before, 1 after",
            "rights change: drops 12 subscriptions of 3 clients, which are disconnected (c0, c1, c2)",
            "disconnects 2 clients whose user is gone or who may not come in any more (c0, c1)",
            "disconnects 1 client who is banned (c0)",
            "rules: 1 before, 2 after; adds b",
        ]
    );
    let one = Findings {
        subscriptions_lost: 1,
        losing: clients(1),
        ..Findings::default()
    };
    let stays = said(&Facts {
        loss_disconnects: false,
        ..only(&one)
    });
    assert_eq!(
        stays,
        ["rights change: drops 1 subscription of 1 client, which stays (c0)"]
    );
    let nobody = Findings::default();
    let nobody_loses = said(&Facts {
        are_rights_other: true,
        ..only(&nobody)
    });
    assert_eq!(
        nobody_loses,
        ["rights change: nobody who is connected loses a subscription"]
    );
}

#[test]
fn a_name_that_a_client_gave_itself_cannot_fake_a_line() {
    let found = Findings {
        parting: vec![(
            Parting::Banned,
            Clients {
                names: vec![mqtt_codec::ClientId::new("a\nb\u{1b}".to_owned()).unwrap()],
                count: 1,
            },
        )],
        ..Findings::default()
    };
    assert_eq!(
        said(&only(&found)),
        ["disconnects 1 client who is banned (a\\nb\\u{1b})"]
    );
}

#[test]
fn a_plan_in_json_is_read_back() {
    let step = super::Step::new(StepKind::CloseListener, "x", "closes listener x");
    let plan = Plan { steps: vec![step] };
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(
        json,
        r#"{"steps":[{"kind":"close_listener","subject":"x","text":"closes listener x","subscriptions_lost":0,"clients":0,"client_ids":[]}]}"#
    );
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
}
