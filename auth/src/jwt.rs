//! Signed tokens (RFC 7519), which clients bring as their password or as their user name.
//!
//! Only signatures by private keys are taken, and only by the algorithms of the settings: a token that says `none`, or
//! that uses a public key as a shared secret, has no algorithm here that would agree. A token by a key that this
//! authenticator does not know is left to others.

mod claims;
mod keys;

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::{Header, Validation, decode, decode_header};
use serde_json::{Map, Value};

use crate::gate::Complaint;
use crate::{Credentials, Identity, OpenError, Refusal, Verdict, web};

use keys::Keys;

pub(crate) const METHOD: &str = "jwt";
const SETTING: &str = "auth jwt";

/// Whose tokens are taken, and what is read in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the public keys are.
    pub keys: KeySource,
    /// The algorithms that are taken; at least one.
    pub algorithms: Vec<Algorithm>,
    /// Who may have issued a token (`iss`). Empty: anybody who has a key.
    pub issuers: Vec<String>,
    /// For whom it may be (`aud`). Empty: for nobody in particular; then a token that names somebody is refused.
    pub audiences: Vec<String>,
    /// How far the clocks may be apart.
    pub leeway: Duration,
    /// Where clients put the token.
    pub token_in: Field,
    /// The bound of a token's length.
    pub token_bytes_max: usize,
    /// The claim that names the user.
    pub username_claim: String,
    /// The claim that lists the user's groups.
    pub groups_claim: Option<String>,
    /// The claim with the user's rights.
    pub acl_claim: Option<String>,
}

impl Settings {
    /// ES256 and RS256, 60 s of leeway, the token in the password, the user in `sub`, rights in `acl`.
    #[must_use]
    pub fn new(keys: KeySource) -> Self {
        Self {
            keys,
            algorithms: vec![Algorithm::Es256, Algorithm::Rs256],
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: Duration::from_secs(60),
            token_in: Field::Password,
            token_bytes_max: 16 << 10,
            username_claim: "sub".to_owned(),
            groups_claim: None,
            acl_claim: Some("acl".to_owned()),
        }
    }
}

/// Where a set of public keys (JWKS, RFC 7517) is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file, which is read at start and at reload.
    File {
        /// The file.
        file: PathBuf,
        /// The bound of its length.
        bytes_max: u64,
    },
    /// A server, which changes its keys when it likes.
    Url(KeyServer),
}

/// A server of keys, and how often it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyServer {
    /// The server.
    pub server: web::Settings,
    /// The age at which keys are asked for again.
    pub refresh_after: Duration,
    /// The least time between two questions, whatever unknown keys clients name and whether the server answers or not.
    pub ask_again_after: Duration,
    /// The age beyond which keys are not trusted, if the server stays silent.
    pub trust_for: Duration,
}

impl KeyServer {
    /// Asked every hour, at most twice a minute; keys are trusted for a day.
    #[must_use]
    pub fn new(server: web::Settings) -> Self {
        Self {
            server,
            refresh_after: Duration::from_secs(3_600),
            ask_again_after: Duration::from_secs(30),
            trust_for: Duration::from_secs(86_400),
        }
    }
}

/// Which part of CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The password.
    Password,
    /// The user name.
    Username,
}

