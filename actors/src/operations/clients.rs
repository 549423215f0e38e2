//! Clients and their sessions: listed, looked at, sent away.

use std::sync::Arc;

use actix::{Handler, Message, MessageResult};
use broker::key::SessionKey;
use broker::line::{Best, Order, OrderBy, Question, Sight};
use broker::message::Millis;
use mqtt_codec::{ClientId, Version};

use super::stride::Stride;
use super::{Operations, Unanswered};
use crate::session::SessionActor;

/// Slots that a line looks at in one turn.
const SLICE: usize = 2000;

/// Which clients are meant, in words of the protocol.
#[derive(Debug, Clone, Default)]
pub struct ClientFilter {
    /// Whether they are connected; `None`: either.
    pub is_connected: Option<bool>,
    /// Part of the client identifier or the user name.
    pub search: Option<String>,
    /// The user name.
    pub username: Option<String>,
    /// The listener that they came in by.
    pub listener: Option<String>,
    /// "3.1", "3.1.1" or "5.0".
    pub version: Option<String>,
}

/// A client as an operator sees it. Instants are milliseconds since 1970.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its identifier.
    pub client_id: String,
    /// The name that it proved or, where nothing is proven, claimed.
    pub username: Option<String>,
    /// The groups that it was put into.
    pub groups: Vec<String>,
    /// Whether it is there.
    pub is_connected: bool,
    /// The listener that it came in by last; empty: not since the broker started.
    pub listener: String,
    /// Its address, or the one that it had last as far as that is known.
    pub address: Option<String>,
    /// "3.1", "3.1.1" or "5.0"; `None`: it has not been there since the broker started.
    pub version: Option<&'static str>,
    /// When its connection began.
    pub connected_at: Option<u64>,
    /// When its last connection ended, if it is away.
    pub left_at: Option<u64>,
    /// When its session ends if it stays away.
    pub expires_at: Option<u64>,
    /// Seconds that its session outlives its connection; `u32::MAX`: as long as the broker allows.
    pub expiry_secs: u32,
    /// Keep Alive, in seconds; 0: none.
    pub keep_alive_secs: u32,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Messages that wait, as far as they are known.
    pub queued: usize,
    /// What they count for.
    pub queued_bytes: usize,
    /// Milliseconds that the oldest of them has waited, where that is known.
    pub oldest_age_millis: Option<u64>,
    /// Messages sent and not acknowledged.
    pub inflight: usize,
    /// QoS 2 messages whose PUBREL is awaited.
    pub awaiting_pubrel: usize,
    /// Packets of this connection.
    pub packets_in: u64,
    /// See `packets_in`.
    pub packets_out: u64,
    /// The line that it lives on.
    pub line: u16,
    /// Whether its session is in the store.
    pub is_persisted: bool,
    /// Its will.
    pub will: Option<Will>,
    /// Deliveries wait until then, by the policy's verdict.
    pub held_until: Option<u64>,
    /// Bytes that its socket has not taken.
    pub unwritten_bytes: usize,
}

/// A will, without what it says.
#[derive(Debug, Clone)]
pub struct Will {
    /// Where it goes.
    pub topic: String,
    /// At which QoS: 0, 1 or 2.
    pub qos: u8,
    /// Whether it is retained.
    pub retain: bool,
    /// Seconds that it waits for its client.
    pub delay_secs: u32,
}

/// From operators to a line: which sessions of a slice are meant? The one who asks comes again for the next slice. A full
/// box lets him wait.
#[derive(Message)]
#[rtype(result = "(Best<SessionKey>, Option<u32>)")]
struct Survey {
    from: u32,
    question: Arc<Question>,
    order: Order,
    best: Best<SessionKey>,
}

impl Handler<Survey> for SessionActor {
    type Result = MessageResult<Survey>;

    fn handle(&mut self, survey: Survey, _: &mut Self::Context) -> Self::Result {
        let Survey {
            from,
            question,
            order,
            mut best,
        } = survey;
        let next = self
            .desk()
            .look(|line| line.survey(from, SLICE, &question, order, &mut best));
        MessageResult((best, next))
    }
}

/// From operators to a line: what do these sessions look like? At most a page of them.
#[derive(Message)]
#[rtype(result = "Vec<Sight>")]
struct Look(Vec<SessionKey>);

impl Handler<Look> for SessionActor {
    type Result = Vec<Sight>;

