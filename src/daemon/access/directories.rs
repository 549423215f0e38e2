//! Databases, Redis and LDAP servers, from the settings.

use std::time::Duration;

use auth::directory::{Backend, Bounds, LdapSettings, RedisSettings, Secret, Settings, SqlSettings, Tls};

use super::given;

/// Those that are named, in the order in which they are asked.
pub(super) fn of(conf: &conf::Auth) -> Vec<Settings> {
    let backends = [ldap(conf), sql(conf), redis(conf)];
    let settings = |backend| Settings {
        backend,
        bounds: bounds(conf),
        tls: match conf.directory_tls {
            conf::DirectoryTls::AsGiven => Tls::AsGiven,
            conf::DirectoryTls::Remote => Tls::Remote,
            conf::DirectoryTls::Always => Tls::Always,
        },
        ca_file: given(&conf.directory_ca).map(Into::into),
    };
    backends.into_iter().flatten().map(settings).collect()
}

fn bounds(conf: &conf::Auth) -> Bounds {
    Bounds {
        timeout: Duration::from_millis(conf.directory_timeout_ms),
        parallel_max: conf.directory_requests_max,
        waiting_max: conf.waiting_max,
        cache_for: Duration::from_secs(conf.directory_cache_secs),
        cache_entries_max: conf.directory_cache_max,
    }
}

/// The file, if both are there: who wrote one wants the address out of the settings.
fn secret(text: &str, file: &str) -> Option<Secret> {
    let file = given(file).map(|file| Secret::File(file.into()));
    file.or_else(|| given(text).map(|text| Secret::Text(text.to_owned())))
}

fn ldap(conf: &conf::Auth) -> Option<Backend> {
    Some(Backend::Ldap(LdapSettings {
        url: given(&conf.ldap_url)?.to_owned(),
        bind_dn: conf.ldap_bind_dn.clone(),
        password: secret("", &conf.ldap_password_file),
        base: conf.ldap_base.clone(),
        filter: conf.ldap_filter.clone(),
        name_attribute: conf.ldap_name_attribute.clone(),
        group_attribute: conf.ldap_group_attribute.clone(),
        group_base: conf.ldap_group_base.clone(),
        group_filter: conf.ldap_group_filter.clone(),
    }))
}

fn sql(conf: &conf::Auth) -> Option<Backend> {
    Some(Backend::Sql(SqlSettings {
        url: secret(&conf.sql_url, &conf.sql_url_file)?,
        query: conf.sql_query.clone(),
        acl_query: conf.sql_acl_query.clone(),
    }))
}

fn redis(conf: &conf::Auth) -> Option<Backend> {
    Some(Backend::Redis(RedisSettings {
        url: secret(&conf.redis_url, &conf.redis_url_file)?,
        key: conf.redis_key.clone(),
        acl_key: conf.redis_acl_key.clone(),
    }))
}
