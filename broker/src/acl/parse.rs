//! A book of rights as text: each error with its line and its remedy.

use std::fmt;

use mqtt_codec::QoS;

use super::book::{Book, Who};
use super::rule::{Actions, FilterError, Rule};
use super::section::{Rank, RuleKind};

/// What is wrong with a book, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RightsError {
    /// The book's name, as it was given.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: &'static str,
}

impl fmt::Display for RightsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {}", self.file, self.line, self.what, self.remedy)
    }
}

impl std::error::Error for RightsError {}

/// What is wrong in a line, and the remedy.
type Fault = (String, &'static str);

const WORDS: &str = "begin it with allow, deny, topic, pattern, user, group, client, address, listener, everyone or #";
const WHAT: &str = "write publish, subscribe, receive, will, retain or all, several with commas between them";
const ACCESS: &str = "write read, write, readwrite or deny before the topic";

pub(super) fn parse(name: &str, text: &str) -> Result<Book, RightsError> {
    let mut book = Book::default();
    let mut reader = Reader::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (place, line) in text.lines().enumerate() {
        let number = u32::try_from(place + 1).unwrap_or(u32::MAX);
        reader
            .line(number, line, &mut book)
            .map_err(|(what, remedy)| RightsError {
                file: name.to_owned(),
                line: number,
                what,
                remedy,
            })?;
    }
    Ok(book)
}

/// Whom the lines at hand are for.
#[derive(Default)]
struct Reader {
    section: Option<Who>,
}

impl Reader {
    fn line(&mut self, number: u32, line: &str, book: &mut Book) -> Result<(), Fault> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (word, rest) = split_word(line);
        if let Some(who) = section(word, rest)? {
            self.section = Some(who);
            return Ok(());
        }
        let (kind, who, rule) = match word {
            "allow" | "deny" => (RuleKind::Own, Who::Everyone, own(word == "allow", rest)?),
            "topic" => {
                let rule = mosquitto(rest, false)?;
                let kind = if rule.allow {
                    RuleKind::TopicAllow
                } else {
                    RuleKind::TopicDeny
                };
                (kind, Who::Anonymous, rule)
            }
            "pattern" => {
                let rule = mosquitto(rest, true)?;
                let kind = if rule.allow {
                    RuleKind::PatternAllow
                } else {
                    RuleKind::PatternDeny
                };
                book.insert(&Who::Everyone, Rank { kind, line: number }, rule);
                return Ok(());
            }
            _ => return Err((format!("no line begins with `{}`", shown(word)), WORDS)),
        };
        // Before the first section, our lines are for everyone and Mosquitto's for those without a name.
        let who = self.section.as_ref().unwrap_or(&who);
        book.insert(who, Rank { kind, line: number }, rule);
        Ok(())
    }
}

/// A line that says whom the next ones are for.
fn section(word: &str, name: &str) -> Result<Option<Who>, Fault> {
    let who: fn(Box<str>) -> Who = match word {
        "user" => Who::User,
        "group" => Who::Group,
        "client" => Who::Client,
        "listener" => Who::Listener,
        "address" => {
            let network = name.parse().map_err(|what: &str| {
                let remedy = "write an address or a network such as 10.0.0.0/8 or 2001:db8::/32";
                (format!("`{}`: {what}", shown(name)), remedy)
            })?;
            return Ok(Some(Who::Address(network)));
        }
        "everyone" if name.is_empty() => return Ok(Some(Who::Everyone)),
        "everyone" => {
            return Err((
                "`everyone` has no name behind it".to_owned(),
                "write the rule on a line of its own",
            ));
        }
        _ => return Ok(None),
    };
    if name.is_empty() {
        return Err((format!("`{word}` without a name"), "write the name behind it"));
    }
    Ok(Some(who(name.into())))
}

/// `allow|deny WHAT FILTER [qos<=N]`, without its first word.
fn own(allow: bool, rest: &str) -> Result<Rule, Fault> {
    let (what, rest) = split_word(rest);
    let mut actions = None;
    for word in what.split(',') {
        let one = match word {
            "publish" => Actions::PUBLISH,
            "subscribe" => Actions::SUBSCRIBE,
            "receive" => Actions::RECEIVE,
            "will" => Actions::WILL,
            "retain" => Actions::RETAIN,
            "all" => Actions::ALL,
            _ => return Err((format!("`{}` is nothing that can be allowed", shown(word)), WHAT)),
        };
        actions = Some(actions.map_or(one, |actions: Actions| actions.and(one)));
    }
    let Some(actions) = actions else {
        return Err(("nothing is allowed or denied".to_owned(), WHAT));
    };
    let (filter, qos_max) = match rest.rsplit_once([' ', '\t']) {
        Some((filter, bound)) if bound.starts_with("qos") => (filter.trim_end(), qos_bound(bound)?),
        Some(_) | None => (rest, QoS::ExactlyOnce),
    };
    rule(allow, actions, filter, true).map(|rule| rule.up_to(qos_max))
}

fn qos_bound(bound: &str) -> Result<QoS, Fault> {
    match bound {
        "qos<=0" => Ok(QoS::AtMostOnce),
        "qos<=1" => Ok(QoS::AtLeastOnce),
        "qos<=2" => Ok(QoS::ExactlyOnce),
        _ => Err((
            format!("`{}` is no bound of QoS", shown(bound)),
            "write qos<=0, qos<=1 or qos<=2",
        )),
    }
}

/// `[read|write|readwrite|deny] TOPIC`, as Mosquitto reads it: a single word is a topic.
fn mosquitto(rest: &str, names: bool) -> Result<Rule, Fault> {
    let (access, topic) = split_word(rest);
    let (topic, access) = if topic.is_empty() {
        (access, "readwrite")
    } else {
        (topic, access)
    };
    let (allow, actions) = match access {
        "read" => (true, Actions::SUBSCRIBE),
        "write" => (true, Actions::PUBLISH),
        "readwrite" => (true, Actions::ALL),
        "deny" => (false, Actions::ALL),
        _ => return Err((format!("`{}` is no access", shown(access)), ACCESS)),
    };
    rule(allow, actions, topic, names)
}

fn rule(allow: bool, actions: Actions, filter: &str, names: bool) -> Result<Rule, Fault> {
    if filter.is_empty() {
        return Err(("no topic".to_owned(), "write the topic or the filter at the end"));
    }
    Rule::with(allow, actions, filter, names).map_err(|error| {
        let remedy = match error {
            FilterError::NotAFilter => "let + be a whole level, # the last one, and the filter at most 65,535 bytes",
            FilterError::Shared => "leave out `$share/` and the share name",
            FilterError::PartOfALevel => "put a / on each side of it",
        };
        (format!("`{}`: {error}", shown(filter)), remedy)
    })
}

/// The first word, and what follows it.
fn split_word(line: &str) -> (&str, &str) {
    match line.split_once([' ', '\t']) {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (line, ""),
    }
}

/// As much of it as an error message has room for.
fn shown(text: &str) -> std::borrow::Cow<'_, str> {
    const CHARS_MAX: usize = 60;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}
