use super::*;

fn publisher(audience: usize, qos: Qos) -> Publisher {
    Publisher::new(Template::new("t", qos, 16, 0), audience, qos)
}

#[test]
fn a_round_is_over_when_its_last_message_reached_the_whole_audience() {
    let mut publisher = publisher(2, Qos::AtMostOnce);
    let mut out = Vec::new();
    while publisher.may_send(3, 2) {
        publisher.send(3, 0, &mut out);
    }
    assert_eq!(publisher.sent(), 6);
    assert!(!publisher.arrived(1, 3), "not the last of its round");
    assert!(!publisher.arrived(2, 3), "one subscriber lacks it");
    assert!(!publisher.arrived(5, 3), "the next round is the faster subscriber's");
    assert!(!publisher.may_send(3, 2));
    assert!(publisher.arrived(2, 3));
    assert!(publisher.may_send(3, 2));
}

#[test]
fn above_qos_0_arrival_alone_does_not_open_the_window() {
    let mut publisher = publisher(1, Qos::AtLeastOnce);
    publisher.send(1, 0, &mut Vec::new());
    assert!(publisher.arrived(0, 1));
    assert!(!publisher.may_send(1, 1));
    assert_eq!(publisher.unacknowledged(), 1);
    publisher.acknowledged();
    assert!(publisher.may_send(1, 1));
    assert_eq!(publisher.unacknowledged(), 0);
}
