//! The tokens file: who may operate the broker, one on a line, `name:role:key`.
//!
//! The key is `sha256:HEX`, the hash of a token, or `certificate`, for whoever shows a client certificate with this
//! common name. Tokens are random and long, so that their hash need not be slow. Empty lines and lines that begin with
//! `#` are left alone.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Caller, Role};

/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;
/// What a token begins with, so that people and scanners for secrets know one when they see it.
const PREFIX: &str = "strowger_";
const NAME_BYTES_MAX: usize = 64;
/// Entries of one file: each is compared with each token that is shown.
const TOKENS_MAX: usize = 1000;

/// What shows that someone is the one whom a line names.
#[derive(Clone, PartialEq, Eq)]
pub enum Key {
    /// The SHA-256 hash of a token.
    Sha256([u8; 32]),
    /// A client certificate with the name as its common name.
    Certificate,
}

/// Not even hashes are for logs.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256(_) => "Sha256",
            Self::Certificate => "Certificate",
        })
    }
}

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Whose it is.
    pub name: String,
    /// What he may do.
    pub role: Role,
    /// How he shows it.
    pub key: Key,
}

/// A line that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct LineError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub what: String,
}

/// A name that cannot be added or removed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It is there already.
    #[error("{0} is there already; remove it first, or choose another name")]
    Taken(String),
    /// It is not there.
    #[error("{0} is not there; `strowger token list` shows who is")]
    Missing(String),
    /// It is none.
    #[error("{0:?} is no name; allowed: 1 to {NAME_BYTES_MAX} letters, digits and - _ . @")]
    NoName(String),
    /// The file holds as many as it may.
    #[error("the file holds {TOKENS_MAX} tokens, which is the most; remove one")]
    Full,
    /// The file is wrong.
    #[error(transparent)]
    Line(#[from] LineError),
}

/// All lines of a file.
///
/// # Errors
///
/// The first line that is wrong.
pub fn parse(text: &str) -> Result<Vec<Token>, LineError> {
    let mut tokens: Vec<Token> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |what: String| LineError { line: number + 1, what };
        let token = token(line).map_err(wrong)?;
        if tokens.iter().any(|other| other.name == token.name) {
            return Err(wrong(format!("{} stands here twice; remove one", token.name)));
        }
        if tokens.len() == TOKENS_MAX {
            return Err(wrong(format!("more than {TOKENS_MAX} tokens; remove some")));
        }
        tokens.push(token);
    }
    Ok(tokens)
}

fn token(line: &str) -> Result<Token, String> {
    const FORM: &str = "expected name:role:sha256:HEX or name:role:certificate";
    let mut fields = line.trim_end().splitn(3, ':');
    let (Some(name), Some(role), Some(key)) = (fields.next(), fields.next(), fields.next()) else {
        return Err(FORM.to_owned());
    };
    if !is_name(name) {
        return Err(EditError::NoName(name.to_owned()).to_string());
    }
    let role = Role::named(role).ok_or_else(|| format!("{role:?} is no role; allowed: viewer, operator, admin"))?;
    let key = match key.strip_prefix("sha256:") {
        Some(hash) => Key::Sha256(from_hex(hash).ok_or("the hash is not 64 hexadecimal digits")?),
        None if key == "certificate" => Key::Certificate,
        None => return Err(FORM.to_owned()),
    };
    let name = name.to_owned();
    Ok(Token { name, role, key })
}

fn is_name(name: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_good)
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (nth, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * nth..2 * nth + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// A token that nobody has, and its key.
///
/// # Errors
///
/// The system gives no random numbers.
pub fn generate() -> std::io::Result<(String, Key)> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    let key = Key::Sha256(hash(&token));
    Ok((token, key))
}

/// Whether it has the form of what [`generate`] gives: as many random bytes as nobody guesses.
pub(super) fn is_of_our_making(token: &str) -> bool {
    let random = token.strip_prefix(PREFIX).map(|random| URL_SAFE_NO_PAD.decode(random));
    matches!(random, Some(Ok(bytes)) if bytes.len() == TOKEN_BYTES)
}

/// The text of a file with one more token.
///
/// # Errors
///
/// The name is taken or none, or the file is wrong.
pub fn put(text: &str, token: &Token) -> Result<String, EditError> {
    let Token { name, role, key } = token;
    if !is_name(name) {
        return Err(EditError::NoName(name.clone()));
    }
    let there = parse(text)?;
    if there.iter().any(|other| other.name == *name) {
        return Err(EditError::Taken(name.clone()));
    }
    if there.len() >= TOKENS_MAX {
        return Err(EditError::Full);
    }
    let key = match key {
        Key::Sha256(hash) => {
            let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("sha256:{digits}")
        }
        Key::Certificate => "certificate".to_owned(),
    };
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    Ok(format!("{text}{end}{name}:{role}:{key}\n"))
}

/// The text of a file without this one's line.
///
/// # Errors
///
/// There is none, or the file is wrong.
pub fn remove(text: &str, name: &str) -> Result<String, EditError> {
    let there = parse(text)?;
    if !there.iter().any(|token| token.name == name) {
        return Err(EditError::Missing(name.to_owned()));
    }
    let is_his = |line: &&str| line.split(':').next() == Some(name);
    let kept: Vec<&str> = text.lines().filter(|line| !is_his(line)).collect();
    Ok(kept.into_iter().map(|line| format!("{line}\n")).collect())
}

/// Who has this token. All are compared, each in the same time, whichever it is.
pub(super) fn caller(tokens: &[Token], shown: &str) -> Option<Caller> {
    let shown = hash(shown);
    let mut found = None;
    for token in tokens {
        if let Key::Sha256(hash) = &token.key
            && bool::from(hash.ct_eq(&shown))
        {
            found = Some(token);
        }
    }
    found.map(|token| Caller {
        name: token.name.clone(),
        role: token.role,
        key: Some(token.key.clone()),
        session: None,
    })
}
