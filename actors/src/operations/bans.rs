//! Bans: who stays outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::{Addr, Handler, MailboxError, Message, MessageResult};
use auth::bans::{Banned, LiveBan, LiveError};
use broker::line::{IsMeant, Slice};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::clients::{Deed, SendAway};
use super::stride::Stride;
use super::{Operations, Unanswered};
use crate::session::SessionActor;

/// Bans that are carried out side by side on the clients that are in on one line.
const BAILIFFS: usize = 16;
/// Bans that are being carried out, or wait for it.
const WALKS_MAX: usize = 256;
/// Clients that a line disconnects in one turn.
const TURN: usize = 200;
/// What a banned client of 5.0 reads.
const WORDS: &str = "banned";

/// Whom a ban keeps outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// A client identifier.
    Client(String),
    /// A user name.
    User(String),
    /// An address, or a network such as `203.0.113.0/24`.
    Address(String),
}

/// A ban.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// Its name: the kind, a colon, and whom it keeps outside.
    pub id: String,
    /// Whom.
    pub whom: Whom,
    /// Since when, in seconds since 1970, where that is known.
    pub since: Option<u64>,
    /// Who made it.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Until when, in seconds since 1970; `None`: for good.
    pub until: Option<u64>,
    /// Whether operators can lift it: it does not stand in the file of auth.bans_file.
    pub is_live: bool,
}

/// The clients that a ban has disconnected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SentAway {
    /// How many of them.
    pub count: usize,
    /// Whether that is all; else the others are being disconnected.
    pub is_complete: bool,
}

/// From operators to a line: disconnect the clients of some sessions that are meant, beginning with this slot. Answered
/// with how far it came; whoever asks comes again.
#[derive(Message)]
#[rtype(result = "Slice")]
struct Disconnect {
    is_meant: Arc<IsMeant>,
    from: u32,
}

impl Handler<Disconnect> for SessionActor {
    type Result = MessageResult<Disconnect>;

    fn handle(&mut self, order: Disconnect, _: &mut Self::Context) -> Self::Result {
        let part = (order.from, TURN);
        MessageResult(
            self.desk()
                .act(|line, now| line.disconnect_meant(&*order.is_meant, WORDS, part, now)),
        )
    }
}

/// Those who carry out bans. Each line has its own, so that one that does not answer keeps only its own busy.
#[derive(Debug)]
pub(crate) struct Bailiffs {
    walks: Arc<Semaphore>,
    lines: Vec<Arc<Semaphore>>,
}

impl Bailiffs {
    pub(crate) fn new(lines: usize) -> Self {
        Self {
            walks: Arc::new(Semaphore::new(WALKS_MAX)),
            lines: (0..lines).map(|_| Arc::new(Semaphore::new(BAILIFFS))).collect(),
        }
    }
}

impl Operations {
    /// All bans that hold.
    #[must_use]
    pub fn bans(&self) -> Vec<Ban> {
        let chain = &self.house.chain;
        let of_operators = chain.live_bans().into_iter().map(|live| seen(&live.ban, Some(&live)));
        let of_files = chain.bans().into_iter().map(|ban| seen(&ban, None));
        of_operators.chain(of_files).collect()
    }

    /// Keeps someone outside, for so many seconds or for good, and sends away whoever is inside. Outlives the broker,
    /// if it has a store. Says how many were sent away when `patience` is over; the others follow.
    ///
    /// # Errors
    ///
    /// The address is none, or the ban cannot be written; then nothing has happened. Or the ban holds and too many others
    /// are being carried out, or a line did not answer; then clients may still be inside.
    pub async fn ban(
        &self,
        whom: Whom,
        secs: Option<u64>,
        (by, reason): (&str, Option<&str>),
        patience: Duration,
    ) -> Result<(Ban, SentAway), Unanswered> {
        let until = Instant::from_std(crate::clock::deadline(patience));
        let banned = banned(&whom)?;
        let reason = reason.map(one_line).transpose()?.map(str::to_owned);
        let (operations, by) = (self.clone(), by.to_owned());
        // A task of its own: whoever asked may hang up, and a ban that holds is carried out.
        let made = actix_rt::spawn(async move {
            let made = operations.house.chain.ban(banned, secs, &by, reason.as_deref()).await;
            let live = made.map_err(|error| refused(&error))?;
            let ban = seen(&live.ban, Some(&live));
            let walk = operations.carry_out(&ban)?;
            Ok((ban, walk))
        });
        let (ban, walk) = made.await.map_err(|_| Unanswered::Line)??;
        Ok((ban, walk.wait(until).await?))
    }

