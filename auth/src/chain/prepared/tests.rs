use std::fs;

use super::{Chain, Guest, News};
use crate::chain::tests::HASH;
use crate::{Authenticator, Refusal, Settings, anonymous, bans, http, password};

const CLERK: Guest<'static> = Guest {
    client_id: "desk-1",
    username: Some("clerk"),
    claimed: None,
    method: password::METHOD,
    address: None,
    listener: "tcp",
};

#[tokio::test]
async fn what_is_prepared_says_who_stays_and_changes_nothing_before_it_is_installed() {
    let directory = tempfile::tempdir().unwrap();
    let (users, banned) = (directory.path().join("users"), directory.path().join("bans"));
    fs::write(&users, format!("clerk:{HASH}\nsensor:{HASH}\n")).unwrap();
    fs::write(&banned, "").unwrap();
    let settings = Settings {
        authenticators: vec![Authenticator::PasswordFile(password::Settings::new(&users))],
        bans: bans::Settings {
            file: Some(banned.clone()),
            ..bans::Settings::default()
        },
        ..Settings::default()
    };
    let chain = Chain::open(&settings).await.unwrap();
    let same = chain.prepare(&settings).await.unwrap();
    assert_eq!(chain.news(&same), News::default());
    assert_eq!(same.check(&CLERK), Ok(()));

    fs::write(&users, format!("sensor:{HASH}:meters\nrobot:{HASH}\n")).unwrap();
    let without = chain.prepare(&settings).await.unwrap();
    let news = News {
        users_added: 1,
        users_gone: 1,
        users_other: 1,
        bans: None,
    };
    assert_eq!(chain.news(&without), news);
    assert_eq!(without.check(&CLERK), Err(Refusal::BadCredentials));
    chain.install(without.clone());
    assert_eq!(chain.news(&without), News::default());

    fs::write(&banned, "client desk-1\n").unwrap();
    let banning = chain.prepare(&settings).await.unwrap();
    assert_eq!(chain.news(&banning).bans, Some((0, 1)));
    assert_eq!(banning.check(&CLERK), Err(Refusal::Banned));

    fs::write(&banned, "user ann\n").unwrap();
    let banning = chain.prepare(&settings).await.unwrap();
    let claimed = Some("ann");
    assert_eq!(banning.check(&Guest { claimed, ..CLERK }), Err(Refusal::Banned));
}

#[tokio::test]
async fn who_came_without_a_name_stays_where_one_may_come_without() {
    let nameless = Guest {
        username: None,
        method: "",
        address: Some([192, 0, 2, 7].into()),
        ..CLERK
    };
    for (on, stays) in [
        (anonymous::Listeners::All, true),
        (anonymous::Listeners::Local, false),
        (anonymous::Listeners::Named(vec!["tcp".to_owned()]), true),
    ] {
        let settings = Settings {
            authenticators: vec![Authenticator::Anonymous(anonymous::Settings {
                on,
                are_names_ignored: false,
            })],
            ..Settings::default()
        };
        let chain = Chain::open(&settings).await.unwrap();
        let same = chain.prepare(&settings).await.unwrap();
        assert_eq!(same.check(&nameless).is_ok(), stays);
        // A user who proved his name somewhere else is nobody here.
        assert_eq!(same.check(&CLERK), Err(Refusal::BadCredentials));
        // Nor is one without a name who got his rights there.
        let method = http::METHOD;
        assert_eq!(same.check(&Guest { method, ..nameless }), Err(Refusal::BadCredentials));
    }
}
