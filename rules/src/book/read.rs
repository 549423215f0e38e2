//! A rule file to rules.

use broker::exchange::Kind;
use mqtt_codec::TopicFilter;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fields::{Fields, Text};
use super::read_action::{self, Done};
use super::{OnError, Rule};
use crate::RulesError;
use crate::event::KINDS;
use crate::expression::{Node, Surroundings, Type, compile};
use crate::rates::Rate;
use crate::source::Source;

/// Bytes of a file.
const FILE_BYTES_MAX: usize = 1 << 20;
/// Rules of a file.
const RULES_MAX: usize = 1000;
/// Topic filters of a rule.
const TOPICS_MAX: usize = 1000;
/// Bytes of a name or a tag.
const NAME_BYTES_MAX: usize = 64;
/// Tags of a file.
const TAGS_MAX: usize = 256;

/// What is in a file.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) rules: Vec<Rule>,
    pub(super) tags: Vec<Box<str>>,
    pub(super) rates: Vec<Rate>,
}

pub(super) fn read(source: Source<'_>) -> Result<Read, RulesError> {
    if source.text.len() > FILE_BYTES_MAX {
        let what = format!(
            "the file has {} bytes, and may have {FILE_BYTES_MAX}",
            source.text.len()
        );
        return Err(source.error(0, what, "write fewer rules"));
    }
    let root = DeTable::parse(source.text).map_err(|error| source.broken(&error))?;
    let mut read = Read::default();
    for (key, value) in root.get_ref() {
        if key.get_ref() != "rule" {
            let what = format!("the file has a key `{}`", key.get_ref());
            return Err(source.error(key.span().start, what, "write rules only, each under [[rule]]"));
        }
        let Some(rules) = value.get_ref().as_array() else {
            return Err(source.error(
                value.span().start,
                "`rule` is no list",
                "write [[rule]] above each rule",
            ));
        };
        for value in rules {
            let rule = Reader {
                source,
                read: &mut read,
                kinds: Vec::new(),
            }
            .rule(value)?;
            read.rules.push(rule);
        }
    }
    Ok(read)
}

/// The reader of one rule.
#[derive(Debug)]
pub(super) struct Reader<'t, 'r> {
    pub(super) source: Source<'t>,
    read: &'r mut Read,
    pub(super) kinds: Vec<Kind>,
}