    /// Lifts a ban.
    ///
    /// # Errors
    ///
    /// There is none of this name, it stands in the file of auth.bans_file, or the change cannot be written.
    pub async fn lift(&self, id: &str) -> Result<(), Unanswered> {
        let missing = || Unanswered::Missing(format!("there is no ban {id:?}; GET /api/v1/bans lists them"));
        let ban = self.bans().into_iter().find(|ban| ban.id == id).ok_or_else(missing)?;
        if !ban.is_live {
            let what = format!("{id} stands in the file of auth.bans_file; take it out there and reload");
            return Err(Unanswered::Refused(what));
        }
        self.house
            .chain
            .unban(&banned(&ban.whom)?)
            .await
            .map_err(|error| refused(&error))
    }

    /// Begins to disconnect those of a ban that is in force, so that none of them comes in behind the walk.
    fn carry_out(&self, ban: &Ban) -> Result<Walk, Unanswered> {
        let Ok(permit) = Arc::clone(&self.house.bailiffs.walks).try_acquire_owned() else {
            let what = format!(
                "{} is banned, but clients that are in stay: {WALKS_MAX} other bans are being carried out; \
                 if a line does not answer, restart the broker",
                ban.id
            );
            tracing::warn!(ban = ban.id, "{what}");
            return Err(Unanswered::Refused(what));
        };
        let count = Arc::new(AtomicUsize::new(0));
        let lines = self.send_away_banned(&ban.whom, &count);
        let walk = async move {
            let done = all_of(lines).await;
            drop(permit);
            done
        };
        Ok(begin(ban.id.clone(), walk, count))
    }

    /// Has all lines disconnect their part side by side.
    fn send_away_banned(&self, whom: &Whom, count: &Arc<AtomicUsize>) -> JoinSet<Part> {
        let order = Order::of(whom);
        let mut parts = JoinSet::new();
        for (line, bailiffs) in self.house.lines.iter().zip(&self.house.bailiffs.lines) {
            let (line, order, count) = (line.clone(), order.clone(), Arc::clone(count));
            let bailiffs = Arc::clone(bailiffs);
            parts.spawn_local(async move {
                let _bailiff = bailiffs.acquire_owned().await.map_err(|_| Unanswered::Line)?;
                let part = order.carry_out_on(&line, &count).await;
                part.map_err(|_| Unanswered::Line)
            });
        }
        parts
    }
}

/// What came of a line's part: whether nobody else can be meant, who is on another line.
type Part = Result<bool, Unanswered>;

/// Waits for all lines, also behind one that has ended.
async fn all_of(mut parts: JoinSet<Part>) -> Result<(), Unanswered> {
    let mut done = Ok(());
    while let Some(part) = parts.join_next().await {
        match part {
            Ok(Ok(true)) => return Ok(()),
            Ok(Ok(false)) => {}
            Ok(Err(_)) | Err(_) => done = Err(Unanswered::Line),
        }
    }
    done
}

/// Whom a line is to disconnect.
#[derive(Clone)]
enum Order {
    /// The one with this identifier.
    One(String),
    /// All that are meant.
    All(Arc<IsMeant>),
}

