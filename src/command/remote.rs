//! How a command reaches the broker that it is about: HTTP through the Unix socket in its data directory, or by URL.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::{Certificate, Identity, Method, StatusCode};
use serde_json::Value;

use super::store::Directory;
use crate::daemon;
use crate::failure::Failure;

pub(super) mod listing;
#[cfg(test)]
mod tests;

/// Holds a token.
const TOKEN: &str = "STROWGER_TOKEN";
/// The longest token, answer and error that is read.
const TOKEN_BYTES_MAX: u64 = 4096;
const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// For a broker to answer one question.
const TIMEOUT: Duration = Duration::from_secs(60);

/// For an answer that goes on.
const FOR_EVER: Duration = Duration::from_hours(24 * 365);

/// Which broker, and as whom.
#[derive(Debug, Args)]
#[group(skip)]
#[command(next_help_heading = "Broker")]
pub(crate) struct Options {
    /// Ask the broker at this URL, such as http://127.0.0.1:18083, with the token of --token-file or $STROWGER_TOKEN
    #[arg(long, value_name = "URL", conflicts_with_all = ["socket", "data_dir", "conf"])]
    url: Option<String>,
    /// Read the token from this file
    #[arg(long, value_name = "FILE", requires = "url")]
    token_file: Option<PathBuf>,
    /// Trust the authorities of this PEM file besides those of the system
    #[arg(long, value_name = "FILE", requires = "url")]
    cacert: Option<PathBuf>,
    /// Show the certificate of this PEM file, which holds its key as well
    #[arg(long, value_name = "FILE", requires = "url")]
    cert: Option<PathBuf>,
    /// Ask through this Unix socket, which is that of the data directory otherwise
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data_dir", "conf"])]
    socket: Option<PathBuf>,
    #[command(flatten)]
    directory: Directory,
}

/// A broker that answers operators.
pub(crate) struct Remote {
    client: Client,
    base: String,
    /// What a person knows it by.
    place: String,
    /// What named the place, where no option did.
    by: String,
    token: Option<String>,
}

impl Options {
    /// Prepares to ask. Nothing is sent.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or what cannot be a URL.
    pub(crate) fn open(&self) -> Result<Remote, Failure> {
        let builder = Client::builder()
            .timeout(TIMEOUT)
            .user_agent(concat!("strowger/", env!("CARGO_PKG_VERSION")));
        let Some(url) = &self.url else {
            let socket = self.socket()?;
            return Ok(Remote {
                by: match &self.socket {
                    Some(_) => String::new(),
                    None => self.directory.by()?,
                },
                place: socket.display().to_string(),
                client: builder.no_proxy().unix_socket(socket).build().map_err(useless)?,
                base: "http://localhost".to_owned(),
                token: None,
            });
        };
        let mut builder = builder;
        if let Some(file) = &self.cacert {
            let authorities = Certificate::from_pem_bundle(&read(file)?).map_err(|error| bad_file(file, &error))?;
            builder = authorities
                .into_iter()
                .fold(builder, reqwest::blocking::ClientBuilder::add_root_certificate);
        }
        if let Some(file) = &self.cert {
            builder = builder.identity(Identity::from_pem(&read(file)?).map_err(|error| bad_file(file, &error))?);
        }
        Ok(Remote {
            client: builder.build().map_err(useless)?,
            base: url.trim_end_matches('/').to_owned(),
            place: url.clone(),
            by: String::new(),
            token: self.token()?,
        })
    }

    /// Without a word about it: that of the settings.
    fn socket(&self) -> Result<PathBuf, Failure> {
        if let Some(socket) = &self.socket {
            return Ok(socket.clone());
        }
        let conf = self.directory.configuration()?;
        Ok(daemon::admin::socket_asked(&conf))
    }

