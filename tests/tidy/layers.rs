//! A crate may use only the rooms that stand under it; the brain and the codec stay pure.

use crate::File;
use crate::manifest::{Purpose, dependencies, takes_the_lints};

/// A room, and the rooms that it may use. The root package (`src`) knows all others.
const ROOMS: [(&str, &[&str]); 11] = [
    ("auth", &[]),
    ("codec", &[]),
    ("broker", &["mqtt-codec"]),
    ("storage", &["mqtt-codec"]),
    ("client", &["mqtt-codec"]),
    ("actors", &["auth", "broker", "storage", "mqtt-codec"]),
    ("admin", &["actors"]),
    ("gateway", &["actors", "strowger-client", "mqtt-codec"]),
    ("conf", &[]),
    ("rules", &["broker", "mqtt-codec"]),
    ("fuzz", &["mqtt-codec"]),
];

/// Packages of this workspace, as manifests name them.
const OURS: [&str; 10] = [
    "actors",
    "admin",
    "auth",
    "broker",
    "strowger-client",
    "conf",
    "gateway",
    "mqtt-codec",
    "rules",
    "storage",
];

/// Rooms without I/O, clock, randomness, task or lock, and the foreign crates that have none either.
const PURE: [(&str, &[&str]); 2] = [
    ("codec", &["bytes", "bytestring", "memchr", "simdutf8", "thiserror"]),
    (
        "broker",
        &[
            "bytes",
            "bytestring",
            "foldhash",
            "hashbrown",
            "indexmap",
            "ipnet",
            "memchr",
            "slab",
            "smallvec",
            "thiserror",
        ],
    ),
];

/// What a pure room must not use. Plain values such as `SocketAddr` and `IoSlice` are no I/O.
const IMPURE: [&str; 18] = [
    "std::env",
    "std::fs",
    "std::os",
    "std::process",
    "std::thread",
    "Condvar",
    "Instant::now",
    "Mutex",
    "RandomState",
    "RwLock",
    "SystemTime",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "UnixStream",
    "io::Read",
    "io::Write",
    "async fn",
];

/// Own rooms that a manifest uses against the plan, and manifests outside of the plan.
pub(crate) fn rooms(file: &File) -> Vec<String> {
    let Some(folder) = file.path.strip_suffix("/Cargo.toml") else {
        return Vec::new();
    };
    let Some((_, allowed)) = ROOMS.iter().find(|(room, _)| *room == folder) else {
        return vec![format!(
            "{}: a crate outside of the plan; give it a line in ROOMS of tests/tidy/layers.rs and in the plan of \
             docs/ARCHITECTURE.md, or move it into a room that exists",
            file.path
        )];
    };
    dependencies(&file.text)
        .into_iter()
        .map(|(_, name)| name)
        .filter(|name| OURS.contains(&name.as_str()) && !allowed.contains(&name.as_str()))
        .map(|name| {
            let under = if allowed.is_empty() {
                "none of our crates".to_owned()
            } else {
                allowed.join(", ")
            };
            format!(
                "{}: `{folder}` uses `{name}`, which does not stand under it (it may use {under}); pass the value in \
                 from above, or move what both need down into a room that both may use",
                file.path
            )
        })
        .collect()
}

/// Foreign crates in a pure room that are not known to be pure.
pub(crate) fn pure_dependencies(file: &File) -> Vec<String> {
    let Some((room, allowed)) = PURE.iter().find(|(room, _)| file.path == format!("{room}/Cargo.toml")) else {
        return Vec::new();
    };
    dependencies(&file.text)
        .into_iter()
        .filter(|(purpose, name)| *purpose == Purpose::Product && !OURS.contains(&name.as_str()))
        .filter(|(_, name)| !allowed.contains(&name.as_str()))
        .map(|(_, name)| {
            format!(
                "{}: `{room}` is pure and `{name}` is not on its list; do the I/O in `actors` and pass the result in, \
                 or, if the crate has no socket, file, clock, randomness, task or lock, add it to PURE in \
                 tests/tidy/layers.rs",
                file.path
            )
        })
        .collect()
}

/// Impure parts of the standard library in a pure room. Tests may use them.
pub(crate) fn pure_sources(file: &File) -> Vec<String> {
    let in_pure_room = PURE
        .iter()
        .any(|(room, _)| file.path.starts_with(&format!("{room}/src/")));
    if !in_pure_room || file.path.ends_with("/tests.rs") || file.path.contains("/tests/") {
        return Vec::new();
    }
    let product = file.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut breaches = Vec::new();
    for (number, line) in product.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for word in IMPURE.iter().filter(|word| code.contains(**word)) {
            breaches.push(format!(
                "{}:{}: `{word}` in a pure room; take what it gives as an argument, and return the wish as an effect",
                file.path,
                number + 1
            ));
        }
    }
    breaches
}

