//! Bans: who stays outside.

use auth::bans::{Banned, LiveBan, LiveError};

use super::{ClientFilter, Operations, Unanswered};

/// Clients that one ban sends away.
const SENT_AWAY_MAX: usize = 100_000;

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
    /// if it has a store. Says how many were sent away.
    ///
    /// # Errors
    ///
    /// The address is none, or the ban cannot be written.
    pub async fn ban(
        &self,
        whom: Whom,
        secs: Option<u64>,
        by: &str,
        reason: Option<&str>,
    ) -> Result<(Ban, usize), Unanswered> {
        let banned = banned(&whom)?;
        let reason = reason.map(one_line).transpose()?;
        let made = self.house.chain.ban(banned, secs, by, reason);
        let live = made.map_err(|error| refused(&error))?;
        let sent_away = self.send_away_banned(&whom).await?;
        Ok((seen(&live.ban, Some(&live)), sent_away))
    }

    /// Lifts a ban.
    ///
    /// # Errors
    ///
    /// There is none of this name, it stands in the file of auth.bans_file, or the change cannot be written.
    pub fn lift(&self, id: &str) -> Result<(), Unanswered> {
        let missing = || Unanswered::Missing(format!("there is no ban {id:?}; GET /api/v1/bans lists them"));
        let ban = self.bans().into_iter().find(|ban| ban.id == id).ok_or_else(missing)?;
        if !ban.is_live {
            let what = format!("{id} stands in the file of auth.bans_file; take it out there and reload");
            return Err(Unanswered::Refused(what));
        }
        self.house
            .chain
            .unban(&banned(&ban.whom)?)
            .map_err(|error| refused(&error))
    }

    async fn send_away_banned(&self, whom: &Whom) -> Result<usize, Unanswered> {
        const WORDS: &str = "banned";
        let filter = match whom {
            Whom::Client(id) => {
                return match self.disconnect(id, WORDS).await {
                    Ok(was_there) => Ok(usize::from(was_there)),
                    Err(Unanswered::Missing(_)) => Ok(0),
                    Err(other) => Err(other),
                };
            }
            Whom::User(name) => ClientFilter {
                username: Some(name.clone()),
                ..ClientFilter::default()
            },
            Whom::Address(_) => ClientFilter::default(),
        };
        let filter = ClientFilter {
            is_connected: Some(true),
            ..filter
        };
        let (_, clients) = self.clients(filter, "client_id", (0, SENT_AWAY_MAX)).await?;
        let mut sent_away = 0;
        for client in clients {
            let address = client.address.as_deref().unwrap_or_default();
            let is_meant = match whom {
                Whom::Client(_) | Whom::User(_) => true,
                Whom::Address(network) => auth::bans::holds(network, address),
            };
            if is_meant && self.disconnect(&client.client_id, WORDS).await == Ok(true) {
                sent_away += 1;
            }
        }
        Ok(sent_away)
    }
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
