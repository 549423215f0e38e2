use std::sync::OnceLock;

use base64::Engine as _;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::{BASE64, Decoy, Mould, ScramError, Server, Stored, hmac};

const DECOY: Decoy = Decoy {
    secret: [9; 32],
    rounds: 4_096,
    salt_len: 16,
};

/// The conversation of RFC 7677, section 3; the password is "pencil".
const FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const CHALLENGE: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const LAST: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const DONE: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn pencil() -> Stored {
    static PENCIL: OnceLock<Stored> = OnceLock::new();
    let of = || Stored::of(b"pencil", &BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap(), 4_096);
    PENCIL.get_or_init(of).clone()
}

fn begin(first: &[u8]) -> Result<(Server, Vec<u8>), ScramError> {
    Server::begin(first, NONCE, &DECOY, |name| (name == "user").then(pencil))
}

fn rfc() -> Server {
    begin(FIRST).unwrap().0
}

#[test]
fn the_conversation_of_rfc_7677() {
    let (server, challenge) = begin(FIRST).unwrap();
    assert_eq!(server.name(), "user");
    assert_eq!(str::from_utf8(&challenge).unwrap(), CHALLENGE);
    assert_eq!(server.finish(LAST.as_bytes()).unwrap(), DONE.as_bytes());
}

