use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;

use super::Chain;
use crate::bans::{self, Ban, Banned};
use crate::limits::{self, Rate};
use crate::scram::tests::prove;
use crate::web::tests::{Act, TestServer, nobody};
use crate::{Answer, Authenticator, Credentials, Guest, Refusal, Settings, anonymous, http, password, web};

/// "pass word", by mosquitto_passwd.
pub(super) const HASH: &str =
    "$7$101$6Gv3GASiH9IMTkl/$wUXOBQS5dIz8pFI1o9q8ZzoXhI57BRUL1mCkb1UsmjYei9G/LpZN7xpE6228mImqMH+DCqt8AEZZXeaLeLlHFw==";

fn clerk(password: &'static str) -> Credentials {
    Credentials {
        client_id: "desk-1".to_owned(),
        username: Some("clerk".to_owned()),
        password: Some(Bytes::from_static(password.as_bytes())),
        address: Some([192, 0, 2, 7].into()),
        listener: "tcp".to_owned(),
        certificate: None,
    }
}

fn settings(file: &Path) -> Settings {
    Settings {
        authenticators: vec![Authenticator::PasswordFile(password::Settings::new(file))],
        ..Settings::default()
    }
}

/// Every state in which a password file can be found, apart from good ones.
fn spoil(file: &Path, how: &str) {
    let _ = fs::remove_file(file);
    let _ = fs::remove_dir(file);
    match how {
        "missing" => {}
        "a directory" => fs::create_dir(file).unwrap(),
        "empty" => fs::write(file, "").unwrap(),
        "broken" => fs::write(file, format!("clerk:{HASH}\nsensor:plain\n")).unwrap(),
        "half written" => fs::write(file, format!("clerk:{HASH}\nsensor:{}", &HASH[..40])).unwrap(),
        "zeros" => fs::write(file, [0; 512]).unwrap(),
        "not text" => fs::write(file, b"clerk:\xff\xfe\n").unwrap(),
        _ => panic!("{how}?"),
    }
}

const SPOILED: [&str; 7] = [
    "missing",
    "a directory",
    "empty",
    "broken",
    "half written",
    "zeros",
    "not text",
];

fn place() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("passwords");
    (directory, file)
}

fn is_known(answer: &Answer) -> bool {
    matches!(answer, Answer::Known(identity) if identity.username.as_deref() == Some("clerk"))
}

#[tokio::test]
async fn a_spoiled_file_opens_no_chain_and_the_error_names_it() {
    let (_directory, file) = place();
    for how in SPOILED {
        spoil(&file, how);
        let error = Chain::open(&settings(&file)).await.unwrap_err().to_string();
        assert!(
            error.contains(&*file.to_string_lossy()) && error.contains("; "),
            "{how}: {error}"
        );
        assert!(!error.contains('\n'), "{how}: {error}");
    }
}

#[tokio::test]
async fn a_reload_happens_whole_or_not_at_all() {
    let (_directory, file) = place();
    fs::write(&file, format!("clerk:{HASH}\n")).unwrap();
    let chain = Chain::open(&settings(&file)).await.unwrap();
    for how in SPOILED {
        spoil(&file, how);
        assert!(chain.reload().await.is_err(), "{how}");
        assert!(is_known(&chain.authenticate(&clerk("pass word")).await), "{how}");
        assert!(!is_known(&chain.authenticate(&clerk("other")).await), "{how}");
    }

    spoil(&file, "missing");
    fs::write(&file, format!("other:{HASH}\n")).unwrap();
    chain.reload().await.unwrap();
    let answer = chain.authenticate(&clerk("pass word")).await;
    assert_eq!(answer, Answer::Refused(Refusal::BadCredentials));
}

#[tokio::test]
async fn without_authenticators_nobody_comes_in() {
    let chain = Chain::open(&Settings::default()).await.unwrap();
    let answer = chain.authenticate(&clerk("pass word")).await;
    assert_eq!(answer, Answer::Refused(Refusal::BadCredentials));
}

#[test]
fn debug_shows_no_password() {
    let shown = format!("{:?}", clerk("hunter2"));
    assert!(!shown.contains("hunter2") && shown.contains("(secret)"), "{shown}");
}

