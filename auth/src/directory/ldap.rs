//! LDAP: finds the entry of a user, and lets the server compare the password by a bind as this entry.
//!
//! A bind with an empty password succeeds as nobody (RFC 4513, section 5.1.2), so that none is ever sent for a client.
//! Each question has a connection of its own: a bind changes whose connection it is.

mod name;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use ldap3::{Ldap as Session, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry, SearchOptions};
use reqwest::Url;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::task::JoinSet;

use crate::error::Flaw;
use crate::said::Privileges;
use crate::{Credentials, OpenError, source};

use super::pattern::{Names, Pattern};
use super::{Found, LdapSettings, Search, Secret, Settings, Source};

const URL: &str = "auth.ldap_url";
const CA_BYTES_MAX: u64 = 1 << 20;
/// More groups than this are a mistake.
const GROUPS_MAX: i32 = 1_000;

/// Result codes of RFC 4511, section 4.1.9.
const SUCCESS: u32 = 0;
const SIZE_LIMIT_EXCEEDED: u32 = 4;
/// The entry is gone, cannot be bound as, or has another password.
const NOT_THIS_ONE: [u32; 3] = [32, 48, 49];

/// An LDAP server that knows users.
#[derive(Debug)]
pub(super) struct Ldap {
    server: String,
    inner: Arc<Inner>,
}

struct Inner {
    settings: LdapSettings,
    filter: Pattern,
    group_filter: Option<Pattern>,
    password: String,
    starts_tls: bool,
    tls: Option<Arc<ClientConfig>>,
    timeout: Duration,
}

/// A client as the question needs it, which may outlive whoever asked.
struct Asked {
    user: String,
    client: String,
    password: String,
}

fn wrong(setting: &str, what: impl Into<String>, remedy: &str) -> OpenError {
    OpenError::Setting {
        setting: setting.to_owned(),
        what: what.into(),
        remedy: remedy.to_owned(),
    }
}

/// Whether address and filters can work.
pub(super) fn check(settings: &LdapSettings) -> Result<(), OpenError> {
    filters(settings)?;
    let is_known = ["ldap://", "ldaps://", "ldapi://"]
        .iter()
        .any(|scheme| settings.url.starts_with(scheme));
    if !is_known || Url::parse(&settings.url).is_err() {
        return Err(wrong(
            URL,
            "it is not an address of an LDAP server",
            "write it as ldaps://HOST or ldap://HOST",
        ));
    }
    if !settings.bind_dn.is_empty() && settings.password.is_none() {
        let what = "there is a name to search as, and no password for it";
        return Err(wrong(
            "auth.ldap_bind_dn",
            what,
            "name the file that holds it in auth.ldap_password_file",
        ));
    }
    Ok(())
}

fn filters(settings: &LdapSettings) -> Result<(Pattern, Option<Pattern>), OpenError> {
    let parse = |setting: &str, text: &str, letters: &str| {
        let flawed = |flaw: Flaw| wrong(setting, flaw.what, &flaw.remedy);
        let pattern = Pattern::parse(text, letters).map_err(flawed)?;
        let example = fill(&pattern, "a", "b", "cn=c");
        match ldap3::parse_filter(example) {
            Ok(_) => Ok(pattern),
            Err(()) => Err(wrong(
                setting,
                "it is not a filter",
                "write it as RFC 4515 has it: (uid=%u)",
            )),
        }
    };
    let filter = parse("auth.ldap_filter", &settings.filter, "uc")?;
    if !filter.names_a_user() {
        let what = "there is no %u in it, so that everybody would be the same";
        return Err(wrong("auth.ldap_filter", what, "write for example (uid=%u)"));
    }
    let group_filter = match settings.group_filter.as_str() {
        "" => None,
        text => Some(parse("auth.ldap_group_filter", text, "ucd")?),
    };
    Ok((filter, group_filter))
}

/// Names are escaped as RFC 4515 has it, so that none of them says more than a value.
fn fill(pattern: &Pattern, user: &str, client: &str, entry: &str) -> String {
    pattern.fill(Names { user, client, entry }, |name| match ldap3::ldap_escape(name) {
        Cow::Borrowed(_) => Cow::Borrowed(name),
        Cow::Owned(escaped) => Cow::Owned(escaped),
    })
}

