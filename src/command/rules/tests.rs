use rules::Checked;

use super::table;

#[test]
fn the_table_shows_what_differs_and_counts() {
    let case = |name: &str, differences: &[&str]| Checked {
        name: name.to_owned(),
        said: "allow".to_owned(),
        differences: differences.iter().map(|text| (*text).to_owned()).collect(),
    };
    let table = table(&[
        case("long name", &[]),
        case("b", &["verdict is \"allow\", expected \"deny\""]),
    ]);
    let expected = "pass  long name  allow\n\
                    FAIL  b          allow\n      verdict is \"allow\", expected \"deny\"\n\
                    1 passed, 1 failed\n";
    assert_eq!(table, expected);
}
