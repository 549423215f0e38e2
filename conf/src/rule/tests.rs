use super::{ADDRESS, LOG_LEVEL, PATH};

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
        assert!((ADDRESS.holds)(good), "{good}");
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
        assert!(!(ADDRESS.holds)(bad), "{bad}");
    }
    for bad in ["127.0.0.1:+1", "mqtt://127.0.0.1:1883", "127.0.0.1:mqtt"] {
        assert!(!(ADDRESS.holds)(bad), "{bad}");
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
fn a_path_may_be_empty_but_has_no_zero_byte() {
    assert!((PATH.holds)(""));
    assert!((PATH.holds)("/var/lib/strowger"));
    assert!(!(PATH.holds)("/var\0"));
}