impl Ldap {
    pub(super) async fn open(settings: &LdapSettings, all: &Settings) -> Result<Self, OpenError> {
        let (filter, group_filter) = filters(settings)?;
        let url =
            Url::parse(&settings.url).map_err(|error| wrong(URL, error.to_string(), "write it as ldaps://HOST"))?;
        let host = url.host_str().unwrap_or_default();
        let is_plain = url.scheme() == "ldap";
        let is_socket = url.scheme() == "ldapi";
        let tls = match &all.ca_file {
            Some(file) => Some(Arc::new(trusting(file).await?)),
            None => None,
        };
        let inner = Inner {
            settings: settings.clone(),
            filter,
            group_filter,
            password: match &settings.password {
                Some(password) => Secret::read(password).await?,
                None => String::new(),
            },
            starts_tls: is_plain && all.tls.is_due(Some(host)),
            tls,
            timeout: all.bounds.timeout,
        };
        let server = match is_socket {
            true => "LDAP by a socket".to_owned(),
            false => format!(
                "LDAP at {host}:{}",
                url.port().unwrap_or(if is_plain { 389 } else { 636 })
            ),
        };
        Ok(Self {
            server,
            inner: Arc::new(inner),
        })
    }

    /// In a task of its own: what reads a server's words may panic over them, and then there is no answer.
    async fn search(&self, who: &Credentials) -> Result<Found, String> {
        let Ok(password) = str::from_utf8(who.password.as_deref().unwrap_or_default()) else {
            return Ok(Found::Nobody);
        };
        let asked = Asked {
            user: who.username.clone().unwrap_or_default(),
            client: who.client_id.clone(),
            password: password.to_owned(),
        };
        let inner = Arc::clone(&self.inner);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { inner.ask(asked).await });
        match tasks.join_next().await {
            Some(Ok(answer)) => answer,
            Some(Err(_)) | None => Err("its answer cannot be read".to_owned()),
        }
    }
}

/// A client that trusts the CAs of a file and no others.
async fn trusting(file: &std::path::Path) -> Result<ClientConfig, OpenError> {
    let pem = source::text(file, CA_BYTES_MAX).await?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()).flatten() {
        let added = roots.add(certificate);
        added.map_err(|error| {
            wrong(
                "auth.directory_ca",
                error.to_string(),
                "put CA certificates there, as PEM",
            )
        })?;
    }
    if roots.is_empty() {
        return Err(source::empty(file, "put the CA's certificate there, as PEM"));
    }
    Ok(ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth())
}

impl Inner {
    async fn ask(&self, who: Asked) -> Result<Found, String> {
        let mut settings = LdapConnSettings::new()
            .set_conn_timeout(self.timeout)
            .set_starttls(self.starts_tls);
        if let Some(tls) = &self.tls {
            settings = settings.set_config(Arc::clone(tls));
        }
        let (connection, mut session) = LdapConnAsync::with_settings(settings, &self.settings.url)
            .await
            .map_err(said)?;
        let mut driver = JoinSet::new();
        driver.spawn(connection.drive());
        let found = self.find(&mut session, &who).await;
        // Nobody waits for the farewell, and the driver ends with this function.
        session.unbind().await.ok();
        found
    }

    async fn find(&self, session: &mut Session, who: &Asked) -> Result<Found, String> {
        if !self.settings.bind_dn.is_empty() {
            let bound = session
                .simple_bind(&self.settings.bind_dn, &self.password)
                .await
                .map_err(said)?;
            if bound.rc != SUCCESS {
                return Err(format!(
                    "it does not let us in as {:?}: {}",
                    self.settings.bind_dn,
                    code(bound.rc, &bound.text)
                ));
            }
        }
        let Some(entry) = self.entry_of(session, who).await? else {
            return Ok(Found::Nobody);
        };
        if entry.dn.is_empty() {
            return Err("the entry that it found has no name".to_owned());
        }
        if who.password.is_empty() {
            return Ok(Found::Disproven);
        }
        let groups = self.groups_of(session, who, &entry).await?;
        let bound = session.simple_bind(&entry.dn, &who.password).await.map_err(said)?;
        match bound.rc {
            SUCCESS => Ok(Found::Proven(Privileges {
                groups,
                ..Privileges::default()
            })),
            wrong if NOT_THIS_ONE.contains(&wrong) => Ok(Found::Disproven),
            other => Err(format!(
                "it neither takes nor refuses a password: {}",
                code(other, &bound.text)
            )),
        }
    }

