//! What the commands share that talk to a broker on this machine through its control socket.

use std::collections::HashMap;
use std::io::Read;
use std::path::PathBuf;

use actors::Call;
use clap::Args;

use super::store::Directory;
use crate::failure::{Failure, plain};

/// Which broker.
#[derive(Debug, Args)]
pub(crate) struct Broker {
    #[command(flatten)]
    directory: Directory,
    /// The control socket of the broker, in place of the one that the settings name
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

impl Broker {
    pub(crate) fn socket(&self) -> Result<PathBuf, Failure> {
        match &self.socket {
            Some(socket) => Ok(socket.clone()),
            None => self.directory.control_socket(),
        }
    }

    /// Asks for something and returns the whole answer. `what` says what the broker did not do if it refuses, as a
    /// predicate: "made no backup".
    ///
    /// # Errors
    ///
    /// No broker answers, or it refuses.
    pub(crate) fn ask(&self, request: &str, what: &'static str) -> Result<String, Failure> {
        let socket = self.socket()?;
        let name = socket.display().to_string();
        let call = Call::open_at(&socket).map_err(Failure::io(format!(
            "call the broker at {name}; does it run as another user?"
        )))?;
        let Some(call) = call else {
            let by = match &self.socket {
                Some(_) => String::new(),
                None => self.directory.by()?,
            };
            return Err(Failure::NoBroker {
                socket: format!("{name}{by}"),
            });
        };
        let lost = |error: &std::io::Error| Failure::Lost {
            address: name.clone(),
            why: plain(error),
        };
        let mut answer = call.ask(request).map_err(|error| lost(&error))?;
        let mut text = String::new();
        match (answer.read_to_string(&mut text), answer.refusal()) {
            (Ok(_), _) => Ok(text),
            (Err(_), Some(why)) => Err(Failure::Declined {
                socket: name,
                what,
                why: why.to_owned(),
            }),
            (Err(error), None) => Err(lost(&error)),
        }
    }

    /// How the broker fares.
    ///
    /// # Errors
    ///
    /// As [`Broker::ask`].
    pub(crate) fn status(&self) -> Result<Status, Failure> {
        self.ask("status 1", "did not say how it fares")
            .map(|text| Status::read(&text))
    }
}

/// What a broker has told of itself.
#[derive(Debug, Default)]
pub(crate) struct Status {
    values: HashMap<String, String>,
    /// Name, place, and what carries MQTT there.
    pub(crate) listeners: Vec<[String; 3]>,
}

impl Status {
    fn read(text: &str) -> Self {
        let mut status = Self::default();
        for line in text.lines() {
            let (word, value) = line.split_once(' ').unwrap_or((line, ""));
            if word == "listener" {
                let mut parts = value.splitn(3, ' ').map(ToOwned::to_owned);
                let mut part = || parts.next().unwrap_or_default();
                status.listeners.push([part(), part(), part()]);
            } else {
                status.values.insert(word.to_owned(), value.to_owned());
            }
        }
        status
    }

    /// What a word stands for; nothing if the broker has not told it.
    pub(crate) fn text(&self, word: &str) -> &str {
        self.values.get(word).map_or("", String::as_str)
    }

    /// The same as a number.
    pub(crate) fn number(&self, word: &str) -> u64 {
        self.text(word).parse().unwrap_or(0)
    }
}
