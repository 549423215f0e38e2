use std::pin::Pin;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use super::{Backend, Bounds, Directory, Found, Kind, Search, Source};
use super::{Secret, Settings, SqlSettings, Tls};
use crate::gate::{Complaint, Gate};
use crate::limits::{self, Limits};
use crate::password::{Compare, HashPool, hash_for_file};
use crate::said::{Cache, Privileges};
use crate::{Credentials, Hashing, Refusal, Verdict};

fn client(name: Option<&str>, password: Option<&str>) -> Credentials {
    Credentials {
        client_id: "meter-7".to_owned(),
        username: name.map(str::to_owned),
        password: password.map(|password| Bytes::copy_from_slice(password.as_bytes())),
        address: None,
        listener: "tcp".to_owned(),
        certificate: None,
    }
}

/// What a made-up directory does; each answer is given once, the last one for ever.
#[derive(Debug)]
struct Played(Mutex<Vec<Act>>);

#[derive(Debug, Clone)]
enum Act {
    Nobody,
    Hash(String),
    Proven,
    Disproven,
    Fail,
    Hang,
}

impl Source for Played {
    fn find<'a>(&'a self, _who: &'a Credentials) -> Search<'a> {
        let act = {
            let mut acts = self.0.lock().unwrap();
            if acts.len() > 1 {
                acts.remove(0)
            } else {
                acts[0].clone()
            }
        };
        Box::pin(async move {
            match act {
                Act::Nobody => Ok(Found::Nobody),
                Act::Hash(hash) => Ok(Found::Hashed(hash, office())),
                Act::Proven => Ok(Found::Proven(office())),
                Act::Disproven => Ok(Found::Disproven),
                Act::Fail => Err("it is\ndown".to_owned()),
                Act::Hang => {
                    sleep(Duration::from_secs(3_600)).await;
                    Ok(Found::Proven(office()))
                }
            }
        }) as Pin<Box<_>>
    }

    fn server(&self) -> &str {
        "a stage"
    }
}

fn office() -> Privileges {
    Privileges {
        groups: vec!["office".to_owned()],
        ..Privileges::default()
    }
}