impl<'t> Reader<'t, '_> {
    fn rule(mut self, value: &'t Spanned<DeValue<'t>>) -> Result<Rule, RulesError> {
        const KEYS: [&str; 6] = ["name", "on", "topics", "when", "then", "on_error"];
        let fields = Fields::of(self.source, value, "a rule", &KEYS)?;
        let name = fields.required(
            "name",
            "give it a name of its own, such as name = \"no-large-payloads\"",
        )?;
        self.check_name(&name)?;
        if self.read.rules.len() >= RULES_MAX {
            let what = format!("more than {RULES_MAX} rules");
            return Err(self
                .source
                .error(name.span.start, what, "let one rule do what several do"));
        }
        if self.read.rules.iter().any(|rule| rule.name.as_ref() == name.text) {
            let what = format!("there is another rule `{}`", name.text);
            return Err(self
                .source
                .error(name.span.start, what, "give each rule a name of its own"));
        }
        self.kinds = self.on(&fields, &name)?;
        let topics = self.topics(&fields)?;
        let when = match fields.text("when")? {
            Some(text) => Some(self.compile(&text, &[Type::Bool])?),
            None => None,
        };
        let Some(then) = fields.get("then") else {
            let remedy = "say what it does: then = [\"allow\"]";
            return Err(self.source.error(
                name.span.start,
                format!("the rule `{}` has no `then`", name.text),
                remedy,
            ));
        };
        let Done { actions, verdict } = read_action::actions(&mut self, then)?;
        let on_error = match fields.text("on_error")? {
            None => OnError::Deny,
            Some(text) => match text.text {
                "deny" => OnError::Deny,
                "skip" => OnError::Skip,
                other => {
                    let what = format!("`on_error` cannot be \"{other}\"");
                    return Err(self.source.error(text.span.start, what, "write \"deny\" or \"skip\""));
                }
            },
        };
        Ok(Rule {
            name: name.text.into(),
            kinds: self.kinds,
            topics,
            when,
            actions,
            verdict,
            on_error,
        })
    }

    fn on(&self, fields: &Fields<'t>, name: &Text<'t>) -> Result<Vec<Kind>, RulesError> {
        let words = KINDS.map(|(word, _)| format!("\"{word}\"")).join(", ");
        let mut kinds = Vec::new();
        for text in fields.texts("on")? {
            let Some((_, kind)) = KINDS.iter().find(|(word, _)| *word == text.text) else {
                let what = format!("`on` has \"{}\", which is no kind of exchange", text.text);
                return Err(self.source.error(text.span.start, what, format!("use {words}")));
            };
            if !kinds.contains(kind) {
                kinds.push(*kind);
            }
        }
        if kinds.is_empty() {
            let what = format!("the rule `{}` is about no exchange", name.text);
            return Err(self
                .source
                .error(name.span.start, what, format!("write on = [...] with some of {words}")));
        }
        Ok(kinds)
    }

    fn topics(&self, fields: &Fields<'t>) -> Result<Vec<Box<str>>, RulesError> {
        let texts = fields.texts("topics")?;
        if let Some(first) = texts.get(TOPICS_MAX) {
            let what = format!("more than {TOPICS_MAX} topic filters in one rule");
            return Err(self
                .source
                .error(first.span.start, what, "use wildcards, or several rules"));
        }
        if let Some(value) = fields.get("topics") {
            if texts.is_empty() {
                let what = "`topics` is empty, so that the rule is about nothing";
                return Err(self
                    .source
                    .error(value.span().start, what, "leave it out for all topics"));
            }
            if self.kinds.contains(&Kind::Connect) {
                let what = "`topics` beside \"connect\", which has none";
                let remedy = "leave `topics` out, or make a rule of its own for \"connect\"";
                return Err(self.source.error(value.span().start, what, remedy));
            }
        }
        let checked = texts.iter().map(|text| match TopicFilter::new(text.text) {
            Ok(filter) if filter.share().is_none() => Ok(text.text.into()),
            Ok(_) => {
                let what = format!("\"{}\" is a shared subscription", text.text);
                Err(self
                    .source
                    .error(text.span.start, what, "write the filter behind the share name"))
            }
            Err(_) => {
                let what = format!("\"{}\" is no topic filter", text.text);
                Err(self
                    .source
                    .error(text.span.start, what, "write one such as \"a/+/b\" or \"a/#\""))
            }
        });
        checked.collect()
    }

    /// Compiles the expression that stands at `text`.
    pub(super) fn compile(&mut self, text: &Text<'t>, wanted: &[Type]) -> Result<Node, RulesError> {
        let mut around = Surroundings {
            kinds: &self.kinds,
            rates: &mut self.read.rates,
        };
        compile(text.text, wanted, &mut around).map_err(|mistake| {
            let offset = self.source.inside(&text.span, text.text, mistake.offset);
            self.source.error(offset, mistake.what, mistake.remedy)
        })
    }

    /// The number of a tag; the same name is the same tag.
    pub(super) fn tag(&mut self, text: &Text<'t>) -> Result<u16, RulesError> {
        self.check_name(text)?;
        let tags = &mut self.read.tags;
        let place = match tags.iter().position(|known| known.as_ref() == text.text) {
            Some(place) => place,
            None if tags.len() >= TAGS_MAX => {
                let what = format!("more than {TAGS_MAX} tags");
                return Err(self.source.error(text.span.start, what, "let rules share a tag"));
            }
            None => {
                tags.push(text.text.into());
                tags.len() - 1
            }
        };
        Ok(u16::try_from(place).unwrap_or(u16::MAX))
    }

    fn check_name(&self, text: &Text<'t>) -> Result<(), RulesError> {
        let is_fine = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
        if !text.text.is_empty() && text.text.len() <= NAME_BYTES_MAX && text.text.chars().all(is_fine) {
            return Ok(());
        }
        let what = format!("\"{}\" is no name", text.text.escape_debug());
        let remedy = format!("use 1 to {NAME_BYTES_MAX} letters, digits, hyphens, underscores and dots");
        Err(self.source.error(text.span.start, what, remedy))
    }
}
