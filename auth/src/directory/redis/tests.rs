use super::{Pattern, RedisSettings, check, grants_of, key, read};
use crate::directory::{Found, Secret};
use crate::{Actions, Credentials};

fn client(user: &str, client_id: &str) -> Credentials {
    Credentials {
        client_id: client_id.to_owned(),
        username: Some(user.to_owned()),
        password: None,
        address: None,
        listener: "tcp".to_owned(),
        certificate: None,
    }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn two_names_in_one_key_are_told_apart() {
    let pattern = |text| Pattern::parse(text, "uc").unwrap();
    let one = |user, id| key(&pattern("mqtt:%u"), &client(user, id));
    assert_eq!(one("a:b\r\nDEL x", "c").as_deref(), Some("mqtt:a:b\r\nDEL x"));
    let two = |user, id| key(&pattern("mqtt:%u:%c"), &client(user, id));
    assert_eq!(two("a", "b").as_deref(), Some("mqtt:a:b"));
    assert_eq!(two("a:b", "c"), None);
    assert_eq!(two("a", "b:c"), None);
}

#[test]
fn a_user_is_whole_or_no_answer() {
    assert_eq!(read((None, None, None), Vec::new()), Ok(Found::Nobody));
    for wrong in [
        (None, text("1"), None),
        (None, None, text("a")),
        (text("h"), text("yes"), None),
        (text("h"), None, text("a,,b")),
        (text(&"h".repeat(5_000)), None, None),
    ] {
        assert!(read(wrong.clone(), Vec::new()).is_err(), "{wrong:?}");
    }
    let Ok(Found::Hashed(hash, privileges)) = read((text("h"), text("1"), text("a,b")), Vec::new()) else {
        panic!("no hash");
    };
    assert_eq!(
        (hash.as_str(), privileges.is_superuser, privileges.groups.len()),
        ("h", true, 2)
    );
}

#[test]
fn rights_are_these_words() {
    let right = |words: &str| vec![("a/b".to_owned(), words.to_owned())];
    for (words, allow, actions) in [
        ("publish", true, Actions::Publish),
        ("subscribe", true, Actions::Subscribe),
        ("all", true, Actions::Both),
        ("deny", false, Actions::Both),
        ("deny publish", false, Actions::Publish),
        ("deny all", false, Actions::Both),
    ] {
        let grants = grants_of(right(words)).unwrap();
        assert_eq!((grants[0].allow, grants[0].actions), (allow, actions), "{words}");
    }
    for wrong in [
        "",
        "Publish",
        "deny ",
        "deny deny",
        "allow publish",
        "publish subscribe",
    ] {
        assert!(grants_of(right(wrong)).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_key_that_is_the_same_for_all_is_a_mistake() {
    let settings = |key: &str, acl_key: &str| RedisSettings {
        url: Secret::Text(String::new()),
        key: key.to_owned(),
        acl_key: acl_key.to_owned(),
    };
    assert!(check(&settings("mqtt:%u", "")).is_ok());
    assert!(check(&settings("mqtt:%u", "mqtt:rights:%u")).is_ok());
    assert!(check(&settings("mqtt:%c", "")).is_err());
    assert!(check(&settings("mqtt:%u", "%x")).is_err());
}
