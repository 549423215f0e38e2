use std::path::Path;

use super::{reference, sample};
use crate::configuration::settings;
use crate::file::parse;
use crate::layers::Layers;

fn assert_fresh(path: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "{} is stale: run `cargo run -- generate`",
        path.display()
    );
}

#[test]
fn the_commented_file_is_fresh() {
    assert_fresh("conf/strowger.toml", &sample().unwrap());
}

#[test]
fn the_reference_is_fresh() {
    assert_fresh("docs/CONFIG.md", &reference().unwrap());
}

#[test]
fn the_commented_file_gives_the_defaults_with_and_without_its_comment_signs() {
    let path = std::env::temp_dir().join(format!("strowger-conf-sample-{}.toml", std::process::id()));
    let text = sample().unwrap();
    let bare: String = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    for (text, origin) in [(text, "default".to_owned()), (bare, format!("{}:", path.display()))] {
        std::fs::write(&path, text).unwrap();
        let loaded = Layers::default().file(&path).load().unwrap();
        assert_eq!(loaded.configuration, Layers::default().load().unwrap().configuration);
        assert!(loaded.origin("session.receive_maximum").unwrap().starts_with(&origin));
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn the_example_of_every_list_of_tables_is_good() {
    let lists = settings().filter_map(|setting| Some((setting, setting.tables()?)));
    let mut seen = 0;
    for (list, tables) in lists {
        let text = format!("{} = {}", list.name(), tables.example);
        assert_eq!(parse(&text, Path::new("f")).unwrap().len(), 1, "{text}");
        seen += 1;
    }
    assert_eq!(seen, 4);
}
