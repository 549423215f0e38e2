use std::fs;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{COOKIE, SET_COOKIE};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse};

use super::tokens::{self, Key, Token};
use super::*;
use crate::envelope;

const PEER: &str = "192.0.2.7:4000";

/// A tokens file with one token of each role, and the tokens.
fn book() -> (tempfile::TempDir, AccessSettings, Vec<String>) {
    let directory = tempfile::tempdir().expect("a directory");
    let tokens_file = directory.path().join("tokens");
    let mut text = String::from("# who may come in\n");
    let mut secrets = Vec::new();
    for role in Role::ALL {
        let (secret, key) = tokens::generate().expect("random numbers");
        let name = role.name().to_owned();
        text = tokens::put(&text, &Token { name, role, key }).expect("a good file");
        secrets.push(secret);
    }
    fs::write(&tokens_file, text).expect("written");
    let settings = AccessSettings {
        tokens_file,
        failures_max: 3,
        lockout: Duration::from_secs(60),
        session: Duration::from_secs(600),
        is_metrics_open: false,
        metrics_hosts: Vec::new(),
    };
    (directory, settings, secrets)
}

async fn viewer(_: Viewer) -> HttpResponse {
    HttpResponse::Ok().finish()
}
async fn operator(_: Operator) -> HttpResponse {
    HttpResponse::Ok().finish()
}
async fn admin(_: Admin) -> HttpResponse {
    HttpResponse::Ok().finish()
}
async fn metrics(_: Scraper) -> HttpResponse {
    HttpResponse::Ok().finish()
}

macro_rules! app {
    ($settings:expr) => {
        init_service(
            App::new()
                .wrap(from_fn(envelope::seal))
                .app_data(Data::new(Access::new(&$settings)))
                .configure(|service| envelope::bounds(service, 1024))
                .configure(login::routes)
                .service(web::resource("/viewer").get(viewer).post(viewer))
                .service(web::resource("/bytes").delete(async |_: web::Bytes| HttpResponse::Ok().finish()))
                .service(web::resource("/operator").get(operator))
                .service(web::resource("/admin").get(admin))
                .service(web::resource("/metrics").get(metrics)),
        )
        .await
    };
}

fn from(peer: &str) -> TestRequest {
    TestRequest::default().peer_addr(peer.parse().expect("an address"))
}

fn bearer(request: TestRequest, token: &str) -> TestRequest {
    request.insert_header((AUTHORIZATION, format!("Bearer {token}")))
}