impl Order {
    fn of(whom: &Whom) -> Self {
        match whom {
            Whom::Client(id) => Self::One(id.clone()),
            Whom::User(name) => {
                let name = name.clone();
                Self::All(Arc::new(move |client| {
                    client.identity.names().any(|other| other == name)
                }))
            }
            Whom::Address(network) => {
                let network = auth::bans::network(network);
                let holds = move |address: std::net::IpAddr| {
                    network.is_some_and(|network| network.contains(&address.to_canonical()))
                };
                Self::All(Arc::new(move |client| client.address.is_some_and(holds)))
            }
        }
    }

    async fn carry_out_on(self, line: &Addr<SessionActor>, count: &AtomicUsize) -> Result<bool, MailboxError> {
        match self {
            Self::One(client_id) => {
                let words = WORDS.to_owned();
                let deed = Deed::Disconnect;
                let order = SendAway { client_id, words, deed };
                let was_there = line.send(order).await?;
                count.fetch_add(usize::from(was_there == Some(true)), Ordering::Relaxed);
                Ok(was_there.is_some())
            }
            Self::All(is_meant) => disconnect_on(line, &is_meant, count).await.map(|()| false),
        }
    }
}

/// A walk that counts those whom it disconnects. It goes on whoever waits for it.
struct Walk {
    told: oneshot::Receiver<Result<(), Unanswered>>,
    count: Arc<AtomicUsize>,
}

fn begin(ban: String, walk: impl Future<Output = Result<(), Unanswered>> + 'static, count: Arc<AtomicUsize>) -> Walk {
    let (tell, told) = oneshot::channel();
    let counted = Arc::clone(&count);
    actix_rt::spawn(async move {
        let Err(late) = tell.send(walk.await) else { return };
        let disconnected = counted.load(Ordering::Relaxed);
        match late {
            Ok(()) => tracing::info!(ban, disconnected, "the clients of a ban have been disconnected"),
            Err(error) => tracing::warn!(ban, disconnected, %error, "clients of a ban may still be connected"),
        }
    });
    Walk { told, count }
}

impl Walk {
    /// Says until then how far it came.
    async fn wait(self, until: Instant) -> Result<SentAway, Unanswered> {
        let is_complete = match timeout_at(until, self.told).await {
            Ok(Ok(done)) => done.map(|()| true)?,
            Ok(Err(_)) => return Err(Unanswered::Line),
            Err(_) => false,
        };
        let count = self.count.load(Ordering::Relaxed);
        Ok(SentAway { count, is_complete })
    }
}

async fn disconnect_on(
    line: &Addr<SessionActor>,
    is_meant: &Arc<IsMeant>,
    count: &AtomicUsize,
) -> Result<(), MailboxError> {
    let mut next = Some(0);
    let mut stride = Stride::begin();
    while let Some(from) = next {
        let is_meant = Arc::clone(is_meant);
        let slice = line.send(Disconnect { is_meant, from }).await?;
        count.fetch_add(slice.ended, Ordering::Relaxed);
        next = slice.next;
        stride.pause().await;
    }
    Ok(())
}

fn banned(whom: &Whom) -> Result<Banned, Unanswered> {
    match whom {
        Whom::Client(id) | Whom::User(id) if id.is_empty() || id.contains(['"', '\n', '\r', '\0']) => {
            Err(Unanswered::Senseless(format!(
                "{id:?} is no name that a ban can hold: it is empty, or has a quote or a line end"
            )))
        }
        Whom::Client(id) => Ok(Banned::Client(id.clone())),
        Whom::User(name) => Ok(Banned::User(name.clone())),
        Whom::Address(network) => auth::bans::network(network)
            .map(Banned::Address)
            .ok_or_else(|| Unanswered::Senseless(format!("{network:?} is neither an address nor a network"))),
    }
}

fn one_line(reason: &str) -> Result<&str, Unanswered> {
    const BYTES_MAX: usize = 200;
    if reason.len() > BYTES_MAX || reason.contains(char::is_control) {
        let what = format!("the reason is longer than {BYTES_MAX} bytes or has control characters in it");
        return Err(Unanswered::Senseless(what));
    }
    Ok(reason)
}

