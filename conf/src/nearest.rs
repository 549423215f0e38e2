//! Finds the name that somebody who mistyped probably meant.

/// The candidate most like `wanted`, or None if nothing is like it.
///
/// A key under a wrong section, or under none, is found by the key alone.
pub(crate) fn nearest(wanted: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    let candidates: Vec<String> = candidates.collect();
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let mut same_key = candidates.iter().filter(|candidate| last(candidate) == last(wanted));
    if let (Some(only), None) = (same_key.next(), same_key.next()) {
        return Some(only.clone());
    }
    let tolerated = wanted.chars().count() / 4 + 1;
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(wanted, &candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests;
