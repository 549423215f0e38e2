use broker::exchange::Kind;
use mqtt_codec::PublishProperties;

use super::value::Value;
use super::{Evaluation, Failure, Node, Scope, Surroundings, Type, compile};
use crate::rates::Rates;
use crate::{Event, Limits};

const ANY: [Type; 1] = [Type::Dyn];

fn compiled(text: &str) -> Result<Node, String> {
    let mut rates = Vec::new();
    let mut around = Surroundings {
        kinds: &[Kind::Publish],
        rates: &mut rates,
    };
    compile(text, &ANY, &mut around)
        .map_err(|mistake| format!("{}: {}; {}", mistake.offset, mistake.what, mistake.remedy))
}

fn evaluated(text: &str, event: &Event<'_>) -> Result<String, Failure> {
    let node = compiled(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let limits = Limits::default();
    let scope = Scope::new(event, &limits);
    let mut rates = Rates::new(Box::new([]), 16);
    let value = Evaluation::new(&scope, &mut rates).evaluate(&node)?;
    Ok(shown(&value))
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Bool(bool) => bool.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Uint(uint) => format!("{uint}u"),
        Value::Double(double) => format!("{double:?}"),
        Value::Text(text) => format!("'{text}'"),
        Value::Bytes(bytes) => format!("b{bytes:?}"),
        Value::Null | Value::Pairs(_) | Value::Json(_) => value.name().to_owned(),
        Value::List(_) | Value::Levels(_) | Value::Groups(_) => {
            let elements: Vec<_> = value.elements().unwrap().iter().map(shown).collect();
            format!("[{}]", elements.join(", "))
        }
    }
}

fn event<'a>(properties: &'a PublishProperties, groups: &'a [Box<str>]) -> Event<'a> {
    Event {
        user: "alice",
        groups,
        listener: "tls",
        address: Some("10.1.2.3".parse().unwrap()),
        topic: "plant/7/temp",
        payload: br#"{"value": 21.5, "unit": "C", "tags": ["a", "b"], "n": 3, "deep": {"x": null}}"#,
        properties: Some(properties),
        now_ms: 1_700_000_000_123,
        ..Event::new(Kind::Publish, "meter-7")
    }
}

