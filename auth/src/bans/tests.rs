use std::fs;

use super::{Ban, Banned, Bans, Settings, instant, line, unix_secs};
use crate::Credentials;

fn who(client_id: &str, name: &str, address: &str) -> Credentials {
    Credentials {
        client_id: client_id.to_owned(),
        username: Some(name.to_owned()),
        password: None,
        address: Some(address.parse().unwrap()),
        listener: "tcp".to_owned(),
        certificate: None,
    }
}

async fn open(text: &str) -> Result<Bans, crate::OpenError> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bans");
    fs::write(&file, text).unwrap();
    let settings = Settings {
        file: Some(file),
        ..Settings::default()
    };
    Bans::open(&settings).await
}

#[tokio::test]
async fn each_kind_of_ban_keeps_its_own_outside() {
    let text =
        "# list\nclient meter-7\nuser \"the clerk\"\naddress 203.0.113.0/24\naddress 2001:db8::/32\naddress ::1\n";
    let bans = open(text).await.unwrap();
    let fine = ("meter-8", "clerk", "198.51.100.1");
    let holds = |client, name, address| bans.hold(&who(client, name, address));
    assert!(!holds(fine.0, fine.1, fine.2));
    assert!(holds("meter-7", fine.1, fine.2));
    assert!(holds(fine.0, "the clerk", fine.2));
    for (address, is_banned) in [
        ("203.0.113.0", true),
        ("203.0.113.255", true),
        ("203.0.114.0", false),
        ("::ffff:203.0.113.9", true),
        ("2001:db8:ffff::1", true),
        ("2001:db9::1", false),
        ("::1", true),
        ("::2", false),
    ] {
        assert_eq!(holds(fine.0, fine.1, address), is_banned, "{address}");
    }
    assert!(bans.hold_user("the clerk") && !bans.hold_user("clerk"));
}

#[tokio::test]
async fn a_ban_ends_at_its_time_and_the_longer_of_two_holds() {
    let ban = |name: &str, until| Ban {
        whom: Banned::User(name.to_owned()),
        until_unix_secs: until,
    };
    let now = unix_secs();
    let bans = vec![
        ban("past", Some(now)),
        ban("future", Some(now + 60)),
        ban("both", Some(1)),
        ban("both", None),
    ];
    let bans = Bans::open(&Settings {
        bans,
        ..Settings::default()
    })
    .await
    .unwrap();
    assert!(!bans.hold_user("past"));
    assert!(bans.hold_user("future") && bans.hold_user("both"));
}

#[tokio::test]
async fn a_broken_line_is_named() {
    for (line, what) in [
        ("meter-7", "nobody is named"),
        ("meter meter-7", "bans nobody"),
        ("client", "nobody is named"),
        ("user \"open", "quotation mark"),
        ("user two words", "no end"),
        ("user a until tomorrow", "no end"),
        ("user a until 2027-02-29", "no end"),
        ("address 300.1.1.1", "neither an address"),
        ("address 10.0.0.0/33", "neither an address"),
    ] {
        let error = open(&format!("client a\n{line}\n")).await.unwrap_err().to_string();
        assert!(error.contains("bans:2: ") && error.contains(what), "{line}: {error}");
    }
    assert!(open("client a\nclient b").await.is_err(), "cut off");
    assert!(open("").await.is_ok(), "nobody has to be banned");
}

#[test]
fn a_time_is_read_as_rfc_3339_has_it() {
    for (text, secs) in [
        ("1970-01-01T00:00:00Z", Some(0)),
        ("2000-02-29T12:34:56Z", Some(951_827_696)),
        ("2026-11-22T17:00:00Z", Some(1_795_366_800)),
        ("2100-03-01", Some(4_107_542_400)),
        ("2027-1-1", None),
        ("2027-13-01", None),
        ("2027-01-01T24:00:00Z", None),
        ("2027-01-01T00:00:00", None),
        ("1969-12-31", None),
        ("2027-01-01-01", None),
    ] {
        assert_eq!(instant::parse(text), secs, "{text}");
    }
    let ban = line::parse("user a until 1970-01-02").unwrap();
    assert_eq!(ban.until_unix_secs, Some(86_400));
}