#[tokio::test]
async fn failures_are_limited_before_hashing_and_among_those_that_wait() {
    let (_directory, file) = place();
    let slow = password::hash_for_file(b"pass word").unwrap();
    fs::write(&file, format!("clerk:{slow}\n")).unwrap();
    let rate = Rate {
        failures_max: 3,
        forget_one_after: Duration::from_secs(3_600),
    };
    let limits = limits::Settings {
        per_address: Some(rate),
        ..limits::Settings::default()
    };
    let mut settings = Settings {
        limits,
        ..settings(&file)
    };
    settings.hashing.parallel_max = 1;
    let chain = Chain::open(&settings).await.unwrap();

    let wrong = clerk("guess");
    let guess = || chain.authenticate(&wrong);
    let answers: [Answer; 6] = tokio::join!(guess(), guess(), guess(), guess(), guess(), guess()).into();
    let count = |refusal| {
        answers
            .iter()
            .filter(|&answer| *answer == Answer::Refused(refusal))
            .count()
    };
    assert_eq!(
        (count(Refusal::BadCredentials), count(Refusal::TooManyFailures)),
        (3, 3)
    );

    // The right password does not help from there, a reload forgets nothing, and others come in.
    chain.reload().await.unwrap();
    let answer = chain.authenticate(&clerk("pass word")).await;
    assert_eq!(answer, Answer::Refused(Refusal::TooManyFailures));
    let elsewhere = Credentials {
        address: None,
        ..clerk("pass word")
    };
    assert!(is_known(&chain.authenticate(&elsewhere).await));
}

#[tokio::test]
async fn who_is_banned_is_not_asked_for_a_password() {
    let (_directory, file) = place();
    fs::write(&file, format!("clerk:{HASH}\n")).unwrap();
    let ban = Ban {
        whom: Banned::Client("desk-1".to_owned()),
        until_unix_secs: None,
    };
    let bans = bans::Settings {
        bans: vec![ban],
        ..bans::Settings::default()
    };
    let chain = Chain::open(&Settings {
        bans,
        ..settings(&file)
    })
    .await
    .unwrap();
    let banned = Answer::Refused(Refusal::Banned);
    assert_eq!(chain.authenticate(&clerk("pass word")).await, banned);
    assert_eq!(chain.authenticate(&clerk("wrong")).await, banned);
    let other = Credentials {
        client_id: "desk-2".to_owned(),
        ..clerk("pass word")
    };
    assert!(is_known(&chain.authenticate(&other).await));
}

fn anyone() -> Authenticator {
    let on = anonymous::Listeners::All;
    Authenticator::Anonymous(anonymous::Settings {
        on,
        are_names_ignored: true,
    })
}

