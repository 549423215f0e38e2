//! What becomes of each listener. Pure: from those that are open and those that are to be.

use crate::settings::{Endpoint, ListenerSettings};

/// What becomes of one listener. `old` counts those that are open, `new` those that are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DoorStep {
    /// It stays as it is.
    Keep { old: usize },
    /// It has other settings on the same socket; its clients stay.
    Change { old: usize, new: usize },
    /// It is another one on the same socket, for this reason; its clients leave.
    Replace { old: usize, new: usize, why: &'static str },
    /// It is opened.
    Open { new: usize },
    /// It is closed; its clients leave.
    Close { old: usize },
    /// It stays as it is until the broker is started again, for this reason.
    Stay { old: usize, why: &'static str },
    /// It is not opened before the broker is started again, for this reason.
    Later { new: usize, why: &'static str },
}

pub(super) const QUIC: &str = "listeners of QUIC are opened and closed with the broker";
pub(super) const PASSED: &str = "the service manager passes sockets when it starts the broker";

/// Finds for each open listener what it is to be. One is known again by its name and its place; a place with another name
/// is taken over with its socket, so that it is never without a listener.
pub(crate) fn door_steps(old: &[&ListenerSettings], new: &[ListenerSettings]) -> Vec<DoorStep> {
    let mut steps = Vec::new();
    let mut taken = vec![false; new.len()];
    let mut heirs: Vec<Option<usize>> = Vec::new();
    for before in old {
        let heir = find(new, &taken, |after| {
            is_place_of(before, after) && before.name == after.name
        });
        take(&mut taken, heir);
        heirs.push(heir);
    }
    for (before, heir) in old.iter().zip(&mut heirs).filter(|(_, heir)| heir.is_none()) {
        *heir = find(new, &taken, |after| is_place_of(before, after));
        take(&mut taken, *heir);
    }
    for (nth, (before, heir)) in old.iter().zip(&heirs).enumerate() {
        let after = heir.and_then(|heir| Some((heir, new.get(heir)?)));
        steps.push(match after {
            Some((heir, after)) => step_between(before, after, (nth, heir)),
            None if before.quic.is_some() => DoorStep::Stay { old: nth, why: QUIC },
            None => DoorStep::Close { old: nth },
        });
    }
    for (nth, (after, _)) in new.iter().zip(&taken).enumerate().filter(|(_, (_, taken))| !**taken) {
        steps.push(match &after.endpoint {
            Endpoint::Passed(_) => DoorStep::Later { new: nth, why: PASSED },
            _ if after.quic.is_some() => DoorStep::Later { new: nth, why: QUIC },
            Endpoint::Address(_) | Endpoint::Socket(_) => DoorStep::Open { new: nth },
        });
    }
    steps
}

fn find(new: &[ListenerSettings], taken: &[bool], fits: impl Fn(&ListenerSettings) -> bool) -> Option<usize> {
    // Several sockets may have been passed for one listener.
    let is_free = |after: &ListenerSettings, taken: bool| !taken || matches!(after.endpoint, Endpoint::Passed(_));
    let mut places = new.iter().zip(taken);
    places.position(|(after, taken)| is_free(after, *taken) && fits(after))
}

fn take(taken: &mut [bool], place: Option<usize>) {
    if let Some(taken) = place.and_then(|place| taken.get_mut(place)) {
        *taken = true;
    }
}

/// Whether both are on one socket.
fn is_place_of(before: &ListenerSettings, after: &ListenerSettings) -> bool {
    let is_same = match (&before.endpoint, &after.endpoint) {
        (Endpoint::Address(before), Endpoint::Address(after)) => before == after,
        (Endpoint::Socket(before), Endpoint::Socket(after)) => before.path == after.path,
        (Endpoint::Passed(before), Endpoint::Passed(after)) => before == after,
        (Endpoint::Address(_) | Endpoint::Socket(_) | Endpoint::Passed(_), _) => false,
    };
    is_same && before.quic.is_some() == after.quic.is_some()
}

fn step_between(before: &ListenerSettings, after: &ListenerSettings, (old, new): (usize, usize)) -> DoorStep {
    // The file of a Unix socket was made with its rights; other ones are told of as settings.
    let after = ListenerSettings {
        endpoint: before.endpoint.clone(),
        ..after.clone()
    };
    let why = if before.name != after.name {
        Some("its name changes")
    } else if before.tls.is_some() != after.tls.is_some() || before.websocket.is_some() != after.websocket.is_some() {
        Some("its transport changes")
    } else if before.proxies.header_required != after.proxies.header_required {
        Some("its PROXY headers change")
    } else {
        None
    };
    match why {
        _ if *before == after => DoorStep::Keep { old },
        Some(_) if before.quic.is_some() => DoorStep::Stay { old, why: QUIC },
        // Each of its settings is told of as one that needs a restart.
        None if before.quic.is_some() => DoorStep::Keep { old },
        Some(why) => DoorStep::Replace { old, new, why },
        None => DoorStep::Change { old, new },
    }
}
