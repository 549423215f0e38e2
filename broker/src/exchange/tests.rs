use super::*;

/// Draws a table of states and events as text, one row a state.
fn draw<S: Copy + std::fmt::Debug, E: Copy + std::fmt::Debug>(
    states: &[S],
    events: &[E],
    next: impl Fn(S, E) -> Option<S>,
) -> String {
    let mut drawn = String::new();
    for &state in states {
        let row: Vec<String> = events
            .iter()
            .map(|&event| next(state, event).map_or_else(|| "-".to_owned(), |to| format!("{to:?}")))
            .collect();
        drawn.push_str(&format!("{state:?}: {}\n", row.join(" ")));
    }
    drawn
}

#[test]
fn the_life_of_an_exchange_has_36_cells_and_9_of_them_are_legal() {
    let drawn = draw(&Status::ALL, &Event::ALL, Status::next);
    // events: Start Block Resume Stop Cancel Finish
    assert_eq!(
        drawn,
        "Created: Running - - - Canceled -\n\
         Running: - Blocked - Stopped Canceled Finished\n\
         Blocked: - - Running Stopped Canceled -\n\
         Stopped: - - - - - -\n\
         Canceled: - - - - - -\n\
         Finished: - - - - - -\n"
    );
    let cells = Status::ALL
        .iter()
        .flat_map(|status| Event::ALL.iter().map(|event| status.next(*event)));
    assert_eq!((cells.clone().count(), cells.flatten().count()), (36, 9));
}

#[test]
fn nothing_follows_an_ending_and_everything_else_can_still_be_canceled() {
    for status in Status::ALL {
        let open_ends = Event::ALL.iter().filter_map(|event| status.next(*event)).count();
        assert_eq!(status.is_ended(), open_ends == 0, "{status:?}");
        assert_eq!(status.next(Event::Cancel).is_some(), !status.is_ended(), "{status:?}");
    }
}

#[test]
fn the_receiving_side_of_qos_2_is_drawn_and_tested_cell_by_cell() {
    // events: Publish Pubrel
    assert_eq!(
        draw(&PublishStep::ALL, &PublishEvent::ALL, PublishStep::next),
        "AwaitPubrel: AwaitPubrel Done\nDone: AwaitPubrel -\n"
    );
}

#[test]
fn the_sending_side_of_qos_1_and_2_is_drawn_and_tested_cell_by_cell() {
    // events: Puback Pubrec PubrecError Pubcomp
    assert_eq!(
        draw(&DeliverStep::ALL, &DeliverEvent::ALL, DeliverStep::next),
        "AwaitPuback: Done - - -\n\
         AwaitPubrec: - AwaitPubcomp Done -\n\
         AwaitPubcomp: - AwaitPubcomp Done Done\n\
         Done: - - - -\n"
    );
}

#[test]
fn authentication_on_a_connection_is_drawn_and_tested_cell_by_cell() {
    // events: Begin Continue More Proven
    assert_eq!(
        draw(&AuthenticateStep::ALL, &AuthenticateEvent::ALL, AuthenticateStep::next),
        "Settled: AwaitVerdict - - -\n\
         AwaitVerdict: - - AwaitClient Settled\n\
         AwaitClient: - AwaitVerdict - -\n"
    );
}

#[test]
fn an_ending_carries_its_kind_and_reason() {
    let stopped = Exchange::open(Kind::Publish)
        .start()
        .block()
        .stop(Refusal::QuotaExceeded);
    assert_eq!(
        Ended::from(stopped),
        Ended {
            kind: Kind::Publish,
            status: Status::Stopped,
            refusal: Some(Refusal::QuotaExceeded)
        }
    );
    let canceled = Exchange::open(Kind::Connect).cancel();
    assert_eq!(Ended::from(canceled).status, Status::Canceled);
}

#[test]
fn every_refusal_is_an_error_in_every_packet_that_can_carry_it() {
    for refusal in Refusal::ALL {
        assert!(refusal.connack().is_error(), "{refusal:?}");
        assert!(refusal.puback().is_error(), "{refusal:?}");
        assert!(refusal.pubrec().is_error(), "{refusal:?}");
        assert!(refusal.suback().is_error(), "{refusal:?}");
        assert!(refusal.unsuback().is_error(), "{refusal:?}");
        assert!(refusal.disconnect().is_error(), "{refusal:?}");
    }
}
