//! The retained messages one after the other, for people who browse.

use std::ops::Bound;
use std::sync::Arc;

use mqtt_codec::TopicName;

use super::Retained;
use crate::message::Message;

impl Retained {
    /// Shows `visit` the messages behind `cursor` whose topics begin with `prefix`, in the byte order of their topics,
    /// `examine_max` at most. Returns the cursor to go on with, `None` at the end. Expired messages are among them.
    pub fn walk(
        &self,
        prefix: &str,
        cursor: Option<&TopicName>,
        examine_max: usize,
        mut visit: impl FnMut(&Arc<Message>),
    ) -> Option<TopicName> {
        let from = cursor.map_or(Bound::Included(prefix), |cursor| Bound::Excluded(&**cursor));
        let entries = self.messages.range::<str, _>((from, Bound::Unbounded));
        let mut examined = 0;
        for (topic, message) in entries.take_while(|(topic, _)| topic.starts_with(prefix)) {
            visit(message);
            examined += 1;
            if examined >= examine_max.max(1) {
                return Some(topic.clone());
            }
        }
        None
    }
}
