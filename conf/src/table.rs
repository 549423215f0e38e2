//! The table of settings: what it holds for each, and the macros that fill it from the sections' definitions.

use std::fmt;
use std::ops::RangeInclusive;

use toml::{Table, Value};

use crate::rule::Rule;

/// A group of settings: one `[section]` of the file and one struct of [`crate::Configuration`].
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) name: &'static str,
    /// The doc comment of its struct, line by line.
    pub(crate) about: &'static [&'static str],
    pub(crate) settings: &'static [Setting],
}

/// What is known of one setting apart from its value.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) section: &'static str,
    pub(crate) key: &'static str,
    /// The doc comment of its field, line by line.
    pub(crate) about: &'static [&'static str],
    /// What a number counts; empty for text.
    pub(crate) unit: &'static str,
    pub(crate) allowed: Allowed,
    /// A key of a list's tables that may be missing. Settings never are: they have a default.
    pub(crate) optional: bool,
}

/// Which values a setting takes.
#[derive(Debug)]
pub(crate) enum Allowed {
    /// A whole number, both ends included.
    Range(RangeInclusive<i64>),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Text that keeps the rule.
    Text(Rule),
    /// One text or a list of at least one, each of which keeps the rule.
    List(Rule),
    /// A list of tables with the same keys, possibly empty. Only the file can write them.
    Tables(Tables),
}

/// What a list of tables may hold.
#[derive(Debug)]
pub(crate) struct Tables {
    /// The keys of each table.
    pub(crate) keys: &'static [Setting],
    pub(crate) tables_max: usize,
    /// Whether keys that are good by themselves agree with each other, in one table and over all.
    pub(crate) agree: fn(&[Table]) -> Result<(), Disagreement>,
    /// A list with one table, as the file writes it.
    pub(crate) example: &'static str,
}

/// Keys of a list's tables that do not agree.
#[derive(Debug)]
pub(crate) struct Disagreement {
    /// Which table, counted from 0.
    pub(crate) table: usize,
    /// The key to blame, whether it is there or missing.
    pub(crate) key: &'static str,
    /// What would be right, to go after "allowed: ".
    pub(crate) allowed: String,
}

impl Setting {
    /// `section.key`, as it is named in messages and in `--set`; a key of no section stands alone.
    pub(crate) fn name(&self) -> String {
        if self.section.is_empty() {
            return self.key.to_owned();
        }
        format!("{}.{}", self.section, self.key)
    }

    /// Its value among those of a whole configuration.
    pub(crate) fn find<'a>(&self, values: &'a Value) -> Option<&'a Value> {
        if self.section.is_empty() {
            return values.get(self.key);
        }
        values.get(self.section)?.get(self.key)
    }

    /// The environment variable that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("STROWGER_{}__{}", self.section.to_uppercase(), self.key.to_uppercase())
    }

    /// What it means, in one line.
    pub(crate) fn meaning(&self) -> String {
        one_line(self.about)
    }

    /// The value that stands for `text`, as a variable or a flag gives it: numbers without quotes, lists with commas.
    ///
    /// What is no number stays text, so that [`Setting::check`] can say what was expected.
    pub(crate) fn read(&self, text: &str) -> Value {
        match self.allowed {
            Allowed::Range(_) => match text.replace('_', "").parse() {
                Ok(number) => Value::Integer(number),
                Err(_) => Value::String(text.to_owned()),
            },
            Allowed::OneOf(_) | Allowed::Text(_) | Allowed::Tables(_) => Value::String(text.to_owned()),
            Allowed::List(_) => Value::Array(
                text.split(',')
                    .map(|item| Value::String(item.trim().to_owned()))
                    .collect(),
            ),
        }
    }

    /// Gives `value` back in the shape that the typed struct wants, or None if it is not allowed.
    pub(crate) fn check(&self, value: Value) -> Option<Value> {
        let value = match (&self.allowed, value) {
            (Allowed::List(_), Value::String(only)) => Value::Array(vec![Value::String(only)]),
            (Allowed::Tables(tables), Value::Array(items)) => return tables.check(items).map(Value::Array),
            (_, value) => value,
        };
        let holds = match &self.allowed {
            Allowed::Range(range) => value.as_integer().is_some_and(|number| range.contains(&number)),
            Allowed::OneOf(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Allowed::Text(rule) => value.as_str().is_some_and(rule.holds),
            Allowed::List(rule) => value.as_array().is_some_and(|items| {
                !items.is_empty() && items.iter().all(|item| item.as_str().is_some_and(rule.holds))
            }),
            Allowed::Tables(_) => false,
        };
        holds.then_some(value)
    }

    /// What its tables may hold, if it is a list of tables.
    pub(crate) fn tables(&self) -> Option<&Tables> {
        match &self.allowed {
            Allowed::Tables(tables) => Some(tables),
            Allowed::Range(_) | Allowed::OneOf(_) | Allowed::Text(_) | Allowed::List(_) => None,
        }
    }

    /// The allowed values in words, with the unit.
    pub(crate) fn allowed(&self) -> String {
        match (&self.allowed, self.unit) {
            (Allowed::Range(_), "") => self.allowed.to_string(),
            (Allowed::Range(_), unit) => format!("{} {unit}", self.allowed),
            (Allowed::Tables(_), _) => format!("[[{}]] {}", self.name(), self.allowed),
            (Allowed::OneOf(_) | Allowed::Text(_) | Allowed::List(_), _) => self.allowed.to_string(),
        }
    }
}

