//! What the daemon knows and the broker does not: settings and where they come from, rules, what would happen.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the daemon knows. It is asked on the thread of the listener for operators.
pub trait Knowledge: fmt::Debug + Send + Sync {
    /// All settings as they are in force. Secrets are masked.
    fn settings(&self) -> Vec<Setting>;

    /// The rules in force, with their counts.
    fn rules(&self) -> Rules;

    /// What a client may do, and why.
    ///
    /// # Errors
    ///
    /// The question makes no sense; says what would.
    fn explain(&self, query: &Query) -> Result<Answer, String>;
}

/// Whoever has the knowledge.
pub(crate) type Books = Arc<dyn Knowledge>;

/// A setting.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Setting {
    /// Its section; empty: it stands in none.
    pub section: String,
    /// Its name there.
    pub key: String,
    /// What is in force, as TOML writes it.
    pub value: String,
    /// Where that comes from.
    pub origin: String,
    /// What it would be otherwise, as TOML writes it.
    pub default: String,
    /// What it means.
    pub meaning: String,
    /// A running broker takes it on reload.
    pub live: bool,
}

/// The rules in force.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Rules {
    /// Where they come from; null: there are none.
    pub book: Option<Book>,
    /// In the order in which they are asked.
    pub rules: Vec<Rule>,
    /// How often each tag was given.
    pub tags: Vec<Tag>,
}

/// A file of rules.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Book {
    /// Its path.
    pub file: String,
}

/// A rule.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// How often it was asked.
    pub asked: u64,
    /// How often it fitted.
    pub matched: u64,
    /// How often it could not be worked out.
    pub failed: u64,
}

/// A tag that rules give.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Tag {
    /// Its name.
    pub name: String,
    /// How often it was given.
    pub count: u64,
}

/// What is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// To connect.
    Connect,
    /// To publish to a topic.
    Publish,
    /// To subscribe with a topic filter.
    Subscribe,
    /// To leave a will for a topic.
    Will,
    /// To be sent a message of a topic.
    Receive,
}

/// A question: may this client do that?
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// The client identifier.
    #[serde(default)]
    pub client_id: String,
    /// The user name.
    pub username: Option<String>,
    /// The groups that the user is in.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub groups: Vec<String>,
    /// The listener that it comes in by; "default" if it is not named.
    pub listener: Option<String>,
    /// The address that it comes from.
    pub address: Option<String>,
    /// What it wants to do.
    pub verb: Verb,
    /// Where, unless it connects or subscribes.
    pub topic: Option<String>,
    /// With what, if it subscribes.
    pub filter: Option<String>,
    /// Quality of service.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 2)]
    pub qos: u8,
    /// The message is to be retained.
    #[serde(default)]
    pub retain: bool,
    /// What the message says, for rules that read it.
    #[serde(default)]
    pub payload: String,
}

/// An answer.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct Answer {
    /// "allowed" or "denied".
    pub verdict: String,
    /// What decides, in a line.
    pub reason: String,
    /// All that was asked, a line each.
    pub steps: Vec<String>,
    /// The topic that a message would go to in the end; the broker is asked who gets it.
    #[serde(skip)]
    pub topic: Option<String>,
    /// Subscriptions that match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receivers_total: Option<usize>,
    /// Clients of the first 100 of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub receivers: Vec<String>,
}
