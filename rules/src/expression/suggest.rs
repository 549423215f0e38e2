//! Finds the name that somebody who mistyped probably meant.

/// The candidate that is at most a third of its letters away from `wanted`.
pub(crate) fn nearest<'c>(wanted: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let tolerated = wanted.chars().count() / 3 + 1;
    candidates
        .map(|candidate| (distance(wanted, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, remove or replace (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (above, a) in one.chars().enumerate() {
        let mut corner = above;
        let mut left = above + 1;
        for (b, cell) in other.chars().zip(row.iter_mut().skip(1)) {
            let replaced = corner + usize::from(a != b);
            corner = *cell;
            left = replaced.min(corner + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = above + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn the_nearest_name_is_found_if_there_is_one() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        let names = ["payload", "topic", "client.id"];
        assert_eq!(nearest("paylod", names.into_iter()), Some("payload"));
        assert_eq!(nearest("client_id", names.into_iter()), Some("client.id"));
        assert_eq!(nearest("temperature", names.into_iter()), None);
    }
}
