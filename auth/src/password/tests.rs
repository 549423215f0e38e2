use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::entries::Entries;
use super::hash::{Function, Hash};
use super::{Cache, HashPool, PasswordFile, Settings, hash_for_file, put, remove, scram_for_file};
use crate::limits::{self, Limits};
use crate::{Credentials, Hashing, OpenError, Refusal, Verdict};

/// Made by mosquitto_passwd 2.0.11 and by the reference Argon2; the password of all is "pass word".
const SHA512: &str =
    "$6$viNSWgFIpbagnKY6$0i9hcfGOMHCtDJcdAyIRhXrl1QcqteAs8pWD212oEGU8Tv2wxjOKraylWBCaVeVJfStrNZ+rzFIUH4NYs+plSA==";
const PBKDF2: &str =
    "$7$101$6Gv3GASiH9IMTkl/$wUXOBQS5dIz8pFI1o9q8ZzoXhI57BRUL1mCkb1UsmjYei9G/LpZN7xpE6228mImqMH+DCqt8AEZZXeaLeLlHFw==";
const ARGON2_LONG: &str = "$argon2id$v=19$m=256,t=1,p=1$MDEyMzQ1Njc4OWFi$QG1yTDCd+VGpEoQg3HK5heIJL+f5Q5qgHySHSaTzHDEdKL1u1qURxIfBTmyyCHij7/ryQn6nMn31qdzOADPlDQ";
const ARGON2: &str = "$argon2id$v=19$m=512,t=2,p=2$AAECAwQFBgcICQoLDA0ODw$y4UcBkX+x+c3bP4v+67AZ2Y278/qxjufAe1uYGuUIMc";

fn parse(text: &str) -> Result<Entries, OpenError> {
    Entries::parse(Path::new("passwords"), text)
}

fn client(name: &str, password: Option<&str>) -> Credentials {
    Credentials {
        client_id: "meter-7".to_owned(),
        username: Some(name.to_owned()),
        password: password.map(|password| Bytes::copy_from_slice(password.as_bytes())),
        address: None,
        listener: "tcp".to_owned(),
        certificate: None,
    }
}

fn limits() -> Limits {
    Limits::new(limits::Settings::default())
}

#[test]
fn every_format_knows_its_password_and_no_other() {
    for text in [SHA512, PBKDF2, ARGON2_LONG, ARGON2] {
        let hash = Hash::parse(text).unwrap();
        assert!(hash.matches(b"pass word"), "{text}");
        for wrong in ["", "pass wore", "pass word ", "pass", text] {
            assert!(!hash.matches(wrong.as_bytes()), "{text} took {wrong:?}");
        }
    }
}

#[test]
fn what_we_hash_is_read_and_salted() {
    let (first, second) = (hash_for_file(b"secret").unwrap(), hash_for_file(b"secret").unwrap());
    assert_ne!(first, second);
    let hash = Hash::parse(&first).unwrap();
    assert!(hash.matches(b"secret"));
    assert!(!hash.matches(b"Secret"));
    let expected = Function::Argon2id {
        memory_kib: 19_456,
        passes: 2,
        lanes: 1,
    };
    assert_eq!(hash.cost(), expected);
}

#[test]
fn a_scram_entry_knows_its_password_too_and_only_it_serves_scram() {
    let text = scram_for_file(b"pass word").unwrap();
    let hash = Hash::parse(&text).unwrap();
    assert!(hash.matches(b"pass word") && !hash.matches(b"pass"));
    assert!(hash.scram().is_some());
    assert!(Hash::parse(SHA512).unwrap().scram().is_none());
    for end in 0..text.len() {
        assert!(Hash::parse(&text[..end]).is_err(), "cut at {end}");
    }
    // Two keys of together the right length.
    let keys = text.rsplitn(3, '$').last().unwrap();
    assert!(Hash::parse(&format!("{keys}$AAAA${}", "A".repeat(81))).is_err());
}

#[test]
fn a_broken_line_is_named_with_its_number_and_the_remedy_but_not_shown() {
    let long = format!("sensor:$argon2id$v=19$m=4294967295,t=2,p=1{}", &ARGON2[28..]);
    let cases = [
        ("sensor:hunter2", "plain text", "strowger passwd"),
        ("sensor", "no ':'", "strowger passwd"),
        (":$6$a$b", "name is empty", "choose a name"),
        ("sensor:", "plain text", "strowger passwd"),
        ("sensor:$6$", "incomplete", "set the password again"),
        ("sensor:$6$c2FsdA==$c2hvcnQ=", "wrong length", "set the password again"),
        ("sensor:$7$0$c2FsdA==$c2hvcnQ=", "out of bounds", "1 to"),
        ("sensor:$7$+5$c2FsdA==$c2hvcnQ=", "out of bounds", "1 to"),
        ("sensor:$6$?$c2hvcnQ=", "not base64", "set the password again"),
        ("sensor:$argon2id$v=16$m=8,t=1,p=1$a$b", "another version", "are read"),
        ("sensor:$argon2id$v=19$m=512,t=2,p=2$AAECAwQFBgc", "incomplete", "again"),
        ("sensor:$2y$10$abc", "$2y$", "are read"),
        (long.as_str(), "out of bounds", "1 to"),
    ];
    for (line, what, remedy) in cases {
        let text = format!("# users\n\nclerk:{SHA512}\n{line}\n");
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.starts_with("passwords:4: "), "{line}: {error}");
        assert!(error.contains(what) && error.contains(remedy), "{line}: {error}");
        assert!(!error.contains("hunter2") && !error.contains('\n'), "{error}");
    }
}

