//! One right: what it is about, and which topics and filters it speaks of.

use std::fmt;

use mqtt_codec::{QoS, TopicFilter};

/// What a client wants to do with a topic, or with a topic filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// To publish.
    Publish,
    /// To leave a will with the broker, or to have it published.
    Will,
    /// To have what is published retained. Asked for beside one of the two above.
    Retain,
    /// To subscribe.
    Subscribe,
    /// To be sent a message.
    Receive,
}

impl Action {
    /// All actions, in the order of the counters.
    pub const ALL: [Self; 5] = [Self::Publish, Self::Will, Self::Retain, Self::Subscribe, Self::Receive];

    /// Its name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Will => "will",
            Self::Retain => "retain",
            Self::Subscribe => "subscribe",
            Self::Receive => "receive",
        }
    }
}

/// Several [`Action`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actions(u8);

impl Actions {
    /// All that a publisher does: publish, with or without the retain flag, and leave wills.
    pub const PUBLISH: Self = Self(Self::WILL.0 | Self::RETAIN.0 | 1 << Action::Publish as u8);
    /// Leave wills.
    pub const WILL: Self = Self(1 << Action::Will as u8);
    /// Have messages retained.
    pub const RETAIN: Self = Self(1 << Action::Retain as u8);
    /// Subscribe and be sent what is subscribed.
    pub const SUBSCRIBE: Self = Self(Self::RECEIVE.0 | 1 << Action::Subscribe as u8);
    /// Be sent messages.
    pub const RECEIVE: Self = Self(1 << Action::Receive as u8);
    /// Everything.
    pub const ALL: Self = Self(Self::PUBLISH.0 | Self::SUBSCRIBE.0);

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether `action` is one of them.
    #[must_use]
    pub const fn contain(self, action: Action) -> bool {
        self.0 & (1 << action as u8) != 0
    }
}

/// A right of its own: one line of a book, or one that an authenticator grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub(super) allow: bool,
    pub(super) actions: Actions,
    /// It speaks of messages and subscriptions up to this QoS.
    pub(super) qos_max: QoS,
    pub(super) levels: Box<[Level]>,
}

/// One level of a rule's filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Text(Box<str>),
    /// `+`
    Any,
    /// `#`
    Rest,
    /// `%u`
    User,
    /// `%c`
    Client,
}

/// Why a filter can't stand in a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterError {
    /// It is no topic filter.
    NotAFilter,
    /// It begins with `$share/`.
    Shared,
    /// `%u` or `%c` is not the whole of its level.
    PartOfALevel,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAFilter => "this is no topic filter",
            Self::Shared => "a right speaks of topics, not of a share name",
            Self::PartOfALevel => "%u and %c stand for a whole level",
        })
    }
}

impl std::error::Error for FilterError {}

impl Rule {
    /// A right for `filter`, in which the levels `%u` and `%c` stand for the client's own names.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the filter.
    pub fn new(allow: bool, actions: Actions, filter: &str) -> Result<Self, FilterError> {
        Self::with(allow, actions, filter, true)
    }

    /// The same right for messages and subscriptions up to this QoS alone.
    #[must_use]
    pub fn up_to(self, qos_max: QoS) -> Self {
        Self { qos_max, ..self }
    }

    /// With `%u` and `%c` as names, or as what they are.
    pub(super) fn with(allow: bool, actions: Actions, filter: &str, names: bool) -> Result<Self, FilterError> {
        if filter.starts_with("$share/") {
            return Err(FilterError::Shared);
        }
        let valid = TopicFilter::new(filter.to_owned()).map_err(|_| FilterError::NotAFilter)?;
        let level = |level: &str| match level {
            "+" => Ok(Level::Any),
            "#" => Ok(Level::Rest),
            "%u" if names => Ok(Level::User),
            "%c" if names => Ok(Level::Client),
            _ if names && (level.contains("%u") || level.contains("%c")) => Err(FilterError::PartOfALevel),
            _ => Ok(Level::Text(level.into())),
        };
        Ok(Self {
            allow,
            actions,
            qos_max: QoS::ExactlyOnce,
            levels: valid.as_str().split('/').map(level).collect::<Result<_, _>>()?,
        })
    }

    /// Whether it speaks of this action at this QoS.
    pub(super) fn is_about(&self, action: Action, qos: QoS) -> bool {
        self.actions.contain(action) && qos <= self.qos_max
    }

    /// How its topics and those of `asked`, a topic or a filter, lie to each other.
    pub(super) fn reach(&self, asked: &str, names: Names<'_>) -> Reach {
        let (mut levels, mut asked_levels) = (self.levels.iter(), asked.split('/'));
        // Section 4.7.2 in both: a wildcard in front does not match the broker's own topics.
        let is_own = |text: &str| text.starts_with('$');
        let (first, asked_first) = (self.levels.first(), asked.split('/').next().unwrap_or_default());
        let is_apart = match first {
            Some(Level::Any | Level::Rest) => is_own(asked_first),
            Some(first) => matches!(asked_first, "+" | "#") && first.text(names).is_some_and(is_own),
            None => true,
        };
        if is_apart {
            return Reach::Nothing;
        }
        let mut reach = Reach::All;
        loop {
            reach = match (levels.next(), asked_levels.next()) {
                (Some(Level::Rest), _) | (None, None) => return reach,
                // `a/#` is a filter for `a` too.
                (_, Some("#")) => return Reach::Part,
                (Some(_), None) | (None, Some(_)) => return Reach::Nothing,
                (Some(Level::Any), Some(_)) => reach,
                (Some(level), Some(text)) => match level.text(names) {
                    Some(own) if own == text => reach,
                    Some(_) if text == "+" => Reach::Part,
                    Some(_) | None => return Reach::Nothing,
                },
            };
        }
    }
}

impl Level {
    /// The one text that it matches.
    fn text<'a>(&'a self, names: Names<'a>) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::User => names.user,
            Self::Client => names.client,
            Self::Any | Self::Rest => None,
        }
    }
}

/// How many of the topics that were asked for a rule speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// All of them.
    All,
    /// Some of them.
    Part,
    /// None.
    Nothing,
}

/// What `%u` and `%c` stand for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    /// `None`: there is none, or it is one that a pattern refuses.
    pub(super) user: Option<&'a str>,
    pub(super) client: Option<&'a str>,
    /// One of them holds what a pattern refuses.
    pub(super) are_refused: bool,
}

impl<'a> Names<'a> {
    /// Where no rule asks for them.
    pub(super) const UNUSED: Self = Self {
        user: None,
        client: None,
        are_refused: false,
    };

    pub(super) fn new(user: Option<&'a str>, client: &'a str) -> Self {
        let is_safe = |name: &&str| !name.contains(['+', '#', '/']);
        let is_usable = |name: &&str| !name.is_empty() && is_safe(name);
        Self {
            user: user.filter(is_usable),
            client: Some(client).filter(is_usable),
            are_refused: !user.as_ref().is_none_or(is_safe) || !is_safe(&client),
        }
    }
}
