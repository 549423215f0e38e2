//! Messages on their way between lines: each receiver gets them once, whenever the broker ends.

use super::*;
use crate::record::{Addressee, TRANSFER};

const CAROL: SessionId = SessionId(3);

fn to(session: SessionId) -> Addressee {
    Addressee {
        session,
        qos: QoS::ExactlyOnce,
        retain: false,
        ids: Vec::new(),
    }
}

fn content(message: &MessageRecord, shared: Option<u64>) -> ContentRef<'_> {
    entry(message, shared, None).content
}

/// An archive with these sessions.
fn with_sessions(sessions: &[SessionId]) -> Archive<StrictStore> {
    let mut archive = archive();
    for &id in sessions {
        archive.put_session(id, &session("somebody"));
    }
    archive
}

/// The same store in the next run of the broker; what was not applied is lost.
fn restarted(archive: Archive<StrictStore>) -> Archive<StrictStore> {
    Archive::new(archive.store, "data", MessageId(1000))
}

/// Puts what is under way into its queues, from place 500 on.
fn finish(archive: &mut Archive<StrictStore>) -> Result<usize, StoreError> {
    let mut places = 500..;
    archive.finish_transfers(|| Place(places.next().unwrap()))
}

fn waiting(archive: &mut Archive<StrictStore>, session: SessionId) -> Vec<QueuedRecord> {
    archive.load(session, ALL).unwrap().window.entries
}

#[test]
fn what_was_taken_over_is_in_the_queues_and_does_not_come_again() {
    for shared in [None, Some(5)] {
        let mut archive = with_sessions(&[ALICE, BOB]);
        let hello = message("hello");
        archive
            .transfer(Place(1), content(&hello, shared), (None, 100), &[to(ALICE), to(BOB)])
            .unwrap();
        archive.apply().unwrap();
        for session in [ALICE, BOB] {
            archive.enqueue(session, Place(2), entry(&hello, shared, None)).unwrap();
        }
        archive.transferred(Place(1), shared.map(MessageId)).unwrap();
        archive.apply().unwrap();

        let mut archive = restarted(archive);
        assert_eq!(finish(&mut archive).unwrap(), 0);
        for session in [ALICE, BOB] {
            let queued = waiting(&mut archive, session);
            assert_eq!(queued.iter().map(|one| one.place).collect::<Vec<_>>(), [Place(2)]);
            archive.done(session, Place(2), queued[0].holding()).unwrap();
        }
        assert_eq!(tables(&mut archive), [("session", 2)], "{shared:?}");
    }
}

#[test]
fn a_transfer_that_comes_and_goes_in_one_batch_leaves_nothing() {
    for shared in [None, Some(5)] {
        let mut archive = archive();
        let hello = message("hello");
        archive
            .transfer(Place(1), content(&hello, shared), (None, 100), &[to(ALICE)])
            .unwrap();
        archive.transferred(Place(1), shared.map(MessageId)).unwrap();
        assert_eq!(tables(&mut archive), []);
    }
}

#[test]
fn what_was_on_its_way_comes_to_each_receiver_as_it_was_meant_for_it() {
    for shared in [None, Some(5)] {
        let mut archive = with_sessions(&[ALICE, BOB, CAROL]);
        let hello = message("hello");
        let to_alice = Addressee {
            session: ALICE,
            qos: QoS::AtLeastOnce,
            retain: true,
            ids: vec![SubscriptionId::new(7).unwrap(), SubscriptionId::new(300).unwrap()],
        };
        let account = (Some("$share/crew/plant/#"), 44);
        archive
            .transfer(
                Place(1),
                content(&hello, shared),
                account,
                &[to_alice, to(BOB), to(CAROL)],
            )
            .unwrap();
        archive.end_session(BOB);
        archive.apply().unwrap();

        let mut archive = restarted(archive);
        assert_eq!(finish(&mut archive).unwrap(), 1);
        let queued = waiting(&mut archive, ALICE).remove(0);
        assert_eq!(
            (queued.place, queued.qos, queued.retain),
            (Place(500), QoS::AtLeastOnce, true)
        );
        assert_eq!(queued.ids.iter().map(|id| id.get()).collect::<Vec<_>>(), [7, 300]);
        assert_eq!((queued.group.as_deref(), queued.cost_bytes), account);
        assert_eq!((&*queued.message, queued.shared), (&hello, shared.map(MessageId)));
        let queued = waiting(&mut archive, CAROL).remove(0);
        assert_eq!(
            (queued.place, queued.qos, queued.retain),
            (Place(501), QoS::ExactlyOnce, false)
        );
        assert_eq!(queued.ids, []);
        assert_eq!(waiting(&mut archive, BOB), [], "its session has ended");

        assert_eq!(finish(&mut archive).unwrap(), 0, "once");
        for session in [ALICE, CAROL] {
            archive.end_session(session);
        }
        while archive.sweep(ALL).unwrap().more {}
        assert_eq!(tables(&mut archive), []);
    }
}

