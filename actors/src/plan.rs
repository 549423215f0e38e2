//! What a reload does, and to whom: the same list whether it is only asked for or carried out.

use std::fmt;

use broker::line::Clients;
use serde::{Deserialize, Serialize};

mod compute;
mod doors;

pub(crate) use compute::{Facts, steps};
pub(crate) use doors::{DoorStep, door_steps};

/// All that a reload does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// One after the other, as they are carried out; none: nothing changes.
    pub steps: Vec<Step>,
}

/// One thing that a reload does. Its Display is a line for people, with whom it hits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What kind of thing.
    pub kind: StepKind,
    /// The setting, `section.key`, or the listener, or the file.
    pub subject: String,
    /// What becomes of it, in words.
    pub text: String,
    /// Subscriptions that are removed.
    pub subscriptions_lost: u64,
    /// Clients that it hits.
    pub clients: u64,
    /// The first of them by name.
    pub client_ids: Vec<String>,
}

/// What kind of thing a reload does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// A setting has another value.
    Setting,
    /// A setting keeps its value until the broker is started again.
    Restart,
    /// A listener is opened.
    OpenListener,
    /// A listener is closed, and its clients are disconnected.
    CloseListener,
    /// A listener is closed and opened as another, and its clients are disconnected.
    RestartListener,
    /// A listener's certificates are other ones. Its clients stay.
    Certificates,
    /// The rights of clients are other ones.
    Rights,
    /// Users, or those who are banned, are others.
    Users,
    /// Clients that may not come in any more are disconnected.
    Disconnect,
    /// The rules are other ones.
    Rules,
}

impl Plan {
    /// The steps for people, a line each; one line if there are none.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match self.steps.is_empty() {
            true => vec!["nothing changes".to_owned()],
            false => self.steps.iter().map(ToString::to_string).collect(),
        }
    }
}

impl StepKind {
    /// Whether it is about a listener as such.
    pub(crate) const fn is_of_listener(self) -> bool {
        matches!(
            self,
            Self::OpenListener | Self::CloseListener | Self::RestartListener | Self::Certificates
        )
    }
}

impl Step {
    pub(crate) fn new(kind: StepKind, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            kind,
            subject: subject.into(),
            text: text.into(),
            subscriptions_lost: 0,
            clients: 0,
            client_ids: Vec::new(),
        }
    }

    /// Says whom it hits.
    pub(crate) fn hitting(self, clients: &Clients) -> Self {
        Self {
            clients: clients.count,
            client_ids: clients.names.iter().map(|name| name.to_string()).collect(),
            ..self
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if self.client_ids.is_empty() {
            return Ok(());
        }
        // What a client calls itself may hold anything.
        let names: Vec<String> = self
            .client_ids
            .iter()
            .map(|name| name.escape_debug().to_string())
            .collect();
        let more = self.clients.saturating_sub(names.len() as u64);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        write!(f, " ({}{more})", names.join(", "))
    }
}

/// A setting with two values, as [`crate::Configurator`] tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingChange {
    /// `section.key`; of a listener `listeners.NAME.key`.
    pub key: String,
    /// The value in force, as it is written.
    pub before: String,
    /// The value that is to be.
    pub after: String,
    /// When it is in force.
    pub when: When,
}

/// When another value of a setting is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// With the reload.
    Now,
    /// With the reload, for connections that come after it.
    Connections,
    /// When the broker is started again.
    Restart,
}

#[cfg(test)]
mod tests;
