//! SUBSCRIBE and UNSUBSCRIBE: judged here, carried out by the router, acknowledged when in force on every line.

use mqtt_codec::{
    AckProperties, Packet, PacketId, RetainHandling, Suback, SubackReason, Subscribe, SubscribeFilter, SubscriptionId,
    TopicFilter, Unsuback, UnsubackReason, Unsubscribe,
};

use super::filters::{Judged, Sum, sum_up};
use super::hold::hold;
use super::noted::{note_subscribed, note_unsubscribed};
use super::{ConnectionKey, Flow, Line};
use crate::acl::Action;
use crate::effect::{Cause, Effect};
use crate::exchange::{Exchange, Kind, Refusal, phase};
use crate::limits::Limit;
use crate::message::Millis;
use crate::notes::Decision;
use crate::router::{SubscribeRefusal, SubscriptionIds, SubscriptionOptions};
use crate::routing::{RouteChange, RouteOutcomes, RouteReply, RouteRequest, Ticket};
use crate::session::{Asked, Feed, Pending, Said, Session};
use crate::turn::Turn;

impl Line {
    pub(super) fn subscribe(&mut self, connection: ConnectionKey, packet: Subscribe) -> Flow {
        let exchange = self.turn.start(Kind::Subscribe);
        self.judge_subscribe(connection, exchange, packet, Vec::new())
    }

    /// Asks the rights and the overseer about each filter, then the router. Also where a held SUBSCRIBE goes on, with
    /// what was `said` of its first filters.
    pub(super) fn judge_subscribe(
        &mut self,
        connection: ConnectionKey,
        exchange: Exchange<phase::Running>,
        mut packet: Subscribe,
        mut said: Vec<Said>,
    ) -> Flow {
        let Some((session, turn)) = self.connected(connection) else {
            self.turn.end(exchange.cancel());
            return Flow::Closed;
        };
        match session.judge_filters(&exchange, &packet.filters, &mut said, turn) {
            Judged::Proceed => {}
            Judged::Wait(millis) => {
                let held = (exchange, Packet::Subscribe(packet), said);
                return hold(session, turn, connection, held, millis);
            }
            Judged::Disconnect(refusal) => return self.disconnect_for(connection, exchange, refusal),
        }
        let refused = match sum_up(&said, packet.filters.len()) {
            Sum::Some(refused) => refused,
            Sum::Refused(refusals) => {
                let first = refusals.first().copied().unwrap_or(Refusal::Unspecified);
                turn.end(exchange.stop(first));
                turn.note(&session.client_id, Decision::Refused(Kind::Subscribe, first));
                let reasons = refusals.into_iter().map(Refusal::suback).collect();
                write_suback(session, packet.packet_id, reasons, turn);
                return Flow::Continue;
            }
            Sum::Canceled => {
                turn.end(exchange.cancel());
                return Flow::Continue;
            }
        };
        for (wanted, said) in packet.filters.iter_mut().zip(&said) {
            if let Said::Granted(qos) = said {
                wanted.qos = wanted.qos.min(*qos);
            }
        }
        // Rights may have changed while it was held.
        let check = |(wanted, refused): (_, &Option<Refusal>)| refused.or_else(|| check_filter(session, wanted, turn));
        let refused: Vec<Option<Refusal>> = packet.filters.iter().zip(&refused).map(check).collect();
        request_subscriptions(session, turn, connection, (exchange, packet, refused))
    }

    pub(super) fn unsubscribe(&mut self, connection: ConnectionKey, packet: Unsubscribe) -> Flow {
        let exchange = self.turn.start(Kind::Unsubscribe);
        self.judge_unsubscribe(connection, exchange, packet, Vec::new())
    }

