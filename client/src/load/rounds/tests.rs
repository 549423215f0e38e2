use super::*;

#[test]
fn a_round_is_over_with_its_last_delivery() {
    let airborne = Airborne::default();
    airborne.restart(100, 32);
    airborne.open(0, 64);
    airborne.open(1, 64);
    assert_eq!(
        [100, 131, 132, 163].map(|sequence| airborne.round_of(sequence)),
        [0, 0, 1, 1]
    );
    assert!(!airborne.arrived(0, 63));
    assert!(!airborne.arrived(1, 1));
    assert!(airborne.arrived(0, 1));
    assert_eq!((airborne.left(0), airborne.left(1)), (0, 63));
}

#[test]
fn what_comes_too_late_or_too_often_opens_nothing() {
    let airborne = Airborne::default();
    airborne.restart(0, 1);
    airborne.open(2, 1);
    assert!(!airborne.arrived(0, 1), "a round that was given up");
    assert!(!airborne.arrived(2, 2), "more than there can be");
    assert!(airborne.arrived(2, 1));
    assert!(!airborne.arrived(2, 1));
}
