//! Redis: a hash for each user with what a password file would say, and perhaps another one with rights.
//!
//! A key is one argument of a command, whose length stands before it; whatever a name holds, it is no second command and
//! no pattern. What a name could do is to lead from one user's key to another's, where two names stand in one key;
//! [`check`] and [`Redis::key`] see to that.

use std::borrow::Cow;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisError, TlsCertificates,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::error::Flaw;
use crate::grants::GRANTS_MAX;
use crate::said::Privileges;
use crate::{Credentials, Grant, OpenError, source};

use super::pattern::{Names, Pattern};
use super::privileges::{actions, flag, grants, groups};
use super::{Found, RedisSettings, Search, Settings, Source, Tls, one_line};

const URL: &str = "auth.redis_url";
const KEY: &str = "auth.redis_key";
const ACL_KEY: &str = "auth.redis_acl_key";
const CA_BYTES_MAX: u64 = 1 << 20;
/// Longest hash of a password, in bytes.
const HASH_BYTES_MAX: usize = 4 << 10;

/// A Redis server that knows users.
pub(super) struct Redis {
    client: Client,
    options: AsyncConnectionConfig,
    /// One for all, which carries many questions at a time; none after a failure.
    connection: Mutex<Option<MultiplexedConnection>>,
    server: String,
    key: Pattern,
    acl_key: Option<Pattern>,
}

fn wrong(setting: &str, what: impl Into<String>, remedy: &str) -> OpenError {
    OpenError::Setting {
        setting: setting.to_owned(),
        what: what.into(),
        remedy: remedy.to_owned(),
    }
}

/// Whether the keys can work.
pub(super) fn check(settings: &RedisSettings) -> Result<(), OpenError> {
    keys(settings).map(drop)
}

fn keys(settings: &RedisSettings) -> Result<(Pattern, Option<Pattern>), OpenError> {
    let parse = |setting: &str, text: &str| {
        let flawed = |flaw: Flaw| wrong(setting, flaw.what, &flaw.remedy);
        Pattern::parse(text, "uc").map_err(flawed)
    };
    let key = parse(KEY, &settings.key)?;
    if !key.names_a_user() {
        let what = "there is no %u in it, so that everybody would be the same";
        return Err(wrong(KEY, what, "write for example mqtt:user:%u"));
    }
    let acl_key = match settings.acl_key.as_str() {
        "" => None,
        text => Some(parse(ACL_KEY, text)?),
    };
    Ok((key, acl_key))
}

impl Redis {
    pub(super) async fn open(settings: &RedisSettings, all: &Settings) -> Result<Self, OpenError> {
        let (key, acl_key) = keys(settings)?;
        let url = settings.url.read().await?;
        // The URL may hold a password, so that nothing of it is shown.
        let unreadable = |_: RedisError| {
            let remedy = "write it as rediss://USER:PASSWORD@HOST/DATABASE, or redis:// for this machine";
            wrong(URL, "the address of the server cannot be read", remedy)
        };
        let info = url.as_str().into_connection_info().map_err(unreadable)?;
        let server = server(&info, all.tls)?;
        let client = match &all.ca_file {
            None => Client::open(info).map_err(unreadable)?,
            Some(file) => {
                let root_cert = Some(source::text(file, CA_BYTES_MAX).await?.into_bytes());
                let certificates = TlsCertificates {
                    client_tls: None,
                    root_cert,
                };
                Client::build_with_tls(info, certificates).map_err(|error| {
                    let what = format!("{} cannot be used: {error}", file.display());
                    wrong("auth.directory_ca", what, "put the CA's certificate there, as PEM")
                })?
            }
        };
        let options = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(all.bounds.timeout))
            .set_response_timeout(Some(all.bounds.timeout));
        let redis = Self {
            client,
            options,
            connection: Mutex::new(None),
            server,
            key,
            acl_key,
        };
        match timeout(all.bounds.timeout, redis.connected()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => redis.warn(&error.to_string()),
            Err(_) => redis.warn("it does not answer"),
        }
        Ok(redis)
    }

    fn warn(&self, why: &str) {
        let (server, why) = (&self.server, one_line(why));
        tracing::warn!("{server} (redis) cannot be asked; clients are turned away until it can: {why}; see {URL}");
    }

    async fn connected(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut connection = self.connection.lock().await;
        if let Some(connection) = &*connection {
            return Ok(connection.clone());
        }
        let fresh = self
            .client
            .get_multiplexed_async_connection_with_config(&self.options)
            .await?;
        Ok(connection.insert(fresh).clone())
    }

    async fn search(&self, who: &Credentials) -> Result<Found, String> {
        let Some(key) = key(&self.key, who) else {
            return Ok(Found::Nobody);
        };
        let acl_key = self
            .acl_key
            .as_ref()
            .map(|pattern| key_of_rights(pattern, who))
            .transpose()?;
        let asked = self.ask(&key, acl_key.as_deref()).await;
        let (fields, rights) = asked.map_err(|error| {
            self.forget();
            error.to_string()
        })?;
        read(fields, rights)
    }

    /// Both hashes as they are at one moment.
    async fn ask(&self, key: &str, acl_key: Option<&str>) -> Result<(Fields, Rights), RedisError> {
        let mut connection = self.connected().await?;
        let mut questions = redis::pipe();
        questions.atomic().cmd("HMGET").arg(key).arg(&FIELDS);
        let Some(acl_key) = acl_key else {
            let (fields,): (Fields,) = questions.query_async(&mut connection).await?;
            return Ok((fields, Rights::new()));
        };
        questions.cmd("HGETALL").arg(acl_key);
        questions.query_async(&mut connection).await
    }
}

