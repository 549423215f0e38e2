use crate::layers::Layers;
use crate::{Durability, Engine, Loaded};

fn load(pairs: &[&str]) -> Result<Loaded, String> {
    let layers = pairs.iter().fold(Layers::default(), |layers, pair| layers.set(*pair));
    layers.load().map_err(|error| error.to_string())
}

#[test]
fn the_engine_memory_makes_the_durability_memory() {
    let loaded = load(&["storage.engine=memory"]).unwrap();
    assert_eq!(loaded.configuration.storage.durability, Durability::Memory);
    assert_eq!(loaded.origin("storage.durability"), Some("because of storage.engine"));
    assert!(loaded.to_string().contains("durability = \"memory\""), "{loaded}");
}

#[test]
fn an_engine_on_disk_leaves_the_durability_alone() {
    for (durability, expected) in [
        ("disk", Durability::Disk),
        ("os", Durability::Os),
        ("memory", Durability::Memory),
    ] {
        let durability = format!("storage.durability={durability}");
        let loaded = load(&["storage.engine=sled", &durability]).unwrap();
        let storage = &loaded.configuration.storage;
        assert_eq!((storage.engine, storage.durability), (Engine::Sled, expected));
        assert_eq!(loaded.origin("storage.durability"), Some("flag --set"));
    }
}

#[test]
fn a_durability_that_the_engine_memory_cannot_give_is_refused_with_both_names() {
    for durability in ["disk", "os"] {
        let pair = format!("storage.durability={durability}");
        assert_eq!(
            load(&["storage.engine=memory", &pair]).unwrap_err(),
            format!(
                "flag --set: `storage.durability` cannot be \"{durability}\" while `storage.engine` is \"memory\" \
                 (flag --set); with this engine nothing survives: say \"memory\" here, or choose another engine"
            )
        );
    }
    let loaded = load(&["storage.engine=memory", "storage.durability=memory"]).unwrap();
    assert_eq!(loaded.origin("storage.durability"), Some("flag --set"));
}

#[test]
fn an_override_that_the_engine_memory_cannot_give_is_refused() {
    let path = std::env::temp_dir().join(format!("strowger-conf-memory-{}.toml", std::process::id()));
    let text = "[storage]\nengine = \"memory\"\n[[storage.override]]\nfilter = \"a/#\"\ndurability = \"os\"\n";
    std::fs::write(&path, text).unwrap();
    let error = Layers::default().file(&path).load().unwrap_err().to_string();
    std::fs::remove_file(&path).unwrap();
    let told = format!(
        "{0}:3: `storage.override.durability` cannot be \"os\" for \"a/#\" while `storage.engine` is \"memory\" ({0}:2); ",
        path.display()
    );
    assert!(error.starts_with(&told), "{error}");
}

#[test]
fn the_journal_holds_two_segments_at_least() {
    let mib = |count: u64| count * 1024 * 1024;
    let set = |segment, whole| {
        load(&[
            &format!("storage.journal_segment_bytes={segment}"),
            &format!("storage.journal_bytes_max={whole}"),
        ])
    };
    assert!(set(mib(8), mib(16)).is_ok());
    assert_eq!(
        set(mib(8), mib(16) - 1).unwrap_err(),
        "flag --set: `storage.journal_bytes_max` cannot be 16777215 while `storage.journal_segment_bytes` is 8388608 \
         (flag --set); two segments have to fit into the journal"
    );
    assert_eq!(
        load(&["storage.journal_segment_bytes=134217728"]).unwrap_err(),
        "flag --set: `storage.journal_segment_bytes` cannot be 134217728 while `storage.journal_bytes_max` is 134217728 \
         (default); two segments have to fit into the journal"
    );
}
