use std::sync::Arc;

use auth::{Authenticator, Chain, anonymous};
use broker::acl::Subject;
use broker::effect::Parting;
use broker::identity::Identity;
use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::{Late, followed, may_stay};
use crate::patience::Work;

/// A chain that lets in clients without a name, and nobody else.
async fn open_house() -> Chain {
    let settings = auth::Settings {
        authenticators: vec![Authenticator::Anonymous(anonymous::Settings {
            on: anonymous::Listeners::All,
            are_names_ignored: false,
        })],
        ..auth::Settings::default()
    };
    Chain::open(&settings).await.unwrap()
}

#[tokio::test]
async fn who_leaves_is_told_by_the_very_listener_and_by_how_he_was_known() {
    let chain = open_house().await;
    let prepared = chain.prepare(&auth::Settings::default()).await.unwrap();
    let nobody_comes = may_stay(prepared, Vec::new());
    let settings = auth::Settings {
        authenticators: vec![Authenticator::Anonymous(anonymous::Settings {
            on: anonymous::Listeners::All,
            are_names_ignored: false,
        })],
        ..auth::Settings::default()
    };
    let closing: Arc<str> = Arc::from("a");
    let leaving = vec![(Arc::clone(&closing), 3)];
    let one_closes = may_stay(chain.prepare(&settings).await.unwrap(), leaving);
    let judge = |judge: &broker::line::MayStay, identity: &Identity| {
        judge(&Subject {
            identity,
            client_id: "c",
            address: None,
        })
    };
    let here = Identity::anonymous(Arc::clone(&closing));
    let namesake = Identity::anonymous(Arc::from("a"));
    assert_eq!(judge(&*one_closes, &here), Err(Parting::ListenerGone(3)));
    assert_eq!(judge(&*one_closes, &namesake), Ok(()));
    assert_eq!(judge(&*nobody_comes, &namesake), Err(Parting::NotKnown));

    let mut ann = Identity::named(Some("ann"), Arc::from("a"));
    ann.method = "password file";
    assert_eq!(judge(&*one_closes, &ann), Err(Parting::NotKnown));
    // An operator's console was let in by others than the chain.
    let operator = Identity::named(Some("admin:ann"), Arc::from("admin"));
    assert_eq!(judge(&*nobody_comes, &operator), Ok(()));
}

/// Otherwise what is left of one reload would undo a part of the next.
#[actix_rt::test]
async fn a_reload_waits_for_a_line_that_has_not_followed_the_last() {
    let (goes_on, stuck) = oneshot::channel::<()>();
    let mut last = vec![
        Late {
            line: 0,
            work: Work::begin(|_| async {}),
        },
        Late {
            line: 1,
            work: Work::begin(|_| async { drop(stuck.await) }),
        },
    ];
    yield_now().await;
    let why = followed(&mut last).unwrap_err();
    assert!(why.starts_with("line 1 has not followed"), "{why}");
    goes_on.send(()).unwrap();
    while !last.iter().all(|late| late.work.is_done()) {
        yield_now().await;
    }
    assert_eq!(followed(&mut last), Ok(()));
}