    /// Asks the overseer about each filter, then the router. Also where a held UNSUBSCRIBE goes on.
    pub(super) fn judge_unsubscribe(
        &mut self,
        connection: ConnectionKey,
        exchange: Exchange<phase::Running>,
        packet: Unsubscribe,
        mut said: Vec<Said>,
    ) -> Flow {
        let Some((session, turn)) = self.connected(connection) else {
            self.turn.end(exchange.cancel());
            return Flow::Closed;
        };
        match session.judge_filters(&exchange, &packet.filters, &mut said, turn) {
            Judged::Proceed => {}
            Judged::Wait(millis) => {
                let held = (exchange, Packet::Unsubscribe(packet), said);
                return hold(session, turn, connection, held, millis);
            }
            Judged::Disconnect(refusal) => return self.disconnect_for(connection, exchange, refusal),
        }
        let refused = match sum_up(&said, packet.filters.len()) {
            Sum::Some(refused) => refused,
            Sum::Refused(refusals) => {
                turn.end(exchange.stop(refusals.first().copied().unwrap_or(Refusal::Unspecified)));
                let reasons = refusals.into_iter().map(Refusal::unsuback).collect();
                write_unsuback(session, packet.packet_id, reasons, turn);
                return Flow::Continue;
            }
            Sum::Canceled => {
                turn.end(exchange.cancel());
                return Flow::Continue;
            }
        };
        let wanted = packet.filters.iter().zip(&refused);
        let wanted = wanted.filter(|(_, refused)| refused.is_none());
        let wanted = wanted.map(|(filter, _)| filter.detach()).collect();
        let pending = Pending {
            exchange: exchange.block(),
            packet_id: packet.packet_id,
            asked: Asked::Unsubscribe { refused },
        };
        let ticket = Ticket {
            connection,
            packet_id: pending.packet_id,
        };
        request_route(session, turn, pending, RouteChange::Unsubscribe(ticket, wanted))
    }

    /// The router's answer. The store hears of it even if the connection that asked is gone: what was taken back is not
    /// to return with the next start. If it is still there, SUBACK or UNSUBACK leaves, and retained messages follow.
    pub fn routed(&mut self, reply: RouteReply, now: Millis) {
        self.turn.now = now;
        // If it has ended, so has all that the store knew of it.
        let Some((session, turn)) = self.tenant(reply.session) else {
            return;
        };
        let pending = reply.ticket.and_then(|ticket| session.take_pending(ticket, turn));
        let mut has_lost = false;
        match reply.outcomes {
            RouteOutcomes::Subscribed(asked, outcomes) => {
                let granted = asked.into_iter().zip(&outcomes);
                let granted: Vec<_> = granted
                    .filter_map(|(subscription, outcome)| outcome.is_ok().then_some(subscription))
                    .collect();
                session.keep_subscriptions(&granted, turn);
                if let Some(pending) = pending {
                    answer_subscribe(session, pending, &granted, &outcomes, turn);
                }
                // A client that is away is asked for its rights when it returns.
                has_lost = session.link.is_some() && session.give_up_lost_of(granted, turn);
            }
            RouteOutcomes::Unsubscribed(filters, existed) => {
                // [MQTT-3.10.4-2] in 5.0: retained messages that have not been taken up stay where they are.
                session.feeds.retain(|feed| !filters.contains(&feed.filter));
                session.forget_subscriptions(&filters, turn);
                if let Some(pending) = pending {
                    answer_unsubscribe(session, pending, filters, existed, turn);
                }
            }
        }
        session.pump(turn);
        if let (true, Some(connection)) = (has_lost && turn.limits.access.loss_disconnects, session.connection()) {
            self.close(connection, Cause::RightLost);
        }
        self.settle();
    }
}

impl Session {
    /// The request that a ticket stands for; `None` if its connection is gone, and the exchange was canceled with it.
    fn take_pending(&mut self, ticket: Ticket, turn: &mut Turn) -> Option<Pending> {
        let link = self
            .link
            .as_mut()
            .filter(|link| link.epoch == ticket.connection.epoch)?;
        let place = link
            .pending
            .iter()
            .position(|pending| pending.packet_id == ticket.packet_id)?;
        let pending = link.pending.remove(place);
        if link.pending.is_empty() {
            link.pending = Vec::new();
        }
        link.resume_if_free(ticket.connection.slot, turn);
        Some(pending)
    }
}

