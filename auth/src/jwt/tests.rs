use std::fs;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use bytes::Bytes;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{Algorithm, Field, Jwt, KeyServer, KeySource, Settings};
use crate::bans::unix_secs;
use crate::web::tests::{Act, TestServer};
use crate::{Actions, Credentials, Refusal, Verdict};

/// An issuer's key with its name.
struct Issuer {
    id: &'static str,
    key: EncodingKey,
}

impl Issuer {
    fn new(id: &'static str) -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Self {
            id,
            key: EncodingKey::from_ec_der(pkcs8.as_ref()),
        }
    }

    fn public(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, jsonwebtoken::Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(self.id.to_owned());
        serde_json::to_value(jwk).unwrap()
    }

    fn header(&self) -> Header {
        Header {
            kid: Some(self.id.to_owned()),
            ..Header::new(jsonwebtoken::Algorithm::ES256)
        }
    }

    fn sign(&self, claims: &Value) -> String {
        encode(&self.header(), claims, &self.key).unwrap()
    }
}

fn jwks(keys: &[Value]) -> String {
    format!("{}\n", json!({ "keys": keys }))
}

fn claims() -> Value {
    json!({
        "sub": "meter", "iss": "https://id.example", "aud": ["mqtt", "web"], "exp": unix_secs() + 600,
        "roles": ["meters"], "acl": {"publish": ["meters/7/#"], "deny_subscribe": ["#"]},
    })
}

/// The claims, with one of them changed, or without it.
fn with(name: &str, value: Option<Value>) -> Value {
    let mut claims = claims();
    let map = claims.as_object_mut().unwrap();
    match value {
        Some(value) => map.insert(name.to_owned(), value),
        None => map.remove(name),
    };
    claims
}

async fn open(text: &str) -> Result<Jwt, crate::OpenError> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys.json");
    fs::write(&file, text).unwrap();
    let settings = Settings {
        algorithms: vec![Algorithm::Es256],
        issuers: vec!["https://id.example".to_owned()],
        audiences: vec!["mqtt".to_owned()],
        groups_claim: Some("roles".to_owned()),
        ..Settings::new(KeySource::File {
            file,
            bytes_max: 1 << 20,
        })
    };
    Jwt::open(&settings, false).await
}

fn bearer(token: &str) -> Credentials {
    Credentials {
        client_id: "meter-7".to_owned(),
        username: Some("whatever".to_owned()),
        password: Some(Bytes::copy_from_slice(token.as_bytes())),
        address: None,
        listener: "tcp".to_owned(),
        certificate: None,
    }
}

async fn ask(jwt: &Jwt, token: &str) -> Verdict {
    jwt.ask(&bearer(token)).await
}

fn is_refused(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Refused(Refusal::BadCredentials))
}

#[tokio::test]
async fn a_good_token_names_its_bearer_with_groups_rights_and_an_end() {
    let issuer = Issuer::new("a");
    let jwt = open(&jwks(&[issuer.public()])).await.unwrap();
    let Verdict::Known(identity) = ask(&jwt, &issuer.sign(&claims())).await else {
        panic!("the meter is known");
    };
    assert_eq!(identity.username.as_deref(), Some("meter"));
    assert_eq!(identity.groups, ["meters"]);
    assert!(!identity.is_superuser);
    let ends = identity.expires_at_unix_secs.unwrap();
    assert!(
        (unix_secs() + 659..=unix_secs() + 660).contains(&ends),
        "exp and the leeway"
    );
    let [denial, right] = identity.grants.as_slice() else {
        panic!("{:?}", identity.grants);
    };
    assert!(!denial.allow && denial.actions == Actions::Subscribe);
    assert!(right.allow && right.filter == "meters/7/#");
}