    fn handle(&mut self, look: Look, _: &mut Self::Context) -> Self::Result {
        let desk = self.desk();
        desk.look(|line| look.0.iter().filter_map(|key| line.sight(*key)).collect())
    }
}

/// From operators to a line: have you this client's session?
#[derive(Message)]
#[rtype(result = "Option<Box<Sight>>")]
struct Find(String);

impl Handler<Find> for SessionActor {
    type Result = Option<Box<Sight>>;

    fn handle(&mut self, find: Find, _: &mut Self::Context) -> Self::Result {
        self.desk().look(|line| line.sight_of(&find.0)).map(Box::new)
    }
}

/// What is done to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Disconnect,
    Remove,
}

/// From operators to a line: send a client away. Answered with whether it was there; `None`: there is no such session.
#[derive(Message)]
#[rtype(result = "Option<bool>")]
pub(super) struct SendAway {
    pub(super) client_id: String,
    pub(super) words: String,
    pub(super) deed: Deed,
}

impl Handler<SendAway> for SessionActor {
    type Result = Option<bool>;

    fn handle(&mut self, order: SendAway, _: &mut Self::Context) -> Self::Result {
        let SendAway { client_id, words, deed } = order;
        self.desk().act(|line, now| match deed {
            Deed::Disconnect => line.disconnect_client(&client_id, &words, now),
            Deed::Remove => line.remove_session(&client_id, &words, now).then_some(true),
        })
    }
}

impl Operations {
    /// The clients that are meant, in an order: how many there are, and those from `skipped` on, `limit` at most.
    ///
    /// `sort` is a field, with a minus in front for the greatest first.
    ///
    /// # Errors
    ///
    /// The order or the version is none, or a line did not answer.
    pub async fn clients(
        &self,
        filter: ClientFilter,
        sort: &str,
        (skipped, limit): (usize, usize),
    ) -> Result<(usize, Vec<Client>), Unanswered> {
        let order = order(sort)?;
        let question = Arc::new(question(filter)?);
        let mut best = Best::new(skipped.saturating_add(limit));
        let mut stride = Stride::begin();
        for line in &self.house.lines {
            let mut from = Some(0);
            while let Some(slot) = from {
                let survey = Survey {
                    from: slot,
                    question: Arc::clone(&question),
                    order,
                    best,
                };
                (best, from) = line.send(survey).await.map_err(|_| Unanswered::Line)?;
                stride.pause().await;
            }
        }
        let total = best.total();
        let page: Vec<SessionKey> = best.into_sorted().into_iter().skip(skipped).collect();
        Ok((total, self.look(&page).await?))
    }

    /// What sessions look like, in their order; those that have ended meanwhile are left out.
    async fn look(&self, page: &[SessionKey]) -> Result<Vec<Client>, Unanswered> {
        let mut seen = Vec::new();
        for (index, line) in (0_u16..).zip(&self.house.lines) {
            let here: Vec<SessionKey> = page.iter().copied().filter(|key| key.line() == index).collect();
            if !here.is_empty() {
                seen.extend(line.send(Look(here)).await.map_err(|_| Unanswered::Line)?);
            }
        }
        let place = |sight: &Sight| page.iter().position(|key| *key == sight.key);
        seen.sort_by_cached_key(place);
        let now = self.house.clock.now();
        Ok(seen.into_iter().map(|sight| client(sight, now)).collect())
    }

    /// One client.
    ///
    /// # Errors
    ///
    /// There is none of this identifier, or a line did not answer.
    pub async fn client(&self, client_id: &str) -> Result<Client, Unanswered> {
        for line in &self.home_first(client_id) {
            let found = line.send(Find(client_id.to_owned())).await;
            if let Some(sight) = found.map_err(|_| Unanswered::Line)? {
                return Ok(client(*sight, self.house.clock.now()));
            }
        }
        Err(Unanswered::no_client(client_id))
    }

    /// Ends a client's connection with 0x98 and these words; its session stays. Says whether it was there.
    ///
    /// # Errors
    ///
    /// There is no such client, or a line did not answer.
    pub async fn disconnect(&self, client_id: &str, words: &str) -> Result<bool, Unanswered> {
        self.send_away(client_id, words, Deed::Disconnect).await
    }

    /// Ends a client's session, and its connection with 0x98 and these words.
    ///
    /// # Errors
    ///
    /// There is no such client, or a line did not answer.
    pub async fn remove_client(&self, client_id: &str, words: &str) -> Result<(), Unanswered> {
        self.send_away(client_id, words, Deed::Remove).await.map(drop)
    }