/// SUBACK, and the retained messages that follow it. It waits for what the request had the store keep.
fn answer_subscribe(
    session: &mut Session,
    pending: Pending,
    granted: &[(TopicFilter, SubscriptionOptions)],
    outcomes: &[Result<bool, SubscribeRefusal>],
    turn: &mut Turn,
) {
    turn.end(pending.exchange.resume().finish());
    let Asked::Subscribe {
        filters,
        subscription_id,
        refused,
    } = pending.asked
    else {
        debug_assert!(false, "the router answers what it was asked");
        return;
    };
    session.wait_for_kept(turn);
    note_limits(session, &refused, outcomes, turn);
    note_subscribed(session, &refused, granted, turn);
    let (reasons, feeds) = outcome_of(filters, subscription_id, &refused, outcomes);
    write_suback(session, pending.packet_id, reasons, turn);
    // A subscription has one feed: the latest starts over, so that repeated requests do not pile up.
    session
        .feeds
        .retain(|feed| feeds.iter().all(|latest| latest.filter != feed.filter));
    session.feeds.extend(feeds);
}

/// UNSUBACK. It waits for what the request had the store forget.
fn answer_unsubscribe(
    session: &mut Session,
    pending: Pending,
    filters: Vec<TopicFilter>,
    existed: Vec<bool>,
    turn: &mut Turn,
) {
    turn.end(pending.exchange.resume().finish());
    let Asked::Unsubscribe { refused } = pending.asked else {
        debug_assert!(false, "the router answers what it was asked");
        return;
    };
    session.wait_for_kept(turn);
    note_unsubscribed(session, filters, turn);
    write_unsuback(session, pending.packet_id, unsuback_reasons(&refused, existed), turn);
}

/// Has the router carry out what was not refused.
fn request_subscriptions(
    session: &mut Session,
    turn: &mut Turn,
    connection: ConnectionKey,
    (exchange, packet, refused): (Exchange<phase::Running>, Subscribe, Vec<Option<Refusal>>),
) -> Flow {
    let wanted = packet
        .filters
        .iter()
        .zip(&refused)
        .filter(|(_, refused)| refused.is_none());
    let changes = wanted
        .map(|(filter, _)| (filter.filter.detach(), options_of(filter, packet.subscription_id)))
        .collect();
    let is_of_groups = packet.filters.iter().any(|wanted| wanted.filter.share().is_some());
    let pending = Pending {
        exchange: exchange.block(),
        packet_id: packet.packet_id,
        asked: Asked::Subscribe {
            filters: packet.filters.into_iter().map(detach).collect(),
            subscription_id: packet.subscription_id,
            refused,
        },
    };
    let ticket = Ticket {
        connection,
        packet_id: pending.packet_id,
    };
    session.routed = true;
    session.in_groups |= is_of_groups;
    request_route(session, turn, pending, RouteChange::Subscribe(ticket, changes))
}

/// The reason codes in the order of the filters: [MQTT-3.11.3-1] in 5.0.
fn unsuback_reasons(refused: &[Option<Refusal>], existed: Vec<bool>) -> Vec<UnsubackReason> {
    let mut existed = existed.into_iter();
    let reason = |refused: &Option<Refusal>| match refused {
        Some(refusal) => refusal.unsuback(),
        None if existed.next().unwrap_or(false) => UnsubackReason::Success,
        None => UnsubackReason::NoSubscriptionExisted,
    };
    refused.iter().map(reason).collect()
}

fn options_of(wanted: &SubscribeFilter, id: Option<SubscriptionId>) -> SubscriptionOptions {
    SubscriptionOptions {
        qos: wanted.qos,
        no_local: wanted.no_local,
        retain_as_published: wanted.retain_as_published,
        id,
    }
}

fn detach(wanted: SubscribeFilter) -> SubscribeFilter {
    SubscribeFilter {
        filter: wanted.filter.detach(),
        ..wanted
    }
}

pub(super) fn check_filter(session: &Session, wanted: &SubscribeFilter, turn: &mut Turn) -> Option<Refusal> {
    if wanted.filter.len() > turn.limits.topic_bytes_max {
        return Some(Refusal::TopicFilterInvalid);
    }
    let allowed = session.may_subscribe(&wanted.filter, wanted.qos, turn);
    if turn.asks_rights {
        turn.counters.count_asked(Action::Subscribe, allowed);
    }
    (!allowed).then_some(Refusal::NotAuthorized)
}

