//! Clients that the listener knows by their certificate.

use crate::{Certificate, Credentials, Identity, Refusal, Verdict};

pub(crate) const METHOD: &str = "certificate";

/// What of a certificate is the user's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The part that names the user.
    pub name_from: NameFrom,
    /// Whether a client whose CONNECT carries another user name is refused; else the certificate's name holds.
    pub is_other_name_refused: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name_from: NameFrom::CommonName,
            is_other_name_refused: true,
        }
    }
}

/// A part of a certificate that can name a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFrom {
    /// The common name of the subject.
    CommonName,
    /// The first DNS name among the alternative names.
    DnsName,
    /// The first e-mail address among the alternative names.
    Email,
    /// All of the subject, as RFC 4514 writes it.
    Subject,
}

/// A certificate that names nobody is refused: its bearer would come in without the rights that are its own.
pub(crate) fn ask(settings: Settings, who: &Credentials) -> Verdict {
    let Some(certificate) = &who.certificate else {
        return Verdict::NotMine;
    };
    let Some(name) = name_of(certificate, settings.name_from) else {
        return Verdict::Refused(Refusal::NotAuthorized);
    };
    let is_other = who.username.as_ref().is_some_and(|claimed| claimed != name);
    if is_other && settings.is_other_name_refused {
        return Verdict::Refused(Refusal::NotAuthorized);
    }
    Verdict::Known(Identity {
        username: Some(name.to_owned()),
        // A certificate of before 1970 has ended as well.
        expires_at_unix_secs: Some(u64::try_from(certificate.not_after_unix_secs).unwrap_or(0)),
        method: METHOD,
        ..Identity::default()
    })
}

fn name_of(certificate: &Certificate, from: NameFrom) -> Option<&str> {
    let name = match from {
        NameFrom::CommonName => certificate.common_name.as_deref(),
        NameFrom::DnsName => certificate.dns_names.first().map(String::as_str),
        NameFrom::Email => certificate.emails.first().map(String::as_str),
        NameFrom::Subject => Some(certificate.subject.as_str()),
    };
    name.filter(|name| !name.is_empty() && !name.contains('\0'))
}

#[cfg(test)]
mod tests;