#[test]
fn a_name_stands_once() {
    let error = parse(&format!("clerk:{SHA512}\nclerk:{PBKDF2}\n")).unwrap_err();
    let expected = r#"passwords:2: user "clerk" is already in line 1; remove one of the two"#;
    assert_eq!(error.to_string(), expected);
}

#[test]
fn an_empty_file_and_one_that_was_cut_off_are_refused() {
    for text in ["", "\n", "# nobody\n"] {
        assert!(parse(text).unwrap_err().to_string().contains("no entry"));
    }
    // Without the newline, half an entry could pass for a whole one.
    let whole = format!("clerk:{SHA512}\nsensor:{ARGON2}\n");
    for end in 1..whole.len() {
        let is_line_end = whole.as_bytes()[end - 1] == b'\n';
        assert_eq!(parse(&whole[..end]).is_ok(), is_line_end, "cut at {end}");
    }
}

#[test]
fn an_unknown_name_costs_what_most_known_ones_cost() {
    let text = format!("a:{SHA512}\nb:{ARGON2}\nc:{PBKDF2}\nd:{ARGON2}\n");
    let entries = parse(&text).unwrap();
    assert_eq!(entries.decoy().cost(), entries.find("b").unwrap().hash.cost());
}

#[test]
fn debug_shows_no_hash() {
    let shown = format!("{:?}", Hash::parse(SHA512).unwrap());
    assert_eq!(shown, "Hash { function: Sha512, .. }");
}

async fn open(text: &str) -> PasswordFile {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("passwords");
    fs::write(&file, text).unwrap();
    PasswordFile::open(&Settings::new(file)).await.unwrap()
}

#[tokio::test]
async fn the_first_answer_is_about_names_that_stand_in_the_file() {
    let pool = HashPool::new(Hashing::default());
    let file = open(&format!("clerk:{PBKDF2}:office, readers\n")).await;

    let Verdict::Known(clerk) = file.ask(&client("clerk", Some("pass word")), &pool, &limits()).await else {
        panic!("the clerk is known");
    };
    assert_eq!(clerk.username.as_deref(), Some("clerk"));
    assert_eq!(clerk.groups, ["office", "readers"]);
    assert!(!clerk.is_superuser && clerk.expires_at_unix_secs.is_none());

    let refused = |verdict| matches!(verdict, Verdict::Refused(Refusal::BadCredentials));
    assert!(refused(
        file.ask(&client("clerk", Some("pass")), &pool, &limits()).await
    ));
    assert!(refused(file.ask(&client("clerk", None), &pool, &limits()).await));
    assert!(matches!(
        file.ask(&client("Clerk", Some("pass word")), &pool, &limits()).await,
        Verdict::NotMine
    ));
    assert!(matches!(
        file.ask(&client("ghost", None), &pool, &limits()).await,
        Verdict::NotMine
    ));
}

#[tokio::test]
async fn more_clients_than_may_wait_are_turned_away() {
    let pool = HashPool::new(Hashing {
        parallel_max: 1,
        waiting_max: 1,
    });
    let file = open(&format!("clerk:{}\n", hash_for_file(b"x").unwrap())).await;
    let who = client("clerk", Some("x"));
    let limits = limits();
    let ask = || file.ask(&who, &pool, &limits);
    let (a, b, c) = tokio::join!(ask(), ask(), ask());
    let known = [&a, &b, &c]
        .iter()
        .filter(|verdict| matches!(verdict, Verdict::Known(_)))
        .count();
    assert_eq!(known, 2);
    assert!(matches!(c, Verdict::Refused(Refusal::Unavailable)));
    // The places are free again.
    assert!(matches!(ask().await, Verdict::Known(_)));
}

