//! The data directory: who may open it, and what it says of itself.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use storage::{DataDirectory, Format, MemoryStore, Shard, ShardOptions, StoreError};

fn options() -> ShardOptions {
    ShardOptions {
        segment_bytes: 4096,
        ..ShardOptions::new(Box::new(MemoryStore::new(usize::MAX)))
    }
}

fn open(path: &Path, engine: &str) -> Result<Shard, StoreError> {
    let directory = DataDirectory::open(path, engine)?;
    Ok(Shard::open(directory, options())?.0)
}

#[test]
fn it_is_made_for_its_owner_only_and_says_what_wrote_it() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a/b");
    assert_eq!(Format::read(&path).unwrap(), None);
    let shard = open(&path, "fjall").unwrap();
    assert_eq!(shard.directory(), Some(path.as_path()));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("journal/0000000000000001.log")), 0o600);
    let format = Format::read(&path).unwrap().unwrap();
    assert_eq!((format.version, format.engine.as_str()), (1, "fjall"));
    assert!(path.join("shelf-fjall").is_dir());
}

#[test]
fn a_second_holder_is_refused_with_the_number_of_the_first() {
    let place = tempfile::tempdir().unwrap();
    let shard = open(place.path(), "memory").unwrap();
    let error = open(place.path(), "memory").map(drop).unwrap_err();
    let pid = std::process::id();
    assert!(matches!(error, StoreError::Locked { holder: Some(holder), .. } if holder == pid));
    assert!(
        error.to_string().contains(&format!("in use by process {pid}; stop it")),
        "{error}"
    );
    drop(shard);
    open(place.path(), "memory").unwrap();
}

#[test]
fn another_engine_another_version_and_nonsense_are_refused_by_name() {
    let place = tempfile::tempdir().unwrap();
    drop(open(place.path(), "fjall").unwrap());
    let refused = || open(place.path(), "sled").map(drop).unwrap_err().to_string();
    assert!(
        refused().contains("holds the data of engine \"fjall\", not \"sled\""),
        "{}",
        refused()
    );
    fs::write(
        place.path().join("FORMAT"),
        "Strowger store\nversion: 2\nengine: sled\n",
    )
    .unwrap();
    assert!(
        refused().contains("FORMAT: format version 2, known up to 1"),
        "{}",
        refused()
    );
    fs::write(place.path().join("FORMAT"), "something else\n").unwrap();
    assert!(
        refused().contains("FORMAT: damaged: it does not say what wrote it"),
        "{}",
        refused()
    );
}

#[test]
fn a_journal_that_is_gone_is_damage_and_not_a_beginning() {
    let place = tempfile::tempdir().unwrap();
    drop(open(place.path(), "memory").unwrap());
    fs::remove_file(place.path().join("journal/0000000000000001.log")).unwrap();
    let error = open(place.path(), "memory").map(drop).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("0000000000000001.log: damaged: the journal is missing"),
        "{error}"
    );
    // An attempt that never got so far as to promise anything is begun anew.
    fs::remove_file(place.path().join("FORMAT")).unwrap();
    open(place.path(), "memory").unwrap();
}

#[test]
fn a_path_that_cannot_be_a_directory_is_named() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    fs::write(&file, "").unwrap();
    let error = DataDirectory::open(&file.join("data"), "memory")
        .unwrap_err()
        .to_string();
    assert!(error.contains("file"), "{error}");
}
