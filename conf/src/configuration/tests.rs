use super::{Configuration, SECTIONS, settings};
use crate::layers::Layers;
use crate::loaded::Loaded;
use crate::table::Allowed;

#[test]
fn the_defaults_come_out_when_nothing_is_set() {
    assert_eq!(
        Layers::default().load().unwrap().configuration,
        Configuration::default()
    );
}

#[test]
fn the_type_and_the_table_hold_the_same_keys() {
    let values = Loaded::value_of(&Configuration::default()).unwrap();
    let of_type = values.as_table().unwrap();
    assert_eq!(of_type.len(), SECTIONS.len());
    for section in SECTIONS.iter().filter(|section| !section.name.is_empty()) {
        assert_eq!(
            of_type[section.name].as_table().unwrap().len(),
            section.settings.len(),
            "{}",
            section.name
        );
    }
}

#[test]
fn both_ends_of_every_range_and_every_word_fit_the_type() {
    for setting in settings() {
        let values: Vec<String> = match &setting.allowed {
            Allowed::Range(range) => vec![range.start().to_string(), range.end().to_string()],
            Allowed::OneOf(words) => words.iter().map(|word| (*word).to_owned()).collect(),
            Allowed::Text(_) | Allowed::List(_) | Allowed::Tables(_) => continue,
        };
        for value in values {
            let pair = format!("{}={value}", setting.name());
            let mut layers = Layers::default().set(&pair);
            if setting.key == "journal_segment_bytes" {
                layers = layers.set(format!("storage.journal_bytes_max={}", 64_u64 << 30));
            } else if setting.key == "journal_bytes_max" {
                layers = layers.set("storage.journal_segment_bytes=1048576");
            }
            let loaded = layers.load().unwrap_or_else(|error| panic!("{pair}: {error}"));
            let values = Loaded::value_of(&loaded.configuration).unwrap();
            let printed = values[setting.section][setting.key].to_string();
            assert_eq!(printed.trim_matches('"'), value, "{pair}");
        }
    }
}
