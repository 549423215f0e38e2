use super::{actions, flag, grants, groups};
use crate::{Actions, Grant};

#[test]
fn yes_and_no_are_these_words_and_no_others() {
    for yes in ["1", "t", "true"] {
        assert_eq!(flag(yes, "x"), Ok(true));
    }
    for no in ["0", "f", "false", ""] {
        assert_eq!(flag(no, "x"), Ok(false));
    }
    for neither in ["yes", "TRUE", "2", " 1", "-1", "null"] {
        assert!(flag(neither, "x").is_err(), "{neither:?}");
    }
}

#[test]
fn groups_are_names_with_commas() {
    assert_eq!(groups(" a, b b ,c"), Ok(["a", "b b", "c"].map(str::to_owned).to_vec()));
    assert_eq!(groups(" "), Ok(Vec::new()));
    for wrong in ["a,,b", ",", "a,b\nc", &"a,".repeat(40_000)] {
        assert!(groups(wrong).is_err(), "{:?}", wrong.get(..4));
    }
}

#[test]
fn denials_come_first_and_half_a_list_is_none() {
    let right = |allow, filter: &str| (allow, Actions::Publish, filter.to_owned());
    let ordered = grants(vec![right(true, "a/#"), right(false, "a/b"), right(true, "c")]).unwrap();
    let filters: Vec<&str> = ordered.iter().map(|grant: &Grant| grant.filter.as_str()).collect();
    assert_eq!(filters, ["a/b", "a/#", "c"]);
    assert!(grants(vec![right(true, "a/#"), right(false, "a#")]).is_err());
    assert!(grants(vec![right(true, "a"); 1_001]).is_err());
    assert!(actions("Publish").is_err() && actions("").is_err() && actions("deny").is_err());
}
