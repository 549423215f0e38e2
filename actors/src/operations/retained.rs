//! Retained messages: listed, browsed as a tree, deleted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Handler, Message as ActorMessage};
use broker::message::{Message, Millis};
use broker::tables::Tables as _;
use mqtt_codec::{TopicFilter, TopicName};
use tokio::task::yield_now;

use super::publish::Properties;
use super::{Operations, Unanswered};
use crate::clock;
use crate::session::SessionActor;

/// Looks at the table for one answer, of some 2,000 messages each; then the answer says where to go on.
const LOOKS_MAX: usize = 1000;
/// Levels that stand beside each other in one answer.
const LEVELS_MAX: usize = 100_000;

/// A retained message as an operator sees it.
#[derive(Debug, Clone)]
pub struct RetainedMessage {
    /// Its topic.
    pub topic: String,
    /// What it says.
    pub payload: Vec<u8>,
    /// The QoS that it was published with: 0, 1 or 2.
    pub qos: u8,
    /// When it was published, in milliseconds since 1970; `None`: before the broker started.
    pub published_at: Option<u64>,
    /// From this instant on it is gone, in milliseconds since 1970.
    pub expires_at: Option<u64>,
    /// What goes with it, in 5.0.
    pub properties: Properties,
}

/// One level of the tree of topics, at one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TreeLevel {
    /// Its name; empty between two slashes.
    pub level: String,
    /// Messages whose topics go on behind it.
    pub messages_below: usize,
    /// Whether there is a message of exactly this topic.
    pub has_message: bool,
}

/// The levels at one place of the tree.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// In the order of their names.
    pub levels: Vec<TreeLevel>,
    /// Behind which level to go on.
    pub next: Option<String>,
    /// Whether everything beneath the place was looked at, so that the counts are whole.
    pub is_complete: bool,
}

/// What was deleted, or would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deletion {
    /// Messages that the filter matches.
    pub matched: usize,
    /// Messages that are gone.
    pub deleted: usize,
    /// Whether all were looked at.
    pub is_complete: bool,
}

/// From operators to a line: delete these retained messages; at most what one look at the table finds. Answered with how
/// many there were.
#[derive(ActorMessage)]
#[rtype(result = "usize")]
struct Delete(Vec<TopicName>);

impl Handler<Delete> for SessionActor {
    type Result = usize;

    fn handle(&mut self, delete: Delete, _: &mut Self::Context) -> usize {
        self.desk().act(|line, now| line.delete_retained(&delete.0, now))
    }
}

impl Operations {
    /// Retained messages that the filter matches and whose topics have `search` in them, from behind the topic `cursor`
    /// on, `limit` at most; and the cursor to go on with.
    ///
    /// # Errors
    ///
    /// The filter or the cursor is none.
    pub async fn retained(
        &self,
        filter: &str,
        search: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<RetainedMessage>, Option<String>), Unanswered> {
        let filter = filter_of(filter)?;
        let mut cursor = cursor.map(topic_of).transpose()?;
        let now = self.house.clock.now();
        let mut messages = Vec::new();
        for _ in 0..LOOKS_MAX {
            let mut found: Vec<Arc<Message>> = Vec::new();
            let next = self.house.tables.retained(&filter, cursor.as_ref(), now, &mut found);
            for message in found.into_iter().filter(|message| message.topic.contains(search)) {
                if messages.len() == limit {
                    let last = messages.last().map(|last: &RetainedMessage| last.topic.clone());
                    return Ok((messages, last));
                }
                messages.push(seen(&message));
            }
            let Some(next) = next else {
                return Ok((messages, None));
            };
            cursor = Some(next);
            yield_now().await;
        }
        Ok((messages, cursor.map(|cursor| cursor.to_string())))
    }