/// What the expressions of the tests are about.
fn with_event(test: impl Fn(&Event<'_>)) {
    let mut properties = PublishProperties {
        content_type: Some("application/json".into()),
        ..PublishProperties::default()
    };
    properties.user_properties.push(("site".into(), "north".into()));
    let groups: [Box<str>; 2] = ["staff".into(), "ops".into()];
    test(&event(&properties, &groups));
}

fn assert_values(pairs: &[(&str, &str)]) {
    with_event(|event| {
        for (text, expected) in pairs {
            assert_eq!(evaluated(text, event), Ok((*expected).to_owned()), "{text}");
        }
    });
}

#[test]
fn operators_and_functions_have_the_values_of_the_specification() {
    assert_values(&[
        ("1 + 2 * 3", "7"),
        ("7 / 2", "3"),
        ("-7 % 3", "-1"),
        ("7.0 / 2", "3.5"),
        ("1 == 1.0", "true"),
        ("1u + 2u", "3u"),
        ("'a' + 'b' == 'ab'", "true"),
        ("b'ab' + b'c'", "b[97, 98, 99]"),
        ("[1, 2] + [3]", "[1, 2, 3]"),
        ("2 in [1, 2]", "true"),
        ("'x' < 'y' && !(1 >= 2)", "true"),
        ("false || 1 < 2", "true"),
        ("true ? 'yes' : 'no'", "'yes'"),
        ("size('größe')", "5"),
        ("'größe'.size()", "5"),
        ("size([1, 2, 3])", "3"),
        (
            "'abc'.contains('b') && 'abc'.startsWith('a') && 'abc'.endsWith('c')",
            "true",
        ),
        ("'AbC'.lowerAscii() + 'x'.upperAscii()", "'abcX'"),
        ("'meter-12'.matches('^meter-[0-9]+$')", "true"),
        ("int('42') + int(3.9)", "45"),
        ("double('2.5')", "2.5"),
        ("string(42) + string(true)", "'42true'"),
    ]);
}

#[test]
fn the_names_of_the_exchange_have_its_values() {
    assert_values(&[
        ("packet", "'publish'"),
        ("client.id", "'meter-7'"),
        ("client.version", "5"),
        ("user", "'alice'"),
        ("'ops' in groups", "true"),
        ("levels", "['plant', '7', 'temp']"),
        ("levels[1]", "'7'"),
        ("size(levels)", "3"),
        ("'7' in levels", "true"),
        ("levels.exists(l, l == 'temp')", "true"),
        ("levels.all(l, size(l) < 3)", "false"),
        ("levels.exists_one(l, l == '7')", "true"),
        ("levels.map(l, size(l))", "[5, 1, 4]"),
        ("levels.filter(l, l != '7')", "['plant', 'temp']"),
        ("payload.json().value > 20", "true"),
        ("payload.json().value * 2", "43.0"),
        ("payload.json().n + 1", "4"),
        ("payload.json().unit == 'C'", "true"),
        ("payload.json()['tags'][1]", "'b'"),
        ("has(payload.json().value) && !has(payload.json().other)", "true"),
        ("payload.json().deep.x == null", "true"),
        ("'n' in payload.json()", "true"),
        ("payload.json().tags.exists(t, t == 'a')", "true"),
        ("payload.text().contains('value')", "true"),
        ("size(payload)", "77"),
        ("has(properties.content_type)", "true"),
        ("properties.content_type", "'application/json'"),
        ("has(properties.response_topic)", "false"),
        ("properties.response_topic", "''"),
        ("properties.user['site']", "'north'"),
        ("properties.user.site == 'north'", "true"),
        ("'none' in properties.user", "false"),
        ("listener", "'tls'"),
        ("address", "'10.1.2.3'"),
        ("address.within('10.0.0.0/8')", "true"),
        ("address.within('192.168.0.0/16')", "false"),
        ("now", "1700000000"),
        ("now / 3600 % 24", "22"),
        ("retain", "false"),
        ("qos", "0"),
    ]);
}

#[test]
fn what_has_no_value_says_why() {
    let properties = PublishProperties::default();
    let event = event(&properties, &[]);
    for (text, expected) in [
        ("1 / 0", Failure::DivisionByZero),
        ("9223372036854775807 + 1", Failure::Overflow),
        ("-9223372036854775807 - 2", Failure::Overflow),
        ("int('x')", Failure::NotANumber),
        ("int(1e300)", Failure::Overflow),
        ("levels[9]", Failure::Missing("[9]".into())),
        ("levels[-1]", Failure::Missing("[-1]".into())),
        ("properties.user.x", Failure::Missing("x".into())),
        ("payload.json().x.y", Failure::Missing("x".into())),
        ("payload.json().unit + 1", Failure::NoSuchOverload("`+` of", "a string")),
        ("b'\\xff'.text()", Failure::NotText),
    ] {
        assert_eq!(evaluated(text, &event), Err(expected), "{text}");
    }
    let no_json = Event { payload: b"{", ..event };
    assert_eq!(evaluated("payload.json().x", &no_json), Err(Failure::NotJson));
    let deep = "[".repeat(5000);
    let deep = Event {
        payload: deep.as_bytes(),
        ..event
    };
    assert_eq!(evaluated("payload.json()[0]", &deep), Err(Failure::NotJson));
    let large = vec![b' '; 65_537];
    let large = Event {
        payload: &large,
        ..event
    };
    assert_eq!(
        evaluated("payload.json().x", &large),
        Err(Failure::JsonTooLarge(65_537))
    );
}

#[test]
fn one_operand_that_decides_is_enough() {
    let properties = PublishProperties::default();
    let event = event(&properties, &[]);
    for (text, expected) in [
        ("1 / 0 == 1 && false", Ok("false".to_owned())),
        ("1 / 0 == 1 || true", Ok("true".to_owned())),
        ("1 / 0 == 1 && true", Err(Failure::DivisionByZero)),
        ("[0, 1].exists(x, 1 / x == 1)", Ok("true".to_owned())),
        ("[1, 0].all(x, 1 / x == 1)", Err(Failure::DivisionByZero)),
    ] {
        assert_eq!(evaluated(text, &event), expected, "{text}");
    }
}

#[test]
fn mistakes_are_found_at_load_with_their_place() {
    for (text, expected) in [
        ("paylod == b'x'", "0: `paylod` is not known; did you mean `payload`?"),
        ("1 < 2 && frob(topic)", "9: the function `frob` is not known"),
        ("topic == 1", "6: `==` between a string and an int"),
        ("'a' + 1 == 'a1'", "4: `+` between a string and an int"),
        ("topic && true", "0: this is a string; write what gives a bool here"),
        (
            "client == 'x'",
            "0: `client` is no value; use one of its parts: client.id, client.version",
        ),
        ("client.name == 'x'", "6: `client.name` is not known"),
        ("topic.matches('(')", "the pattern is wrong: unclosed group"),
        ("topic.matches(client.id)", "a pattern that is not a constant"),
        (
            "topic.matches('((a{1000}){1000}){1000}')",
            "the pattern needs more than 65536 bytes",
        ),
        ("address.within('10.0.0/8')", "this is no network"),
        ("rate('a', 0, 1)", "a rate out of range"),
        (
            "rate('a', 1, 1) || rate('a', 2, 1)",
            "the rate 'a' has other numbers elsewhere",
        ),
        ("levels['x'] == 'a'", "`[]` between a list and a string"),
        (
            "size(1) > 2",
            "`size` of an int; it takes a string or bytes or a list or a map",
        ),
        ("topic.x == 1", "`.x` of a string"),
        ("{'a': 1}.a == 1", "maps and messages cannot be made here"),
        ("topic ==", "8: "),
        ("topic == 'a", "9: "),
        ("", "0: "),
        (
            "[1].map(a, [1].map(b, [1].map(c, c)))",
            "more than 2 macros inside each other",
        ),
    ] {
        let error = compiled(text).map(|_| "nothing").unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

/// Deep or long expressions are refused before the parser's recursion meets the end of the stack, which is 2 MiB here.
#[test]
fn bombs_are_refused_at_load() {
    let forms: [(&str, &str, &str); 9] = [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("!", "true", ""),
        ("-", "1", ""),
        ("true ? 1 : ", "1", ""),
        ("size(", "'a'", ")"),
        ("1 + ", "1", ""),
        ("1 in ", "[1]", ""),
        ("true && ", "true", ""),
    ];
    for (before, middle, after) in forms {
        for count in [20, 100, 190, 2000] {
            let text = format!("{}{middle}{}", before.repeat(count), after.repeat(count));
            let result = compiled(&text);
            assert!(result.is_err() || count < 2000, "{before} {count}");
        }
    }
    let chain = format!("payload.json(){}", ".a".repeat(190));
    assert!(compiled(&chain).is_err());
    assert!(compiled(&format!("'{}'", "a".repeat(3000))).is_err());
}

#[test]
fn an_evaluation_has_a_bounded_cost() {
    let list = format!("[{}]", vec!["1"; 10_000].join(","));
    let event = Event {
        payload: list.as_bytes(),
        ..Event::new(Kind::Publish, "a")
    };
    let steps = Err(Failure::Steps(10_000));
    for text in [
        "payload.json().all(x, x == 1)",
        "payload.json().map(x, x)",
        "payload.json().all(x, payload.json().all(y, y == x))",
        "payload.json().all(x, payload.text().contains('2'))",
    ] {
        assert_eq!(evaluated(text, &event), steps, "{text}");
    }
    let long = vec![b'a'; 60_000];
    let event = Event {
        payload: &long,
        ..Event::new(Kind::Publish, "a")
    };
    assert_eq!(
        evaluated("size(payload.text() + payload.text()) > 1", &event),
        Err(Failure::TextTooLong(65_536))
    );
    let deep = "/".repeat(60_000);
    let event = Event {
        topic: &deep,
        ..Event::new(Kind::Publish, "a")
    };
    assert_eq!(evaluated("levels.all(l, l == '')", &event), steps);
    assert_eq!(evaluated("size(levels)", &event), Ok("60001".to_owned()));
}
