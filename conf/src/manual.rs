//! The two texts that are generated from the table: the commented file and the reference.

use std::fmt::Write;

use toml::Value;

use crate::configuration::{Configuration, SECTIONS};
use crate::error::Error;
use crate::loaded::Loaded;
use crate::table::{Setting, Tables, one_line};

/// Width at which the commented file breaks its comments.
const WIDTH: usize = 100;

/// The text of `conf/strowger.toml`: every setting, commented out, with its meaning and its default.
///
/// # Errors
///
/// [`Error::Inconsistent`] if the defaults do not fit the table.
pub fn sample() -> Result<String, Error> {
    let defaults = Loaded::value_of(&Configuration::default())?;
    let mut text = String::new();
    push(
        &mut text,
        "Settings of Strowger, with their defaults. Take the # off a line to change it.",
    );
    push(
        &mut text,
        "An environment variable STROWGER_SECTION__KEY and the flags of `strowger serve` go before this file.",
    );
    push(&mut text, "`strowger check FILE` tells whether a file is good.");
    for section in SECTIONS {
        if !section.name.is_empty() {
            text.push('\n');
            push(&mut text, &one_line(section.about));
            let _ = writeln!(text, "[{}]", section.name);
        }
        for setting in section.settings {
            text.push('\n');
            push(&mut text, &setting.meaning());
            push(&mut text, &format!("Allowed: {}.", setting.allowed()));
            if let Some(tables) = setting.tables() {
                for key in tables.keys {
                    let (name, meaning, allowed) = (key.key, key.meaning(), key.allowed());
                    let presence = if key.optional { " (optional)" } else { "" };
                    push(&mut text, &format!("{name}{presence}: {meaning} Allowed: {allowed}."));
                }
                push(&mut text, &format!("For example: {} = {}", setting.key, tables.example));
            }
            let _ = writeln!(text, "#{} = {}", setting.key, default_of(&defaults, setting)?);
        }
    }
    Ok(text)
}

/// The text of `docs/CONFIG.md`: a table per section.
///
/// # Errors
///
/// [`Error::Inconsistent`] if the defaults do not fit the table.
pub fn reference() -> Result<String, Error> {
    let defaults = Loaded::value_of(&Configuration::default())?;
    let mut text = String::from(
        "# Settings\n\n\
         This page is generated from the settings' definition in `conf/src/configuration.rs`; `cargo run -- generate` \
         renews it.\n\n\
         A value is taken from the last of these that gives it: the default, the file (`strowger serve --conf FILE`), \
         the environment variable, `--set section.key=value`, a flag of its own (`--bind`, `--data-dir`). In a \
         variable or a flag, a list is written with commas; a list of tables can stand in the file only. Unknown keys and values out of range are refused. \
         `strowger serve --print-conf` shows each value with its origin, and `strowger check FILE` tells whether a \
         file is good.\n\n\
         Live says when another value is in force: \"yes\" with a reload (SIGHUP), \"next connections\" with a reload for \
         connections that come after it, \"restart\" when the broker is started again. `strowger plan FILE` says beforehand \
         what a reload would do and to whom.\n",
    );
    for section in SECTIONS {
        let title = if section.name.is_empty() {
            "Before all sections"
        } else {
            section.name
        };
        let _ = write!(text, "\n## {title}\n\n{}\n\n", one_line(section.about));
        text.push_str(
            "| Key | Default | Allowed | Unit | Live | Environment variable | Meaning |\n|---|---|---|---|---|---|---|\n",
        );
        for setting in section.settings {
            let unit = if setting.unit.is_empty() { "–" } else { setting.unit };
            let _ = writeln!(
                text,
                "| `{}` | `{}` | {} | {unit} | {} | {} | {} |",
                setting.name(),
                default_of(&defaults, setting)?,
                setting.allowed,
                setting.live(),
                variable(setting),
                setting.meaning(),
            );
        }
        for setting in section.settings {
            if let Some(tables) = setting.tables() {
                push_tables(&mut text, setting, tables);
            }
        }
    }
    Ok(text)
}

/// The environment variable, for those settings that one can set.
fn variable(setting: &Setting) -> String {
    match setting.tables() {
        Some(_) => "–".to_owned(),
        None => format!("`{}`", setting.variable()),
    }
}

/// Appends what the tables of a list hold, and how the file writes them.
fn push_tables(text: &mut String, list: &Setting, tables: &Tables) {
    let name = list.name();
    let _ = write!(
        text,
        "\nEach `[[{name}]]` has these keys; in one line it is `{} = {}`.\n\n\
         | Key | Needed | Allowed | Unit | Meaning |\n|---|---|---|---|---|\n",
        list.key, tables.example
    );
    for key in tables.keys {
        let needed = if key.optional { "no" } else { "yes" };
        let unit = if key.unit.is_empty() { "–" } else { key.unit };
        let (name, allowed, meaning) = (key.name(), &key.allowed, key.meaning());
        let _ = writeln!(text, "| `{name}` | {needed} | {allowed} | {unit} | {meaning} |");
    }
}

fn default_of<'a>(defaults: &'a Value, setting: &Setting) -> Result<&'a Value, Error> {
    let value = setting.find(defaults);
    value.ok_or_else(|| Error::Inconsistent(format!("`{}` has no default", setting.name())))
}

/// Appends `comment` as lines that start with `# `.
fn push(text: &mut String, comment: &str) {
    text.push('#');
    let mut width = 1;
    for word in comment.split_whitespace() {
        if width + 1 + word.len() > WIDTH {
            text.push_str("\n#");
            width = 1;
        }
        let _ = write!(text, " {word}");
        width += 1 + word.len();
    }
    text.push('\n');
}

#[cfg(test)]
mod tests;
