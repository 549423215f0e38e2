//! What one setting makes of another: values that follow, and values that exclude each other.

use crate::configuration::{Durability, Engine};
use crate::error::{Contradiction, Error};
use crate::loaded::Loaded;
use crate::origin::Origin;

/// Puts in what follows from other settings.
///
/// # Errors
///
/// [`Error::Contradiction`] for two settings that cannot both hold.
pub(crate) fn settle(mut loaded: Loaded) -> Result<Loaded, Error> {
    if loaded.configuration.storage.engine == Engine::Memory {
        keep_nothing(&mut loaded)?;
    }
    journal_has_room(&loaded)?;
    Ok(loaded)
}

/// With the engine "memory" every durability is "memory", and another one that somebody asked for is a mistake.
fn keep_nothing(loaded: &mut Loaded) -> Result<(), Error> {
    const DURABILITY: &str = "storage.durability";
    const ENGINE: &str = "storage.engine";
    let refuse = |key, list, value| Contradiction {
        origin: origin(loaded, list),
        key,
        value,
        other_origin: origin(loaded, ENGINE),
        other_key: ENGINE,
        other_value: Engine::Memory.to_string(),
        remedy: "with this engine nothing survives: say \"memory\" here, or choose another engine",
    };
    let storage = &loaded.configuration.storage;
    let is_asked_for = loaded.origin(DURABILITY) != Some(&*Origin::Default.to_string());
    if storage.durability != Durability::Memory && is_asked_for {
        return Err(refuse(DURABILITY, DURABILITY, storage.durability.to_string()).into());
    }
    let mut overrides = storage.overrides.iter();
    if let Some(kept) = overrides.find(|each| each.durability != Durability::Memory) {
        let value = format!("{} for {:?}", kept.durability, kept.filter);
        return Err(refuse("storage.override.durability", "storage.override", value).into());
    }
    if storage.durability != Durability::Memory {
        loaded.configuration.storage.durability = Durability::Memory;
        let origin = Origin::Implied(ENGINE).to_string();
        loaded.origins.insert(DURABILITY.to_owned(), origin);
    }
    Ok(())
}

/// A segment is settled while the next is written, so that two have to fit.
fn journal_has_room(loaded: &Loaded) -> Result<(), Error> {
    let storage = &loaded.configuration.storage;
    let (segment_bytes, bytes_max) = (storage.journal_segment_bytes, storage.journal_bytes_max);
    if bytes_max / 2 >= segment_bytes {
        return Ok(());
    }
    let segment = ("storage.journal_segment_bytes", segment_bytes);
    let whole = ("storage.journal_bytes_max", bytes_max);
    // The one that somebody set is the culprit.
    let is_default = loaded.origin(whole.0) == Some(&*Origin::Default.to_string());
    let (culprit, other) = if is_default { (segment, whole) } else { (whole, segment) };
    Err(Contradiction {
        origin: origin(loaded, culprit.0),
        key: culprit.0,
        value: culprit.1.to_string(),
        other_origin: origin(loaded, other.0),
        other_key: other.0,
        other_value: other.1.to_string(),
        remedy: "two segments have to fit into the journal",
    }
    .into())
}

fn origin(loaded: &Loaded, key: &str) -> String {
    loaded.origin(key).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