/// Crates that do not take the workspace's lints.
pub(crate) fn lints(file: &File) -> Vec<String> {
    // The fuzz targets are a workspace of their own.
    if !file.path.ends_with("Cargo.toml") || file.path.starts_with("fuzz/") || takes_the_lints(&file.text) {
        return Vec::new();
    }
    vec![format!(
        "{}: add `[lints]` with `workspace = true`, so that the house rules hold there",
        file.path
    )]
}

#[cfg(test)]
mod tests {
    use super::{File, lints, pure_dependencies, pure_sources, rooms};
    use crate::check;

    fn manifest(path: &str, dependency: &str) -> File {
        File::sample(path, &format!("[dependencies]\n{dependency}.workspace = true\n"))
    }

    #[test]
    fn each_crate_uses_only_what_stands_under_it() {
        check(rooms);
    }

    #[test]
    fn a_crate_that_reaches_upwards_is_reported_with_the_remedy() {
        for (room, wrong) in [
            ("codec", "broker"),
            ("broker", "storage"),
            ("broker", "actors"),
            ("storage", "broker"),
            ("conf", "mqtt-codec"),
            ("actors", "conf"),
        ] {
            let breaches = rooms(&manifest(&format!("{room}/Cargo.toml"), wrong));
            assert_eq!(breaches.len(), 1, "{room} may not use {wrong}");
            assert!(breaches[0].contains("pass the value in"), "{}", breaches[0]);
        }
        assert_eq!(rooms(&manifest("actors/Cargo.toml", "broker")), [""; 0]);
        assert_eq!(rooms(&manifest("Cargo.toml", "actors")), [""; 0]);
    }

    #[test]
    fn a_crate_outside_of_the_plan_is_reported_with_the_remedy() {
        let breaches = rooms(&manifest("helpers/Cargo.toml", "bytes"));
        assert!(breaches[0].contains("docs/ARCHITECTURE.md"), "{breaches:?}");
    }

    #[test]
    fn codec_and_broker_depend_on_nothing_impure() {
        check(pure_dependencies);
    }

    #[test]
    fn an_impure_dependency_is_reported_with_the_remedy() {
        for (room, wrong) in [("codec", "tokio"), ("broker", "rand"), ("broker", "parking_lot")] {
            let breaches = pure_dependencies(&manifest(&format!("{room}/Cargo.toml"), wrong));
            assert_eq!(breaches.len(), 1, "{room} may not use {wrong}");
            assert!(breaches[0].contains("do the I/O in `actors`"), "{}", breaches[0]);
        }
        assert_eq!(pure_dependencies(&manifest("actors/Cargo.toml", "tokio")), [""; 0]);
        let in_tests = File::sample("broker/Cargo.toml", "[dev-dependencies]\ncriterion = \"0.8\"\n");
        assert_eq!(pure_dependencies(&in_tests), [""; 0]);
    }

    #[test]
    fn codec_and_broker_use_nothing_impure_of_the_standard_library() {
        check(pure_sources);
    }

    #[test]
    fn an_impure_source_is_reported_with_the_remedy() {
        let bad = "fn now() {\n    std::time::Instant::now();\n}\n";
        let breaches = pure_sources(&File::sample("broker/src/timers.rs", bad));
        assert!(
            breaches[0].starts_with("broker/src/timers.rs:2: `Instant::now`"),
            "{breaches:?}"
        );
        assert_eq!(pure_sources(&File::sample("actors/src/clock.rs", bad)), [""; 0]);
        assert_eq!(pure_sources(&File::sample("broker/src/timers/tests.rs", bad)), [""; 0]);
        assert_eq!(
            pure_sources(&File::sample("broker/src/lib.rs", "// no Mutex here\n")),
            [""; 0]
        );
    }

    #[test]
    fn each_crate_takes_the_lints_of_the_workspace() {
        check(lints);
    }

    #[test]
    fn a_crate_without_the_lints_is_reported_with_the_remedy() {
        assert!(lints(&manifest("broker/Cargo.toml", "bytes"))[0].contains("add `[lints]`"));
        assert_eq!(lints(&manifest("fuzz/Cargo.toml", "bytes")), [""; 0]);
    }
}