#[test]
fn no_other_last_message_proves_anything() {
    for (from, to) in [
        ("p=dHz", "p=eHz"),
        ("p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "p="),
        ("p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "p=AAAA"),
        (",p=", ",q="),
        ("c=biws", "c=eSws"),
        ("c=biws", "c="),
        ("c=biws,", ""),
        ("r=rO", "r=rP"),
        ("$k0", ""),
        ("$k0,", "$k0,x=y,"),
    ] {
        let message = LAST.replacen(from, to, 1);
        assert_ne!(message, LAST);
        let error = rfc().finish(message.as_bytes()).unwrap_err();
        // Header and nonce are compared as such, not only as a part of what was signed.
        let is_only_unproven = to == "p=eHz" || to.contains("x=y");
        assert_eq!(error == ScramError::WrongProof, is_only_unproven, "{message}: {error}");
    }
    assert!(rfc().finish(b"").is_err());
    assert!(rfc().finish(b"\xff").is_err());
    assert!(rfc().finish(&vec![b'a'; 100_000]).is_err());
}

#[test]
fn a_first_message_that_asks_for_more_is_refused() {
    for (message, is_unsupported) in [
        ("p=tls-unique,,n=user,r=abc", true),
        ("n,a=admin,n=user,r=abc", true),
        ("n,,m=ext,n=user,r=abc", true),
        ("x,,n=user,r=abc", false),
        ("n,,n=user", false),
        ("n,,r=abc,n=user", false),
        ("n,,n=,r=abc", false),
        ("n,,n=us=er,r=abc", false),
        ("n,,n=us=2cer,r=abc", false),
        ("n,,n=user,r=", false),
        ("n,,n=user,r=a b", false),
        ("n,,n=us\0er,r=abc", false),
        ("n", false),
        ("", false),
    ] {
        let error = begin(message.as_bytes()).unwrap_err();
        assert_eq!(
            matches!(error, ScramError::Unsupported(_)),
            is_unsupported,
            "{message}: {error}"
        );
    }
    let (server, _) = begin(b"y,,n=a=2Cb=3Dc,r=abc,ext=1").unwrap();
    assert_eq!(server.name(), "a,b=c");
}

/// What a client sends that knows `password`.
pub(crate) fn prove(first_bare: &str, challenge: &[u8], password: &[u8]) -> String {
    let challenge = str::from_utf8(challenge).unwrap();
    let [nonce, salt, rounds] = challenge.split(',').collect::<Vec<_>>()[..] else {
        panic!("{challenge}");
    };
    let without_proof = format!("c=biws,{nonce}");
    let salt = BASE64.decode(&salt[2..]).unwrap();
    let mut salted = [0; 32];
    pbkdf2::pbkdf2_hmac::<Sha256>(password, &salt, rounds[2..].parse().unwrap(), &mut salted);
    let client_key = hmac(&salted, b"Client Key");
    let stored_key: [u8; 32] = Sha256::digest(client_key).into();
    let signature = hmac(
        &stored_key,
        format!("{first_bare},{challenge},{without_proof}").as_bytes(),
    );
    let proof: Vec<u8> = client_key
        .iter()
        .zip(signature)
        .map(|(key, signature)| key ^ signature)
        .collect();
    format!("{without_proof},p={}", BASE64.encode(proof))
}

#[test]
fn only_the_password_proves() {
    for (password, is_right) in [("pencil", true), ("Pencil", false), ("", false)] {
        let (server, challenge) = begin(FIRST).unwrap();
        let last = prove("n=user,r=rOprNGfwEbeRWgbNEkqO", &challenge, password.as_bytes());
        assert_eq!(server.finish(last.as_bytes()).is_ok(), is_right, "{password}");
    }
}

#[test]
fn an_unknown_user_is_told_a_salt_that_stays_and_never_proves() {
    let first = b"n,,n=ghost,r=abc";
    let ask = |decoy: &Decoy| Server::begin(first, NONCE, decoy, |_| None).unwrap();
    let other = Decoy {
        secret: [8; 32],
        ..DECOY
    };
    let ((server, challenge), (_, again), (_, elsewhere)) = (ask(&DECOY), ask(&DECOY), ask(&other));
    assert_eq!(challenge, again);
    assert_ne!(challenge, elsewhere);
    let last = prove("n=ghost,r=abc", &challenge, b"");
    assert_eq!(server.finish(last.as_bytes()), Err(ScramError::WrongProof));

    // Not even with a proof that would be right.
    let (mut server, challenge) = Server::begin(first, NONCE, &DECOY, |_| Some(pencil())).unwrap();
    server.is_known = false;
    let last = prove("n=ghost,r=abc", &challenge, b"pencil");
    assert_eq!(server.finish(last.as_bytes()), Err(ScramError::WrongProof));
}

/// Whoever looks from outside, also before and after a restart, sees what most entries have; and no user can make the
/// salts of others from what he knows.
#[test]
fn a_decoy_is_made_of_the_first_entries() {
    assert!(Mould::default().decoy().is_none());
    let stored = |key: u8, rounds, salt_len: usize| Stored {
        rounds,
        salt: vec![key; salt_len].into(),
        stored_key: [key; 32],
        server_key: [key; 32],
    };
    let decoy = |entries: &[Stored]| {
        let mut mould = Mould::default();
        entries.iter().for_each(|entry| mould.add(entry));
        mould.decoy().unwrap().stored("ghost")
    };
    let mut entries: Vec<_> = (0..8).map(|key| stored(key, 20_000, 16)).collect();
    let first = decoy(&entries);
    assert_eq!((first.rounds, first.salt.len()), (20_000, 16));
    entries.push(stored(8, 4_096, 20));
    assert!(first == decoy(&entries), "later entries change nothing");
    entries[1] = stored(9, 20_000, 16);
    assert!(first != decoy(&entries), "one key is not all of the secret");
    entries.extend((10..20).map(|key| stored(key, 4_096, 99)));
    let most = decoy(&entries);
    assert_eq!((most.rounds, most.salt.len()), (4_096, 32));
}

#[test]
fn debug_shows_no_key() {
    assert_eq!(format!("{DECOY:?}"), "Decoy { rounds: 4096, .. }");
    assert_eq!(format!("{:?}", pencil()), "Stored { rounds: 4096, .. }");
}

proptest! {
    #[test]
    fn no_message_breaks_the_reader(first in any::<Vec<u8>>(), last in r"\PC{0,60}", field in r"(c|r|p|n|m)=[a-zA-Z0-9=,]{0,20}") {
        let _ = begin(&first);
        let _ = begin(format!("n,,{field}").as_bytes());
        let _ = begin(format!("n,,n=user,{field}").as_bytes());
        prop_assert!(rfc().finish(last.as_bytes()).is_err());
        prop_assert!(rfc().finish(field.as_bytes()).is_err());
    }
}
