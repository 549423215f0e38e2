//! PostgreSQL, MySQL, MariaDB and SQLite: a query gives the hash of a password, and perhaps another one rights.
//!
//! What a client brings is bound to the query, never written into it, and its password does not go there at all.

mod pool;
mod query;
mod rows;

use tokio::time::timeout;

use crate::grants::GRANTS_MAX;
use crate::said::Privileges;
use crate::{Credentials, Grant, OpenError};

use super::privileges::{actions, grants, groups};
use super::{Found, Search, Settings, Source, SqlSettings, one_line};

use pool::{Pool, Prepared};
use query::{Dialect, Query};
use rows::{Cell, Row};

const URL: &str = "auth.sql_url";
const QUERY: &str = "auth.sql_query";
const ACL_QUERY: &str = "auth.sql_acl_query";
/// Longest hash, in bytes.
const HASH_BYTES_MAX: usize = 4 << 10;

/// A database that knows users.
#[derive(Debug)]
pub(super) struct Database {
    pool: Pool,
    server: String,
    query: Query,
    acl_query: Option<Query>,
}

/// Whether the queries can be bound, whatever the database.
pub(super) fn check(settings: &SqlSettings) -> Result<(), OpenError> {
    let query = Query::parse(QUERY, &settings.query, Dialect::QuestionMarks)?;
    if !query.asks_for_the_user() {
        return Err(OpenError::Setting {
            setting: QUERY.to_owned(),
            what: "it does not ask for ${username}, so that everybody would be the same".to_owned(),
            remedy: "write for example: SELECT password_hash FROM users WHERE username = ${username}".to_owned(),
        });
    }
    if !settings.acl_query.is_empty() {
        Query::parse(ACL_QUERY, &settings.acl_query, Dialect::QuestionMarks)?;
    }
    Ok(())
}

impl Database {
    /// Has the database prepare the queries, if it answers; so a mistake in one shows at the start.
    pub(super) async fn open(settings: &SqlSettings, all: &Settings) -> Result<Self, OpenError> {
        let url = settings.url.read().await?;
        let (pool, server) = Pool::open(&url, all).await?;
        let dialect = pool.dialect();
        let acl_query = match settings.acl_query.as_str() {
            "" => None,
            text => Some(Query::parse(ACL_QUERY, text, dialect)?),
        };
        let database = Self {
            query: Query::parse(QUERY, &settings.query, dialect)?,
            acl_query,
            pool,
            server,
        };
        let queries = [(QUERY, Some(&database.query)), (ACL_QUERY, database.acl_query.as_ref())];
        for (setting, query) in queries {
            let Some(query) = query else { continue };
            match timeout(all.bounds.timeout, database.pool.prepare(query)).await {
                Ok(Prepared::Fine) => {}
                Ok(Prepared::Refused(why)) => {
                    return Err(OpenError::Setting {
                        setting: setting.to_owned(),
                        what: format!("{} refuses it: {}", database.server, one_line(&why)),
                        remedy: "correct the query, or create what it asks for".to_owned(),
                    });
                }
                Ok(Prepared::Silent(why)) => database.warn(&why),
                Err(_) => database.warn("it does not answer"),
            }
        }
        Ok(database)
    }

    fn warn(&self, why: &str) {
        let (server, why) = (&self.server, one_line(why));
        tracing::warn!("{server} (sql) cannot be asked; clients are turned away until it can: {why}; see {URL}");
    }

    async fn search(&self, who: &Credentials) -> Result<Found, String> {
        let mut rows = self.pool.rows(&self.query, who, 1).await?;
        let Some(user) = rows.pop().map(|row| User::read(row, who)).transpose()?.flatten() else {
            return Ok(Found::Nobody);
        };
        let User { hash, mut privileges } = user;
        if let Some(query) = &self.acl_query {
            privileges.grants = rights(self.pool.rows(query, who, GRANTS_MAX).await?)?;
        }
        Ok(Found::Hashed(hash, privileges))
    }
}

impl Source for Database {
    fn find<'a>(&'a self, who: &'a Credentials) -> Search<'a> {
        Box::pin(self.search(who))
    }

    fn server(&self) -> &str {
        &self.server
    }
}

/// The row of a user.
#[derive(Debug, PartialEq, Eq)]
struct User {
    hash: String,
    privileges: Privileges,
}

impl User {
    /// None if the row is of another name: databases may take `Ann` and `ann` for the same, rights do not.
    fn read(row: Row, who: &Credentials) -> Result<Option<Self>, String> {
        let mut hash = None;
        let mut privileges = Privileges::default();
        for (column, cell) in row {
            match (column.as_str(), cell) {
                ("password_hash", cell) => hash = Some(cell.text("password_hash")?),
                ("username", cell) => {
                    if Some(cell.text("username")?) != who.username {
                        return Ok(None);
                    }
                }
                ("is_superuser", cell) => privileges.is_superuser = cell.flag("is_superuser")?,
                ("groups", Cell::Null) => {}
                ("groups", cell) => privileges.groups = groups(&cell.text("groups")?)?,
                (other, _) => {
                    return Err(format!(
                        "column {other:?} of {QUERY} is none of password_hash, username, is_superuser and groups"
                    ));
                }
            }
        }
        let hash = hash.ok_or_else(|| format!("{QUERY} gives no column password_hash"))?;
        if hash.len() > HASH_BYTES_MAX {
            return Err(format!("password_hash is longer than {HASH_BYTES_MAX} bytes"));
        }
        Ok(Some(Self { hash, privileges }))
    }
}

/// Rows of three: whether it allows, what it is about, a topic filter.
fn rights(rows: Vec<Row>) -> Result<Vec<Grant>, String> {
    let mut rights = Vec::with_capacity(rows.len());
    for row in rows {
        let mut cells = row.into_iter().map(|(_, cell)| cell);
        let (Some(allow), Some(about), Some(filter), None) = (cells.next(), cells.next(), cells.next(), cells.next())
        else {
            return Err(format!(
                "{ACL_QUERY} does not give three columns: allow, action, filter"
            ));
        };
        let about = actions(&about.text("action")?)?;
        rights.push((allow.flag("allow")?, about, filter.text("filter")?));
    }
    grants(rights)
}

#[cfg(test)]
mod tests;