    /// The retained message of one topic.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn retained_message(&self, topic: &str) -> Result<RetainedMessage, Unanswered> {
        let now = self.house.clock.now();
        let message = self.house.tables.retained_message(topic);
        let message = message.filter(|message| !message.is_expired(now));
        message
            .map(|message| seen(&message))
            .ok_or_else(|| Unanswered::Missing(format!("there is no retained message of {topic:?}")))
    }

    /// The levels of the tree of topics that follow `under`, or the first ones, behind the level `after`, `limit` at
    /// most.
    pub async fn retained_tree(&self, under: Option<&str>, after: Option<&str>, limit: usize) -> Tree {
        let prefix = under.map_or_else(String::new, |under| format!("{under}/"));
        let now = self.house.clock.now();
        let mut levels: BTreeMap<String, TreeLevel> = BTreeMap::new();
        let mut cursor = None;
        let mut is_complete = false;
        for _ in 0..LOOKS_MAX {
            cursor = self.house.tables.walk_retained(&prefix, cursor.as_ref(), |message| {
                note(&mut levels, message, prefix.len(), now);
            });
            if cursor.is_none() {
                is_complete = true;
                break;
            }
            if levels.len() > LEVELS_MAX {
                break;
            }
            yield_now().await;
        }
        let mut wanted = levels
            .into_values()
            .filter(|level| after.is_none_or(|after| *level.level > *after));
        let page: Vec<TreeLevel> = wanted.by_ref().take(limit).collect();
        let next = wanted.next().and_then(|_| page.last().map(|last| last.level.clone()));
        Tree {
            levels: page,
            next,
            is_complete,
        }
    }

    /// Deletes the retained messages that the filter matches, or only counts them, until `patience` is over. Subscribers
    /// are not told.
    ///
    /// # Errors
    ///
    /// The filter is none, or a line did not answer.
    pub async fn delete_retained(
        &self,
        filter: &str,
        is_dry_run: bool,
        patience: Duration,
    ) -> Result<Deletion, Unanswered> {
        let filter = filter_of(filter)?;
        let until = clock::deadline(patience);
        let now = self.house.clock.now();
        let mut deletion = Deletion::default();
        let mut cursor = None;
        // Each look finds 64 at most.
        for _ in 0..LOOKS_MAX * 32 {
            let mut found: Vec<Arc<Message>> = Vec::new();
            cursor = self.house.tables.retained(&filter, cursor.as_ref(), now, &mut found);
            deletion.matched += found.len();
            if !is_dry_run && !found.is_empty() {
                let line = self.house.lines.first().ok_or(Unanswered::Line)?;
                let topics = found.iter().map(|message| message.topic.clone()).collect();
                deletion.deleted += line.send(Delete(topics)).await.map_err(|_| Unanswered::Line)?;
            }
            if cursor.is_none() {
                deletion.is_complete = true;
                break;
            }
            if clock::until(until).is_zero() {
                break;
            }
            yield_now().await;
        }
        Ok(deletion)
    }
}

fn filter_of(filter: &str) -> Result<TopicFilter, Unanswered> {
    let parsed = TopicFilter::new(filter.to_owned());
    let parsed = parsed.ok().filter(|filter| filter.share().is_none());
    parsed.ok_or_else(|| {
        Unanswered::Senseless(format!(
            "{filter:?} is no topic filter; write one such as \"plant/+/state\" or \"#\", without $share"
        ))
    })
}

fn topic_of(topic: &str) -> Result<TopicName, Unanswered> {
    TopicName::new(topic.to_owned()).map_err(|_| {
        Unanswered::Senseless(format!(
            "{topic:?} is no cursor; take it from \"next\" of the page before"
        ))
    })
}

fn note(levels: &mut BTreeMap<String, TreeLevel>, message: &Message, prefix_bytes: usize, now: Millis) {
    if message.is_expired(now) {
        return;
    }
    let rest = message.topic.get(prefix_bytes..).unwrap_or_default();
    let level = rest.split('/').next().unwrap_or_default();
    if !levels.contains_key(level) {
        let new = TreeLevel {
            level: level.to_owned(),
            ..TreeLevel::default()
        };
        levels.insert(level.to_owned(), new);
    }
    if let Some(seen) = levels.get_mut(level) {
        if rest.len() == level.len() {
            seen.has_message = true;
        } else {
            seen.messages_below += 1;
        }
    }
}

fn seen(message: &Message) -> RetainedMessage {
    RetainedMessage {
        topic: message.topic.to_string(),
        payload: message.payload.to_vec(),
        qos: u8::from(message.qos),
        published_at: published_at(message),
        expires_at: message.expires_at.map(|at| at.0),
        properties: message.properties.as_deref().map(Properties::of).unwrap_or_default(),
    }
}

/// A message that the store kept over a restart does not know any more when it came.
fn published_at(message: &Message) -> Option<u64> {
    (message.arrived_micros > 0).then_some(message.arrived_micros / 1000)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use mqtt_codec::QoS;

    use super::*;

    fn message(number: u32) -> Arc<Message> {
        Arc::new(Message {
            topic: TopicName::new(format!("plant/{number}")).expect("a topic"),
            payload: Bytes::from_static(b"on"),
            qos: QoS::AtMostOnce,
            retain: true,
            properties: None,
            expires_at: None,
            publisher: None,
            id: 0,
            arrived_micros: 0,
            trace: None,
        })
    }

    #[actix_rt::test]
    async fn a_deletion_whose_time_is_over_says_that_there_are_more() {
        let operations = Operations::of_nobody().await;
        for number in 0..500 {
            operations.house.tables.retain(&message(number)).expect("room");
        }
        let count = async |patience| {
            operations
                .delete_retained("plant/#", true, patience)
                .await
                .expect("a filter")
        };
        let cut = count(Duration::ZERO).await;
        assert!(!cut.is_complete && (1..500).contains(&cut.matched), "{cut:?}");
        let whole = count(Duration::from_secs(60)).await;
        assert!(whole.is_complete && whole.matched == 500, "{whole:?}");
    }
}
