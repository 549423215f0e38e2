use crate::{Cases, Limits, RuleBook};

const RULES: &str = r#"
[[rule]]
name = "no-large-payloads"
on = ["publish"]
when = "size(payload) > 4"
then = [{ tag = "large" }, { republish = { topic = "'alarm'", payload = "client.id" } }, { deny = "quota_exceeded" }]
"#;

const CASE: &str = r#"
[[case]]
name = "large"
packet = "publish"
topic = "a"
payload = "12345"
expect = { verdict = "deny", reason = "quota_exceeded", rule = "no-large-payloads", tags = ["large"], republished = [{ topic = "alarm", payload = "client", qos = 0, retain = false }] }
"#;

fn differences(case: &str) -> Vec<String> {
    let book = RuleBook::parse("rules.toml", RULES, Limits::default()).unwrap();
    let checked = Cases::parse("cases.toml", case).unwrap().run(&book);
    assert_eq!(checked.len(), 1);
    checked[0].differences.clone()
}

#[test]
fn a_case_that_is_met_has_no_difference() {
    assert_eq!(differences(CASE), [""; 0]);
}

#[test]
fn each_expectation_can_fail() {
    for (from, to, expected) in [
        (
            "payload = \"12345\"",
            "payload = \"1\"",
            "verdict is \"allow\", expected \"deny\"",
        ),
        (
            "reason = \"quota_exceeded\"",
            "reason = \"unspecified\"",
            "reason is \"quota_exceeded\"",
        ),
        (
            "rule = \"no-large-payloads\"",
            "rule = \"\"",
            "rule is \"no-large-payloads\", expected \"\"",
        ),
        ("tags = [\"large\"]", "tags = []", "tags is [\"large\"], expected []"),
        ("topic = \"alarm\"", "topic = \"x\"", "republished topic is \"alarm\""),
        (
            "payload = \"client\"",
            "payload = \"x\"",
            "republished payload is \"client\"",
        ),
        ("qos = 0, retain", "qos = 1, retain", "republished qos is 0"),
        ("retain = false", "retain = true", "republished retain is false"),
        ("tags =", "topic = \"t\", tags =", "topic is \"\", expected \"t\""),
        ("tags =", "qos = 1, tags =", "qos is None, expected Some(1)"),
        ("tags =", "failed = true, tags =", "failed is false"),
        ("tags =", "log = [\"x\"], tags =", "log is []"),
        ("tags =", "block_ms = 5, tags =", "block_ms is 0"),
        (
            "tags =",
            "user_properties = { a = \"b\" }, tags =",
            "user_properties is []",
        ),
    ] {
        let case = CASE.replace(from, to);
        assert_ne!(case, CASE, "{from}");
        let found = differences(&case);
        assert!(found.iter().any(|line| line.contains(expected)), "{to}: {found:?}");
    }
}

#[test]
fn mistakes_name_the_place_and_the_remedy() {
    for (from, to, expected) in [
        (
            "\"publish\"",
            "\"publsh\"",
            "cases.toml:4:10: \"publsh\" is no packet that is judged; use one of connect",
        ),
        (
            "topic = \"a\"",
            "topik = \"a\"",
            "cases.toml:5:1: unknown field `topik`",
        ),
        (
            "\"deny\"",
            "\"denied\"",
            "cases.toml:7:22: \"denied\" is no verdict; use one of allow",
        ),
        ("\"quota_exceeded\"", "\"quota\"", "\"quota\" is no reason"),
        (
            "payload = \"12345\"",
            "times = 0",
            "cases.toml:6:9: a case cannot be judged 0 times",
        ),
        ("payload = \"12345\"", "qos = 3", "there is no QoS 3"),
        ("name = \"large\"\n", "", "missing field `name`"),
    ] {
        let case = CASE.replacen(from, to, 1);
        assert_ne!(case, CASE, "{from}");
        let error = Cases::parse("cases.toml", &case).unwrap_err().to_string();
        assert!(error.contains(expected), "{to}: {error}");
    }
    assert!(
        Cases::parse("cases.toml", "")
            .unwrap_err()
            .to_string()
            .contains("there is no case")
    );
}
