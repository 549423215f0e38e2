use super::nearest;

fn among(wanted: &str) -> Option<String> {
    let names = [
        "session.expiry_max_secs",
        "session.receive_maximum",
        "listener.bind",
        "log.level",
        "log.format",
    ];
    nearest(wanted, names.iter().map(|&name| name.to_owned()))
}

#[test]
fn a_slip_of_the_finger_finds_the_key() {
    assert_eq!(
        among("sesion.expiry_max_secs").as_deref(),
        Some("session.expiry_max_secs")
    );
    assert_eq!(among("listener.bnid").as_deref(), Some("listener.bind"));
}

#[test]
fn a_key_in_the_wrong_section_is_found_by_itself() {
    assert_eq!(
        among("broker.receive_maximum").as_deref(),
        Some("session.receive_maximum")
    );
    assert_eq!(among("receive_maximum").as_deref(), Some("session.receive_maximum"));
}

#[test]
fn nothing_is_suggested_for_what_resembles_nothing() {
    assert_eq!(among("persistence"), None);
    assert_eq!(among(""), None);
}
