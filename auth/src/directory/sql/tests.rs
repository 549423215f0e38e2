use super::query::{Dialect, Field, Query};
use super::rows::{Cell, Row};
use super::{User, rights};
use crate::Credentials;

fn ann() -> Credentials {
    Credentials {
        client_id: "meter-7".to_owned(),
        username: Some("ann".to_owned()),
        password: None,
        address: Some([192, 0, 2, 7].into()),
        listener: "tcp".to_owned(),
        certificate: None,
    }
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn row(cells: &[(&str, Cell)]) -> Row {
    cells
        .iter()
        .map(|(name, cell)| ((*name).to_owned(), cell.clone()))
        .collect()
}

#[test]
fn names_become_places_and_are_bound() {
    let asked = "SELECT h FROM u WHERE n = ${username} AND a::text = ${address} OR ${username} = '$x?'";
    let query = Query::parse("q", asked, Dialect::Numbers).unwrap();
    assert_eq!(
        query.text,
        "SELECT h FROM u WHERE n = $1 AND a::text = $2 OR $3 = '$x?'"
    );
    assert_eq!(query.fields, [Field::Username, Field::Address, Field::Username]);
    let query = Query::parse("q", "${client_id}${listener}", Dialect::QuestionMarks).unwrap();
    assert_eq!(query.text, "??");
    let bound: Vec<_> = query.fields.iter().map(|field| field.of(&ann())).collect();
    assert_eq!(bound, [Some("meter-7".to_owned()), Some("tcp".to_owned())]);
}

#[test]
fn queries_that_cannot_be_bound_are_mistakes() {
    for wrong in [
        "${",
        "${username",
        "${user}",
        "${password}",
        "'${username}'",
        "\"${username}",
        "${username}'",
    ] {
        assert!(Query::parse("q", wrong, Dialect::Numbers).is_err(), "{wrong}");
    }
}

#[test]
fn a_row_is_a_user_or_no_answer() {
    let hash = ("password_hash", text("h"));
    let good = row(&[hash.clone(), ("is_superuser", Cell::Int(1)), ("groups", text("a,b"))]);
    let user = User::read(good, &ann()).unwrap().unwrap();
    assert!(user.privileges.is_superuser);
    assert_eq!(user.privileges.groups, ["a", "b"]);
    let same = row(&[hash.clone(), ("username", text("ann")), ("groups", Cell::Null)]);
    assert!(User::read(same, &ann()).unwrap().is_some());
    let other = row(&[hash.clone(), ("username", text("Ann"))]);
    assert_eq!(User::read(other, &ann()), Ok(None));
    for wrong in [
        row(&[]),
        row(&[("password", text("h"))]),
        row(&[("password_hash", Cell::Null)]),
        row(&[("password_hash", Cell::Int(1))]),
        row(&[("password_hash", text(&"h".repeat(5_000)))]),
        row(&[hash.clone(), ("superuser", Cell::Bool(false))]),
        row(&[hash.clone(), ("is_superuser", Cell::Null)]),
        row(&[hash.clone(), ("is_superuser", Cell::Int(2))]),
        row(&[hash.clone(), ("username", Cell::Null)]),
        row(&[hash, ("groups", Cell::Bool(true))]),
    ] {
        assert!(User::read(wrong.clone(), &ann()).is_err(), "{wrong:?}");
    }
}

#[test]
fn rights_are_rows_of_three() {
    let right =
        |allow: Cell, action: &str, filter: &str| row(&[("a", allow), ("b", text(action)), ("c", text(filter))]);
    let good = vec![
        right(Cell::Int(1), "publish", "a/#"),
        right(Cell::Bool(false), "all", "a/b"),
    ];
    let grants = rights(good).unwrap();
    assert!(!grants[0].allow && grants[1].allow);
    for wrong in [
        right(Cell::Null, "publish", "a"),
        right(Cell::Int(1), "write", "a"),
        right(Cell::Int(1), "publish", "a#"),
        row(&[("a", Cell::Int(1)), ("b", text("publish"))]),
        row(&[
            ("a", Cell::Int(1)),
            ("b", text("publish")),
            ("c", text("a")),
            ("d", Cell::Null),
        ]),
    ] {
        assert!(rights(vec![wrong.clone()]).is_err(), "{wrong:?}");
    }
}