#[test]
fn what_was_not_applied_was_never_on_its_way() {
    let mut archive = with_sessions(&[ALICE]);
    archive.apply().unwrap();
    let hello = message("hello");
    archive
        .transfer(Place(1), content(&hello, Some(5)), (None, 100), &[to(ALICE)])
        .unwrap();
    let mut archive = restarted(archive);
    assert_eq!(finish(&mut archive).unwrap(), 0);
    assert_eq!(tables(&mut archive), [("session", 1)]);
}

/// More than are read at a time, in their order; the store refuses in between, and the broker ends in between.
#[test]
fn what_was_interrupted_goes_on_where_it_was() {
    const MESSAGES: u64 = 600;
    let mut archive = with_sessions(&[ALICE, BOB]);
    for number in 1..=MESSAGES {
        let message = message(&number.to_string());
        let shared = (number % 3 == 0).then_some(number);
        archive
            .transfer(
                Place(number),
                content(&message, shared),
                (None, 100),
                &[to(ALICE), to(BOB)],
            )
            .unwrap();
    }
    archive.apply().unwrap();
    let mut places = 1000..;
    for batches in [0, 1, 255, 1] {
        archive.store_mut().batches_left = Some(batches);
        let refused = archive.finish_transfers(|| Place(places.next().unwrap()));
        assert!(matches!(refused, Err(StoreError::Full { .. })), "{refused:?}");
        archive.store_mut().batches_left = None;
        if batches == 1 {
            archive = restarted(archive);
        }
    }
    let finished = archive.finish_transfers(|| Place(places.next().unwrap())).unwrap();
    assert_eq!(finished, MESSAGES as usize - 257);
    let expected: Vec<String> = (1..=MESSAGES).map(|number| number.to_string()).collect();
    for session in [ALICE, BOB] {
        let window = archive.load(session, ALL).unwrap().window;
        assert_eq!(payloads(&window), expected);
    }
}

/// Half of a transfer is damage: it is told, and nothing of it waits to be applied.
#[test]
fn a_transfer_without_receivers_or_without_its_message_is_damage() {
    for (table, key) in [
        (TRANSFER, 1_u64.to_be_bytes().to_vec()),
        (MESSAGE, 5_u64.to_be_bytes().to_vec()),
    ] {
        let mut archive = with_sessions(&[ALICE]);
        let hello = message("hello");
        archive
            .transfer(Place(1), content(&hello, Some(5)), (None, 100), &[to(ALICE)])
            .unwrap();
        archive.apply().unwrap();
        archive.store_mut().lose(table, &key);
        let mut archive = restarted(archive);
        let error = finish(&mut archive).unwrap_err().to_string();
        assert!(error.contains("it is missing"), "{error}");
        assert_eq!(archive.waiting_bytes(), 0);
    }
}

/// One receiver is served already when the session of the other cannot be read: that is undone.
#[test]
fn a_transfer_that_fails_half_way_leaves_nothing_to_be_applied() {
    let mut archive = with_sessions(&[ALICE, BOB]);
    let hello = message("hello");
    archive
        .transfer(Place(1), content(&hello, Some(5)), (None, 100), &[to(ALICE), to(BOB)])
        .unwrap();
    archive.apply().unwrap();
    let mut archive = restarted(archive);
    archive.store_mut().unreadable = Some((SESSION, session_key(BOB).to_vec()));
    assert!(matches!(finish(&mut archive), Err(StoreError::Failed { .. })));
    archive.store_mut().unreadable = None;
    assert_eq!(waiting(&mut archive, ALICE), []);
    assert_eq!(finish(&mut archive).unwrap(), 1);
    for session in [ALICE, BOB] {
        assert_eq!(waiting(&mut archive, session).len(), 1);
    }
}
