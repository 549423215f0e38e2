//! One line of a file of bans.

use ipnet::IpNet;

use crate::error::Flaw;

use super::{Ban, Banned, instant};

/// `client ID`, `user NAME` or `address ADDRESS[/BITS]`, then `until TIME` or nothing.
pub(super) fn parse(line: &str) -> Result<Ban, Flaw> {
    let (what, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
    let (whom, rest) = word(rest.trim_start())?;
    let until_unix_secs = until(rest.trim())?;
    let whom = match what {
        "client" => Banned::Client(whom.to_owned()),
        "user" => Banned::User(whom.to_owned()),
        "address" => Banned::Address(network(whom)?),
        _ => return Err(Flaw::new("this bans nobody", "begin it with client, user or address")),
    };
    Ok(Ban { whom, until_unix_secs })
}

/// The first word, in quotes if it has spaces, and the rest.
fn word(text: &str) -> Result<(&str, &str), Flaw> {
    let (word, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted
            .split_once('"')
            .ok_or_else(|| Flaw::new("a quotation mark has no other", "end the name with \""))?,
        None => text.split_once(char::is_whitespace).unwrap_or((text, "")),
    };
    if word.is_empty() {
        return Err(Flaw::new(
            "nobody is named",
            "write the client id, user name or address",
        ));
    }
    Ok((word, rest))
}

fn until(text: &str) -> Result<Option<u64>, Flaw> {
    if text.is_empty() {
        return Ok(None);
    }
    let time = text.strip_prefix("until ").and_then(|time| instant::parse(time.trim()));
    time.map(Some).ok_or_else(|| {
        let what = "what follows is no end of the ban";
        Flaw::new(
            what,
            "write it as: until 2027-01-31T12:00:00Z, and put names with spaces in quotes",
        )
    })
}

pub(super) fn network(text: &str) -> Result<IpNet, Flaw> {
    let address = || {
        text.parse()
            .ok()
            .map(|address: std::net::IpAddr| IpNet::from(address.to_canonical()))
    };
    text.parse().ok().or_else(address).ok_or_else(|| {
        let what = format!("{text:?} is neither an address nor a network");
        Flaw::new(what, "write it as 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32")
    })
}
