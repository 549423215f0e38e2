//! The little of Cargo's manifests that the layer test needs: which section names which dependency.

/// Whether a dependency is part of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// `[dependencies]` and `[build-dependencies]`.
    Product,
    /// `[dev-dependencies]`.
    Tests,
}

/// The dependencies of a `Cargo.toml`, with the `strowger-` of our own packages taken off.
pub(crate) fn dependencies(text: &str) -> Vec<(Purpose, String)> {
    let mut found = Vec::new();
    let mut section = None;
    for line in text.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            section = None;
            if let Some((purpose, name)) = dependency_section(header.trim_end_matches(']')) {
                match name {
                    Some(name) => found.push((purpose, room(&name))),
                    None => section = Some(purpose),
                }
            }
        } else if let Some(purpose) = section
            && let Some((key, _)) = line.split_once('=')
            && !line.starts_with('#')
        {
            let name = key.split('.').next().unwrap_or(key).trim().trim_matches('"');
            found.push((purpose, room(name)));
        }
    }
    found
}

/// Whether the manifest takes the lints of the workspace.
pub(crate) fn takes_the_lints(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != "[lints]");
    lines.next().is_some()
        && lines
            .take_while(|line| !line.starts_with('['))
            .any(|line| line == "workspace = true")
}

/// `dependencies`, `target.'cfg(unix)'.dev-dependencies`, `dependencies.serde`: the purpose, and the name if it is there.
fn dependency_section(header: &str) -> Option<(Purpose, Option<String>)> {
    if header.starts_with("workspace") || header.starts_with("patch") {
        return None;
    }
    let kinds = [
        ("dev-dependencies", Purpose::Tests),
        ("build-dependencies", Purpose::Product),
        ("dependencies", Purpose::Product),
    ];
    for (kind, purpose) in kinds {
        let Some(at) = header.rfind(kind) else { continue };
        let rest = header.get(at + kind.len()..).unwrap_or_default();
        let name = rest.strip_prefix('.').map(|name| name.trim_matches('"').to_owned());
        return (rest.is_empty() || name.is_some()).then_some((purpose, name));
    }
    None
}

fn room(package: &str) -> String {
    package.strip_prefix("strowger-").unwrap_or(package).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Purpose, dependencies, takes_the_lints};

    #[test]
    fn every_way_to_write_a_dependency_is_seen() {
        let text = "
            [package]
            name = \"x\"
            [dependencies]
            bytes.workspace = true
            # actix = \"0.13\"
            serde = { version = \"1\", features = [\"derive\"] }
            strowger-broker = { path = \"../broker\" }
            [target.'cfg(unix)'.dependencies]
            libc = \"0.2\"
            [dependencies.tokio]
            version = \"1\"
            [build-dependencies]
            cc = \"1\"
            [dev-dependencies]
            proptest = \"1\"
            [features]
            dependencies-of-nothing = []
        ";
        let product = |name: &str| (Purpose::Product, name.to_owned());
        let expected = [
            product("bytes"),
            product("serde"),
            product("broker"),
            product("libc"),
            product("tokio"),
            product("cc"),
            (Purpose::Tests, "proptest".to_owned()),
        ];
        assert_eq!(dependencies(text), expected);
    }

    #[test]
    fn the_tables_of_the_workspace_are_not_dependencies() {
        assert_eq!(dependencies("[workspace.dependencies]\nbytes = \"1\"\n"), []);
    }

    #[test]
    fn lints_count_only_in_their_section() {
        assert!(takes_the_lints("[lints]\nworkspace = true\n"));
        assert!(!takes_the_lints("[lints]\n[dependencies]\nworkspace = true\n"));
        assert!(!takes_the_lints("[dependencies]\nworkspace = true\n"));
    }
}
