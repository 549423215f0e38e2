//! Books, line by line.

use std::net::IpAddr;
use std::sync::Arc;

use mqtt_codec::{QoS, TopicFilter};

use super::{Action, Actions, Decision, Ground, Rights, Rule, Subject};
use crate::identity::Identity;

mod format;
mod names;

/// Somebody, as a test has him.
#[derive(Clone)]
struct Somebody {
    identity: Identity,
    client_id: String,
    address: Option<IpAddr>,
}

impl Somebody {
    fn new(username: Option<&str>, client_id: &str) -> Self {
        Self {
            identity: Identity::named(username, Arc::from("tcp")),
            client_id: client_id.to_owned(),
            address: None,
        }
    }

    fn at(mut self, address: &str) -> Self {
        self.address = Some(address.parse().expect("an address"));
        self
    }

    fn of_group(mut self, group: &str) -> Self {
        self.identity.groups.push(group.into());
        self
    }

    fn by(mut self, listener: &str) -> Self {
        self.identity.listener = listener.into();
        self
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            identity: &self.identity,
            client_id: &self.client_id,
            address: self.address,
        }
    }

    fn decide(&self, rights: &Rights, action: Action, asked: &str) -> Decision {
        rights.decide(&self.subject(), action, asked, QoS::AtMostOnce, false)
    }

    fn may(&self, rights: &Rights, action: Action, asked: &str) -> bool {
        self.decide(rights, action, asked).allowed
    }

    fn reads(&self, rights: &Rights, topic: &str) -> bool {
        self.may(rights, Action::Receive, topic)
    }

    fn writes(&self, rights: &Rights, topic: &str) -> bool {
        self.may(rights, Action::Publish, topic)
    }
}

fn book(text: &str) -> Rights {
    Rights::parse("test.acl", text).expect("a book without faults")
}

fn roger() -> Somebody {
    Somebody::new(Some("roger"), "phone")
}

fn nobody() -> Somebody {
    Somebody::new(None, "phone")
}

#[test]
fn without_a_book_everything_is_allowed() {
    let decision = roger().decide(&Rights::open(), Action::Publish, "a");
    assert!(decision.allowed);
    assert_eq!(decision.ground, Ground::NoBook);
}

#[test]
fn an_empty_book_allows_nothing_but_to_superusers() {
    let rights = book("");
    assert_eq!(roger().decide(&rights, Action::Publish, "a").ground, Ground::NoRule);
    let mut chief = roger();
    chief.identity.is_superuser = true;
    assert!(chief.writes(&rights, "a"));
}

/// The example of Mosquitto's own aclfile.example, and what its manual says about it.
#[test]
fn mosquittos_example_means_what_it_means_there() {
    let rights = book(
        "# This affects access control for clients with no username.\n\
         topic read $SYS/#\n\
         \n\
         # This only affects clients with username \"roger\".\n\
         user roger\n\
         topic foo/bar\n\
         \n\
         # This affects all clients.\n\
         pattern write $SYS/broker/connection/%c/state\n",
    );
    assert!(nobody().reads(&rights, "$SYS/broker/uptime"));
    assert!(!nobody().writes(&rights, "$SYS/broker/uptime"));
    assert!(!nobody().reads(&rights, "foo/bar"));
    assert!(roger().reads(&rights, "foo/bar"));
    assert!(roger().writes(&rights, "foo/bar"));
    assert!(!roger().reads(&rights, "$SYS/broker/uptime"));
    for who in [roger(), nobody()] {
        assert!(who.writes(&rights, "$SYS/broker/connection/phone/state"));
        assert!(!who.writes(&rights, "$SYS/broker/connection/other/state"));
    }
    assert!(!roger().reads(&rights, "$SYS/broker/connection/phone/state"));
}

/// Mosquitto looks at all denials first, wherever they stand, and at patterns after topics.
#[test]
fn mosquittos_denials_come_first_and_patterns_last() {
    let rights = book("user roger\ntopic readwrite a/#\ntopic deny a/secret\npattern deny a/open\npattern read b\n");
    assert!(roger().reads(&rights, "a/x"));
    assert_eq!(roger().decide(&rights, Action::Receive, "a/secret").rule, Some(3));
    assert_eq!(roger().decide(&rights, Action::Receive, "a/open").rule, Some(2));
    assert_eq!(nobody().decide(&rights, Action::Receive, "a/open").rule, Some(4));
    assert_eq!(nobody().decide(&rights, Action::Receive, "b").rule, Some(5));
}

#[test]
fn the_first_of_our_lines_decides_and_mosquittos_come_after() {
    let rights = book(
        "user roger\ntopic readwrite a/#\nallow publish a/b\ndeny publish a/+\neveryone\nallow publish a/c\ndeny all z\n",
    );
    let line = |topic| roger().decide(&rights, Action::Publish, topic).rule;
    assert_eq!(line("a/b"), Some(3));
    assert_eq!(line("a/c"), Some(4));
    assert_eq!(line("a/b/c"), Some(2));
    assert_eq!(line("z"), Some(7));
    assert!(roger().reads(&rights, "a/x"));
    assert_eq!(nobody().decide(&rights, Action::Publish, "a/c").rule, Some(6));
}