#[tokio::test]
async fn claims_that_do_not_hold_refuse_the_token() {
    let issuer = Issuer::new("a");
    let jwt = open(&jwks(&[issuer.public()])).await.unwrap();
    let now = unix_secs();
    for (claim, value) in [
        ("exp", None),
        ("exp", Some(json!(now - 61))),
        ("exp", Some(json!("tomorrow"))),
        ("exp", Some(json!(-1))),
        ("nbf", Some(json!(now + 120))),
        ("nbf", Some(json!("x"))),
        ("iss", None),
        ("iss", Some(json!("https://id.example.evil"))),
        ("iss", Some(json!(7))),
        ("aud", None),
        ("aud", Some(json!("web"))),
        ("aud", Some(json!({}))),
        ("sub", None),
        ("sub", Some(json!(""))),
        ("sub", Some(json!(["meter"]))),
        ("roles", Some(json!("admin"))),
        ("acl", Some(json!({"denny_publish": ["#"]}))),
        ("acl", Some(json!({"publish": ["a#"]}))),
        ("acl", Some(json!("#"))),
        ("acl", Some(json!(null))),
    ] {
        let token = issuer.sign(&with(claim, value.clone()));
        assert!(is_refused(&ask(&jwt, &token).await), "{claim}: {value:?}");
    }
    for (claim, value) in [
        ("exp", Some(json!(now - 30))),
        ("aud", Some(json!("mqtt"))),
        ("acl", None),
        ("roles", None),
    ] {
        let token = issuer.sign(&with(claim, value.clone()));
        assert!(
            matches!(ask(&jwt, &token).await, Verdict::Known(_)),
            "{claim}: {value:?}"
        );
    }
}

#[tokio::test]
async fn no_trick_with_signature_or_algorithm_comes_in() {
    let (issuer, forger) = (Issuer::new("a"), Issuer::new("a"));
    let public = issuer.public();
    let jwt = open(&jwks(std::slice::from_ref(&public))).await.unwrap();
    assert!(
        is_refused(&ask(&jwt, &forger.sign(&claims())).await),
        "another key under the same name"
    );

    let good = issuer.sign(&claims());
    let other = issuer.sign(&with("sub", Some(json!("admin"))));
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (good_parts, other_parts) = (parts(&good), parts(&other));
    let mixed = format!("{}.{}.{}", good_parts[0], other_parts[1], good_parts[2]);
    assert!(is_refused(&ask(&jwt, &mixed).await), "another payload");
    let unsigned = format!("{}.{}.", good_parts[0], good_parts[1]);
    assert!(is_refused(&ask(&jwt, &unsigned).await), "no signature");

    // The public key as a shared secret.
    let x = public["x"].as_str().unwrap();
    let header = Header {
        kid: Some("a".to_owned()),
        ..Header::new(jsonwebtoken::Algorithm::HS256)
    };
    for secret in [x.to_owned(), public.to_string()] {
        let token = encode(&header, &claims(), &EncodingKey::from_secret(secret.as_bytes())).unwrap();
        assert!(is_refused(&ask(&jwt, &token).await), "HS256");
    }

    // "none", in any spelling, is no algorithm; who brings it is not known.
    for header in [r#"{"alg":"none"}"#, r#"{"alg":"None","kid":"a"}"#, r#"{"kid":"a"}"#] {
        let token = format!("{}.{}.", base64_url(header), good_parts[1]);
        assert!(matches!(ask(&jwt, &token).await, Verdict::NotMine), "{header}");
    }
    let demanding = Header {
        crit: Some(vec!["b64".to_owned()]),
        ..issuer.header()
    };
    let token = encode(&demanding, &claims(), &issuer.key).unwrap();
    assert!(is_refused(&ask(&jwt, &token).await), "crit");
    let long = issuer.sign(&with("more", Some(json!("a".repeat(20_000)))));
    assert!(is_refused(&ask(&jwt, &long).await), "too long");
}

