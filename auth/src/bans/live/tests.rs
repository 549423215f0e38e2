use super::*;
use crate::bans::network;

fn client(id: &str) -> Credentials {
    Credentials {
        client_id: id.to_owned(),
        username: None,
        password: None,
        address: None,
        listener: "default".to_owned(),
        certificate: None,
    }
}

#[tokio::test]
async fn a_ban_of_an_operator_outlives_the_broker_until_it_is_lifted() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("admin.bans");
    let live = Live::open(Some(&file)).await.expect("there need not be a file");
    assert!(!live.hold(&client("meter 7")));
    live.add(Banned::Client("meter 7".to_owned()), None, "ops", Some("too loud"))
        .await
        .expect("written");
    live.add(Banned::User("ann".to_owned()), Some(3600), "ops", None)
        .await
        .expect("written");
    live.add(
        Banned::Address(network("203.0.113.0/24").expect("a network")),
        Some(60),
        "ops",
        None,
    )
    .await
    .expect("written");
    assert!(live.hold(&client("meter 7")));

    let again = Live::open(Some(&file)).await.expect("what was written is read");
    assert_eq!(again.all(), live.all());
    assert!(again.hold(&client("meter 7")) && again.hold_user("ann"));
    again
        .lift(&Banned::Client("meter 7".to_owned()))
        .await
        .expect("written");
    assert!(!again.hold(&client("meter 7")));
    assert_eq!(again.all().len(), 2);
}

#[tokio::test]
async fn a_ban_takes_the_place_of_the_one_before_and_ends_in_its_time() {
    let live = Live::open(None).await.expect("no file");
    live.add(Banned::Client("a".to_owned()), None, "ops", None)
        .await
        .expect("made");
    live.add(Banned::Client("a".to_owned()), Some(0), "ops", None)
        .await
        .expect("made");
    assert!(!live.hold(&client("a")), "it ended at once");
    assert!(live.all().is_empty());
}

/// The draft is a pipe that nobody reads: the write of it does not end, as on a disk that hangs.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn who_asks_about_bans_does_not_wait_for_the_disk() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("admin.bans");
    let draft = directory.path().join("admin.bans.new");
    let made = std::process::Command::new("mkfifo").arg(&draft).status();
    assert!(made.expect("mkfifo runs").success());
    let live = Live::open(Some(&file)).await.expect("there need not be a file");
    let mut ban = Box::pin(live.add(Banned::Client("a".to_owned()), None, "ops", None));
    let soon = std::time::Duration::from_millis(100);
    assert!(
        tokio::time::timeout(soon, &mut ban).await.is_err(),
        "it waits for the disk"
    );
    assert!(!live.hold(&client("a")), "it holds when it is written");
    assert!(!live.hold_user("a") && live.all().is_empty());
    std::fs::read(&draft).expect("the pipe is read");
    // A pipe cannot be synced.
    assert!(matches!(ban.await, Err(LiveError::File { .. })));
    assert!(!live.hold(&client("a")), "nothing has changed");
}

#[test]
fn instants_are_written_as_they_are_read() {
    for secs in [0, 951_782_400, 1_709_251_199, 4_107_542_400] {
        let text = instant::format(secs).expect("a year of four digits");
        assert_eq!(instant::parse(&text), Some(secs), "{text}");
    }
    assert_eq!(instant::format(u64::MAX), None);
}
