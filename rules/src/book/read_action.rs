//! The list after `then` to actions.

use broker::exchange::{Kind, Refusal};
use bytestring::ByteString;
use toml::Spanned;
use toml::de::DeValue;

use super::action::{Action, Template};
use super::fields::{Fields, text};
use super::read::Reader;
use crate::expression::{Node, Type};
use crate::reason::{reason_named, words};
use crate::{Level, RulesError, Verdict};

/// Actions of one rule.
const ACTIONS_MAX: usize = 16;
/// The longest hold: a minute.
const BLOCK_MS_MAX: u64 = 60_000;

/// All actions, for a remedy.
const WORDS: &str = "\"allow\", \"cancel\", { deny = \"reason\" }, { disconnect = \"reason\" }, { block_ms = 500 }, \
                     { set_topic = \"CEL\" }, { set_payload = \"CEL\" }, { set_qos = \"CEL\" }, \
                     { set_retain = \"CEL\" }, { set_user_property = { name = \"n\", value = \"CEL\" } }, \
                     { republish = { topic = \"CEL\" } }, { tag = \"name\" } or \
                     { log = { level = \"info\", text = \"CEL\" } }";

/// What a rule does.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) actions: Vec<Action>,
    pub(super) verdict: Option<Verdict>,
}

/// One entry of the list.
enum Entry {
    Action(Action),
    Verdict(Verdict),
}

pub(super) fn actions<'t>(reader: &mut Reader<'t, '_>, value: &'t Spanned<DeValue<'t>>) -> Result<Done, RulesError> {
    let source = reader.source;
    let at = value.span().start;
    let Some(list) = value.get_ref().as_array() else {
        let what = format!("`then` is a {}", value.get_ref().type_str());
        return Err(source.error(at, what, "write a list: then = [\"allow\"]"));
    };
    if list.is_empty() || list.iter().count() > ACTIONS_MAX {
        let what = format!("`then` has {} actions", list.iter().count());
        return Err(source.error(at, what, format!("write 1 to {ACTIONS_MAX}")));
    }
    let mut done = Done {
        actions: Vec::new(),
        verdict: None,
    };
    for value in list {
        if done.verdict.is_some() {
            let what = "an action behind one that ends the judgement";
            return Err(source.error(value.span().start, what, "write what ends it last, and once"));
        }
        match entry(reader, value)? {
            Entry::Action(action) => done.actions.push(action),
            Entry::Verdict(verdict) => done.verdict = Some(verdict),
        }
    }
    Ok(done)
}

fn entry<'t>(reader: &mut Reader<'t, '_>, value: &'t Spanned<DeValue<'t>>) -> Result<Entry, RulesError> {
    let source = reader.source;
    let unknown = |what: String| source.error(value.span().start, what, format!("use {WORDS}"));
    if let Some(word) = value.get_ref().as_str() {
        return match word {
            "allow" => Ok(Entry::Verdict(Verdict::Proceed)),
            "cancel" => Ok(Entry::Verdict(Verdict::Cancel)),
            other => Err(unknown(format!("\"{other}\" is no action alone"))),
        };
    }
    let mut pairs = value.get_ref().as_table().into_iter().flatten();
    let (Some((key, inner)), None) = (pairs.next(), pairs.next()) else {
        return Err(unknown(
            "an action has to be a word, or a table with one key".to_owned(),
        ));
    };
    match key.get_ref().as_ref() {
        "deny" => Ok(Entry::Verdict(Verdict::Deny(reason(reader, inner)?))),
        "disconnect" => Ok(Entry::Verdict(Verdict::Disconnect(reason(reader, inner)?))),
        "block_ms" => {
            settable(reader, "block_ms", key.span().start)?;
            Ok(Entry::Verdict(Verdict::Block(block(reader, inner)?)))
        }
        "tag" => {
            let name = text(source, inner, "tag")?;
            Ok(Entry::Action(Action::Tag(reader.tag(&name)?)))
        }
        "log" => log(reader, inner).map(Entry::Action),
        known @ ("set_topic" | "set_payload" | "set_qos" | "set_retain" | "set_user_property" | "republish") => {
            settable(reader, known, key.span().start)?;
            setter(reader, known, inner).map(Entry::Action)
        }
        other => Err(unknown(format!("`{other}` is no action"))),
    }
}

fn setter<'t>(reader: &mut Reader<'t, '_>, key: &str, value: &'t Spanned<DeValue<'t>>) -> Result<Action, RulesError> {
    match key {
        "set_topic" => expression(reader, value, key, &[Type::Text]).map(Action::Topic),
        "set_payload" => expression(reader, value, key, &[Type::Text, Type::Bytes]).map(Action::Payload),
        "set_qos" => expression(reader, value, key, &[Type::Int]).map(Action::Qos),
        "set_retain" => expression(reader, value, key, &[Type::Bool]).map(Action::Retain),
        "republish" => republish(reader, value),
        _ => {
            let fields = Fields::of(reader.source, value, "`set_user_property`", &["name", "value"])?;
            let name = fields.required("name", "name the user property")?;
            let value = fields.required("value", "say what it is to be, as a CEL expression")?;
            let node = reader.compile(&value, &[Type::Text])?;
            Ok(Action::UserProperty(ByteString::from(name.text), node))
        }
    }
}