/// The reason codes in the order of the filters ([MQTT-3.9.3-1] in 5.0), and the retained messages to be sent.
fn outcome_of(
    filters: Vec<SubscribeFilter>,
    id: Option<SubscriptionId>,
    refused: &[Option<Refusal>],
    outcomes: &[Result<bool, SubscribeRefusal>],
) -> (Vec<SubackReason>, Vec<Feed>) {
    let mut outcomes = outcomes.iter();
    let mut reasons = Vec::with_capacity(filters.len());
    let mut feeds = Vec::new();
    for (wanted, refused) in filters.into_iter().zip(refused) {
        let outcome = match refused {
            Some(refusal) => Err(*refusal),
            None => outcomes
                .next()
                .map_or(Err(Refusal::Unspecified), |outcome| outcome.map_err(refusal_of)),
        };
        match outcome {
            Ok(existed) => {
                reasons.push(SubackReason::granted(wanted.qos));
                if wants_retained(&wanted, existed) {
                    feeds.push(Feed::new(
                        wanted.filter,
                        wanted.qos,
                        id.map_or(SubscriptionIds::None, SubscriptionIds::One),
                    ));
                }
            }
            Err(refusal) => reasons.push(refusal.suback()),
        }
    }
    (reasons, feeds)
}

fn refusal_of(refusal: SubscribeRefusal) -> Refusal {
    match refusal {
        SubscribeRefusal::TooManySubscriptions => Refusal::QuotaExceeded,
        SubscribeRefusal::TooManyLevels => Refusal::TopicFilterInvalid,
    }
}

/// Has the log told of limits that filters were refused for.
fn note_limits(
    session: &Session,
    refused: &[Option<Refusal>],
    outcomes: &[Result<bool, SubscribeRefusal>],
    turn: &mut Turn,
) {
    if outcomes.contains(&Err(SubscribeRefusal::TooManySubscriptions)) {
        turn.reached(Limit::Subscriptions, &session.client_id);
    }
    if outcomes.contains(&Err(SubscribeRefusal::TooManyLevels)) || refused.contains(&Some(Refusal::TopicFilterInvalid))
    {
        turn.reached(Limit::TopicSize, &session.client_id);
    }
}

/// [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11] in 5.0; a shared subscription gets none (section 4.8.2).
fn wants_retained(wanted: &SubscribeFilter, existed: bool) -> bool {
    let handling = match wanted.retain_handling {
        RetainHandling::Send => true,
        RetainHandling::SendIfNew => !existed,
        RetainHandling::DoNotSend => false,
    };
    handling && wanted.filter.share().is_none()
}

fn request_route(session: &mut Session, turn: &mut Turn, pending: Pending, change: RouteChange) -> Flow {
    let max = turn.limits.route_requests_max;
    turn.effects.push(Effect::Route(RouteRequest {
        session: session.key,
        change,
    }));
    let Some(link) = &mut session.link else {
        return Flow::Closed;
    };
    link.pending.push(pending);
    if link.pending.len() >= max {
        link.paused = true;
        return Flow::Hold;
    }
    Flow::Continue
}

fn write_suback(session: &mut Session, packet_id: PacketId, reasons: Vec<SubackReason>, turn: &mut Turn) {
    let packet = Packet::Suback(Suback {
        packet_id,
        properties: AckProperties::default(),
        reasons,
    });
    write_answer(session, &packet, turn);
}

fn write_unsuback(session: &mut Session, packet_id: PacketId, reasons: Vec<UnsubackReason>, turn: &mut Turn) {
    let packet = Packet::Unsuback(Unsuback {
        packet_id,
        properties: AckProperties::default(),
        reasons,
    });
    write_answer(session, &packet, turn);
}

fn write_answer(session: &mut Session, packet: &Packet, turn: &mut Turn) {
    let slot = session.key.slot();
    if let Some(link) = &mut session.link {
        link.write(slot, packet, turn);
    }
}
