//! `strowger explain`: which line of the rights and which rule decides, without a broker.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use actors::read_rights;
use broker::acl::{Action, Decision, Ground, Rights, Subject};
use broker::exchange::Kind;
use broker::identity::Identity;
use clap::{Args, Subcommand};
use mqtt_codec::{QoS, TopicFilter, TopicName};

use crate::command::{print, settings};
use crate::failure::Failure;

mod answer;
mod policy;

pub(crate) use answer::answer;

/// Not allowed, for scripts.
const DENIED: u8 = 1;

/// What has a say when a client connects, besides the rules.
const BEYOND: &str = "  by the rules alone: users, passwords, certificates, bans and bounds of listeners were not looked at (strowger \
                      recorder CLIENT, strowger ban)\n";

/// Say what a client may do, and which line of the rights and which rule decides.
///
/// Reads the settings, the file of acl.file and that of rules.file as `strowger serve` would, and sends nothing. Rates are
/// full. The exit code is 0 where it is allowed and 1 where it is denied. docs/ACCESS.md and docs/POLICY.md teach the
/// files.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = false)]
pub(crate) struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// May it connect, by the rules?
    ///
    /// Only rules on `connect` are asked. Not looked at are: users, passwords, certificates and tokens, and who may come in
    /// without a name; bans, wrong passwords and connections that came too often; whether there is such a listener, its
    /// bounds and rates; memory. `strowger recorder CLIENT` says why a client was refused, `strowger ban` who is banned.
    Connect(OfClient),
    /// May it publish to a topic?
    Publish(OfMessage),
    /// May it leave a will for a topic?
    Will(OfMessage),
    /// May it subscribe with a topic filter?
    Subscribe(OfFilter),
    /// May it be sent a message of a topic?
    Receive(OfMessage),
}

#[derive(Debug, Args)]
struct OfClient {
    #[command(flatten)]
    who: Who,
}

#[derive(Debug, Args)]
struct OfMessage {
    /// The topic
    topic: String,
    /// What the message says, for rules that read it
    #[arg(short = 'm', long, value_name = "TEXT", default_value = "")]
    payload: String,
    /// The message is to be retained
    #[arg(short, long)]
    retain: bool,
    #[command(flatten)]
    who: Who,
}

#[derive(Debug, Args)]
struct OfFilter {
    /// The topic filter; of a shared subscription too
    filter: String,
    #[command(flatten)]
    who: Who,
}

/// Who wants to, and by which settings.
#[derive(Debug, Args)]
struct Who {
    /// The user name [default: nobody that is known]
    #[arg(long = "as", value_name = "USER")]
    user: Option<String>,
    /// The client identifier
    #[arg(short = 'i', long = "id", value_name = "CLIENT", default_value = "")]
    client_id: String,
    /// A group that the user is in; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// The address that the client comes from
    #[arg(long, value_name = "IP")]
    address: Option<IpAddr>,
    /// The listener that the client comes in by
    #[arg(long, value_name = "NAME", default_value = "default")]
    listener: String,
    /// Quality of service: 0, 1 or 2
    #[arg(short, long, value_name = "QOS", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: u8,
    /// Read settings from this file [default: $STROWGER_CONF, else /etc/strowger/strowger.toml if it is there]
    #[arg(long, value_name = "FILE")]
    conf: Option<PathBuf>,
    /// The file of rights, in place of acl.file
    #[arg(long, value_name = "FILE")]
    acl: Option<PathBuf>,
    /// The file of rules, in place of rules.file
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// What the client speaks: 3 for 3.1, 4 for 3.1.1, or 5
    #[arg(long, value_name = "LEVEL", default_value_t = 5, value_parser = clap::value_parser!(u8).range(3..=5))]
    protocol: u8,
}

pub(super) fn run(options: &Options) -> Result<ExitCode, Failure> {
    let (who, asked) = asked(&options.verb)?;
    let Explained { allowed, reasons, .. } = explained(who, &asked, &who.settings()?)?;
    let verdict = if allowed { "may" } else { "may not" };
    let beyond = match asked.action {
        Some(_) => "",
        None => BEYOND,
    };
    print(format!("{who} {verdict} {asked}\n{reasons}{beyond}").as_bytes())?;
    Ok(if allowed {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(DENIED)
    })
}

/// Who asks, and for what.
fn asked(verb: &Verb) -> Result<(&Who, Asked), Failure> {
    Ok(match verb {
        Verb::Connect(of) => (&of.who, Asked::connect()),
        Verb::Publish(of) => (
            &of.who,
            Asked::message((Action::Publish, Kind::Publish), "publish to", of)?,
        ),
        Verb::Will(of) => (
            &of.who,
            Asked::message((Action::Will, Kind::Will), "leave a will for", of)?,
        ),
        Verb::Receive(of) => (
            &of.who,
            Asked::message((Action::Receive, Kind::Deliver), "be sent messages of", of)?,
        ),
        Verb::Subscribe(of) => (&of.who, Asked::filter(of)?),
    })
}

/// What the rights and the rules say.
struct Explained {
    allowed: bool,
    /// In lines.
    reasons: String,
    /// Where a message goes instead.
    topic: Option<String>,
}

