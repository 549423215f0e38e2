//! The overseer's word on each filter of a SUBSCRIBE or UNSUBSCRIBE, and what it comes to for the packet.

use mqtt_codec::{QoS, SubscribeFilter, TopicFilter};

use super::subscribe::check_filter;
use crate::exchange::{Ask, Exchange, Refusal, Verdict, phase};
use crate::session::{Said, Session};
use crate::turn::Turn;

/// Whether a packet with filters goes on.
pub(super) enum Judged {
    /// All of its filters have been judged.
    Proceed,
    /// One of them has to wait this many milliseconds, and those behind it with it.
    Wait(u64),
    /// For one of them the connection is to end, so that none of them is in force.
    Disconnect(Refusal),
}

/// What was said of all filters.
pub(super) enum Sum {
    /// Some may be; with the refusals of the others by place. What was to be refused in silence is refused without a
    /// reason, because the acknowledgement has a code for each.
    Some(Vec<Option<Refusal>>),
    /// None may be.
    Refused(Vec<Refusal>),
    /// None may be, and none is to be told.
    Canceled,
}

/// One filter of a packet.
pub(super) trait Wanted {
    /// As the overseer is asked about it.
    fn ask(&self) -> Ask<'_>;

    /// What is asked for.
    fn qos(&self) -> QoS;

    /// Why it cannot be, whatever the overseer says: he is not asked then.
    fn check(&self, session: &Session, turn: &mut Turn) -> Option<Refusal>;
}

impl Wanted for SubscribeFilter {
    fn ask(&self) -> Ask<'_> {
        Ask::Subscribe(self)
    }

    fn qos(&self) -> QoS {
        self.qos
    }

    fn check(&self, session: &Session, turn: &mut Turn) -> Option<Refusal> {
        check_filter(session, self, turn)
    }
}

impl Wanted for TopicFilter {
    fn ask(&self) -> Ask<'_> {
        Ask::Unsubscribe(self)
    }

    fn qos(&self) -> QoS {
        QoS::ExactlyOnce
    }

    fn check(&self, _: &Session, _: &mut Turn) -> Option<Refusal> {
        None
    }
}

impl Session {
    /// Asks the overseer about those of the filters of which nothing was `said`, which he adds to it. Nothing is said
    /// by one who does not judge their kind.
    pub(super) fn judge_filters(
        &self,
        exchange: &Exchange<phase::Running>,
        filters: &[impl Wanted],
        said: &mut Vec<Said>,
        turn: &mut Turn,
    ) -> Judged {
        if !turn.judges(exchange.kind()) {
            return Judged::Proceed;
        }
        for wanted in filters.iter().skip(said.len()) {
            if let Some(refusal) = wanted.check(self, turn) {
                said.push(Said::Refused(refusal));
                continue;
            }
            let request = self.request(wanted.ask(), turn.now);
            said.push(match turn.judge(exchange, &request) {
                Verdict::Proceed => Said::Granted(wanted.qos()),
                Verdict::Change(changes) => Said::Granted(changes.qos.unwrap_or(wanted.qos())),
                Verdict::Stop(refusal) => Said::Refused(refusal),
                Verdict::Cancel => Said::Canceled,
                Verdict::Block(millis) => return Judged::Wait(millis),
                Verdict::Disconnect(refusal) => return Judged::Disconnect(refusal),
            });
        }
        Judged::Proceed
    }
}

/// Of filters of which nothing was said all may be.
pub(super) fn sum_up(said: &[Said], filters: usize) -> Sum {
    let refusal = |said: &Said| match said {
        Said::Granted(_) => None,
        Said::Refused(refusal) => Some(*refusal),
        Said::Canceled => Some(Refusal::Unspecified),
    };
    if !said.is_empty() && said.iter().all(|said| *said == Said::Canceled) {
        return Sum::Canceled;
    }
    let unsaid = filters.saturating_sub(said.len());
    let refused: Vec<Option<Refusal>> = said.iter().map(refusal).chain((0..unsaid).map(|_| None)).collect();
    match refused.iter().copied().collect::<Option<Vec<Refusal>>>() {
        Some(refusals) if !refusals.is_empty() => Sum::Refused(refusals),
        Some(_) | None => Sum::Some(refused),
    }
}
