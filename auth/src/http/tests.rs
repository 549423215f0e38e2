use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use super::{Http, Settings};
use crate::limits::{self, Limits};
use crate::web::{
    self,
    tests::{Act, TestServer, nobody},
};
use crate::{Actions, Credentials, Refusal, Verdict};

fn clerk(password: &'static [u8]) -> Credentials {
    Credentials {
        client_id: "desk-1".to_owned(),
        username: Some("clerk".to_owned()),
        password: Some(Bytes::from_static(password)),
        address: Some([192, 0, 2, 7].into()),
        listener: "tcp".to_owned(),
        certificate: None,
    }
}

fn limits() -> Limits {
    Limits::new(limits::Settings::default())
}

async fn open(server: web::Settings) -> Http {
    Http::open(&Settings {
        cache_for: Duration::ZERO,
        ..Settings::new(server)
    })
    .await
    .unwrap()
}

#[derive(Debug, PartialEq, Eq)]
enum Expected {
    In,
    Out(Refusal),
    Next,
}

async fn asked(http: &Http) -> Expected {
    match http.ask(&clerk(b"secret"), &limits()).await {
        Verdict::Known(_) => Expected::In,
        Verdict::Refused(refusal) => Expected::Out(refusal),
        Verdict::NotMine => Expected::Next,
    }
}

const YES: &str = r#"{"result":"allow"}"#;