fn base64_url(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

#[tokio::test]
async fn what_is_somebody_elses_is_left_to_others() {
    let (issuer, other) = (Issuer::new("a"), Issuer::new("b"));
    let jwt = open(&jwks(&[issuer.public()])).await.unwrap();
    for password in ["", "secret", "a.b.c", "...", "ä.ö.ü", &other.sign(&claims())] {
        assert!(matches!(ask(&jwt, password).await, Verdict::NotMine), "{password}");
    }
    let silent = Credentials {
        password: None,
        ..bearer("")
    };
    assert!(matches!(jwt.ask(&silent).await, Verdict::NotMine));
}

#[tokio::test]
async fn a_token_can_be_the_user_name() {
    let issuer = Issuer::new("a");
    let mut jwt = open(&jwks(&[issuer.public()])).await.unwrap();
    jwt.settings.token_in = Field::Username;
    let who = Credentials {
        username: Some(issuer.sign(&claims())),
        ..bearer("secret")
    };
    assert!(matches!(jwt.ask(&who).await, Verdict::Known(_)));
}

#[tokio::test]
async fn a_file_without_a_usable_key_is_refused() {
    let issuer = Issuer::new("a");
    let whole = jwks(&[issuer.public()]);
    let encryption = {
        let mut key = issuer.public();
        key["use"] = json!("enc");
        jwks(&[key])
    };
    let secret = jwks(&[json!({"kty": "oct", "kid": "a", "k": "c2VjcmV0", "alg": "HS256"})]);
    for text in [
        "",
        "{}",
        "[]",
        "{\"keys\": []}",
        &whole[..whole.len() / 2],
        &encryption,
        &secret,
    ] {
        let error = open(text).await.unwrap_err().to_string();
        assert!(error.contains("keys.json") && error.contains("JWKS"), "{error}");
    }
    let settings = Settings {
        algorithms: Vec::new(),
        ..Settings::new(KeySource::File {
            file: "x".into(),
            bytes_max: 1,
        })
    };
    assert!(
        Jwt::open(&settings, false)
            .await
            .unwrap_err()
            .to_string()
            .contains("no algorithm")
    );
}

fn by_url(server: &TestServer, ask_again_after: Duration) -> Settings {
    let keys = KeySource::Url(KeyServer {
        ask_again_after,
        ..KeyServer::new(server.settings())
    });
    Settings {
        audiences: vec!["mqtt".to_owned()],
        ..Settings::new(keys)
    }
}

#[tokio::test]
async fn keys_are_fetched_again_for_an_unknown_one_but_not_for_each() {
    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    let server = TestServer::start(Act::status(200, &jwks(&[old.public()]))).await;
    let jwt = Jwt::open(&by_url(&server, Duration::from_secs(3_600)), false)
        .await
        .unwrap();
    assert!(matches!(ask(&jwt, &old.sign(&claims())).await, Verdict::Known(_)));
    assert_eq!(server.requests().len(), 1);

    server.act(Act::status(200, &jwks(&[old.public(), new.public()])));
    assert!(matches!(ask(&jwt, &new.sign(&claims())).await, Verdict::Known(_)));
    assert_eq!(server.requests().len(), 2);
    for _ in 0..20 {
        assert!(matches!(
            ask(&jwt, &Issuer::new("x").sign(&claims())).await,
            Verdict::NotMine
        ));
    }
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn without_keys_nobody_comes_in_and_old_keys_serve_until_they_are_too_old() {
    let issuer = Issuer::new("a");
    let token = issuer.sign(&claims());
    let server = TestServer::start(Act::Keep).await;
    let mut settings = by_url(&server, Duration::ZERO);
    assert!(
        Jwt::open(&settings, true)
            .await
            .unwrap_err()
            .to_string()
            .contains("reload again")
    );

    let KeySource::Url(keys) = &mut settings.keys else {
        panic!()
    };
    (keys.refresh_after, keys.trust_for) = (Duration::ZERO, Duration::from_millis(1_500));
    let jwt = Jwt::open(&settings, false).await.unwrap();
    for bad in [
        Act::Keep,
        Act::status(500, ""),
        Act::status(200, "{}"),
        Act::status(301, &jwks(&[issuer.public()])),
    ] {
        server.act(bad.clone());
        assert!(
            matches!(ask(&jwt, &token).await, Verdict::Refused(Refusal::Unavailable)),
            "{bad:?}"
        );
    }
    server.act(Act::status(200, &jwks(&[issuer.public()])));
    assert!(matches!(ask(&jwt, &token).await, Verdict::Known(_)));
    server.act(Act::status(500, ""));
    assert!(matches!(ask(&jwt, &token).await, Verdict::Known(_)));
    tokio::time::sleep(Duration::from_millis(1_510)).await;
    assert!(matches!(
        ask(&jwt, &token).await,
        Verdict::Refused(Refusal::Unavailable)
    ));
}