fn explained(who: &Who, asked: &Asked, settings: &conf::Configuration) -> Result<Explained, Failure> {
    let rights = Book::open(who, &settings.acl)?;
    let (mut allowed, mut reasons) = rights.judge(who, asked, &asked.topics);
    let mut topic = None;
    if allowed {
        let said = policy::judge(who, asked, &settings.rules)?;
        allowed = said.allowed;
        reasons.push_str(&said.words);
        topic = said.topic;
        if let Some(topic) = topic.as_ref().filter(|_| allowed) {
            let (allowed_there, reasons_there) = rights.judge(who, asked, topic);
            allowed = allowed_there;
            reasons.push_str(&reasons_there);
        }
    }
    Ok(Explained {
        allowed,
        reasons,
        topic,
    })
}

/// The rights, and where they come from.
struct Book {
    rights: Rights,
    file: Option<PathBuf>,
    is_wide_granted: bool,
}

impl Book {
    fn open(who: &Who, settings: &conf::Acl) -> Result<Self, Failure> {
        let of_settings = || (!settings.file.is_empty()).then(|| PathBuf::from(&settings.file));
        let file = who.acl.clone().or_else(of_settings);
        Ok(Self {
            rights: match &file {
                Some(file) => read_rights(file).map_err(|error| Failure::Policy(error.to_string()))?,
                None => Rights::open(),
            },
            file,
            is_wide_granted: settings.wide_subscriptions == conf::WideSubscriptions::Grant,
        })
    }

    /// Whether the rights allow it, and why, in a line; they say nothing about who may connect.
    fn judge(&self, who: &Who, asked: &Asked, topics: &str) -> (bool, String) {
        let Some(action) = asked.action else {
            return (true, String::new());
        };
        let identity = who.identity();
        let subject = Subject {
            identity: &identity,
            client_id: &who.client_id,
            address: who.address,
        };
        let decision = self.rights.decide(&subject, action, topics, asked.qos, asked.retain);
        let is_granted_in_part = decision.is_wide && self.is_wide_granted;
        let reason = reason(&decision, self.file.as_deref());
        (decision.allowed || is_granted_in_part, format!("  {reason}\n"))
    }
}

/// What is asked.
struct Asked {
    /// What the rights call it; they know no CONNECT.
    action: Option<Action>,
    kind: Kind,
    words: &'static str,
    /// A topic, or a filter without its share name.
    topics: String,
    qos: QoS,
    retain: bool,
    payload: Vec<u8>,
}

impl Asked {
    fn connect() -> Self {
        Self {
            action: None,
            kind: Kind::Connect,
            words: "connect",
            topics: String::new(),
            qos: QoS::AtMostOnce,
            retain: false,
            payload: Vec::new(),
        }
    }

    fn message((action, kind): (Action, Kind), words: &'static str, of: &OfMessage) -> Result<Self, Failure> {
        let topic = TopicName::new(of.topic.clone())
            .map_err(|_| Failure::Usage(format!("`{}` is no topic: it has + or #, or is empty", of.topic)))?;
        Ok(Self {
            action: Some(action),
            kind,
            words,
            topics: topic.to_string(),
            qos: of.who.qos(),
            retain: of.retain,
            payload: of.payload.clone().into_bytes(),
        })
    }

    fn filter(of: &OfFilter) -> Result<Self, Failure> {
        let filter = TopicFilter::new(of.filter.clone())
            .map_err(|_| Failure::Usage(format!("`{}` is no topic filter", of.filter)))?;
        Ok(Self {
            action: Some(Action::Subscribe),
            kind: Kind::Subscribe,
            words: "subscribe with",
            topics: filter.inner().to_owned(),
            qos: of.who.qos(),
            retain: false,
            payload: Vec::new(),
        })
    }
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.words)?;
        if self.action.is_some() {
            write!(f, " {} at QoS {}", self.topics, u8::from(self.qos))?;
        }
        f.write_str(if self.retain { ", retained" } else { "" })
    }
}

impl Who {
    /// The settings, as `strowger serve` would read them.
    fn settings(&self) -> Result<conf::Configuration, Failure> {
        settings::read(self.conf.as_deref(), None)
    }

    fn identity(&self) -> Identity {
        let mut identity = Identity::named(self.user.as_deref(), Arc::from(&*self.listener));
        identity.groups = self.groups.iter().map(|group| group.as_str().into()).collect();
        identity
    }

    fn qos(&self) -> QoS {
        match self.qos {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        }
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.user.as_deref().unwrap_or("a client without a name"))?;
        if !self.client_id.is_empty() {
            write!(f, " (client {})", self.client_id)?;
        }
        match self.address {
            Some(address) => write!(f, " from {address}"),
            None => Ok(()),
        }
    }
}

/// What decided, with the line as it stands in the file.
fn reason(decision: &Decision, file: Option<&Path>) -> String {
    let wide = match decision.is_wide {
        true => "; part of what it matches is allowed, and each delivery is judged (acl.wide_subscriptions)",
        false => "",
    };
    let ground = match (decision.ground, file) {
        (Ground::NoBook, _) => "there is no file of rights (acl.file), so that everything is allowed".to_owned(),
        (Ground::Superuser, _) => "a superuser may do everything".to_owned(),
        (Ground::Grant(number), _) => format!("its own grant {} decides", number + 1),
        (Ground::Line(number), Some(file)) => format!("{}:{number}: {}", file.display(), line_of(file, number)),
        (Ground::Line(number), None) => format!("line {number} decides"),
        (Ground::NoRule, Some(file)) => format!("no line of {} allows it", file.display()),
        (Ground::NoRule, None) => "no grant allows it".to_owned(),
    };
    format!("{ground}{wide}")
}

fn line_of(file: &Path, number: u32) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().nth((number as usize).saturating_sub(1));
    line.unwrap_or_default().trim().to_owned()
}