#[test]
fn each_section_is_for_its_own() {
    let rights = book(
        "allow receive all\nuser roger\nallow receive user\ngroup crew\nallow receive group\nclient phone\n\
         allow receive client\nlistener tls\nallow receive listener\naddress 10.0.0.0/8\nallow receive v4\n\
         address 2001:db8::/32\nallow receive v6\naddress 10.1.2.3\nallow receive one\n",
    );
    let stranger = Somebody::new(None, "x");
    let cases = [
        (Somebody::new(Some("roger"), "x"), "user"),
        (stranger.clone().of_group("other").of_group("crew"), "group"),
        (Somebody::new(None, "phone"), "client"),
        (stranger.clone().by("tls"), "listener"),
        (stranger.clone().at("10.200.0.1"), "v4"),
        (stranger.clone().at("::ffff:10.200.0.1"), "v4"),
        (stranger.clone().at("2001:db8::1"), "v6"),
        (stranger.clone().at("10.1.2.3"), "one"),
        (stranger.clone(), ""),
    ];
    for (who, own) in cases {
        assert!(who.reads(&rights, "all"));
        for topic in ["user", "group", "client", "listener", "v4", "v6", "one"] {
            let expected = topic == own || (own == "one" && topic == "v4");
            assert_eq!(who.reads(&rights, topic), expected, "{topic} for {own}");
        }
    }
}

#[test]
fn words_mean_their_actions() {
    let cases = [
        ("publish", vec![Action::Publish, Action::Will, Action::Retain]),
        ("will", vec![Action::Will]),
        ("retain", vec![Action::Retain]),
        ("subscribe", vec![Action::Subscribe, Action::Receive]),
        ("receive", vec![Action::Receive]),
        ("will,receive", vec![Action::Will, Action::Receive]),
    ];
    for (word, meant) in cases {
        let rights = book(&format!("allow {word} a"));
        for action in [
            Action::Publish,
            Action::Will,
            Action::Retain,
            Action::Subscribe,
            Action::Receive,
        ] {
            assert_eq!(
                roger().may(&rights, action, "a"),
                meant.contains(&action),
                "{word}: {action:?}"
            );
        }
    }
}

#[test]
fn to_retain_takes_both_rights() {
    let rights = book("deny retain a\nallow publish a");
    let decide = |retain| rights.decide(&roger().subject(), Action::Publish, "a", QoS::AtMostOnce, retain);
    assert!(decide(false).allowed);
    assert_eq!((decide(true).allowed, decide(true).rule), (false, Some(1)));
    let rights = book("allow retain a");
    let decision = rights.decide(&roger().subject(), Action::Publish, "a", QoS::AtMostOnce, true);
    assert!(!decision.allowed);
}

#[test]
fn a_line_speaks_up_to_its_qos() {
    let rights = book("allow publish a qos<=1\nallow publish b  qos<=0\nallow publish c qos<=2");
    let may = |topic, qos| {
        rights
            .decide(&roger().subject(), Action::Publish, topic, qos, false)
            .allowed
    };
    let all = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
    assert_eq!(all.map(|qos| may("a", qos)), [true, true, false]);
    assert_eq!(all.map(|qos| may("b", qos)), [true, false, false]);
    assert_eq!(all.map(|qos| may("c", qos)), [true, true, true]);
}

/// What a filter asks for against what is allowed: all of it, part of it, none.
#[test]
fn a_filter_is_allowed_whole_in_part_or_not() {
    let cases = [
        ("allow subscribe a/#", "a/#", "whole"),
        ("allow subscribe a/#", "a", "whole"),
        ("allow subscribe a/#", "a/+/c", "whole"),
        ("allow subscribe a/+", "a/+", "whole"),
        ("allow subscribe a/+", "a/b", "whole"),
        ("allow subscribe a/+", "a/#", "part"),
        ("allow subscribe a/b", "a/+", "part"),
        ("allow subscribe a/b", "#", "part"),
        ("allow subscribe a/b", "+/b", "part"),
        ("allow subscribe a/b", "b/#", "none"),
        ("allow subscribe a/b", "a/b/c", "none"),
        ("allow subscribe a", "a/#", "part"),
        ("allow subscribe #", "$SYS/#", "none"),
        ("allow subscribe +/a", "$SYS/a", "none"),
        ("allow subscribe $SYS/#", "#", "none"),
        ("allow subscribe $SYS/a", "+/a", "none"),
        ("allow subscribe #", "#", "whole"),
        ("deny subscribe a/b\nallow subscribe a/#", "a/#", "whole"),
        ("deny subscribe a/#\nallow subscribe #", "a/+", "none"),
        ("deny subscribe a/+/c\nallow subscribe #", "a/b/c", "none"),
        ("allow subscribe a/b\ndeny subscribe a/#", "a/#", "part"),
        ("deny subscribe #\nallow subscribe a", "a", "none"),
        ("deny subscribe #\nallow subscribe a/b", "a/#", "none"),
        ("pattern read %c/#", "phone/x/+", "whole"),
        ("pattern read %c/#", "+/x", "part"),
        ("pattern read %c/#", "other/x", "none"),
    ];
    for (text, filter, expected) in cases {
        let decision = roger().decide(&book(text), Action::Subscribe, filter);
        let found = match (decision.allowed, decision.is_wide) {
            (true, false) => "whole",
            (false, true) => "part",
            (false, false) => "none",
            (true, true) => "both",
        };
        assert_eq!(found, expected, "{text:?} for {filter}");
        let mut granted = roger();
        if let Some(rule) = text
            .strip_prefix("allow subscribe ")
            .filter(|rule| !rule.contains('\n'))
        {
            granted.identity.grants = vec![Rule::new(true, Actions::SUBSCRIBE, rule).expect("a rule")];
            let decision = granted.decide(&Rights::open(), Action::Subscribe, filter);
            let whole = (decision.allowed, decision.is_wide);
            assert_eq!(
                whole,
                (expected == "whole", expected == "part"),
                "granted {rule} for {filter}"
            );
        }
    }
}

