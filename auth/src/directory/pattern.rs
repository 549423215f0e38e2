//! Keys and filters with names in them.

use std::borrow::Cow;

use crate::error::Flaw;

/// A text in which `%u` stands for the user name, `%c` for the client id, `%d` for the name of an LDAP entry and `%%`
/// for a percent sign.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    User,
    Client,
    Entry,
}

/// What is put into a pattern.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) user: &'a str,
    pub(super) client: &'a str,
    pub(super) entry: &'a str,
}

impl Pattern {
    /// `letters` are those that stand for something here.
    pub(super) fn parse(text: &str, letters: &str) -> Result<Self, Flaw> {
        let remedy = || {
            let known: Vec<String> = letters.chars().map(|letter| format!("%{letter}")).collect();
            format!("{} are known here; write %% for a percent sign", known.join(" and "))
        };
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut chars = text.chars();
        while let Some(letter) = chars.next() {
            if letter != '%' {
                plain.push(letter);
                continue;
            }
            let piece = match chars.next() {
                Some('%') => {
                    plain.push('%');
                    continue;
                }
                Some('u') if letters.contains('u') => Piece::User,
                Some('c') if letters.contains('c') => Piece::Client,
                Some('d') if letters.contains('d') => Piece::Entry,
                Some(other) => return Err(Flaw::new(format!("%{other} stands for nothing"), remedy())),
                None => return Err(Flaw::new("it ends with a percent sign", remedy())),
            };
            pieces.extend([Piece::Text(std::mem::take(&mut plain)), piece]);
        }
        pieces.push(Piece::Text(plain));
        Ok(Self { pieces })
    }

    /// Whether a user name makes a difference.
    pub(super) fn names_a_user(&self) -> bool {
        self.pieces.contains(&Piece::User)
    }

    /// How many names are put in.
    #[cfg(feature = "redis")]
    pub(super) fn names(&self) -> usize {
        let is_name = |piece: &&Piece| !matches!(piece, Piece::Text(_));
        self.pieces.iter().filter(is_name).count()
    }

    /// In one pass: what a name holds is never looked at again.
    pub(super) fn fill(&self, names: Names<'_>, escape: impl Fn(&str) -> Cow<'_, str>) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::User => text.push_str(&escape(names.user)),
                Piece::Client => text.push_str(&escape(names.client)),
                Piece::Entry => text.push_str(&escape(names.entry)),
            }
        }
        text
    }
}

#[cfg(test)]
mod tests;