fn played(acts: &[Act], cache_for: Duration) -> Directory {
    Directory {
        kind: Kind {
            name: "played",
            setting: "auth.played",
            is_built_in: true,
        },
        source: Box::new(Played(Mutex::new(acts.to_vec()))),
        gate: Gate::new(1, 1),
        cache: Cache::new("auth.played", cache_for, 10).unwrap(),
        compare: Compare::new().unwrap(),
        complaint: Complaint::default(),
        timeout: Duration::from_millis(200),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Expected {
    In,
    Out(Refusal),
    Next,
}

async fn asked(directory: &Directory, who: &Credentials) -> Expected {
    let pool = HashPool::new(Hashing::default());
    match directory
        .ask(who, &pool, &Limits::new(limits::Settings::default()))
        .await
    {
        Verdict::Known(identity) => {
            assert_eq!(identity.username, who.username);
            assert_eq!(
                (identity.groups, identity.method),
                (vec!["office".to_owned()], "played")
            );
            Expected::In
        }
        Verdict::Refused(refusal) => Expected::Out(refusal),
        Verdict::NotMine => Expected::Next,
    }
}

#[tokio::test]
async fn nothing_but_a_right_password_lets_a_client_in() {
    let hash = hash_for_file(b"secret").unwrap();
    let empty = hash_for_file(b"").unwrap();
    let bad = Expected::Out(Refusal::BadCredentials);
    let unavailable = Expected::Out(Refusal::Unavailable);
    for (act, password, expected) in [
        (Act::Hash(hash.clone()), Some("secret"), Expected::In),
        (Act::Hash(hash.clone()), Some("Secret"), bad),
        (Act::Hash(hash), None, Expected::Out(Refusal::BadCredentials)),
        (
            Act::Hash(empty.clone()),
            Some(""),
            Expected::Out(Refusal::BadCredentials),
        ),
        (Act::Hash(empty), None, Expected::Out(Refusal::BadCredentials)),
        (Act::Hash("secret".to_owned()), Some("secret"), unavailable),
        (
            Act::Hash(String::new()),
            Some("secret"),
            Expected::Out(Refusal::Unavailable),
        ),
        (Act::Nobody, Some("secret"), Expected::Next),
        (Act::Nobody, None, Expected::Next),
        (Act::Proven, Some("secret"), Expected::In),
        (Act::Disproven, Some("secret"), Expected::Out(Refusal::BadCredentials)),
        (Act::Fail, Some("secret"), Expected::Out(Refusal::Unavailable)),
        (Act::Hang, Some("secret"), Expected::Out(Refusal::Unavailable)),
    ] {
        let directory = played(std::slice::from_ref(&act), Duration::ZERO);
        assert_eq!(
            asked(&directory, &client(Some("ann"), password)).await,
            expected,
            "{act:?} {password:?}"
        );
    }
}

#[tokio::test]
async fn a_client_without_a_name_is_not_asked_for() {
    let directory = played(&[Act::Proven], Duration::ZERO);
    assert_eq!(asked(&directory, &client(None, Some("secret"))).await, Expected::Next);
}

#[tokio::test]
async fn a_clear_answer_holds_and_a_failure_does_not() {
    let directory = played(&[Act::Fail, Act::Proven, Act::Fail], Duration::from_secs(60));
    let (right, other) = (
        client(Some("ann"), Some("secret")),
        client(Some("ann"), Some("another")),
    );
    assert_eq!(asked(&directory, &right).await, Expected::Out(Refusal::Unavailable));
    assert_eq!(asked(&directory, &right).await, Expected::In);
    assert_eq!(asked(&directory, &right).await, Expected::In);
    assert_eq!(asked(&directory, &other).await, Expected::Out(Refusal::Unavailable));
}

#[tokio::test]
async fn those_for_whom_there_is_no_place_are_refused() {
    let directory = played(&[Act::Hang], Duration::ZERO);
    let who = client(Some("ann"), Some("secret"));
    let pool = HashPool::new(Hashing::default());
    let limits = Limits::new(limits::Settings::default());
    let all = tokio::join!(
        directory.ask(&who, &pool, &limits),
        directory.ask(&who, &pool, &limits),
        directory.ask(&who, &pool, &limits)
    );
    for verdict in [all.0, all.1, all.2] {
        assert!(matches!(verdict, Verdict::Refused(Refusal::Unavailable)), "{verdict:?}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let settings = Settings {
        backend: Backend::Sql(SqlSettings {
            url: Secret::Text("postgres://x:hidden@y/z".to_owned()),
            query: String::new(),
            acl_query: String::new(),
        }),
        bounds: Bounds {
            timeout: Duration::ZERO,
            parallel_max: 1,
            waiting_max: 1,
            cache_for: Duration::ZERO,
            cache_entries_max: 1,
        },
        tls: Tls::Remote,
        ca_file: None,
    };
    assert!(!format!("{settings:?}").contains("hidden"));
    assert!(super::check(&settings).is_err());
}

#[test]
fn tls_is_due_where_a_network_is_between() {
    for (host, is_remote) in [
        (None, false),
        (Some("localhost"), false),
        (Some("127.0.0.1"), false),
        (Some("[::1]"), false),
        (Some("/run/postgresql"), false),
        (Some("localhost.example.org"), true),
        (Some("127.0.0.1.example.org"), true),
        (Some("192.0.2.1"), true),
    ] {
        assert_eq!(Tls::Remote.is_due(host), is_remote, "{host:?}");
        assert!(Tls::Always.is_due(host));
        assert!(!Tls::AsGiven.is_due(host));
    }
}

#[test]
fn what_others_wrote_takes_one_line_of_the_log() {
    assert_eq!(super::one_line("a\nb\x1b[31m"), "a b [31m");
    assert_eq!(super::one_line(&"a".repeat(1_000)).len(), 300);
}
