use super::*;

#[test]
fn codes_and_reasons_are_one_to_one() {
    macro_rules! check {
        ($($reason:ident)*) => {$(
            for &reason in $reason::ALL {
                assert_eq!($reason::from_code(reason.code()), Some(reason));
                assert_eq!(reason.is_error(), reason.code() >= 0x80);
                assert!(!reason.to_string().is_empty());
            }
            let known = (0..=0xFF).filter_map($reason::from_code).collect::<Vec<_>>();
            assert_eq!(known, $reason::ALL);
        )*};
    }
    check!(ConnackReason PubackReason PubrecReason PubrelReason PubcompReason);
    check!(SubackReason UnsubackReason DisconnectReason AuthReason);
}

#[test]
fn a_reason_reads_like_the_standard() {
    assert_eq!(PubackReason::TopicNameInvalid.to_string(), "Topic Name invalid");
    assert_eq!(DisconnectReason::SessionTakenOver.name(), "Session taken over");
}

#[test]
fn the_return_codes_of_3x_map_both_ways() {
    let codes: Vec<_> = ConnackReason::ALL
        .iter()
        .filter_map(|reason| reason.v3_code())
        .collect();
    assert_eq!(codes, [0, 1, 2, 4, 5, 3]);
    for code in 0..6 {
        assert_eq!(
            ConnackReason::from_v3_code(code).and_then(ConnackReason::v3_code),
            Some(code)
        );
    }
    assert_eq!(ConnackReason::from_v3_code(6), None);
}

#[test]
fn a_server_grants_what_it_says() {
    assert_eq!(SubackReason::granted(crate::QoS::ExactlyOnce).code(), 2);
    assert_eq!(SubackReason::granted(crate::QoS::AtLeastOnce).v3_code(), 1);
    assert_eq!(SubackReason::NotAuthorized.v3_code(), 0x80);
}
