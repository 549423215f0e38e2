//! Reads a configuration: defaults, then file, then environment, then flags; what comes later wins.

use std::ffi::OsString;
use std::path::PathBuf;

use config::{Config, ConfigError, Map, Source, ValueKind};
use toml::Value;

use crate::configuration::{Configuration, settings};
use crate::error::Error;
use crate::flag::Flag;
use crate::loaded::{Loaded, shown_refused};
use crate::nearest::nearest;
use crate::origin::Origin;
use crate::table::Setting;
use crate::{consistency, environment, file};

/// The sources of a configuration, to be read by [`Layers::load`].
///
/// Without any source the defaults come out. The order of the calls does not matter, except among flags: of two that
/// set the same key the later wins.
///
/// ```
/// let loaded = conf::Layers::default().set("session.receive_maximum=64").load()?;
/// assert_eq!(loaded.configuration.session.receive_maximum, 64);
/// assert_eq!(loaded.origin("session.receive_maximum"), Some("flag --set"));
/// # Ok::<(), conf::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Layers {
    file: Option<PathBuf>,
    /// What is read in the place of the file, with the name that it has in messages.
    text: Option<(PathBuf, String)>,
    variables: Vec<(OsString, OsString)>,
    flags: Vec<Flag>,
}

impl Layers {
    /// Reads this file, above the defaults.
    pub fn file(mut self, file: impl Into<PathBuf>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Reads this text in the place of the file; messages call it `file`.
    pub fn text(mut self, file: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        self.text = Some((file.into(), text.into()));
        self
    }

    /// Takes `STROWGER_SECTION__KEY` out of these variables, above the file. The process's are `std::env::vars_os()`.
    pub fn environment(mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        self.variables.extend(variables);
        self
    }

    /// Applies `section.key=value`, above the environment. A list is written with commas.
    pub fn set(mut self, pair: impl Into<String>) -> Self {
        self.flags.push(Flag::Set(pair.into()));
        self
    }

    /// Applies the `--bind` flags; an empty list leaves the setting alone.
    pub fn bind(mut self, addresses: &[String]) -> Self {
        if !addresses.is_empty() {
            self.flags.push(Flag::Bind(addresses.to_vec()));
        }
        self
    }

    /// Applies the `--data-dir` flag, which is `storage.directory`.
    pub fn data_dir(mut self, path: impl Into<String>) -> Self {
        self.flags.push(Flag::DataDir(path.into()));
        self
    }

    /// Reads all layers.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, layer by layer from below and line by line, also where a later layer would have
    /// replaced the wrong value; then what two settings make of each other.
    pub fn load(self) -> Result<Loaded, Error> {
        let defaults = defaults()?;
        let file = match (self.text, self.file) {
            (Some((file, text)), _) => file::parse(&text, &file)?,
            (None, Some(file)) => file::read(&file)?,
            (None, None) => Vec::new(),
        };
        let environment = environment::read(&self.variables)?;
        let flags = self.flags.into_iter().map(Flag::read).collect::<Result<Vec<_>, _>>()?;

        let mut builder = Config::builder();
        for layer in [defaults, file, environment, flags] {
            builder = builder.add_source(Layer(layer));
        }
        let merged = builder.build().map_err(inconsistent)?;
        let origins = origins(&merged)?;
        let configuration = merged.try_deserialize().map_err(inconsistent)?;
        consistency::settle(Loaded { configuration, origins })
    }
}

/// A setting's value, found good, and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    setting: &'static Setting,
    value: Value,
    origin: Origin,
}

impl Entry {
    /// Looks the setting up by `name` and checks the value that `read` gives for it.
    pub(crate) fn new(name: &str, origin: Origin, read: impl FnOnce(&Setting) -> Value) -> Result<Self, Error> {
        let Some(setting) = settings().find(|setting| setting.name() == name) else {
            let nearest = nearest(name, settings().map(Setting::name));
            return Err(Error::UnknownKey {
                origin,
                key: name.to_owned(),
                nearest,
            });
        };
        let value = read(setting);
        let written = shown_refused(name, &value).to_string();
        match setting.check(value) {
            Some(value) => Ok(Self { setting, value, origin }),
            None => Err(Error::NotAllowed {
                origin,
                key: name.to_owned(),
                value: written,
                allowed: setting.allowed(),
            }),
        }
    }
}

/// One layer in the form that the `config` crate merges.
#[derive(Debug, Clone)]
struct Layer(Vec<Entry>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, config::Value>, ConfigError> {
        let entries = self.0.iter().map(|entry| {
            let origin = entry.origin.to_string();
            (
                entry.setting.name(),
                config::Value::new(Some(&origin), kind(&entry.value)),
            )
        });
        Ok(entries.collect())
    }
}

/// A checked value is a number, a text or a list of texts or of tables.
fn kind(value: &Value) -> ValueKind {
    match value {
        Value::Integer(number) => ValueKind::I64(*number),
        Value::String(text) => ValueKind::String(text.clone()),
        Value::Array(items) => ValueKind::Array(items.iter().map(|item| config::Value::from(kind(item))).collect()),
        Value::Float(number) => ValueKind::Float(*number),
        Value::Boolean(truth) => ValueKind::Boolean(*truth),
        Value::Table(table) => {
            let entries = table.iter();
            ValueKind::Table(entries.map(|(key, value)| (key.clone(), kind(value).into())).collect())
        }
        Value::Datetime(_) => ValueKind::String(value.to_string()),
    }
}

fn defaults() -> Result<Vec<Entry>, Error> {
    let defaults = Loaded::value_of(&Configuration::default())?;
    settings()
        .map(|setting| {
            let value = setting.find(&defaults).cloned();
            let value = value.ok_or_else(|| Error::Inconsistent(format!("`{}` has no default", setting.name())))?;
            Entry::new(&setting.name(), Origin::Default, |_| value)
        })
        .collect()
}

fn origins(merged: &Config) -> Result<Map<String, String>, Error> {
    let mut origins = Map::new();
    for (section, keys) in merged.collect().map_err(inconsistent)? {
        if matches!(keys.kind, ValueKind::Array(_)) {
            origins.insert(section, keys.origin().unwrap_or_default().to_owned());
            continue;
        }
        for (key, value) in keys.into_table().map_err(inconsistent)? {
            origins.insert(
                format!("{section}.{key}"),
                value.origin().unwrap_or_default().to_owned(),
            );
        }
    }
    Ok(origins)
}

fn inconsistent(error: ConfigError) -> Error {
    Error::Inconsistent(error.to_string())
}

#[cfg(test)]
mod tests;
