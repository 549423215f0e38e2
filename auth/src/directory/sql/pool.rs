//! Connections to a database: few, in a bounded time, encrypted where they leave the machine.

use std::str::FromStr as _;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Executor as _, MySqlPool, PgConnection, PgPool, SqlSafeStr as _, SqlitePool,
};

use crate::directory::{Settings, Tls};
use crate::{Credentials, OpenError, source};

use super::URL;
use super::query::{Dialect, Query};
use super::rows::{Row, rows};

const CA_BYTES_MAX: u64 = 1 << 20;

/// Connections to one database.
#[derive(Debug)]
pub(super) enum Pool {
    Postgres(PgPool),
    MySql(MySqlPool),
    Sqlite(SqlitePool),
}

/// What a database says to a query that is not run.
#[derive(Debug)]
pub(super) enum Prepared {
    Fine,
    /// It cannot be run.
    Refused(String),
    /// There is no database to ask.
    Silent(String),
}

fn wrong(what: impl Into<String>, remedy: &str) -> OpenError {
    OpenError::Setting {
        setting: URL.to_owned(),
        what: what.into(),
        remedy: remedy.to_owned(),
    }
}

/// The error of a URL that is none, which is not shown: it may hold a password.
fn unreadable(_: sqlx::Error) -> OpenError {
    let remedy = "write it as postgres://USER:PASSWORD@HOST/DATABASE, mysql://… or sqlite://PATH";
    wrong("the address of the database cannot be read", remedy)
}

impl Pool {
    /// The pool, and what it is called in logs. It connects when it is asked.
    pub(super) async fn open(url: &str, all: &Settings) -> Result<(Self, String), OpenError> {
        let ca = match &all.ca_file {
            Some(file) => Some(source::text(file, CA_BYTES_MAX).await?.into_bytes()),
            None => None,
        };
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => {
                let options = PgConnectOptions::from_str(url).map_err(unreadable)?;
                let (options, server) = postgres(options, all, ca)?;
                let limit = format!("SET statement_timeout = {}", all.bounds.timeout.as_millis());
                let bounded = bounded(all).after_connect(move |connection: &mut PgConnection, _| {
                    let limit = limit.clone();
                    Box::pin(async move { connection.execute(AssertSqlSafe(limit)).await.map(drop) })
                });
                Ok((Self::Postgres(bounded.connect_lazy_with(options)), server))
            }
            Some("mysql" | "mariadb") => {
                let options = MySqlConnectOptions::from_str(url).map_err(unreadable)?;
                let (options, server) = mysql(options, all, ca)?;
                Ok((Self::MySql(bounded(all).connect_lazy_with(options)), server))
            }
            Some("sqlite") => {
                let options = SqliteConnectOptions::from_str(url).map_err(unreadable)?;
                let server = options.get_filename().display().to_string();
                let options = options.read_only(true).busy_timeout(all.bounds.timeout);
                Ok((
                    Self::Sqlite(bounded(all).connect_lazy_with(options.disable_statement_logging())),
                    server,
                ))
            }
            Some(_) | None => Err(unreadable(sqlx::Error::RowNotFound)),
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Numbers,
            Self::MySql(_) | Self::Sqlite(_) => Dialect::QuestionMarks,
        }
    }

    pub(super) async fn rows(&self, query: &Query, who: &Credentials, rows_max: usize) -> Result<Vec<Row>, String> {
        match self {
            Self::Postgres(pool) => rows(pool, query, who, rows_max).await,
            Self::MySql(pool) => rows(pool, query, who, rows_max).await,
            Self::Sqlite(pool) => rows(pool, query, who, rows_max).await,
        }
    }

    pub(super) async fn prepare(&self, query: &Query) -> Prepared {
        macro_rules! prepare {
            ($pool:expr) => {
                match $pool.acquire().await {
                    Ok(mut connection) => {
                        let text = AssertSqlSafe(query.text.clone()).into_sql_str();
                        (&mut *connection).prepare(text).await.map(drop)
                    }
                    Err(error) => return Prepared::Silent(error.to_string()),
                }
            };
        }
        let prepared = match self {
            Self::Postgres(pool) => prepare!(pool),
            Self::MySql(pool) => prepare!(pool),
            Self::Sqlite(pool) => prepare!(pool),
        };
        match prepared {
            Ok(()) => Prepared::Fine,
            Err(sqlx::Error::Database(error)) => Prepared::Refused(error.message().to_owned()),
            Err(error) => Prepared::Silent(error.to_string()),
        }
    }
}

fn bounded<DB: sqlx::Database>(all: &Settings) -> PoolOptions<DB> {
    PoolOptions::new()
        .max_connections(u32::try_from(all.bounds.parallel_max).unwrap_or(u32::MAX))
        .min_connections(0)
        .acquire_timeout(all.bounds.timeout)
}

/// A weaker mode than is due was the operator's wish, so that it is refused aloud; the default one is raised.
fn postgres(
    options: PgConnectOptions,
    all: &Settings,
    ca: Option<Vec<u8>>,
) -> Result<(PgConnectOptions, String), OpenError> {
    let socket = options.get_socket().is_some();
    let host = (!socket).then(|| options.get_host().to_owned());
    let mode = match (all.tls.is_due(host.as_deref()), options.get_ssl_mode()) {
        (false, mode) => mode,
        (true, PgSslMode::Prefer | PgSslMode::VerifyFull) => PgSslMode::VerifyFull,
        (true, PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Require | PgSslMode::VerifyCa) => {
            return Err(weak(all));
        }
    };
    let mut options = options
        .ssl_mode(mode)
        .application_name("strowger")
        .disable_statement_logging();
    if let Some(ca) = ca {
        options = options.ssl_root_cert_from_pem(ca);
    }
    let server = host.map_or_else(
        || "PostgreSQL".to_owned(),
        |host| format!("PostgreSQL at {host}:{}", options.get_port()),
    );
    Ok((options, server))
}

fn mysql(
    options: MySqlConnectOptions,
    all: &Settings,
    ca: Option<Vec<u8>>,
) -> Result<(MySqlConnectOptions, String), OpenError> {
    let socket = options.get_socket().is_some();
    let host = (!socket).then(|| options.get_host().to_owned());
    let mode = match (all.tls.is_due(host.as_deref()), options.get_ssl_mode()) {
        (false, mode) => mode,
        (true, MySqlSslMode::Preferred | MySqlSslMode::VerifyIdentity) => MySqlSslMode::VerifyIdentity,
        (true, MySqlSslMode::Disabled | MySqlSslMode::Required | MySqlSslMode::VerifyCa) => return Err(weak(all)),
    };
    let mut options = options.ssl_mode(mode).disable_statement_logging();
    if let Some(ca) = ca {
        options = options.ssl_ca_from_pem(ca);
    }
    let server = host.map_or_else(
        || "MySQL".to_owned(),
        |host| format!("MySQL at {host}:{}", options.get_port()),
    );
    Ok((options, server))
}

fn weak(all: &Settings) -> OpenError {
    let why = match all.tls {
        Tls::Always => "auth.directory_tls is \"always\"",
        Tls::Remote | Tls::AsGiven => "the database is on another machine",
    };
    wrong(
        format!("its TLS mode does not verify who answers, and {why}"),
        "take the mode out of the address, or set auth.directory_tls to \"as_given\"",
    )
}