impl Tables {
    /// Gives the tables back in the shape that the typed struct wants, or None if one is not allowed.
    fn check(&self, items: Vec<Value>) -> Option<Vec<Value>> {
        if items.len() > self.tables_max {
            return None;
        }
        let tables = items.iter().map(|item| self.check_table(item.as_table()?.clone()));
        let tables: Vec<Table> = tables.collect::<Option<_>>()?;
        (self.agree)(&tables).ok()?;
        Some(tables.into_iter().map(Value::Table).collect())
    }

    fn check_table(&self, mut table: Table) -> Option<Table> {
        let mut checked = Table::new();
        for key in self.keys {
            match table.remove(key.key) {
                Some(value) => {
                    checked.insert(key.key.to_owned(), key.check(value)?);
                }
                None if key.optional => {}
                None => return None,
            }
        }
        table.is_empty().then_some(checked)
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(range) => write!(f, "{} to {}", range.start(), range.end()),
            Self::OneOf(words) => {
                for (nth, word) in words.iter().enumerate() {
                    let before = if nth == 0 { "" } else { " or " };
                    write!(f, "{before}\"{word}\"")?;
                }
                Ok(())
            }
            Self::Text(rule) => f.write_str(rule.says),
            Self::List(rule) => write!(f, "{}, or a list of at least one", rule.says),
            Self::Tables(tables) => {
                let required = tables.keys.iter().filter(|key| !key.optional);
                let keys: Vec<_> = required.map(|key| key.key).collect();
                let keys = keys.join(" and ");
                write!(f, "tables with {keys} in the file, at most {}", tables.tables_max)
            }
        }
    }
}

/// Joins the lines of a doc comment.
pub(crate) fn one_line(about: &[&str]) -> String {
    about.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// Defines a section: its struct, its defaults and its rows of the table, from one text.
///
/// A row reads `key: type = default, allowed values, "unit";`, or `field as "key": …` for a key that is no name in Rust.
macro_rules! section {
    (
        $(#[doc = $about:literal])*
        $name:literal $section:ident {
            $( $(#[doc = $doc:literal])* $key:ident $(as $written:literal)?: $type:ty = $default:expr, $allowed:expr $(, $unit:literal)?; )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
        #[serde(deny_unknown_fields)]
        pub struct $section {
            $( $(#[doc = $doc])* $(#[serde(rename = $written)])? pub $key: $type, )*
        }

        impl Default for $section {
            fn default() -> Self {
                Self { $( $key: $default, )* }
            }
        }

        impl $section {
            pub(crate) const TABLE: crate::table::Section = crate::table::Section {
                name: $name,
                about: &[$($about),*],
                settings: &[$(
                    crate::table::Setting {
                        section: $name,
                        key: crate::table::written!($key $($written)?),
                        about: &[$($doc),*],
                        unit: concat!($($unit)?),
                        allowed: $allowed,
                        optional: false,
                    },
                )*],
            };
        }
    };
}

/// The key as the file writes it.
macro_rules! written {
    ($key:ident) => {
        stringify!($key)
    };
    ($key:ident $written:literal) => {
        $written
    };
}

/// Defines the tables of a list: their struct and their keys.
///
/// A row reads `key: type, allowed values, "unit", optional;`. An optional key's type is an `Option`; any other must be
/// given. The name is that of the list, `section.key`.
macro_rules! element {
    (
        $(#[doc = $about:literal])*
        $name:literal $element:ident {
            $( $(#[doc = $doc:literal])* $key:ident: $type:ty, $allowed:expr $(, $unit:literal)? $(, $optional:ident)?; )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
        #[serde(deny_unknown_fields)]
        pub struct $element {
            $( $(#[doc = $doc])* pub $key: $type, )*
        }

        impl $element {
            const KEYS: &[crate::table::Setting] = &[$(
                crate::table::Setting {
                    section: $name,
                    key: stringify!($key),
                    about: &[$($doc),*],
                    unit: concat!($($unit)?),
                    allowed: $allowed,
                    optional: !stringify!($($optional)?).is_empty(),
                },
            )*];
        }
    };
}

/// Defines a setting's choice of words: the enum and the words it is written as.
macro_rules! choice {
    (
        $(#[doc = $about:literal])*
        $choice:ident { $( $(#[doc = $doc:literal])* $variant:ident = $word:literal, )* }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
        pub enum $choice {
            $( $(#[doc = $doc])* #[serde(rename = $word)] $variant, )*
        }

        impl $choice {
            pub(crate) const WORDS: &[&str] = &[$($word),*];
        }

        /// As the file writes it.
        impl std::fmt::Display for $choice {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $( Self::$variant => concat!("\"", $word, "\""), )* })
            }
        }
    };
}

pub(crate) use {choice, element, section, written};

#[cfg(test)]
mod tests;