#[test]
fn a_share_name_is_not_part_of_what_is_asked() {
    let rights = book("allow subscribe a/#");
    let may = |text: &str, wide| {
        let filter = TopicFilter::new(text.to_owned()).expect("a filter");
        rights.may_subscribe(&roger().subject(), &filter, QoS::AtMostOnce, wide)
    };
    assert!(may("$share/group/a/+", false));
    assert!(!may("$share/a/#", false));
    assert!(may("$share/group/#", true));
    assert!(!may("$share/group/b", true));
}

#[test]
fn grants_come_before_the_book() {
    let mut guest = roger();
    guest.identity.grants = vec![
        Rule::new(false, Actions::ALL, "a/secret").expect("a rule"),
        Rule::new(true, Actions::SUBSCRIBE, "a/#")
            .expect("a rule")
            .up_to(QoS::AtLeastOnce),
        Rule::new(true, Actions::PUBLISH, "own/%u/+").expect("a rule"),
    ];
    for rights in [Rights::open(), book("deny all a/#\nallow receive b")] {
        let ground = |action, topic| guest.decide(&rights, action, topic).ground;
        assert_eq!(ground(Action::Receive, "a/x"), Ground::Grant(1));
        assert_eq!(ground(Action::Receive, "a/secret"), Ground::Grant(0));
        assert_eq!(ground(Action::Publish, "own/roger/x"), Ground::Grant(2));
        assert!(!guest.writes(&rights, "own/other/x"));
        assert!(!guest.writes(&rights, "a/x"));
        assert_eq!(guest.reads(&rights, "b"), !rights.is_open());
        let high = rights.decide(&guest.subject(), Action::Receive, "a/x", QoS::ExactlyOnce, false);
        assert!(!high.allowed);
    }
}

/// Of a client whose groups are not known, what is denied to any group is denied.
#[test]
fn a_shadow_is_denied_what_anyone_like_it_is_denied() {
    let rights = book("group guests\ndeny publish a\nlistener open\ndeny publish b\neveryone\nallow publish +\n");
    let mut shadow = roger();
    shadow.identity = Identity::shadow(Some("roger".into()));
    let may = ["a", "b", "c"].map(|topic| shadow.writes(&rights, topic));
    assert_eq!(may, [false, false, true]);
    assert_eq!(["a", "b", "c"].map(|topic| roger().writes(&rights, topic)), [true; 3]);
}

/// Whatever way a rule is looked up, the answer is the one that comparing it line by line gives.
#[test]
fn the_tree_answers_as_the_list_does() {
    let levels = ["a", "b", "+", "%c", "$x"];
    let mut filters: Vec<String> = vec!["#".to_owned()];
    for first in levels {
        filters.push(first.to_owned());
        filters.push(format!("{first}/#"));
        for second in levels {
            filters.push(format!("{first}/{second}"));
            filters.push(format!("{first}/{second}/#"));
        }
    }
    let mut client = nobody();
    client.client_id = "b".to_owned();
    let mut compared = 0;
    for rule in &filters {
        let rights = book(&format!("allow subscribe {rule}"));
        let mut granted = client.clone();
        granted.identity.grants = vec![Rule::new(true, Actions::SUBSCRIBE, rule).expect("a rule")];
        for asked in filters.iter().filter(|asked| !asked.contains('%')) {
            let by_tree = client.decide(&rights, Action::Subscribe, asked);
            let by_list = granted.decide(&Rights::open(), Action::Subscribe, asked);
            let both = [by_tree, by_list].map(|decision| (decision.allowed, decision.is_wide));
            assert_eq!(both[0], both[1], "{rule} for {asked}");
            compared += 1;
        }
    }
    assert!(compared > 1_000, "{compared}");
}
