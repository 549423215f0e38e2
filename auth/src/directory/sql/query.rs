//! A query with `${names}` in it, as the operator writes it.

use crate::{Credentials, OpenError};

/// What of a client can be bound to a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Username,
    ClientId,
    Address,
    Listener,
}

impl Field {
    const NAMES: [(&'static str, Self); 4] = [
        ("username", Self::Username),
        ("client_id", Self::ClientId),
        ("address", Self::Address),
        ("listener", Self::Listener),
    ];

    /// The value of one client; none is NULL.
    pub(super) fn of(self, who: &Credentials) -> Option<String> {
        match self {
            Self::Username => who.username.clone(),
            Self::ClientId => Some(who.client_id.clone()),
            Self::Address => who.address.map(|address| address.to_string()),
            Self::Listener => Some(who.listener.clone()),
        }
    }
}

/// How a database writes the places of what is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `$1`, `$2`
    Numbers,
    /// `?`, `?`
    QuestionMarks,
}

/// A query, and what is bound to its places in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) text: String,
    pub(super) fields: Vec<Field>,
}

impl Query {
    /// # Errors
    ///
    /// A name that is not known, one that is not closed, and one in quotes, which would be a text instead of a place.
    pub(super) fn parse(setting: &str, text: &str, dialect: Dialect) -> Result<Self, OpenError> {
        let wrong = |what: String, remedy: &str| OpenError::Setting {
            setting: setting.to_owned(),
            what,
            remedy: remedy.to_owned(),
        };
        const KNOWN: &str = "${username}, ${client_id}, ${address} and ${listener} are known";
        let mut pieces = text.split("${");
        let mut query = Self {
            text: pieces.next().unwrap_or_default().to_owned(),
            fields: Vec::new(),
        };
        for piece in pieces {
            let Some((name, rest)) = piece.split_once('}') else {
                return Err(wrong("a ${ is not closed".to_owned(), KNOWN));
            };
            let Some((_, field)) = Field::NAMES.iter().find(|(known, _)| *known == name) else {
                return Err(wrong(format!("${{{name}}} is not known"), KNOWN));
            };
            if query.text.ends_with(['\'', '"', '`']) || rest.starts_with(['\'', '"', '`']) {
                let what = format!("${{{name}}} stands in quotes");
                return Err(wrong(
                    what,
                    "take the quotes away: what it stands for is bound, not written there",
                ));
            }
            query.fields.push(*field);
            match dialect {
                Dialect::Numbers => query.text.push_str(&format!("${}", query.fields.len())),
                Dialect::QuestionMarks => query.text.push('?'),
            }
            query.text.push_str(rest);
        }
        Ok(query)
    }

    pub(super) fn asks_for_the_user(&self) -> bool {
        self.fields.contains(&Field::Username)
    }
}