/// Refuses what cannot be done to an exchange of the rule's kinds.
fn settable(reader: &Reader<'_, '_>, key: &str, at: usize) -> Result<(), RulesError> {
    let allowed: &[Kind] = match key {
        "set_qos" => &[Kind::Publish, Kind::Will, Kind::Subscribe],
        // A will has nobody who could wait.
        "block_ms" => &[
            Kind::Connect,
            Kind::Publish,
            Kind::Deliver,
            Kind::Subscribe,
            Kind::Unsubscribe,
        ],
        "republish" | "set_topic" | "set_retain" => &[Kind::Publish, Kind::Will],
        _ => &[Kind::Publish, Kind::Will, Kind::Deliver],
    };
    let Some(kind) = reader.kinds.iter().find(|kind| !allowed.contains(kind)) else {
        return Ok(());
    };
    let word = crate::event::word_of_kind(*kind);
    let words: Vec<_> = allowed.iter().map(|kind| crate::event::word_of_kind(*kind)).collect();
    let remedy = format!("let the rule be on {} only", words.join(", "));
    Err(reader
        .source
        .error(at, format!("`{key}` cannot be done on \"{word}\""), remedy))
}

fn expression<'t>(
    reader: &mut Reader<'t, '_>,
    value: &'t Spanned<DeValue<'t>>,
    key: &str,
    wanted: &[Type],
) -> Result<Node, RulesError> {
    let text = text(reader.source, value, key)?;
    reader.compile(&text, wanted)
}

fn reason<'t>(reader: &Reader<'t, '_>, value: &'t Spanned<DeValue<'t>>) -> Result<Refusal, RulesError> {
    let text = text(reader.source, value, "reason")?;
    reason_named(text.text).ok_or_else(|| {
        let what = format!("\"{}\" is no reason", text.text);
        reader
            .source
            .error(text.span.start, what, format!("use one of {}", words()))
    })
}

fn block<'t>(reader: &Reader<'t, '_>, value: &'t Spanned<DeValue<'t>>) -> Result<u64, RulesError> {
    let number = value
        .get_ref()
        .as_integer()
        .and_then(|number| number.as_str().parse().ok());
    number.filter(|ms| (1..=BLOCK_MS_MAX).contains(ms)).ok_or_else(|| {
        let remedy = format!("write 1 to {BLOCK_MS_MAX} milliseconds: {{ block_ms = 500 }}");
        reader
            .source
            .error(value.span().start, "`block_ms` is no time to wait", remedy)
    })
}

fn log<'t>(reader: &mut Reader<'t, '_>, value: &'t Spanned<DeValue<'t>>) -> Result<Action, RulesError> {
    let fields = Fields::of(reader.source, value, "`log`", &["level", "text"])?;
    let level = match fields.text("level")? {
        None => Level::Info,
        Some(text) => match Level::ALL.iter().find(|(word, _)| *word == text.text) {
            Some((_, level)) => *level,
            None => {
                let what = format!("\"{}\" is no level", text.text);
                let remedy = format!("use {}", Level::ALL.map(|(word, _)| word).join(", "));
                return Err(reader.source.error(text.span.start, what, remedy));
            }
        },
    };
    let text = fields.required("text", "say what to log, as a CEL expression: text = \"'a word'\"")?;
    Ok(Action::Log(level, reader.compile(&text, &[Type::Text])?))
}

fn republish<'t>(reader: &mut Reader<'t, '_>, value: &'t Spanned<DeValue<'t>>) -> Result<Action, RulesError> {
    let fields = Fields::of(
        reader.source,
        value,
        "`republish`",
        &["topic", "payload", "qos", "retain"],
    )?;
    let topic = fields.required(
        "topic",
        "say where to, as a CEL expression: topic = \"'copy/' + topic\"",
    )?;
    let topic = reader.compile(&topic, &[Type::Text])?;
    let mut compiled = |key: &str, wanted: &[Type]| match fields.text(key)? {
        Some(text) => reader.compile(&text, wanted).map(Some),
        None => Ok(None),
    };
    Ok(Action::Republish(Box::new(Template {
        topic,
        payload: compiled("payload", &[Type::Text, Type::Bytes])?,
        qos: compiled("qos", &[Type::Int])?,
        retain: compiled("retain", &[Type::Bool])?,
    })))
}
