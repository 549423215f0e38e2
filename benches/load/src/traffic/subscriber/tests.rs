use super::*;

#[test]
fn repeats_gaps_and_strangers_are_told_apart() {
    let listener = Listener {
        topic: "t".to_owned(),
        hears: 4..6,
        counts: true,
        receive_buffer: None,
    };
    let mut subscriber = Subscriber::new(&listener);
    let mut hear = |publisher, sequence| {
        let heard = subscriber.hear(Mark {
            publisher,
            sequence,
            stamp_ns: 0,
        });
        (heard, subscriber.stale(), subscriber.gaps())
    };
    assert_eq!(hear(4, 0), (Heard::Fresh, 0, 0));
    assert_eq!(hear(5, 0), (Heard::Fresh, 0, 0), "each publisher has its own row");
    assert_eq!(hear(4, 0), (Heard::Stale, 1, 0), "a duplicate");
    assert_eq!(hear(4, 3), (Heard::Fresh, 1, 1), "1 and 2 are missing");
    assert_eq!(hear(4, 2), (Heard::Stale, 2, 1), "2 was overtaken");
    assert_eq!(hear(6, 0), (Heard::Stale, 3, 1), "a publisher of other subscribers");
    assert_eq!(hear(3, 0), (Heard::Stale, 4, 1), "and one before the first");
}