    fn token(&self) -> Result<Option<String>, Failure> {
        let text = match &self.token_file {
            Some(file) => String::from_utf8(read(file)?).map_err(|error| bad_file(file, &error))?,
            None => match std::env::var(TOKEN) {
                Ok(token) => token,
                Err(_) => return Ok(None),
            },
        };
        Ok(Some(text.trim().to_owned()).filter(|token| !token.is_empty()))
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).and_then(|file| file.take(TOKEN_BYTES_MAX * 256).read_to_end(&mut bytes));
    opened.map_err(Failure::io(format!("read {}", file.display())))?;
    Ok(bytes)
}

fn bad_file(file: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::Usage(format!("{}: {error}", file.display()))
}

fn useless(error: reqwest::Error) -> Failure {
    Failure::Usage(format!("cannot ask a broker in this way: {error}"))
}

impl Remote {
    /// Asks for what is at a path beneath `/api/v1`.
    ///
    /// # Errors
    ///
    /// As [`Remote::send`].
    pub(crate) fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Value, Failure> {
        json(self.send(Method::GET, path, query, None)?)
    }

    /// Has something done: `Value::Null` where there is nothing to say about it.
    ///
    /// # Errors
    ///
    /// As [`Remote::send`].
    pub(crate) fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        json(self.send(method, path, query, body)?)
    }

    /// Sends a request and gives the answer unread, if it is good.
    ///
    /// # Errors
    ///
    /// Nobody answers, or the broker refuses and says why.
    pub(crate) fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Response, Failure> {
        let mut request = self.request(method, path)?.query(query);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.ask(request)
    }

    /// Asks for an answer that goes on for as long as it is read.
    ///
    /// # Errors
    ///
    /// As [`Remote::send`].
    pub(crate) fn follow(&self, path: &[&str]) -> Result<Response, Failure> {
        self.ask(self.request(Method::GET, path)?.timeout(FOR_EVER))
    }

    fn ask(&self, mut request: RequestBuilder) -> Result<Response, Failure> {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().map_err(|error| self.unreachable(&error))?;
        match answer.status().is_success() {
            true => Ok(answer),
            false => Err(self.refusal(answer)),
        }
    }

    fn request(&self, method: Method, path: &[&str]) -> Result<RequestBuilder, Failure> {
        if let ["clients", client_id @ ("." | ".."), rest @ ..] = path {
            // In a path they would stand for another.
            let path: Vec<&str> = ["client"].iter().chain(rest).copied().collect();
            return Ok(self.request(method, &path)?.query(&[("client_id", client_id)]));
        }
        if let Some(name) = path.iter().find(|part| matches!(**part, "." | "..")) {
            let what = format!("`{name}` cannot be named in the path of a request, and would stand for another");
            return Err(Failure::Usage(what));
        }
        let base = format!("{}/api/v1/", self.base);
        let no_url = |what: &dyn std::fmt::Display| Failure::Usage(format!("--url {}: {what}", self.place));
        let mut url = reqwest::Url::parse(&base).map_err(|error| no_url(&error))?;
        url.path_segments_mut()
            .map_err(|()| no_url(&"no address of HTTP"))?
            .pop_if_empty()
            .extend(path);
        Ok(self.client.request(method, url))
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        Failure::NoOffice {
            place: format!("{}{}", self.place, self.by),
            why: cause
                .to_string()
                .split(" (os error")
                .next()
                .unwrap_or_default()
                .to_owned(),
        }
    }

    fn refusal(&self, answer: Response) -> Failure {
        let status = answer.status();
        let said = json(answer).ok();
        let said = said
            .as_ref()
            .and_then(|body| body.get("error")?.get("message")?.as_str());
        let why = said.map_or_else(|| format!("the broker answers {status}"), str::to_owned);
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => Failure::NotAllowed {
                place: self.place.clone(),
                why,
            },
            _ => Failure::Denied(why),
        }
    }
}

fn json(answer: Response) -> Result<Value, Failure> {
    let mut text = Vec::new();
    let read = answer.take(ANSWER_BYTES_MAX).read_to_end(&mut text);
    read.map_err(Failure::io("read the broker's answer"))?;
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&text).map_err(|error| Failure::Io {
        doing: "read the broker's answer".to_owned(),
        source: io::Error::other(error),
    })
}