    async fn send_away(&self, client_id: &str, words: &str, deed: Deed) -> Result<bool, Unanswered> {
        for line in &self.home_first(client_id) {
            let order = SendAway {
                client_id: client_id.to_owned(),
                words: words.to_owned(),
                deed,
            };
            if let Some(was_there) = line.send(order).await.map_err(|_| Unanswered::Line)? {
                return Ok(was_there);
            }
        }
        Err(Unanswered::no_client(client_id))
    }

    /// All lines, the client's home first. A client that had no identifier lives where it came in.
    pub(super) fn home_first(&self, client_id: &str) -> Vec<actix::Addr<SessionActor>> {
        let mut lines = self.house.lines.clone();
        let count = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        if let Ok(id) = ClientId::new(client_id) {
            let home = usize::from(broker::line::home_line(&id, count, 0));
            if home < lines.len() {
                lines.swap(0, home);
            }
        }
        lines
    }
}

fn order(sort: &str) -> Result<Order, Unanswered> {
    let (name, is_descending) = sort.strip_prefix('-').map_or((sort, false), |name| (name, true));
    let by = match name {
        "client_id" => OrderBy::ClientId,
        "connected_at" => OrderBy::ConnectedAt,
        "queued" => OrderBy::Queued,
        "inflight" => OrderBy::Inflight,
        "subscriptions" => OrderBy::Subscriptions,
        "packets_in" => OrderBy::PacketsIn,
        "packets_out" => OrderBy::PacketsOut,
        _ => {
            return Err(Unanswered::Senseless(format!(
                "{name:?} is no order; allowed: client_id, connected_at, queued, inflight, subscriptions, packets_in, \
                 packets_out, each with a minus in front for the greatest first"
            )));
        }
    };
    Ok(Order { by, is_descending })
}

fn question(filter: ClientFilter) -> Result<Question, Unanswered> {
    let version = match filter.version.as_deref() {
        None => None,
        Some("3.1") => Some(Version::V31),
        Some("3.1.1") => Some(Version::V311),
        Some("5.0" | "5") => Some(Version::V5),
        Some(other) => {
            let what = format!("{other:?} is no version; allowed: 3.1, 3.1.1, 5.0");
            return Err(Unanswered::Senseless(what));
        }
    };
    let boxed = |text: Option<String>| text.filter(|text| !text.is_empty()).map(String::into_boxed_str);
    Ok(Question {
        is_connected: filter.is_connected,
        search: boxed(filter.search),
        username: boxed(filter.username),
        listener: boxed(filter.listener),
        version,
    })
}

fn client(sight: Sight, now: Millis) -> Client {
    let identity = &sight.identity;
    let address = match &sight.peer {
        Some(peer) => Some(peer.to_string()),
        None => sight.last_address.map(|address| address.to_string()),
    };
    Client {
        username: identity.username.as_deref().map(str::to_owned),
        groups: identity.groups.iter().map(|group| group.to_string()).collect(),
        listener: identity.listener.to_string(),
        is_connected: sight.peer.is_some(),
        address,
        version: sight.version.map(version_name),
        connected_at: sight.connected_at.map(|at| at.0),
        left_at: sight.left_at.map(|at| at.0),
        expires_at: sight.expires_at.map(|at| at.0),
        expiry_secs: sight.expiry_secs,
        keep_alive_secs: sight.keep_alive_secs,
        subscriptions: sight.subscriptions,
        queued: sight.queued,
        queued_bytes: sight.queued_bytes,
        oldest_age_millis: sight.oldest_at.map(|at| now.since(at)),
        inflight: sight.inflight,
        awaiting_pubrel: sight.awaiting_pubrel,
        packets_in: sight.packets_in,
        packets_out: sight.packets_out,
        line: sight.key.line(),
        is_persisted: sight.is_persisted,
        will: sight.will.map(|(topic, qos, retain, delay_secs)| Will {
            topic: topic.to_string(),
            qos: u8::from(qos),
            retain,
            delay_secs,
        }),
        held_until: sight.held_until.map(|at| at.0),
        unwritten_bytes: sight.unwritten_bytes,
        client_id: sight.client_id.to_string(),
    }
}

fn version_name(version: Version) -> &'static str {
    match version {
        Version::V31 => "3.1",
        Version::V311 => "3.1.1",
        Version::V5 => "5.0",
    }
}
