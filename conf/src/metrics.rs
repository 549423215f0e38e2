//! What is counted apart on the page for Prometheus: messages by topic filter and by group of clients.

use toml::{Table, Value};

use crate::rule::{ANY, NAME, TOPIC_FILTER};
use crate::table::Allowed::{self, Text};
use crate::table::{Disagreement, Tables, element, section};

/// Each is one bit of a message's classes.
const CLASSES_MAX: usize = 64;

section! {
    /// What /metrics counts besides all that it counts of itself.
    "metrics" Metrics {
        /// Topic filters whose messages are counted apart; a message counts in each that its topic matches.
        filters: Vec<CountedFilter> = Vec::new(), Allowed::Tables(FILTERS);
        /// Groups of clients whose messages are counted apart; a message counts in each that its client is in.
        groups: Vec<CountedGroup> = Vec::new(), Allowed::Tables(GROUPS);
    }
}

element! {
    /// Messages that are counted apart.
    "metrics.filters" CountedFilter {
        /// What the label `name` says.
        name: String, Text(NAME);
        /// Topic filter of the messages.
        filter: String, Text(TOPIC_FILTER);
    }
}

element! {
    /// Clients whose messages are counted apart. It has one of `user_group` and `client_id_start`.
    "metrics.groups" CountedGroup {
        /// What the label `name` says.
        name: String, Text(NAME);
        /// Clients whose user is in this group.
        user_group: Option<String>, Text(ANY), optional;
        /// Clients whose client id starts so.
        client_id_start: Option<String>, Text(ANY), optional;
    }
}

const FILTERS: Tables = Tables {
    keys: CountedFilter::KEYS,
    tables_max: CLASSES_MAX,
    agree: names_differ,
    example: r#"[{ name = "alarms", filter = "plant/+/alarm" }]"#,
};

const GROUPS: Tables = Tables {
    keys: CountedGroup::KEYS,
    tables_max: CLASSES_MAX,
    agree: groups_agree,
    example: r#"[{ name = "meters", client_id_start = "meter-" }]"#,
};

fn names_differ(tables: &[Table]) -> Result<(), Disagreement> {
    let name = |table: &Table| table.get("name").and_then(Value::as_str).map(str::to_owned);
    for (nth, table) in tables.iter().enumerate() {
        let own = name(table);
        if tables.iter().take(nth).any(|other| name(other) == own) {
            return Err(Disagreement {
                table: nth,
                key: "name",
                allowed: "a name that no other of them has".to_owned(),
            });
        }
    }
    Ok(())
}

fn groups_agree(tables: &[Table]) -> Result<(), Disagreement> {
    for (nth, table) in tables.iter().enumerate() {
        let has = |key| table.contains_key(key);
        if has("user_group") == has("client_id_start") {
            return Err(Disagreement {
                table: nth,
                key: "user_group",
                allowed: "one of user_group and client_id_start in each group".to_owned(),
            });
        }
    }
    names_differ(tables)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables(text: &str) -> Vec<Table> {
        let table: Table = text.parse().expect("a table");
        let items = table.get("groups").and_then(Value::as_array).expect("a list").clone();
        items
            .into_iter()
            .map(|item| item.try_into().expect("a table"))
            .collect()
    }

    #[test]
    fn a_group_is_of_users_or_of_client_ids_and_has_its_own_name() {
        let good = r#"groups = [{ name = "a", user_group = "x" }, { name = "b", client_id_start = "" }]"#;
        assert!(groups_agree(&tables(good)).is_ok());
        for (bad, key) in [
            (r#"groups = [{ name = "a" }]"#, "user_group"),
            (
                r#"groups = [{ name = "a", user_group = "x", client_id_start = "y" }]"#,
                "user_group",
            ),
            (
                r#"groups = [{ name = "a", user_group = "x" }, { name = "a", user_group = "y" }]"#,
                "name",
            ),
        ] {
            let disagreement = groups_agree(&tables(bad)).expect_err(bad);
            assert_eq!(disagreement.key, key, "{bad}");
        }
    }
}