const FIELDS: [&str; 3] = ["password_hash", "is_superuser", "groups"];

/// What stands in the fields.
type Fields = (Option<String>, Option<String>, Option<String>);

/// Topic filters with what is right there.
type Rights = Vec<(String, String)>;

fn read(fields: Fields, rights: Rights) -> Result<Found, String> {
    let (hash, is_superuser, groups_list) = match fields {
        (None, None, None) => return Ok(Found::Nobody),
        (None, ..) => return Err("the hash of the user has no field password_hash".to_owned()),
        (Some(hash), is_superuser, groups_list) => (hash, is_superuser, groups_list),
    };
    if hash.len() > HASH_BYTES_MAX {
        return Err(format!("password_hash is longer than {HASH_BYTES_MAX} bytes"));
    }
    let privileges = Privileges {
        groups: groups(&groups_list.unwrap_or_default())?,
        is_superuser: flag(&is_superuser.unwrap_or_default(), "is_superuser")?,
        grants: grants_of(rights)?,
    };
    Ok(Found::Hashed(hash, privileges))
}

/// `publish`, `subscribe` or `all`, with `deny` before it to take it away; `deny` alone takes all.
fn grants_of(rights: Rights) -> Result<Vec<Grant>, String> {
    if rights.len() > GRANTS_MAX {
        return Err(format!("there are more than {GRANTS_MAX} rights"));
    }
    let right = |(filter, words): (String, String)| {
        let (allow, word) = match words.split_once(' ') {
            Some(("deny", word)) => (false, word),
            None if words == "deny" => (false, "all"),
            None | Some(_) => (true, words.as_str()),
        };
        Ok((allow, actions(word)?, filter))
    };
    grants(rights.into_iter().map(right).collect::<Result<_, String>>()?)
}

/// None where two names in one key could be read as two others: `a:b` and `c` beside `a` and `b:c`.
fn key(pattern: &Pattern, who: &Credentials) -> Option<String> {
    let user = who.username.as_deref().unwrap_or_default();
    let is_ambiguous = pattern.names() > 1 && (user.contains(':') || who.client_id.contains(':'));
    let names = Names {
        user,
        client: &who.client_id,
        entry: "",
    };
    (!is_ambiguous).then(|| pattern.fill(names, |name| Cow::Borrowed(name)))
}

fn key_of_rights(pattern: &Pattern, who: &Credentials) -> Result<String, String> {
    key(pattern, who).ok_or_else(|| format!("{ACL_KEY} holds two names, and one of this client's has a ':' in it"))
}

/// What the server is called in logs, if it is spoken to as it has to be.
fn server(info: &ConnectionInfo, tls: Tls) -> Result<String, OpenError> {
    let (host, is_encrypted) = match info.addr() {
        ConnectionAddr::Tcp(host, _) => (Some(host.as_str()), false),
        ConnectionAddr::TcpTls { host, insecure, .. } => (Some(host.as_str()), !insecure),
        ConnectionAddr::Unix(_) => (None, false),
        _ => {
            return Err(wrong(
                URL,
                "it is an address of another kind",
                "write it as rediss://HOST",
            ));
        }
    };
    if tls.is_due(host) && !is_encrypted {
        let what = "the server would be spoken to without TLS, or without a look at its certificate";
        let remedy = "write rediss://HOST, or set auth.directory_tls to \"as_given\"";
        return Err(wrong(URL, what, remedy));
    }
    Ok(format!("Redis at {}", info.addr()))
}

impl Source for Redis {
    fn find<'a>(&'a self, who: &'a Credentials) -> Search<'a> {
        Box::pin(self.search(who))
    }

    /// The next question gets a connection of its own. Who is making one already is not in the way.
    fn forget(&self) {
        if let Ok(mut connection) = self.connection.try_lock() {
            *connection = None;
        }
    }

    fn server(&self) -> &str {
        &self.server
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
