use std::ffi::OsString;

use super::read;

fn error_of(name: &str) -> Option<String> {
    read(&[(OsString::from(name), OsString::from("1"))])
        .err()
        .map(|error| error.to_string())
}

#[test]
fn a_mistyped_variable_is_refused_with_the_right_name() {
    assert_eq!(
        error_of("STROWGER_SESSION__RECIEVE_MAXIMUM").unwrap(),
        "environment: unknown variable `STROWGER_SESSION__RECIEVE_MAXIMUM`; \
         did you mean `STROWGER_SESSION__RECEIVE_MAXIMUM`?"
    );
    assert!(
        error_of("STROWGER_LOG_LEVEL")
            .unwrap()
            .contains("did you mean `STROWGER_LOG__LEVEL`?")
    );
    assert!(error_of("STROWGER_BRIDGE__PORT").unwrap().contains("--print-conf"));
}

/// Kubernetes sets such variables in every pod next to a service named `strowger`.
#[test]
fn variables_of_others_are_left_alone() {
    for name in [
        "STROWGER_SERVICE_HOST",
        "STROWGER_PORT",
        "STROWGER_PORT_1883_TCP_ADDR",
        "PATH",
        "strowger_x__y",
    ] {
        assert_eq!(error_of(name), None, "{name}");
    }
}

#[test]
fn a_wrong_value_names_its_variable() {
    assert_eq!(
        error_of("STROWGER_SESSION__RECEIVE_MAXIMUM").unwrap(),
        "environment STROWGER_SESSION__RECEIVE_MAXIMUM: `session.receive_maximum` cannot be 1; \
         allowed: 32 to 65535 messages"
    );
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStringExt;
    let value = OsString::from_vec(vec![0xff]);
    let error = read(&[(OsString::from("STROWGER_LOG__LEVEL"), value)])
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("allowed: text in UTF-8"), "{error}");
}
