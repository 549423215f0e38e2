use super::{BIND, LISTEN, LOG_LEVEL, PATH, TOPIC_FILTER, URL_OR_NONE};

#[test]
fn an_address_is_a_host_and_a_port() {
    for good in [
        "127.0.0.1:1883",
        "0.0.0.0:0",
        "[::1]:1883",
        "[::]:65535",
        "localhost:1883",
        "mqtt.example.com:1",
    ] {
        assert!((BIND.holds)(good), "{good}");
    }
    for bad in [
        "",
        "1883",
        ":1883",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "::1:1883",
        "[::1]",
        "[x]:1",
        "a b:1",
    ] {
        assert!(!(BIND.holds)(bad), "{bad}");
    }
    for bad in ["127.0.0.1:+1", "mqtt://127.0.0.1:1883", "127.0.0.1:mqtt"] {
        assert!(!(BIND.holds)(bad), "{bad}");
    }
}

#[test]
fn a_socket_that_is_passed_has_a_name() {
    for good in ["systemd:mqtt", "systemd:strowger.socket", "systemd:1883"] {
        assert!((BIND.holds)(good) && (LISTEN.holds)(good), "{good}");
    }
    for bad in ["systemd:", "systemd:a b", "systemd:a:b"] {
        assert!(!(BIND.holds)(bad) && !(LISTEN.holds)(bad), "{bad}");
    }
}

#[test]
fn a_log_level_may_differ_by_crate() {
    for good in ["off", "info", "info,actors=debug", "warn, broker::session=trace"] {
        assert!((LOG_LEVEL.holds)(good), "{good}");
    }
    for bad in ["", "loud", "INFO", "info,", "=debug", "actors=loud", "info;debug"] {
        assert!(!(LOG_LEVEL.holds)(bad), "{bad}");
    }
}

#[test]
fn a_path_is_not_empty_and_has_no_zero_byte() {
    assert!(!(PATH.holds)(""));
    assert!((PATH.holds)("/var/lib/strowger"));
    assert!(!(PATH.holds)("/var\0"));
}

/// [MQTT-4.7.1-1] in 5.0, [MQTT-4.7.1-2] in 5.0 and [MQTT-4.7.3-1] in 5.0: a wildcard is a level of its own, and # the last one.
#[test]
fn a_topic_filter_has_wildcards_as_levels_of_their_own() {
    for good in [
        "#",
        "+",
        "/",
        "a",
        "a/#",
        "+/+/#",
        "/a",
        "a//b",
        "$SYS/#",
        "a/$share/b",
        "$shared/a",
    ] {
        assert!((TOPIC_FILTER.holds)(good), "{good}");
    }
    for bad in [
        "",
        "a/#/b",
        "#/a",
        "a#",
        "a/b#",
        "a+",
        "+a/b",
        "a/+b/c",
        "a\0",
        "$share/group/a",
        "$share",
    ] {
        assert!(!(TOPIC_FILTER.holds)(bad), "{bad}");
    }
    assert!((TOPIC_FILTER.holds)(&"a".repeat(65_535)));
    assert!(!(TOPIC_FILTER.holds)(&"a".repeat(65_536)));
}

#[test]
fn plain_http_stays_on_this_machine_whoever_is_named_before_the_host() {
    for good in [
        "",
        "https://auth.example.com/mqtt",
        "https://ann:word@auth.example.com",
        "http://localhost:9/x",
        "http://ann:word@127.0.0.1:9/x",
        "http://ann:w@rd@[::1]:9",
    ] {
        assert!((URL_OR_NONE.holds)(good), "{good}");
    }
    for bad in [
        "ann:word@127.0.0.1:9/x",
        "https://",
        "https://ann:word@",
        "http://auth.example.com",
        "http://127.0.0.1:word@auth.example.com/x",
        "http://auth.example.com/@127.0.0.1",
        "http://auth.example.com\\@127.0.0.1",
    ] {
        assert!(!(URL_OR_NONE.holds)(bad), "{bad}");
    }
}