#[tokio::test]
async fn an_authenticator_that_cannot_answer_ends_the_questions() {
    let server = TestServer::start(Act::Keep).await;
    for server in [web::Settings::new(nobody().await), server.settings()] {
        let http = Authenticator::Http(http::Settings::new(server));
        let authenticators = vec![http, anyone()];
        let chain = Chain::open(&Settings {
            authenticators,
            ..Settings::default()
        })
        .await
        .unwrap();
        let answer = chain.authenticate(&clerk("pass word")).await;
        assert_eq!(
            answer,
            Answer::Refused(Refusal::Unavailable),
            "the next one would have let it in"
        );
    }
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_none() {
    let server = TestServer::start(Act::Keep).await;
    let patient = web::Settings {
        timeout: Duration::from_secs(60),
        ..server.settings()
    };
    let authenticators = vec![Authenticator::Http(http::Settings::new(patient)), anyone()];
    let settings = Settings {
        authenticators,
        timeout: Duration::from_millis(100),
        ..Settings::default()
    };
    let chain = Chain::open(&settings).await.unwrap();
    let answer = chain.authenticate(&clerk("pass word")).await;
    assert_eq!(answer, Answer::Refused(Refusal::Unavailable));
}

#[tokio::test]
async fn the_first_that_knows_a_client_decides() {
    let (_directory, file) = place();
    fs::write(&file, format!("clerk:{HASH}\n")).unwrap();
    let local = Authenticator::Anonymous(anonymous::Settings::default());
    let mut settings = settings(&file);
    settings.authenticators.push(local);
    let chain = Chain::open(&settings).await.unwrap();
    let here = |who: Credentials| Credentials { address: None, ..who };

    assert!(is_known(&chain.authenticate(&here(clerk("pass word"))).await));
    let bad = Answer::Refused(Refusal::BadCredentials);
    assert_eq!(chain.authenticate(&here(clerk("wrong"))).await, bad);
    let ghost = Credentials {
        username: Some("ghost".to_owned()),
        ..clerk("pass word")
    };
    assert_eq!(
        chain.authenticate(&here(ghost)).await,
        bad,
        "an unknown name is not anonymous"
    );
    let nameless = Credentials {
        username: None,
        password: None,
        ..clerk("")
    };
    assert_eq!(chain.authenticate(&nameless).await, bad, "not from this machine");
    let Answer::Known(identity) = chain.authenticate(&here(nameless)).await else {
        panic!("this machine may stay anonymous");
    };
    assert_eq!((identity.username, identity.method), (None, "anonymous"));
}

#[tokio::test]
async fn scram_is_limited_banned_and_bound_to_the_name_of_connect() {
    let (_directory, file) = place();
    fs::write(&file, format!("clerk:{HASH}\n")).unwrap();
    let rate = Rate {
        failures_max: 3,
        forget_one_after: Duration::from_secs(3_600),
    };
    let limits = limits::Settings {
        per_name: Some(rate),
        per_address: None,
        entries_max: 100,
    };
    let ban = Ban {
        whom: Banned::User("robot".to_owned()),
        until_unix_secs: None,
    };
    let bans = bans::Settings {
        bans: vec![ban],
        ..bans::Settings::default()
    };
    let settings = Settings {
        limits,
        bans,
        ..settings(&file)
    };
    let chain = Chain::open(&settings).await.unwrap();
    assert!(!chain.takes_scram(), "the clerk's hash is for sent passwords");

    let entry = password::scram_for_file(b"pass word").unwrap();
    fs::write(&file, format!("clerk:{entry}:office\nrobot:{entry}\n")).unwrap();
    chain.reload().await.unwrap();
    assert!(chain.takes_scram());
    assert!(
        is_known(&chain.authenticate(&clerk("pass word")).await),
        "sent as it is"
    );

    let nameless = Credentials {
        username: None,
        password: None,
        ..clerk("")
    };
    let robot = chain.begin_scram(&nameless, b"n,,n=robot,r=abc");
    assert_eq!(robot.unwrap_err(), Refusal::Banned);
    let other = Credentials {
        username: Some("admin".to_owned()),
        ..nameless.clone()
    };
    assert_eq!(
        chain.begin_scram(&other, b"n,,n=clerk,r=abc").unwrap_err(),
        Refusal::BadCredentials
    );
    for _ in 0..3 {
        let begun = chain.begin_scram(&nameless, b"n,,n=clerk,r=abc");
        let Ok((conversation, answer)) = begun else {
            assert_eq!(begun.unwrap_err(), Refusal::TooManyFailures);
            return;
        };
        let answer = String::from_utf8(answer).unwrap();
        let nonce = answer.split(',').next().unwrap();
        assert!(nonce.len() == "r=abc".len() + 24, "{answer}");
        let last = format!("c=biws,{nonce},p={}=", "A".repeat(43));
        let finished = chain.finish_scram(&nameless, conversation, last.as_bytes());
        assert_eq!(finished.unwrap_err(), Refusal::BadCredentials);
    }
    panic!("the third failure under the name closes it");
}

#[tokio::test]
async fn who_flaps_is_held_off_before_it_is_asked_and_a_reload_forgets_nothing() {
    let (_directory, file) = place();
    fs::write(&file, format!("clerk:{HASH}\n")).unwrap();
    let mut settings = settings(&file);
    settings.flapping.connects_max = 2;
    let chain = Chain::open(&settings).await.unwrap();
    let address = Some([192, 0, 2, 7].into());
    let greet = |chain: &Chain| chain.greet("desk-1", address);
    assert_eq!((greet(&chain), greet(&chain)), (Ok(()), Ok(())));
    chain.reload().await.unwrap();
    assert_eq!(greet(&chain), Err(Refusal::Flapping));
    settings.flapping.connects_max = 0;
    chain.reload_with(&settings).await.unwrap();
    assert_eq!(greet(&chain), Ok(()));
}

#[tokio::test]
async fn scram_proves_a_user_of_the_password_file() {
    let (_directory, file) = place();
    let entry = password::scram_for_file(b"pass word").unwrap();
    fs::write(&file, format!("clerk:{entry}:office\n")).unwrap();
    let chain = Chain::open(&settings(&file)).await.unwrap();
    let nameless = Credentials {
        username: None,
        password: None,
        ..clerk("")
    };
    let (conversation, challenge) = chain.begin_scram(&nameless, b"n,,n=clerk,r=abc").unwrap();
    let last = prove("n=clerk,r=abc", &challenge, b"pass word");
    let (identity, answer) = chain.finish_scram(&nameless, conversation, last.as_bytes()).unwrap();
    assert_eq!(
        (identity.username.as_deref(), identity.groups),
        (Some("clerk"), vec!["office".to_owned()])
    );
    assert!(answer.starts_with(b"v="));
}

#[tokio::test]
async fn the_tally_names_the_method_that_had_the_last_word() {
    let (_directory, file) = place();
    fs::write(&file, format!("clerk:{HASH}\n")).unwrap();
    let chain = Chain::open(&settings(&file)).await.unwrap();
    chain.authenticate(&clerk("pass word")).await;
    chain.authenticate(&clerk("wrong")).await;
    let unknown = Credentials {
        username: Some("ghost".to_owned()),
        ..clerk("wrong")
    };
    chain.authenticate(&unknown).await;
    chain.begin_scram(&clerk(""), b"nonsense").unwrap_err();
    let counted = [
        ("none", "bad_credentials", 1),
        ("password file", "bad_credentials", 1),
        ("password file", "known", 1),
        ("scram-sha-256", "bad_credentials", 1),
    ];
    assert_eq!(chain.tally(), counted);
}

/// Whoever is asked about goes on with the bans and users that it began with: so it is asked once more at its admission.
#[tokio::test]
async fn who_comes_in_is_held_against_what_is_in_force_at_this_moment() {
    let (_directory, file) = place();
    let entry = password::scram_for_file(b"pass word").unwrap();
    fs::write(&file, format!("clerk:{entry}\n")).unwrap();
    let chain = Chain::open(&settings(&file)).await.unwrap();
    let address = Some([192, 0, 2, 7].into());
    let guest = Guest {
        client_id: "desk-1",
        username: Some("clerk"),
        claimed: None,
        method: password::METHOD,
        address,
        listener: "tcp",
    };
    assert_eq!(chain.check(&guest), Ok(()));
    let nameless = Credentials {
        username: None,
        ..clerk("")
    };
    assert!(chain.begin_scram(&nameless, b"n,,n=clerk,r=abc").is_ok());
    let network = bans::network("192.0.2.0/24").unwrap();
    for whom in [
        Banned::Client("desk-1".to_owned()),
        Banned::User("clerk".to_owned()),
        Banned::Address(network),
    ] {
        chain.ban(whom.clone(), None, "admin", None).await.unwrap();
        assert_eq!(chain.check(&guest), Err(Refusal::Banned), "{whom:?}");
        let begun = chain.begin_scram(&nameless, b"n,,n=clerk,r=abc");
        assert_eq!(begun.unwrap_err(), Refusal::Banned, "{whom:?}");
        chain.unban(&whom).await.unwrap();
    }
    let other = Settings {
        bans: bans::Settings {
            bans: vec![Ban {
                whom: Banned::User("clerk".to_owned()),
                until_unix_secs: None,
            }],
            ..bans::Settings::default()
        },
        ..settings(&file)
    };
    chain.reload_with(&other).await.unwrap();
    assert_eq!(chain.check(&guest), Err(Refusal::Banned));

    fs::write(&file, format!("other:{entry}\n")).unwrap();
    chain.reload_with(&settings(&file)).await.unwrap();
    assert_eq!(chain.check(&guest), Err(Refusal::BadCredentials));
}