    /// The one entry of a user, if it is this user's letter by letter: directories take `Ann` and `ann` for the same.
    async fn entry_of(&self, session: &mut Session, who: &Asked) -> Result<Option<SearchEntry>, String> {
        let filter = fill(&self.filter, &who.user, &who.client, "");
        let (name, group) = (&self.settings.name_attribute, &self.settings.group_attribute);
        // 1.1 asks for no attribute, where an empty list would ask for all: RFC 4511, section 4.5.1.8.
        let attributes = ["1.1", name, group]
            .into_iter()
            .filter(|attribute| !attribute.is_empty())
            .collect();
        let mut entries = self
            .entries(session, &self.settings.base, &filter, attributes, 2)
            .await?;
        let entry = entries.pop();
        if !entries.is_empty() {
            return Err(format!("{filter} finds more than one entry"));
        }
        let is_this_one = |entry: &SearchEntry| name.is_empty() || values(entry, name).any(|value| *value == who.user);
        Ok(entry.filter(is_this_one))
    }

    async fn groups_of(&self, session: &mut Session, who: &Asked, entry: &SearchEntry) -> Result<Vec<String>, String> {
        let base = &self.settings.group_base;
        let mut groups: Vec<String> = values(entry, &self.settings.group_attribute)
            .filter_map(|dn| name::of_group(dn, base))
            .collect();
        if let Some(pattern) = &self.group_filter {
            let filter = fill(pattern, &who.user, &who.client, &entry.dn);
            let found = self.entries(session, base, &filter, vec!["cn"], GROUPS_MAX).await?;
            groups.extend(found.iter().flat_map(|entry| values(entry, "cn")).cloned());
        }
        Ok(groups)
    }

    async fn entries(
        &self,
        session: &mut Session,
        base: &str,
        filter: &str,
        attributes: Vec<&str>,
        entries_max: i32,
    ) -> Result<Vec<SearchEntry>, String> {
        let secs = i32::try_from(self.timeout.as_secs()).unwrap_or(i32::MAX).max(1);
        let options = SearchOptions::new().sizelimit(entries_max).timelimit(secs);
        let searched = session
            .with_search_options(options)
            .search(base, Scope::Subtree, filter, attributes)
            .await;
        let result = searched.map_err(said)?;
        let (entries, result) = (result.0, result.1);
        match result.rc {
            SUCCESS => {}
            SIZE_LIMIT_EXCEEDED => return Err(format!("{filter} finds more entries than {entries_max}")),
            other => return Err(format!("it does not search {base:?}: {}", code(other, &result.text))),
        }
        let entries = entries
            .into_iter()
            .filter(|entry| !entry.is_ref() && !entry.is_intermediate());
        Ok(entries.map(SearchEntry::construct).collect())
    }
}

/// Names of attributes differ in case from server to server.
fn values<'a>(entry: &'a SearchEntry, attribute: &'a str) -> impl Iterator<Item = &'a String> {
    let named = entry
        .attrs
        .iter()
        .filter(move |(name, _)| name.eq_ignore_ascii_case(attribute));
    named.flat_map(|(_, values)| values)
}

fn said(error: LdapError) -> String {
    error.to_string()
}

fn code(rc: u32, text: &str) -> String {
    format!("result code {rc} {text}").trim_end().to_owned()
}

impl Source for Ldap {
    fn find<'a>(&'a self, who: &'a Credentials) -> Search<'a> {
        Box::pin(self.search(who))
    }

    fn server(&self) -> &str {
        &self.server
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