/// Everything that is no answer.
fn closed() -> Vec<(&'static str, Act)> {
    let raw = |text: String| Act::Send(text.into());
    let mut acts: Vec<_> = [201, 202, 206, 300, 301, 302, 307, 400, 401, 403, 404, 429, 500, 503]
        .map(|status| ("a status that is not 200", Act::status(status, YES)))
        .into();
    acts.extend([
        ("nothing", Act::status(200, "")),
        ("garbage", Act::status(200, "allow")),
        ("another case", Act::status(200, r#"{"result":"ALLOW"}"#)),
        ("no result", Act::status(200, "{}")),
        ("truth", Act::status(200, r#"{"result":true}"#)),
        ("two results", Act::status(200, r#"{"result":"deny","result":"allow"}"#)),
        (
            "more behind",
            Act::status(200, r#"{"result":"allow"} {"result":"deny"}"#),
        ),
        ("a misspelt key", Act::status(200, r#"{"result":"allow","alc":{}}"#)),
        (
            "a bad right",
            Act::status(200, r#"{"result":"allow","acl":{"publish":["a#"]}}"#),
        ),
        ("half", Act::status(200, r#"{"result":"allow""#)),
        (
            "cut off",
            raw(format!("HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n{YES}")),
        ),
        ("cut off in the head", raw("HTTP/1.1 20".to_owned())),
        ("hang up", raw(String::new())),
        ("not HTTP", raw("SSH-2.0-OpenSSH_9.2\r\n".to_owned())),
        (
            "huge",
            Act::status(
                200,
                &format!(r#"{{"result":"allow","groups":["{}"]}}"#, "a".repeat(70_000)),
            ),
        ),
        (
            "announced as huge",
            raw(format!("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{YES}")),
        ),
        (
            "slow",
            Act::Drip(format!("HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n{YES}").into()),
        ),
        (
            "late",
            Act::SendLater(b"HTTP/1.1 204 OK\r\n\r\n".to_vec(), Duration::from_secs(2)),
        ),
        ("never", Act::Keep),
        ("without end", Act::Pour(b"HTTP/1.1 200 OK\r\nx: y\r\n".to_vec())),
    ]);
    acts
}

#[tokio::test]
async fn nothing_but_a_clear_yes_lets_a_client_in() {
    let server = TestServer::start(Act::Keep).await;
    let http = open(server.settings()).await;
    for (what, act) in closed() {
        server.act(act.clone());
        assert_eq!(
            asked(&http).await,
            Expected::Out(Refusal::Unavailable),
            "{what}: {act:?}"
        );
    }
    for (act, expected) in [
        (Act::status(200, YES), Expected::In),
        (
            Act::Send(b"HTTP/1.1 204 None\r\nconnection: close\r\n\r\n".to_vec()),
            Expected::In,
        ),
        (
            Act::status(200, r#"{"result":"deny","is_superuser":true}"#),
            Expected::Out(Refusal::BadCredentials),
        ),
        (Act::status(200, r#"{"result":"ignore"}"#), Expected::Next),
    ] {
        server.act(act.clone());
        assert_eq!(asked(&http).await, expected, "{act:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_no_answer() {
    let http = open(web::Settings::new(nobody().await)).await;
    assert_eq!(asked(&http).await, Expected::Out(Refusal::Unavailable));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let yes = TestServer::start(Act::status(200, YES)).await;
    for status in [301, 302, 303, 307, 308] {
        let to = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
            yes.url
        );
        let server = TestServer::start(Act::Send(to.into())).await;
        let http = open(server.settings()).await;
        assert_eq!(asked(&http).await, Expected::Out(Refusal::Unavailable), "{status}");
    }
    assert!(yes.requests().is_empty());
}

#[tokio::test]
async fn the_server_is_told_everything_and_its_rights_are_taken_over() {
    let yes =
        r#"{"result":"allow","groups":["office"],"is_superuser":true,"acl":{"publish":["a/#"],"deny_all":["b"]}}"#;
    let server = TestServer::start(Act::status(200, yes)).await;
    let http = open(server.settings()).await;
    let Verdict::Known(identity) = http.ask(&clerk(b"sec\"ret"), &limits()).await else {
        panic!("the clerk is known");
    };
    assert_eq!(identity.username.as_deref(), Some("clerk"));
    assert_eq!(
        (identity.groups.as_slice(), identity.is_superuser),
        (["office".to_owned()].as_slice(), true)
    );
    let [denial, right] = identity.grants.as_slice() else {
        panic!("{:?}", identity.grants);
    };
    assert!(!denial.allow && denial.filter == "b" && denial.actions == Actions::Both);
    assert!(right.allow && right.filter == "a/#" && right.actions == Actions::Publish);

    let request = server.requests().pop().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /auth HTTP/1.1"), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let expected = serde_json::json!({
        "client_id": "desk-1", "username": "clerk", "password": "sec\"ret", "address": "192.0.2.7", "listener": "tcp",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn a_password_that_is_not_text_is_not_sent() {
    let server = TestServer::start(Act::status(200, YES)).await;
    let http = open(server.settings()).await;
    assert!(matches!(http.ask(&clerk(b"\xff"), &limits()).await, Verdict::NotMine));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn an_answer_holds_for_a_while_for_the_same_client_and_a_failure_does_not() {
    let server = TestServer::start(Act::status(500, "")).await;
    let settings = Settings {
        cache_for: Duration::from_millis(300),
        ..Settings::new(server.settings())
    };
    let http = Http::open(&settings).await.unwrap();
    assert_eq!(asked(&http).await, Expected::Out(Refusal::Unavailable));
    server.act(Act::status(200, YES));
    assert_eq!(asked(&http).await, Expected::In);
    server.act(Act::status(200, r#"{"result":"deny"}"#));
    assert_eq!(asked(&http).await, Expected::In);
    assert_eq!(server.requests().len(), 2);

    // Whatever differs is another question.
    let base = clerk(b"secret");
    for other in [
        Credentials {
            password: None,
            ..base.clone()
        },
        Credentials {
            password: Some(Bytes::new()),
            ..base.clone()
        },
        Credentials {
            username: Some("clerks".to_owned()),
            password: Some(Bytes::from_static(b"ecret")),
            ..base.clone()
        },
        Credentials {
            client_id: "desk-2".to_owned(),
            ..base.clone()
        },
        Credentials {
            address: None,
            ..base.clone()
        },
        Credentials {
            listener: "tls".to_owned(),
            ..base
        },
    ] {
        let verdict = http.ask(&other, &limits()).await;
        assert!(
            matches!(verdict, Verdict::Refused(Refusal::BadCredentials)),
            "{other:?}"
        );
    }
    assert_eq!(server.requests().len(), 8);

    sleep(Duration::from_millis(310)).await;
    assert_eq!(asked(&http).await, Expected::Out(Refusal::BadCredentials));
}

#[tokio::test]
async fn few_questions_are_under_way_and_few_clients_wait() {
    let act = Act::SendLater(
        b"HTTP/1.1 204 None\r\nconnection: close\r\n\r\n".to_vec(),
        Duration::from_millis(30),
    );
    let server = TestServer::start(act).await;
    let settings = Settings {
        parallel_max: 2,
        waiting_max: 3,
        cache_for: Duration::ZERO,
        ..Settings::new(server.settings())
    };
    let http = Http::open(&settings).await.unwrap();
    let ask = || asked(&http);
    let answers: [_; 7] = tokio::join!(ask(), ask(), ask(), ask(), ask(), ask(), ask()).into();
    assert_eq!(answers.iter().filter(|answer| **answer == Expected::In).count(), 5);
    let turned_away = Expected::Out(Refusal::Unavailable);
    assert_eq!(answers.iter().filter(|answer| **answer == turned_away).count(), 2);
    assert_eq!(server.most_at_a_time(), 2);
}