/// Who is right is known without a hash, as long as the file stays and the time has not passed; nobody else is.
#[tokio::test]
async fn a_password_that_was_right_is_not_hashed_again() {
    let text = format!("clerk:{PBKDF2}:office\nrobot:{PBKDF2}\n");
    let unavailable = |verdict| matches!(verdict, Verdict::Refused(Refusal::Unavailable));
    for (cache_secs, is_remembered) in [(60, true), (0, false)] {
        let pool = HashPool::new(Hashing {
            parallel_max: 1,
            waiting_max: 0,
        });
        let limits = limits();
        let directory = tempfile::tempdir().unwrap();
        let settings = Settings {
            cache_for: Duration::from_secs(cache_secs),
            ..Settings::new(directory.path().join("passwords"))
        };
        fs::write(&settings.file, &text).unwrap();
        let file = PasswordFile::open(&settings).await.unwrap();
        let ask =
            async |file: &PasswordFile, name, password| file.ask(&client(name, Some(password)), &pool, &limits).await;
        assert!(matches!(ask(&file, "clerk", "pass word").await, Verdict::Known(_)));
        assert!(matches!(
            ask(&file, "clerk", "wrong").await,
            Verdict::Refused(Refusal::BadCredentials)
        ));

        // While nothing can be hashed.
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let held = pool.run(|| true, move || told.recv());
        let asked = async {
            match ask(&file, "clerk", "pass word").await {
                Verdict::Known(clerk) => assert!(is_remembered && clerk.groups == ["office"]),
                verdict @ (Verdict::Refused(_) | Verdict::NotMine) => assert!(!is_remembered && unavailable(verdict)),
            }
            for (name, password) in [("clerk", "wrong"), ("robot", "pass word"), ("cler", "kpass word")] {
                assert!(unavailable(ask(&file, name, password).await), "{name}");
            }
            let again = PasswordFile::open(&settings).await.unwrap();
            assert!(unavailable(ask(&again, "clerk", "pass word").await), "a reload forgets");
            drop(tell);
        };
        let (held, ()) = tokio::join!(held, asked);
        assert!(held.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_is_forgotten_and_bounded() {
    let cache = Cache::new(Duration::from_secs(60), 10).unwrap();
    let key = cache.key("clerk", b"pass word");
    assert!(!cache.holds(&key));
    cache.keep(key);
    tokio::time::advance(Duration::from_secs(59)).await;
    assert!(cache.holds(&key));
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(!cache.holds(&key));
    cache.keep(key);
    (0..10_u8).for_each(|number| cache.keep(cache.key("crowd", &[number])));
    assert!(!cache.holds(&key), "those that were right longest ago go first");
    let other = Cache::new(Duration::from_secs(60), 10).unwrap();
    assert_ne!(key, other.key("clerk", b"pass word"), "each has a secret of its own");
    assert_eq!(format!("{cache:?}"), "Cache { holds_for: 60s, .. }");
}

#[test]
fn an_edit_touches_one_line() {
    let text = "# ours\nclerk:$6$old:office\n\nbroken line\nsensor:$7$x\n";
    let edited = put(text, "clerk", "$6$new").unwrap();
    assert_eq!(edited, "# ours\nclerk:$6$new:office\n\nbroken line\nsensor:$7$x\n");
    let edited = put("clerk:$6$a", "sensor", "$6$b").unwrap();
    assert_eq!(edited, "clerk:$6$a\nsensor:$6$b\n");
    assert_eq!(
        remove(text, "sensor").unwrap(),
        "# ours\nclerk:$6$old:office\n\nbroken line\n"
    );
    assert_eq!(
        remove(text, "ghost").unwrap_err().to_string(),
        "there is no user \"ghost\""
    );
    for name in ["", "a:b", "a\nb", "#a"] {
        assert!(put(text, name, "$6$x").is_err(), "{name:?}");
    }
}

proptest! {
    #[test]
    fn the_parser_survives_everything(text in r"\PC{0,80}\n?|([a-z#]{0,3}:?\$?(6|7|argon2id)?\$?[a-zA-Z0-9$=,/+:]{0,60}\n){0,5}") {
        if let Ok(entries) = parse(&text) {
            prop_assert!(entries.find("").is_none());
        }
    }

    #[test]
    fn a_changed_character_never_keeps_the_password(at in 0..ARGON2.len(), to in "[a-zA-Z0-9$=,/+]") {
        let mut text = ARGON2.to_owned();
        text.replace_range(at..=at, &to);
        prop_assume!(text != ARGON2);
        // Large costs are legal, and would only make the test slow.
        prop_assume!(!(text.find("m=").is_none_or(|m| at >= m) && at < 28));
        if let Ok(hash) = Hash::parse(&text) {
            prop_assert!(!hash.matches(b"pass word"), "{text}");
        }
    }

    #[test]
    fn what_is_put_is_found(name in r"[^:#\p{C}][^:\p{C}]{0,20}") {
        let text = put(&format!("clerk:{SHA512}\n"), &name, PBKDF2).unwrap();
        prop_assert!(parse(&text).unwrap().find(&name).unwrap().hash.matches(b"pass word"));
    }
}