fn seen(ban: &auth::bans::Ban, live: Option<&LiveBan>) -> Ban {
    let whom = match &ban.whom {
        Banned::Client(id) => Whom::Client(id.clone()),
        Banned::User(name) => Whom::User(name.clone()),
        Banned::Address(network) => Whom::Address(network.to_string()),
    };
    let id = match &whom {
        Whom::Client(id) => format!("client:{id}"),
        Whom::User(name) => format!("user:{name}"),
        Whom::Address(network) => format!("address:{network}"),
    };
    Ban {
        id,
        whom,
        since: live.map(|live| live.since_unix_secs),
        by: live.map(|live| live.by.clone()),
        reason: live.and_then(|live| live.reason.clone()),
        until: ban.until_unix_secs,
        is_live: live.is_some(),
    }
}

fn refused(error: &LiveError) -> Unanswered {
    Unanswered::Refused(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    async fn ban(operations: &Operations, patience: Duration) -> Result<SentAway, Unanswered> {
        let whom = Whom::Address("203.0.113.0/24".to_owned());
        let made = operations.ban(whom, None, ("admin", None), patience).await;
        made.map(|(_, sent_away)| sent_away)
    }

    #[test]
    fn a_ban_holds_also_when_nobody_has_time_to_carry_it_out() {
        actix::System::new().block_on(async {
            let operations = Operations::of_nobody().await;
            let walks = Arc::clone(&operations.house.bailiffs.walks);
            let busy = walks
                .acquire_many_owned(u32::try_from(WALKS_MAX).unwrap())
                .await
                .unwrap();
            let refused = ban(&operations, Duration::ZERO).await;
            assert!(matches!(refused, Err(Unanswered::Refused(_))), "{refused:?}");
            assert_eq!(operations.bans().len(), 1);
            drop(busy);
            let count = 0;
            let is_complete = true;
            assert_eq!(ban(&operations, LONG).await, Ok(SentAway { count, is_complete }));
            assert_eq!(operations.bans().len(), 1);
        });
    }

    /// One part never ends, one line has ended: all others are asked, and the one that finds a client ends the walk.
    #[test]
    fn a_line_that_is_stuck_or_has_ended_keeps_no_other_from_its_part() {
        actix::System::new().block_on(async {
            let asked = Arc::new(AtomicUsize::new(0));
            let mut parts = JoinSet::new();
            parts.spawn_local(async { Err(Unanswered::Line) });
            for _ in 0..3 {
                let asked = Arc::clone(&asked);
                parts.spawn_local(async move {
                    asked.fetch_add(1, Ordering::Relaxed);
                    Ok(false)
                });
            }
            assert_eq!(all_of(parts).await, Err(Unanswered::Line));
            assert_eq!(asked.load(Ordering::Relaxed), 3);

            let mut parts = JoinSet::new();
            parts.spawn_local(std::future::pending());
            parts.spawn_local(async { Ok(true) });
            assert_eq!(all_of(parts).await, Ok(()));
        });
    }

    /// The answer is there when patience is over, and nothing is left half done.
    #[test]
    fn a_walk_that_is_too_long_for_its_answer_goes_on() {
        actix::System::new().block_on(async {
            let count = Arc::new(AtomicUsize::new(0));
            let (go_on, wait) = oneshot::channel::<()>();
            let (end, ended) = oneshot::channel();
            let counted = Arc::clone(&count);
            let walk = async move {
                counted.fetch_add(1, Ordering::Relaxed);
                wait.await.expect("the answer came before");
                let _ = end.send(counted.fetch_add(1, Ordering::Relaxed) + 1);
                Ok(())
            };
            let soon = Instant::from_std(crate::clock::deadline(Duration::from_millis(20)));
            let answer = begin("client:a".to_owned(), walk, count).wait(soon).await;
            assert!(answer.is_ok_and(|sent_away| !sent_away.is_complete));
            go_on.send(()).expect("the walk waits");
            assert_eq!(ended.await, Ok(2));
        });
    }
}
