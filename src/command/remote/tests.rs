use serde_json::json;

use super::listing::{harmless, in_time};
use super::*;

fn remote(base: &str) -> Remote {
    Remote {
        client: Client::new(),
        base: base.to_owned(),
        by: String::new(),
        place: base.to_owned(),
        token: None,
    }
}

#[test]
fn a_client_id_is_one_segment_of_the_path_whatever_is_in_it() {
    let request = remote("http://127.0.0.1:1").request(Method::GET, &["clients", "a/b?c#ä ..", "connection"]);
    let request = request.expect("a URL").build().expect("a request");
    assert_eq!(
        request.url().as_str(),
        "http://127.0.0.1:1/api/v1/clients/a%2Fb%3Fc%23%C3%A4%20../connection"
    );
}

#[test]
fn a_client_id_that_a_path_has_no_room_for_is_in_the_query() {
    let remote = remote("http://127.0.0.1:1");
    for (path, url) in [
        (&["clients", ".."] as &[_], "client?client_id=.."),
        (&["clients", ".", "connection"], "client/connection?client_id=."),
        (&["clients", "...", "trace"], "clients/.../trace"),
    ] {
        let request = remote.request(Method::GET, path).expect("a URL").build();
        let request = request.expect("a request");
        assert_eq!(request.url().as_str(), format!("http://127.0.0.1:1/api/v1/{url}"));
    }
    assert!(remote.request(Method::DELETE, &["bans", ".."]).is_err());
}

#[test]
fn what_is_no_url_is_blamed_on_the_option() {
    let refused = remote("nowhere").request(Method::GET, &["overview"]).map(drop);
    assert!(refused.is_err_and(|failure| failure.to_string().starts_with("--url nowhere: ")));
}

#[test]
fn control_characters_are_shown_and_not_obeyed() {
    assert_eq!(
        harmless("a\u{1b}[2Jb\n\u{202e}c\u{9b}ä"),
        "a\\u{1b}[2Jb\\n\\u{202e}c\\u{9b}ä"
    );
}

#[test]
fn durations_are_for_people() {
    let cases = [
        (0.0, "0 s"),
        (7.5, "7.5 s"),
        (59.9, "59 s"),
        (60.0, "1 min"),
        (306.0, "5 min 6 s"),
        (7200.0, "2 h"),
        (273_600.0, "3 d 4 h"),
    ];
    for (secs, words) in cases {
        assert_eq!(in_time(secs), words);
    }
}

#[test]
fn nobody_at_home_names_the_place_and_the_remedy() {
    let failure = remote("http://127.0.0.1:1").get(&["overview"], &[]).map(drop);
    let words = failure.expect_err("nobody listens on port 1").to_string();
    assert!(
        words.contains("http://127.0.0.1:1") && words.contains("strowger status"),
        "{words}"
    );
    assert!(json!(words).is_string());
}
