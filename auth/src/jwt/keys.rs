//! The public keys that tokens are checked with, from a file or from a server that changes them.

use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jsonwebtoken::jwk::{JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Header};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::web::{Server, Silence};
use crate::{OpenError, source};

use super::{KeyServer, KeySource, SETTING};

/// There are no keys, or only such as are too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoKeys;

/// Where keys come from, with those that came.
#[derive(Debug)]
pub(super) enum Keys {
    File(KeySet),
    Server(Box<Remote>),
}

impl Keys {
    pub(super) async fn open(from: &KeySource, is_reload: bool) -> Result<Self, OpenError> {
        match from {
            KeySource::File { file, bytes_max } => {
                let text = source::text(file, *bytes_max).await?;
                Ok(Self::File(read_file(file, &text)?))
            }
            KeySource::Url(settings) => {
                let server = Server::open(SETTING, &settings.server).await?;
                let remote = Remote::new(server, settings.clone());
                if let Err(why) = remote.fetch().await {
                    if is_reload {
                        return Err(OpenError::Setting {
                            setting: SETTING.to_owned(),
                            what: format!("no keys from {}: {why}", remote.server.name()),
                            remedy: "see that the server answers, and reload again".to_owned(),
                        });
                    }
                    remote.complain(&why);
                }
                Ok(Self::Server(Box::new(remote)))
            }
        }
    }

    /// The key that a token names. None if it is not one of ours.
    pub(super) async fn find(&self, header: &Header) -> Result<Option<DecodingKey>, NoKeys> {
        match self {
            Self::File(keys) => Ok(keys.find(header)),
            Self::Server(remote) => remote.find(header).await,
        }
    }
}

fn read_file(file: &Path, text: &str) -> Result<KeySet, OpenError> {
    KeySet::parse(text.as_bytes()).map_err(|what| OpenError::Content {
        file: file.to_owned(),
        what,
        remedy: "put the issuer's JWKS there: {\"keys\": [...]}".to_owned(),
    })
}

/// Keys that came together; at least one.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Key>,
    came_at: Instant,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// The only algorithm that it is for, if it says so.
    algorithm: Option<Algorithm>,
    key: DecodingKey,
}

impl KeySet {
    /// Reads a JWKS and leaves out what cannot check a signature: shared secrets, keys for encryption, unknown kinds.
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        let set: JwkSet = serde_json::from_slice(json).map_err(|error| format!("it is no JWKS: {error}"))?;
        let mut keys = Vec::new();
        for jwk in &set.keys {
            let is_for_signing = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
            let named = jwk
                .common
                .key_algorithm
                .map(|name| Algorithm::from_str(&name.to_string()));
            let (Ok(key), Ok(algorithm)) = (DecodingKey::from_jwk(jwk), named.transpose()) else {
                continue;
            };
            if is_for_signing && key.family() != AlgorithmFamily::Hmac {
                let id = jwk.common.key_id.clone();
                keys.push(Key { id, algorithm, key });
            }
        }
        if keys.is_empty() {
            return Err("there is no key in it that can check a signature".to_owned());
        }
        Ok(Self {
            keys,
            came_at: Instant::now(),
        })
    }

    /// The key with the token's `kid`; without one, the only key that suits the algorithm.
    fn find(&self, header: &Header) -> Option<DecodingKey> {
        let suits = |key: &&Key| {
            key.key.family() == header.alg.family() && key.algorithm.is_none_or(|algorithm| algorithm == header.alg)
        };
        let is_named = |key: &&Key| header.kid.is_none() || key.id == header.kid;
        let mut found = self.keys.iter().filter(is_named).filter(suits);
        match (found.next(), found.next()) {
            (Some(key), None) => Some(key.key.clone()),
            (None | Some(_), _) => None,
        }
    }
}

/// A server of keys.
#[derive(Debug)]
pub(super) struct Remote {
    server: Server,
    settings: KeyServer,
    keys: ArcSwapOption<KeySet>,
    /// When it was asked last. Whoever asks holds the lock; the others go on with the keys that there are.
    asked_at: Mutex<Option<Instant>>,
}

impl Remote {
    fn new(server: Server, settings: KeyServer) -> Self {
        Self {
            server,
            settings,
            keys: ArcSwapOption::empty(),
            asked_at: Mutex::new(None),
        }
    }

    async fn find(&self, header: &Header) -> Result<Option<DecodingKey>, NoKeys> {
        let found = self.trusted().and_then(|keys| keys.find(header));
        let age = self.trusted().map(|keys| keys.came_at.elapsed());
        let is_fresh = age.is_some_and(|age| age < self.settings.refresh_after);
        match found {
            Some(key) if is_fresh => return Ok(Some(key)),
            // These keys still serve: one client asks for others, nobody waits for it.
            Some(key) => {
                if let Ok(mut asked_at) = self.asked_at.try_lock() {
                    self.refresh(&mut asked_at).await;
                }
                return Ok(self.trusted().map_or(Some(key), |keys| keys.find(header)));
            }
            None => {
                let mut asked_at = self.asked_at.lock().await;
                self.refresh(&mut asked_at).await;
            }
        }
        self.trusted().ok_or(NoKeys).map(|keys| keys.find(header))
    }

    /// The keys, if they are not too old.
    fn trusted(&self) -> Option<Arc<KeySet>> {
        let keys = self.keys.load_full();
        keys.filter(|keys| keys.came_at.elapsed() < self.settings.trust_for)
    }

    /// Asks, if the last time is long enough ago.
    async fn refresh(&self, asked_at: &mut Option<Instant>) {
        if asked_at.is_some_and(|at| at.elapsed() < self.settings.ask_again_after) {
            return;
        }
        *asked_at = Some(Instant::now());
        if let Err(why) = self.fetch().await {
            self.complain(&why);
        }
    }

    async fn fetch(&self) -> Result<(), String> {
        let reply = self
            .server
            .get()
            .await
            .map_err(|silence: Silence| silence.to_string())?;
        if reply.status != 200 {
            return Err(format!("it answered with status {}", reply.status));
        }
        let keys = KeySet::parse(&reply.body)?;
        self.keys.store(Some(Arc::new(keys)));
        Ok(())
    }

    fn complain(&self, why: &str) {
        tracing::warn!(
            "no keys for tokens from {}: {why}; see that the URL is right and the server answers",
            self.server.name()
        );
    }
}
