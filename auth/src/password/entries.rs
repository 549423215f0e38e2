//! Reads a password file: all of it or nothing.

use std::collections::HashMap;
use std::collections::hash_map;
use std::path::Path;

use crate::error::{Flaw, OpenError};
use crate::scram::{Decoy, Mould};
use crate::source;

use super::hash::Hash;

/// A user of a password file.
#[derive(Debug)]
pub(super) struct Entry {
    line: usize,
    pub(super) hash: Hash,
    pub(super) groups: Vec<String>,
}

/// All users of a password file; at least one.
#[derive(Debug)]
pub(super) struct Entries {
    by_name: HashMap<String, Entry>,
    /// What is hashed for names that are not here: at the cost that most entries have.
    decoy: Hash,
    /// What users without an entry for SCRAM look like; `None`: nobody has one.
    scram_decoy: Option<Decoy>,
}

impl Entries {
    pub(super) fn parse(file: &Path, text: &str) -> Result<Self, OpenError> {
        let mut by_name = HashMap::new();
        let mut mould = Mould::default();
        for line in source::lines(file, text)? {
            let (name, mut entry) = parse_line(line.text).map_err(|flaw| flaw.at(file, line.number))?;
            entry.line = line.number;
            if let Some(stored) = entry.hash.scram() {
                mould.add(&stored);
            }
            match by_name.entry(name.to_owned()) {
                hash_map::Entry::Vacant(place) => place.insert(entry),
                hash_map::Entry::Occupied(place) => {
                    let first: &Entry = place.get();
                    let what = format!("user {name:?} is already in line {}", first.line);
                    return Err(Flaw::new(what, "remove one of the two").at(file, line.number));
                }
            };
        }
        let Some(decoy) = most_common(by_name.values()) else {
            return Err(source::empty(file, "add a user with strowger passwd FILE NAME"));
        };
        let scram_decoy = mould.decoy();
        Ok(Self {
            by_name,
            decoy,
            scram_decoy,
        })
    }

    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        self.by_name.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    pub(super) fn scram_decoy(&self) -> Option<&Decoy> {
        self.scram_decoy.as_ref()
    }

    pub(super) fn decoy(&self) -> &Hash {
        &self.decoy
    }
}

/// One of the hashes that cost what most cost.
fn most_common<'a>(entries: impl Iterator<Item = &'a Entry>) -> Option<Hash> {
    let mut counts = HashMap::new();
    for entry in entries {
        let (count, _) = counts.entry(entry.hash.cost()).or_insert((0_usize, &entry.hash));
        *count += 1;
    }
    let (_, hash) = counts.into_values().max_by_key(|(count, _)| *count)?;
    Some(hash.clone())
}

fn parse_line(line: &str) -> Result<(&str, Entry), Flaw> {
    let again = || "write it with strowger passwd FILE NAME";
    let Some((name, rest)) = line.split_once(':') else {
        return Err(Flaw::new("there is no ':' after the user's name", again()));
    };
    check_name(name)?;
    let (hash, groups) = match rest.split_once(':') {
        None => (rest, Vec::new()),
        Some((hash, groups)) => (hash, parse_groups(groups)?),
    };
    let hash = Hash::parse(hash.trim_end())?;
    Ok((name, Entry { line: 0, hash, groups }))
}

/// Whether a name can stand in a password file.
pub(super) fn check_name(name: &str) -> Result<(), Flaw> {
    let remedy = "choose a name without ':' and control characters that does not begin with '#'";
    if name.is_empty() {
        Err(Flaw::new("the user's name is empty", remedy))
    } else if name.starts_with('#') || name.contains(|c: char| c == ':' || c.is_control()) {
        Err(Flaw::new(format!("{name:?} cannot be a user's name"), remedy))
    } else if name.len() > usize::from(u16::MAX) {
        Err(Flaw::new(
            "the user's name is longer than MQTT allows",
            "65,535 bytes are the end",
        ))
    } else {
        Ok(())
    }
}

fn parse_groups(groups: &str) -> Result<Vec<String>, Flaw> {
    let is_wrong = |group: &str| group.is_empty() || group.contains(|c: char| c == ':' || c.is_control());
    let groups: Vec<String> = groups
        .trim_end()
        .split(',')
        .map(|group| group.trim().to_owned())
        .collect();
    if groups.iter().any(|group| is_wrong(group)) {
        let remedy = "write the line as name:hash:group,group";
        return Err(Flaw::new("the groups after the hash cannot be read", remedy));
    }
    Ok(groups)
}
