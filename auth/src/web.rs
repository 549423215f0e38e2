//! Asks a server by HTTP, in a bounded time, for a bounded answer, from nobody but this server.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Certificate, Client, RequestBuilder, Url, redirect};

use crate::{OpenError, source};

/// Which server, and what its answers may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `https://…`; `http://…` for this machine only, unless [`Settings::is_plain_allowed`].
    pub url: String,
    /// Whether passwords and keys may go over a network unencrypted.
    pub is_plain_allowed: bool,
    /// PEM certificates of the CAs that the server's certificate may come from. None: those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// From the connection to the answer's last byte.
    pub timeout: Duration,
    /// The bound of an answer.
    pub body_bytes_max: usize,
}

impl Settings {
    /// This server, with 5 s and 64 KiB for an answer.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            is_plain_allowed: false,
            ca_file: None,
            timeout: Duration::from_secs(5),
            body_bytes_max: 64 << 10,
        }
    }
}

/// A server that can be asked.
#[derive(Debug)]
pub(crate) struct Server {
    client: Client,
    url: Url,
    body_bytes_max: usize,
}

/// What a server said.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Silence {
    #[error("{0}")]
    Failed(String),
    #[error("its answer is longer than {0} bytes")]
    TooLong(usize),
}

impl Server {
    /// `setting` is what an operator would look for.
    pub(crate) async fn open(setting: &str, settings: &Settings) -> Result<Self, OpenError> {
        let wrong = |what: String, remedy: &str| OpenError::Setting {
            setting: setting.to_owned(),
            what,
            remedy: remedy.to_owned(),
        };
        let url = Url::parse(&settings.url).map_err(|error| {
            wrong(
                format!("its URL cannot be read: {error}"),
                "write it as https://HOST/PATH",
            )
        })?;
        match url.scheme() {
            "https" => {}
            "http" if settings.is_plain_allowed || is_here(&url) => {}
            "http" => {
                let what = "its URL would send secrets unencrypted".to_owned();
                return Err(wrong(what, "use https, or allow plain HTTP in the settings"));
            }
            _ => {
                return Err(wrong(
                    "its URL is not of the web".to_owned(),
                    "write it as https://HOST/PATH",
                ));
            }
        }
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(settings.timeout)
            .user_agent(concat!("strowger/", env!("CARGO_PKG_VERSION")));
        if let Some(file) = &settings.ca_file {
            let pem = source::text(file, 1 << 20).await?;
            let trusted = Certificate::from_pem_bundle(pem.as_bytes()).unwrap_or_default();
            if trusted.is_empty() {
                return Err(source::empty(file, "put the CA's certificate there, as PEM"));
            }
            builder = builder.tls_certs_only(trusted);
        }
        let client = builder.build().map_err(|error| {
            wrong(
                format!("no HTTP client: {error}"),
                "see that the CAs' certificates can be read",
            )
        })?;
        Ok(Self {
            client,
            url,
            body_bytes_max: settings.body_bytes_max,
        })
    }

    pub(crate) async fn get(&self) -> Result<Reply, Silence> {
        self.send(self.client.get(self.url.clone())).await
    }

    pub(crate) async fn post<T: serde::Serialize + Sync>(&self, body: &T) -> Result<Reply, Silence> {
        self.send(self.client.post(self.url.clone()).json(body)).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Reply, Silence> {
        // The URL may hold a secret, so it stays out of the error.
        let failed = |error: reqwest::Error| Silence::Failed(chain_of(&error.without_url()));
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.body_bytes_max {
                return Err(Silence::TooLong(self.body_bytes_max));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, body })
    }

    /// The server, without what may be secret in its URL.
    pub(crate) fn name(&self) -> &str {
        self.url.host_str().unwrap_or("the server")
    }
}

/// Whether a URL leads to this machine.
fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_loopback = |host: &str| {
        host.parse()
            .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    };
    host == "localhost" || is_loopback(host)
}

/// An error with what caused it; reqwest's own says little.
fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
pub(crate) mod tests;
