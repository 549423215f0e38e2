//! What is known of the new configuration while the old one is read.

use std::path::PathBuf;

use super::source::Line;

/// A value with the number of its line in the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) line: usize,
}

/// Who comes in and what he may do: of all listeners, or of one.
#[derive(Debug, Clone, Default)]
pub(super) struct Security {
    pub(super) anonymous: Option<Given<bool>>,
    pub(super) password_file: Option<Given<PathBuf>>,
    pub(super) acl_file: Option<Given<PathBuf>>,
    pub(super) has_plugin: bool,
}

/// What carries MQTT.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Protocol {
    #[default]
    Mqtt,
    WebSockets,
}

/// Which addresses a name or the absence of one stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Domain {
    V4,
    V6,
}

/// A listener as Mosquitto has it.
#[derive(Debug, Clone, Default)]
pub(super) struct Listener {
    /// Its own line in the report; none for the one that is there by default.
    pub(super) line: Option<usize>,
    pub(super) port: Option<u16>,
    /// Address or name, or the path of a Unix socket with port 0.
    pub(super) host: Option<String>,
    pub(super) protocol: Protocol,
    pub(super) domain: Option<Domain>,
    pub(super) connections_max: Option<u64>,
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
    pub(super) ca_file: Option<Given<String>>,
    pub(super) ca_directory: Option<Given<PathBuf>>,
    pub(super) crl: Option<String>,
    pub(super) requires_certificate: bool,
    pub(super) is_tls_1_3_only: bool,
    pub(super) name_from: Option<Given<NameFrom>>,
    pub(super) qos_max: Option<u8>,
    pub(super) origins: Vec<String>,
    pub(super) security: Security,
    /// Why it cannot be opened as it was, with the line that says so.
    pub(super) hindrance: Option<Given<String>>,
    /// Whether any line was about it, so that Mosquitto opens it although nothing names it.
    pub(super) is_wanted: bool,
}

/// The part of a client certificate that is the user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameFrom {
    CommonName,
    Subject,
}

impl NameFrom {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::CommonName => "common_name",
            Self::Subject => "subject",
        }
    }
}

/// A rule that does what no setting does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) on: &'static str,
    pub(super) when: String,
    pub(super) then: &'static str,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// The one that no line `listener` opens.
    pub(super) default_listener: Listener,
    pub(super) listeners: Vec<Listener>,
    /// Of all listeners, unless each has its own.
    pub(super) security: Security,
    pub(super) is_per_listener: bool,
    pub(super) is_persistent: bool,
    /// Within `connection`, where keywords are about a bridge.
    pub(super) bridge: Option<String>,
    /// Section, key, value as TOML, and where it came from.
    pub(super) settings: Vec<(&'static str, &'static str, String, String)>,
    pub(super) rules: Vec<Rule>,
    pub(super) log_levels: Vec<String>,
}

impl Draft {
    pub(super) fn new(lines: &[Line]) -> Self {
        Self {
            is_per_listener: lines
                .iter()
                .any(|line| line.key == "per_listener_settings" && line.value == "true"),
            ..Self::default()
        }
    }

    /// The listener that the lines at hand are about.
    pub(super) fn listener(&mut self) -> &mut Listener {
        self.listeners.last_mut().unwrap_or(&mut self.default_listener)
    }

    /// The rights that the lines at hand are about.
    pub(super) fn security(&mut self) -> &mut Security {
        if self.is_per_listener {
            &mut self.listener().security
        } else {
            &mut self.security
        }
    }

    /// A setting of the result; a later line replaces an earlier one.
    pub(super) fn set(&mut self, section: &'static str, key: &'static str, value: impl Into<String>, from: &Line) {
        self.settings.retain(|(s, k, ..)| (*s, *k) != (section, key));
        self.settings.push((section, key, value.into(), from.place()));
    }

    /// A rule of the result; one of the same name is replaced.
    pub(super) fn rule(&mut self, rule: Rule) {
        self.rules.retain(|other| other.name != rule.name);
        self.rules.push(rule);
    }

    /// Whether the setting was given.
    pub(super) fn has(&self, section: &str, key: &str) -> bool {
        self.settings.iter().any(|(s, k, ..)| *s == section && *k == key)
    }
}