#[actix_web::test]
async fn each_role_passes_its_guards_and_no_others() {
    let (_directory, settings, secrets) = book();
    let app = app!(settings);
    for (nth, secret) in secrets.iter().enumerate() {
        for (needed, path) in ["/viewer", "/operator", "/admin"].into_iter().enumerate() {
            let response = call_service(&app, bearer(from(PEER), secret).uri(path).to_request()).await;
            let expected = if nth >= needed {
                StatusCode::OK
            } else {
                StatusCode::FORBIDDEN
            };
            assert_eq!(response.status(), expected, "{path} as {}", Role::ALL[nth]);
        }
    }
    for path in ["/viewer", "/operator", "/admin", "/metrics"] {
        let response = call_service(&app, from(PEER).uri(path).to_request()).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[actix_web::test]
async fn metrics_may_be_open() {
    let (_directory, settings, _) = book();
    let app = app!(AccessSettings {
        is_metrics_open: true,
        ..settings
    });
    let response = call_service(&app, from(PEER).uri("/metrics").to_request()).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[actix_web::test]
async fn wrong_tokens_lock_their_address_out_and_no_other() {
    let (_directory, settings, secrets) = book();
    // Somebody has chosen this one himself, so that it can be guessed.
    let hash: [u8; 32] = sha2::Digest::finalize(sha2::Digest::chain_update(sha2::Sha256::default(), "secret")).into();
    let chosen = Token {
        name: "chosen".to_owned(),
        role: Role::Viewer,
        key: Key::Sha256(hash),
    };
    let text = fs::read_to_string(&settings.tokens_file).expect("the file");
    fs::write(&settings.tokens_file, tokens::put(&text, &chosen).expect("a good file")).expect("written");
    let app = app!(settings);
    let ask = async |peer: &str, token: &str| {
        let response = call_service(&app, bearer(from(peer), token).uri("/viewer").to_request()).await;
        let has_end = response.headers().contains_key("retry-after");
        (response.status(), has_end)
    };
    assert_eq!(ask(PEER, "secret").await, (StatusCode::OK, false));
    for _ in 0..3 {
        assert_eq!(ask(PEER, "wrong").await, (StatusCode::UNAUTHORIZED, false));
    }
    // Right or wrong: whoever guesses does not learn it.
    let (strange, _) = tokens::generate().expect("random numbers");
    for token in ["secret", "wrong", &strange] {
        assert_eq!(ask(PEER, token).await, (StatusCode::TOO_MANY_REQUESTS, true), "{token}");
    }
    assert_eq!(
        ask(PEER, &secrets[2]).await,
        (StatusCode::OK, false),
        "nobody guesses it"
    );
    assert_eq!(
        ask(PEER, "secret").await.0,
        StatusCode::TOO_MANY_REQUESTS,
        "and it frees nobody"
    );
    assert_eq!(ask("192.0.2.8:1", "secret").await, (StatusCode::OK, false));
}

#[actix_web::test]
async fn the_scheme_has_no_case_and_other_schemes_are_no_guesses() {
    let (_directory, settings, secrets) = book();
    let app = app!(settings);
    let ask = async |said: String| {
        let request = from(PEER).uri("/viewer").insert_header((AUTHORIZATION, said));
        call_service(&app, request.to_request()).await.status()
    };
    for scheme in ["Bearer", "bearer", "BEARER", "Bearer "] {
        let status = ask(format!("{scheme} {}", secrets[0])).await;
        assert_eq!(status, StatusCode::OK, "{scheme}");
    }
    for _ in 0..5 {
        assert_eq!(ask("Basic YW5uOnNlY3JldA==".to_owned()).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(
        ask("Bearer wrong".to_owned()).await,
        StatusCode::UNAUTHORIZED,
        "the first guess"
    );
}

#[actix_web::test]
async fn a_browser_trades_a_token_for_a_session_and_says_what_it_means_to_change() {
    let (directory, settings, secrets) = book();
    let app = app!(settings);
    let login = |token: &str| {
        let body = serde_json::json!({ "token": token });
        TestRequest::post().uri("/api/v1/login").set_json(body).to_request()
    };
    let refused = call_service(&app, login("wrong")).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let response = call_service(&app, login(&secrets[0])).await;
    assert_eq!(response.status(), StatusCode::OK);
    let cookie = response
        .headers()
        .get(SET_COOKIE)
        .expect("a cookie")
        .to_str()
        .expect("text");
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    assert!(!cookie.contains(&secrets[0]));

    let with_cookie = |request: TestRequest| request.insert_header((COOKIE, cookie.clone()));
    let look = with_cookie(TestRequest::get().uri("/viewer"));
    assert_eq!(call_service(&app, look.to_request()).await.status(), StatusCode::OK);
    let change = with_cookie(TestRequest::post().uri("/viewer"));
    assert_eq!(
        call_service(&app, change.to_request()).await.status(),
        StatusCode::FORBIDDEN
    );
    let meant = with_cookie(TestRequest::post().uri("/viewer")).insert_header((INTENT, "1"));
    assert_eq!(call_service(&app, meant.to_request()).await.status(), StatusCode::OK);

    let leave = with_cookie(TestRequest::delete().uri("/api/v1/login")).insert_header((INTENT, "1"));
    assert_eq!(
        call_service(&app, leave.to_request()).await.status(),
        StatusCode::NO_CONTENT
    );
    let look = with_cookie(TestRequest::get().uri("/viewer"));
    assert_eq!(
        call_service(&app, look.to_request()).await.status(),
        StatusCode::UNAUTHORIZED
    );
    drop(directory);
}

#[actix_web::test]
async fn every_error_is_json_and_every_answer_protects_browsers() {
    let (_directory, settings, _) = book();
    let app = app!(settings);
    let huge = "x".repeat(2000);
    for (request, status) in [
        (TestRequest::get().uri("/nowhere"), StatusCode::NOT_FOUND),
        (TestRequest::put().uri("/viewer"), StatusCode::METHOD_NOT_ALLOWED),
        (
            TestRequest::post().uri("/api/v1/login").set_json(&huge),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (
            TestRequest::delete().uri("/bytes").set_payload(huge.clone()),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (
            TestRequest::post().uri("/api/v1/login").set_payload("{}"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
    ] {
        let response = call_service(&app, request.to_request()).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers().get("x-frame-options").expect("a header"), "DENY");
        let body: serde_json::Value = serde_json::from_slice(&read_body(response).await).expect("JSON");
        assert!(body["error"]["message"].is_string(), "{body}");
    }
}

#[test]
fn a_token_that_is_removed_is_none_within_a_second() {
    let (_directory, settings, secrets) = book();
    let mut watch = Watch::new(settings.tokens_file.clone());
    let now = Instant::now();
    assert!(watch.current(now).caller(&secrets[0]).is_some());
    let text = fs::read_to_string(&settings.tokens_file).expect("the file");
    fs::write(&settings.tokens_file, tokens::remove(&text, "viewer").expect("there")).expect("written");
    assert!(watch.current(now).caller(&secrets[0]).is_some());
    let later = now + Duration::from_secs(1);
    assert!(watch.current(later).caller(&secrets[0]).is_none());
    assert!(watch.current(later).caller(&secrets[1]).is_some());
}

/// Gives the name another token of the same role, as somebody does who fears that the first is known.
fn rotate(tokens_file: &std::path::Path, name: &str, role: Role) {
    let text = fs::read_to_string(tokens_file).expect("the file");
    let (_, key) = tokens::generate().expect("random numbers");
    let name = name.to_owned();
    let text = tokens::remove(&text, &name).expect("there");
    let text = tokens::put(&text, &Token { name, role, key }).expect("a good file");
    fs::write(tokens_file, text).expect("written");
    let file = fs::File::options().write(true).open(tokens_file).expect("the file");
    let later = std::time::SystemTime::now() + Duration::from_secs(10);
    file.set_modified(later).expect("another time than the file had");
}

#[test]
fn a_session_ends_with_the_very_token_that_began_it() {
    let (_directory, settings, secrets) = book();
    let access = Access::new(&settings);
    let now = Instant::now();
    let caller = access.trade(&secrets[0], None, now).expect("known");
    let secret = held(&access.browsers).begin(caller, now).expect("random numbers");
    let request = TestRequest::default().insert_header((COOKIE, format!("strowger-session={secret}")));
    let request = request.to_http_request();
    let viewer = access.browser(&request, now).expect("a look").expect("a session");
    assert!(access.holds(&viewer, now));

    rotate(&settings.tokens_file, "viewer", Role::Viewer);
    let later = now + Duration::from_secs(1);
    assert!(!access.holds(&viewer, later), "what goes on for long");
    assert_eq!(access.browser(&request, later).expect("a look"), None);
}

#[test]
fn what_goes_on_for_long_ends_with_its_session_and_no_other() {
    let (_directory, settings, secrets) = book();
    let access = Access::new(&settings);
    let now = Instant::now();
    let begin = || {
        let caller = access.trade(&secrets[0], None, now).expect("known");
        let mut browsers = held(&access.browsers);
        let secret = browsers.begin(caller, now).expect("random numbers");
        let caller = browsers.caller(&secret, now).expect("a session");
        (secret, caller)
    };
    let ((left, of_left), (_, of_other)) = (begin(), begin());
    held(&access.browsers).end(&left);
    assert!(!access.holds(&of_left, now));
    assert!(access.holds(&of_other, now));
    assert!(!access.holds(&of_other, now + settings.session), "its time is over");
}

#[test]
fn whoever_logs_in_again_and_again_pushes_nobody_else_out() {
    let (_directory, settings, secrets) = book();
    let access = Access::new(&settings);
    let now = Instant::now();
    let begin = |secret: &str, now| {
        let caller = access.trade(secret, None, now).expect("known");
        held(&access.browsers).begin(caller, now).expect("random numbers")
    };
    let admin = begin(&secrets[2], now);
    let later = now + Duration::from_millis(1);
    let viewers: Vec<String> = (0..1100).map(|_| begin(&secrets[0], later)).collect();
    let is_open = |secret: &String| held(&access.browsers).caller(secret, later).is_some();
    assert!(is_open(&admin));
    assert_eq!(viewers.iter().filter(|secret| is_open(secret)).count(), 999);
    assert!(viewers.last().is_some_and(is_open), "the latest is in");
    let operator = begin(&secrets[1], later);
    assert!(is_open(&admin) && is_open(&operator), "whoever has most makes room");
}

#[test]
fn a_certificate_has_the_role_of_its_name_and_a_token_is_none() {
    let (_directory, settings, _) = book();
    let text = fs::read_to_string(&settings.tokens_file).expect("the file");
    let token = Token {
        name: "ops.example.com".to_owned(),
        role: Role::Operator,
        key: Key::Certificate,
    };
    fs::write(&settings.tokens_file, tokens::put(&text, &token).expect("a good file")).expect("written");
    let mut watch = Watch::new(settings.tokens_file);
    let watch = watch.current(Instant::now());
    assert_eq!(watch.role_of_certificate("ops.example.com"), Some(Role::Operator));
    assert_eq!(watch.role_of_certificate("admin"), None, "this one has a token");
    assert_eq!(watch.role_of_certificate("nobody"), None);
}

#[test]
fn lines_that_are_none_are_named() {
    for (line, says) in [
        ("ann", "expected name:role:sha256:HEX"),
        ("ann:king:certificate", "is no role"),
        ("ann:admin:sha256:00", "64 hexadecimal digits"),
        (":admin:certificate", "is no name"),
        ("bob:admin:certificate", "twice"),
    ] {
        let error = tokens::parse(&format!("bob:viewer:certificate\n{line}\n")).expect_err(line);
        assert!(error.line == 2 && error.what.contains(says), "{line}: {error}");
    }
}

#[test]
fn a_lockout_ends_and_a_network_of_ipv6_is_one_address() {
    let mut lockout = Lockout::new(2, Duration::from_secs(10));
    let now = Instant::now();
    let one: Option<IpAddr> = "2001:db8::1".parse().ok();
    let other: Option<IpAddr> = "2001:db8::2".parse().ok();
    assert!(!lockout.note(one, now));
    assert!(lockout.left(one, now).is_none());
    assert!(lockout.note(other, now));
    assert_eq!(lockout.left(one, now), Some(Duration::from_secs(10)));
    assert!(lockout.left(one, now + Duration::from_secs(10)).is_none());
    assert!(
        !lockout.note(None, now),
        "a caller without an address is never locked out"
    );
}