/// A signature algorithm with a private and a public key (RFC 7518, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the RFCs")]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    /// As RFC 7518 writes it: `ES256`. None for anything else, `none` and the HMAC algorithms among it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" => Self::EdDsa,
            _ => return None,
        })
    }

    fn signature(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Rs384 => jsonwebtoken::Algorithm::RS384,
            Self::Rs512 => jsonwebtoken::Algorithm::RS512,
            Self::Ps256 => jsonwebtoken::Algorithm::PS256,
            Self::Ps384 => jsonwebtoken::Algorithm::PS384,
            Self::Ps512 => jsonwebtoken::Algorithm::PS512,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Es384 => jsonwebtoken::Algorithm::ES384,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

/// Knows clients by their tokens.
#[derive(Debug)]
pub(crate) struct Jwt {
    settings: Settings,
    algorithms: Vec<jsonwebtoken::Algorithm>,
    keys: Keys,
    complaint: Complaint,
}

impl Jwt {
    /// `is_reload` tells a server that is silent at the start, for which clients wait outside, from one that is silent
    /// at a reload, which then changes nothing.
    pub(crate) async fn open(settings: &Settings, is_reload: bool) -> Result<Self, OpenError> {
        if settings.algorithms.is_empty() {
            return Err(OpenError::Setting {
                setting: SETTING.to_owned(),
                what: "no algorithm is named".to_owned(),
                remedy: "name those that the issuer signs with, such as ES256".to_owned(),
            });
        }
        Ok(Self {
            settings: settings.clone(),
            algorithms: settings
                .algorithms
                .iter()
                .map(|algorithm| algorithm.signature())
                .collect(),
            keys: Keys::open(&settings.keys, is_reload).await?,
            complaint: Complaint::default(),
        })
    }

    pub(crate) async fn ask(&self, who: &Credentials) -> Verdict {
        let field = match self.settings.token_in {
            Field::Password => who.password.as_deref(),
            Field::Username => who.username.as_ref().map(String::as_bytes),
        };
        let Some((token, header)) = field.and_then(read_header) else {
            return Verdict::NotMine;
        };
        if token.len() > self.settings.token_bytes_max || !self.takes(&header) {
            return Verdict::Refused(Refusal::BadCredentials);
        }
        let key = match self.keys.find(&header).await {
            Ok(Some(key)) => key,
            Ok(None) => return Verdict::NotMine,
            Err(keys::NoKeys) => {
                if self.complaint.is_due() {
                    tracing::warn!("clients with tokens are turned away: there are no keys to check them with");
                }
                return Verdict::Refused(Refusal::Unavailable);
            }
        };
        let claims = decode::<Map<String, Value>>(token, &key, &self.validation(header.alg));
        let identity = claims
            .map_err(|error| error.to_string())
            .and_then(|token| claims::identity(&self.settings, token.claims));
        match identity {
            Ok(identity) => Verdict::Known(identity),
            Err(why) => {
                tracing::debug!(client = %who.client_id, "a token is refused: {why}");
                Verdict::Refused(Refusal::BadCredentials)
            }
        }
    }

    /// Whether the algorithm is one of the settings, and nothing is demanded that we would not do (RFC 7515, 4.1.11).
    fn takes(&self, header: &Header) -> bool {
        self.algorithms.contains(&header.alg) && header.crit.is_none()
    }

    fn validation(&self, algorithm: jsonwebtoken::Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        let mut required = HashSet::from(["exp".to_owned()]);
        validation.leeway = self.settings.leeway.as_secs();
        validation.validate_nbf = true;
        if !self.settings.issuers.is_empty() {
            validation.set_issuer(&self.settings.issuers);
            required.insert("iss".to_owned());
        }
        if !self.settings.audiences.is_empty() {
            validation.set_audience(&self.settings.audiences);
            required.insert("aud".to_owned());
        }
        validation.required_spec_claims = required;
        validation
    }
}

/// The token, and what it says of itself. None for what is no token, such as somebody's password. One whose algorithm
/// is not even known to us, such as `none`, is no token either.
fn read_header(field: &[u8]) -> Option<(&str, Header)> {
    let token = str::from_utf8(field).ok()?;
    let has_three_parts = token.split('.').count() == 3;
    let header = has_three_parts.then(|| decode_header(token).ok()).flatten()?;
    Some((token, header))
}

/// A user of no right and no group.
fn nobody() -> Identity {
    Identity {
        method: METHOD,
        ..Identity::default()
    }
}

#[cfg(test)]
mod tests;
