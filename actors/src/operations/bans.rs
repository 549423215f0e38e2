//! Bans: who stays outside.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::{Addr, Handler, Message, MessageResult};
use auth::bans::{Banned, LiveBan, LiveError};
use broker::line::{IsMeant, Slice};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

use super::stride::Stride;
use super::{Operations, Unanswered};
use crate::session::SessionActor;

/// Bans that are carried out side by side on the clients that are in.
const BAILIFFS: usize = 16;
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

/// Those who carry out bans.
pub(crate) fn bailiffs() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(BAILIFFS))
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
    /// The address is none, the ban cannot be written, or too many others are being carried out; then nothing has
    /// happened. Or a line did not answer.
    pub async fn ban(
        &self,
        whom: Whom,
        secs: Option<u64>,
        (by, reason): (&str, Option<&str>),
        patience: Duration,
    ) -> Result<(Ban, SentAway), Unanswered> {
        let until = Instant::from_std(crate::clock::deadline(patience));
        let banned = banned(&whom)?;
        let reason = reason.map(one_line).transpose()?;
        let bailiff = timeout_at(until, Arc::clone(&self.house.bailiffs).acquire_owned()).await;
        let Ok(Ok(bailiff)) = bailiff else {
            let what = "other bans are being carried out, and this one has not been made; try again";
            return Err(Unanswered::Refused(what.to_owned()));
        };
        let made = self.house.chain.ban(banned, secs, by, reason).await;
        let live = made.map_err(|error| refused(&error))?;
        let count = Arc::new(AtomicUsize::new(0));
        let (operations, counted) = (self.clone(), Arc::clone(&count));
        let walk = async move {
            let done = operations.send_away_banned(&whom, &counted).await;
            drop(bailiff);
            done
        };
        let sent_away = begin(walk, count, until).await?;
        Ok((seen(&live.ban, Some(&live)), sent_away))
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

    /// Disconnects those of a ban that is in force, so that none of them comes in behind this walk.
    async fn send_away_banned(&self, whom: &Whom, count: &AtomicUsize) -> Result<(), Unanswered> {
        let is_meant: Arc<IsMeant> = match whom {
            Whom::Client(id) => {
                let was_there = match self.disconnect(id, WORDS).await {
                    Err(Unanswered::Missing(_)) => false,
                    other => other?,
                };
                count.fetch_add(usize::from(was_there), Ordering::Relaxed);
                return Ok(());
            }
            Whom::User(name) => {
                let name = name.clone();
                Arc::new(move |client| client.identity.username.as_deref() == Some(&*name))
            }
            Whom::Address(network) => {
                let network = auth::bans::network(network);
                let holds = move |address: std::net::IpAddr| {
                    network.is_some_and(|network| network.contains(&address.to_canonical()))
                };
                Arc::new(move |client| client.address.is_some_and(holds))
            }
        };
        for line in &self.house.lines {
            disconnect_on(line, &is_meant, count).await?;
        }
        Ok(())
    }
}

/// Begins a walk that counts those whom it disconnects, and says until then how far it came. Whoever asked may hang up:
/// what was begun goes on.
async fn begin(
    walk: impl Future<Output = Result<(), Unanswered>> + 'static,
    count: Arc<AtomicUsize>,
    until: Instant,
) -> Result<SentAway, Unanswered> {
    let (tell, told) = oneshot::channel();
    let counted = Arc::clone(&count);
    actix_rt::spawn(async move {
        if let Err(done) = tell.send(walk.await) {
            let disconnected = counted.load(Ordering::Relaxed);
            tracing::info!(disconnected, failed = ?done.err(), "the clients of a ban have been disconnected");
        }
    });
    let is_complete = match timeout_at(until, told).await {
        Ok(Ok(done)) => done.map(|()| true)?,
        Ok(Err(_)) => return Err(Unanswered::Line),
        Err(_) => false,
    };
    let count = count.load(Ordering::Relaxed);
    Ok(SentAway { count, is_complete })
}

async fn disconnect_on(
    line: &Addr<SessionActor>,
    is_meant: &Arc<IsMeant>,
    count: &AtomicUsize,
) -> Result<(), Unanswered> {
    let mut next = Some(0);
    let mut stride = Stride::begin();
    while let Some(from) = next {
        let is_meant = Arc::clone(is_meant);
        let slice = line.send(Disconnect { is_meant, from }).await;
        let slice = slice.map_err(|_| Unanswered::Line)?;
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
    fn a_ban_that_none_of_the_bailiffs_has_time_for_is_not_made() {
        actix::System::new().block_on(async {
            let operations = Operations::of_nobody().await;
            let all = Arc::clone(&operations.house.bailiffs).acquire_many_owned(u32::try_from(BAILIFFS).unwrap());
            let busy = all.await.unwrap();
            let refused = ban(&operations, Duration::ZERO).await;
            assert!(matches!(refused, Err(Unanswered::Refused(_))), "{refused:?}");
            assert_eq!(operations.bans(), []);
            drop(busy);
            let count = 0;
            let is_complete = true;
            assert_eq!(ban(&operations, LONG).await, Ok(SentAway { count, is_complete }));
            assert_eq!(operations.bans().len(), 1);
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
            let answer = begin(walk, count, soon).await;
            assert!(answer.is_ok_and(|sent_away| !sent_away.is_complete));
            go_on.send(()).expect("the walk waits");
            assert_eq!(ended.await, Ok(2));
        });
    }
}
