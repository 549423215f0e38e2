use broker::exchange::{Kind, Refusal};

use crate::{Event, Limits, Outcome, RuleBook, Tally, Verdict};

fn book(text: &str) -> RuleBook {
    RuleBook::parse("rules.toml", text, Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn judged(book: &RuleBook, event: &Event<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    book.judge(event, &mut Tally::of(book), &mut outcome);
    outcome
}

fn publish(topic: &str) -> Event<'_> {
    Event {
        topic,
        payload: b"21",
        ..Event::new(Kind::Publish, "meter-1")
    }
}

#[test]
fn the_first_last_word_counts_and_setters_add_up() {
    let book = book(
        r#"
        [[rule]]
        name = "copy"
        on = ["publish"]
        topics = ["a/#"]
        then = [
            { set_qos = "1" },
            { set_user_property = { name = "via", value = "'copy'" } },
            { republish = { topic = "'copy/' + topic" } },
            { tag = "copied" },
            { log = { level = "warn", text = "'from ' + client.id + '\\n'" } },
        ]
        [[rule]]
        name = "rename"
        on = ["publish"]
        then = [{ set_topic = "'b/' + topic" }, { set_payload = "payload.text() + '!'" }, { set_qos = "2" }, "allow"]
        [[rule]]
        name = "never"
        on = ["publish"]
        then = ["cancel"]
        "#,
    );
    let outcome = judged(&book, &publish("a/x"));
    assert_eq!(outcome.verdict(), Verdict::Proceed);
    assert_eq!(outcome.decided_by(), Some(1));
    assert_eq!(outcome.topic().unwrap().as_str(), "b/a/x");
    assert_eq!(outcome.payload().unwrap().as_ref(), b"21!");
    assert_eq!(outcome.qos().map(u8::from), Some(2));
    assert_eq!(outcome.retain(), None);
    assert_eq!(outcome.user_properties()[0].1, "copy");
    assert_eq!(outcome.republished()[0].topic.as_str(), "copy/a/x");
    assert_eq!(
        outcome.lines()[0].text,
        "from meter-1\\n",
        "what a client chose cannot begin a line of its own"
    );
    assert_eq!(outcome.tags(), [0]);
    assert_eq!(*book.tags()[0], *"copied");
}

#[test]
fn a_refused_message_is_not_changed_but_what_it_set_off_stands() {
    let book = book(
        r#"
        [[rule]]
        name = "no"
        on = ["publish"]
        then = [{ set_topic = "'x'" }, { republish = { topic = "'alarm'" } }, { deny = "quota_exceeded" }]
        "#,
    );
    let outcome = judged(&book, &publish("a"));
    assert_eq!(outcome.verdict(), Verdict::Deny(Refusal::QuotaExceeded));
    assert_eq!(outcome.topic(), None);
    assert_eq!(outcome.republished().len(), 1);
}

#[test]
fn a_rule_that_cannot_be_evaluated_denies_unless_it_says_skip() {
    let text = r#"
        [[rule]]
        name = "json"
        on = ["publish"]
        when = "payload.json().value > 1"
        then = [{ set_topic = "'x'" }]
        on_error = "deny"
    "#;
    let closed = book(text);
    let mut tally = Tally::of(&closed);
    let mut outcome = Outcome::default();
    closed.judge(&publish("a"), &mut tally, &mut outcome);
    assert_eq!(outcome.verdict(), Verdict::Deny(Refusal::NotAuthorized));
    assert_eq!(outcome.failure().map(|(rule, _)| *rule), Some(0));
    let hits = tally.counts().hits()[0];
    assert_eq!((hits.asked, hits.matched, hits.failed), (1, 0, 1));

    let open = book(&text.replace("\"deny\"", "\"skip\""));
    assert_eq!(judged(&open, &publish("a")).verdict(), Verdict::Proceed);
    for (setter, expected) in [
        ("set_topic = \"'a/+'\"", "topic"),
        ("set_topic = \"'$SYS/x'\"", "topic"),
        ("set_qos = \"3\"", "QoS"),
    ] {
        let book = book(&format!(
            "[[rule]]\nname = \"x\"\non = [\"publish\"]\nthen = [{{ {setter} }}]"
        ));
        let outcome = judged(&book, &publish("a"));
        assert_eq!(outcome.verdict(), Verdict::Deny(Refusal::NotAuthorized), "{setter}");
        assert!(outcome.failure().unwrap().1.to_string().contains(expected));
    }
}

#[test]
fn an_outcome_used_again_keeps_nothing() {
    let book =
        book("[[rule]]\nname = \"x\"\non = [\"publish\"]\ntopics = [\"a\"]\nthen = [{ set_qos = \"2\" }, \"cancel\"]");
    let (mut tally, mut outcome) = (Tally::of(&book), Outcome::default());
    book.judge(&publish("a"), &mut tally, &mut outcome);
    assert_eq!(outcome.verdict(), Verdict::Cancel);
    book.judge(&publish("b"), &mut tally, &mut outcome);
    assert_eq!(
        (outcome.verdict(), outcome.decided_by(), outcome.qos()),
        (Verdict::Proceed, None, None)
    );
}

/// The tree of topics finds what matching each filter would.
#[test]
fn the_index_finds_the_rules_whose_filters_match() {
    let filters = [
        "#", "+", "a", "a/#", "a/+", "+/b", "a/b/c", "+/+/#", "$SYS/#", "+/SYS", "a//b", "/", "+/+/c", "a/b/+",
        "$SYS/+/x",
    ];
    let topics = [
        "a", "b", "a/b", "a/b/c", "a/b/d", "a/b/c/d", "$SYS/a", "$SYS", "$SYS/a/x", "a//b", "/", "/a", "", "x/SYS",
    ];
    let mut text = String::new();
    for (number, filter) in filters.iter().enumerate() {
        text.push_str(&format!(
            "[[rule]]\nname = \"r{number}\"\non = [\"publish\"]\ntopics = [\"{filter}\"]\nthen = [{{ tag = \"t{number}\" }}]\n"
        ));
    }
    let book = book(&text);
    for topic in topics {
        let found: Vec<usize> = judged(&book, &publish(topic))
            .tags()
            .iter()
            .map(|tag| usize::from(*tag))
            .collect();
        let expected: Vec<usize> = (0..filters.len())
            .filter(|number| crate::filter::covers(filters[*number], topic))
            .collect();
        assert_eq!(found, expected, "{topic}");
    }
}

#[test]
fn a_topic_of_65535_slashes_costs_no_more_than_the_rules_are_deep() {
    let book = book("[[rule]]\nname = \"x\"\non = [\"publish\"]\ntopics = [\"/+/#\"]\nthen = [\"cancel\"]");
    let topic = "/".repeat(65_535);
    assert_eq!(judged(&book, &publish(&topic)).verdict(), Verdict::Cancel);
}

#[test]
fn a_subscription_is_refused_where_it_overlaps_and_allowed_where_it_is_covered() {
    let book = book(
        r#"
        [[rule]]
        name = "open"
        on = ["subscribe"]
        topics = ["open/#"]
        then = ["allow"]
        [[rule]]
        name = "secret"
        on = ["subscribe"]
        topics = ["secret/#"]
        then = [{ deny = "not_authorized" }]
        "#,
    );
    let denied = Verdict::Deny(Refusal::NotAuthorized);
    for (filter, verdict, rule) in [
        ("open/a", Verdict::Proceed, Some(0)),
        ("#", denied, Some(1)),
        ("+/a", denied, Some(1)),
        ("$share/g/#", denied, Some(1)),
        ("secret", denied, Some(1)),
        ("other/#", Verdict::Proceed, None),
    ] {
        let event = Event {
            kind: Kind::Subscribe,
            ..publish(filter)
        };
        let outcome = judged(&book, &event);
        assert_eq!((outcome.verdict(), outcome.decided_by()), (verdict, rule), "{filter}");
    }
}

#[test]
fn mistakes_name_the_place_and_the_remedy() {
    let rule = |rest: &str| format!("[[rule]]\nname = \"x\"\non = [\"publish\"]\n{rest}");
    for (text, expected) in [
        (
            rule("when = 'paylod == b\"\"'\nthen = [\"allow\"]"),
            "rules.toml:4:9: `paylod` is not known; did you mean `payload`?",
        ),
        (
            rule("when = '''\nqos == 1 &&\n  topik == \"\"'''\nthen = [\"allow\"]"),
            "rules.toml:6:3: `topik` is not known; did you mean `topic`?",
        ),
        (rule("when = \"topic ==\"\nthen = [\"allow\"]"), "rules.toml:4:17: "),
        (
            rule("when = 'size(topic)'\nthen = [\"allow\"]"),
            "4:9: the expression gives an int; let it give a bool",
        ),
        (rule("wen = 'true'\nthen = [\"allow\"]"), "4:1: a rule has no key `wen`"),
        (rule(""), "2:8: the rule `x` has no `then`"),
        (rule("then = []"), "4:8: `then` has 0 actions"),
        (rule("then = [\"alow\"]"), "4:9: \"alow\" is no action alone"),
        (
            rule("then = [\"allow\", \"cancel\"]"),
            "an action behind one that ends the judgement",
        ),
        (
            rule("then = [{ deny = \"nope\" }]"),
            "4:18: \"nope\" is no reason; use one of not_authorized",
        ),
        (rule("then = [{ block_ms = 0 }]"), "4:22: `block_ms` is no time to wait"),
        (
            rule("then = [{ set_qos = \"'1'\" }]"),
            "4:22: the expression gives a string; let it give an int",
        ),
        (rule("then = [{ frob = 1 }]"), "`frob` is no action"),
        (
            rule("then = [\"allow\"]\non_error = \"open\""),
            "`on_error` cannot be \"open\"",
        ),
        (
            rule("topics = [\"a/#/b\"]\nthen = [\"allow\"]"),
            "4:11: \"a/#/b\" is no topic filter",
        ),
        (
            rule("then = [\"allow\"]") + "\n[[rule]]\nname = \"x\"",
            "6:8: there is another rule `x`",
        ),
        (
            "[[rule]]\nname = \"x\"\non = [\"conect\"]".to_owned(),
            "3:7: `on` has \"conect\"",
        ),
        ("[[rule]]\non = [\"connect\"]".to_owned(), "1:1: a rule has no `name`"),
        (
            "[[rule]]\nname = \"x\"\non = [\"connect\"]\nwhen = 'size(payload) > 1'\nthen = [\"allow\"]".to_owned(),
            "4:14: `payload` is not known on \"connect\"",
        ),
        (
            "[[rule]]\nname = \"x\"\non = [\"connect\"]\nthen = [{ set_topic = \"'a'\" }]".to_owned(),
            "4:11: `set_topic` cannot be done on \"connect\"",
        ),
        ("[rule\n".to_owned(), "rules.toml:1:6: "),
        ("rules = 1".to_owned(), "1:1: the file has a key `rules`"),
    ] {
        let error = RuleBook::parse("rules.toml", &text, Limits::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{text}\n{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn a_rate_counts_for_each_client() {
    let book =
        book("[[rule]]\nname = \"x\"\non = [\"publish\"]\nwhen = \"!rate('m', 2, 1)\"\nthen = [{ block_ms = 200 }]");
    let (mut tally, mut outcome) = (Tally::of(&book), Outcome::default());
    let mut verdict = |client, now_ms| {
        let event = Event {
            now_ms,
            ..Event::new(Kind::Publish, client)
        };
        book.judge(&event, &mut tally, &mut outcome);
        outcome.verdict()
    };
    assert_eq!(verdict("a", 0), Verdict::Proceed);
    assert_eq!(verdict("a", 0), Verdict::Proceed);
    assert_eq!(verdict("a", 0), Verdict::Block(200));
    assert_eq!(verdict("b", 0), Verdict::Proceed);
    assert_eq!(verdict("a", 600), Verdict::Proceed);
}

#[test]
fn what_makes_no_sense_on_a_kind_is_refused() {
    for (on, rest, mistake) in [
        (
            "will",
            "then = [{ block_ms = 5 }]",
            "4:11: `block_ms` cannot be done on \"will\"; let the rule be on connect",
        ),
        (
            "deliver",
            "then = [{ set_qos = \"0\" }]",
            "4:11: `set_qos` cannot be done on \"deliver\"",
        ),
        (
            "will",
            "when = 'properties.message_expiry_secs > 1'\nthen = [\"allow\"]",
            "`properties.message_expiry_secs` is not known on \"will\"",
        ),
    ] {
        let text = format!("[[rule]]\nname = \"x\"\non = [\"{on}\"]\n{rest}\n");
        let error = RuleBook::parse("rules.toml", &text, Limits::default()).unwrap_err();
        assert!(error.to_string().contains(mistake), "{error}");
    }
}
