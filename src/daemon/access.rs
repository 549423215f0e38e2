//! Who may come in, from the settings to the chain of authenticators.

use std::time::Duration;

use auth::{
    Authenticator, Hashing, Settings, anonymous, bans, certificate, flapping, http, jwt, limits, password, web,
};

mod directories;

/// After this time one failure of an address, and of a name, is forgotten.
const FORGET_ADDRESS: Duration = Duration::from_secs(1);
const FORGET_NAME: Duration = Duration::from_secs(5);
/// Longest file of keys, in bytes.
const KEYS_BYTES_MAX: u64 = 1 << 20;

/// The chain that the settings describe.
pub(crate) fn chain(conf: &conf::Auth) -> Settings {
    let own = [certificates(conf), tokens(conf), passwords(conf)];
    let directories = directories::of(conf).into_iter();
    let directories = directories.map(|one| Authenticator::Directory(Box::new(one)));
    let mut authenticators: Vec<_> = own
        .into_iter()
        .flatten()
        .chain(directories)
        .chain(server(conf))
        .collect();
    authenticators.extend(strangers(conf, authenticators.is_empty()));
    let defaults = limits::Settings::default();
    Settings {
        authenticators,
        hashing: Hashing {
            parallel_max: match conf.hashes_max {
                0 => Hashing::default().parallel_max,
                hashes_max => hashes_max,
            },
            waiting_max: conf.waiting_max,
        },
        limits: limits::Settings {
            per_address: Some(limits::Rate {
                failures_max: conf.address_failures_max,
                forget_one_after: FORGET_ADDRESS,
            }),
            per_name: Some(limits::Rate {
                failures_max: conf.name_failures_max,
                forget_one_after: FORGET_NAME,
            }),
            ..defaults
        },
        flapping: flapping::Settings {
            connects_max: conf.flapping_connects_max,
            window: Duration::from_secs(conf.flapping_window_secs),
            ban: Duration::from_secs(conf.flapping_ban_secs),
            ..flapping::Settings::default()
        },
        bans: bans::Settings {
            file: given(&conf.bans_file).map(Into::into),
            ..bans::Settings::default()
        },
        timeout: Duration::from_secs(conf.timeout_secs),
    }
}

/// Says whether this broker can do what the settings want of it.
pub(crate) fn check(conf: &conf::Auth) -> Result<(), auth::OpenError> {
    directories::of(conf).iter().try_for_each(auth::directory::check)
}

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn certificates(conf: &conf::Auth) -> Option<Authenticator> {
    let name_from = match conf.certificate_name {
        conf::CertificateName::None => return None,
        conf::CertificateName::CommonName => certificate::NameFrom::CommonName,
        conf::CertificateName::Subject => certificate::NameFrom::Subject,
        conf::CertificateName::Dns => certificate::NameFrom::DnsName,
        conf::CertificateName::Email => certificate::NameFrom::Email,
    };
    Some(Authenticator::Certificate(certificate::Settings {
        name_from,
        ..certificate::Settings::default()
    }))
}

fn tokens(conf: &conf::Auth) -> Option<Authenticator> {
    let keys = given(&conf.jwt_keys)?;
    let keys = match keys.contains("://") {
        true => jwt::KeySource::Url(jwt::KeyServer {
            refresh_after: Duration::from_secs(conf.jwt_refresh_secs),
            ..jwt::KeyServer::new(web(conf, keys))
        }),
        false => jwt::KeySource::File {
            file: keys.into(),
            bytes_max: KEYS_BYTES_MAX,
        },
    };
    let algorithms = conf.jwt_algorithms.iter();
    Some(Authenticator::Jwt(jwt::Settings {
        algorithms: algorithms.filter_map(|name| jwt::Algorithm::named(name)).collect(),
        issuers: given(&conf.jwt_issuer).map(str::to_owned).into_iter().collect(),
        audiences: given(&conf.jwt_audience).map(str::to_owned).into_iter().collect(),
        leeway: Duration::from_secs(conf.jwt_leeway_secs),
        token_in: match conf.jwt_field {
            conf::TokenField::Password => jwt::Field::Password,
            conf::TokenField::Username => jwt::Field::Username,
        },
        username_claim: conf.jwt_username_claim.clone(),
        groups_claim: given(&conf.jwt_groups_claim).map(str::to_owned),
        ..jwt::Settings::new(keys)
    }))
}

fn passwords(conf: &conf::Auth) -> Option<Authenticator> {
    let settings = |file| password::Settings {
        cache_for: Duration::from_secs(conf.password_cache_secs),
        cache_entries_max: conf.password_cache_max,
        ..password::Settings::new(file)
    };
    given(&conf.password_file).map(|file| Authenticator::PasswordFile(settings(file)))
}

fn server(conf: &conf::Auth) -> Option<Authenticator> {
    let url = given(&conf.http_url)?;
    Some(Authenticator::Http(http::Settings {
        parallel_max: conf.http_requests_max,
        waiting_max: conf.waiting_max,
        cache_for: Duration::from_secs(conf.http_cache_secs),
        cache_entries_max: conf.http_cache_max,
        ..http::Settings::new(web(conf, url))
    }))
}

fn web(conf: &conf::Auth, url: &str) -> web::Settings {
    web::Settings {
        timeout: Duration::from_millis(conf.http_timeout_ms),
        ..web::Settings::new(url)
    }
}

/// Who comes in without a name. Where nobody could check a name, one that is given is not looked at.
fn strangers(conf: &conf::Auth, are_names_ignored: bool) -> Option<Authenticator> {
    let on = match conf.anonymous {
        conf::Anonymous::Deny => return None,
        conf::Anonymous::Loopback => anonymous::Listeners::Local,
        conf::Anonymous::Allow => anonymous::Listeners::All,
    };
    Some(Authenticator::Anonymous(anonymous::Settings { on, are_names_ignored }))
}
