//! Settings are read again while the broker runs: from the file, the environment and the flags that it was started with.

use std::sync::{Arc, Mutex, PoisonError};

use actors::{Configurator, Draft, NewFile, SettingChange, When};

use super::{can_be_had, settings};
use crate::failure::Failure;
use crate::log;
use crate::policy::{Edition, Policy};

/// See the module.
#[derive(Debug)]
pub(super) struct Reader {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    layers: conf::Layers,
    policy: Arc<Policy>,
    /// What is in force: what needs a restart is as it was at the start.
    running: Mutex<conf::Configuration>,
}

impl Reader {
    /// Reads `layers`, of which `running` is what is in force.
    pub(super) fn new(layers: conf::Layers, policy: Arc<Policy>, running: conf::Configuration) -> Arc<Self> {
        let inner = Inner {
            layers,
            policy,
            running: Mutex::new(running),
        };
        Arc::new(Self { inner: Arc::new(inner) })
    }

    /// What is in force.
    pub(super) fn running(&self) -> conf::Configuration {
        self.inner.running()
    }

    fn read(&self, file: Option<NewFile>) -> Result<Draft, Failure> {
        let inner = &self.inner;
        let layers = match file {
            Some(NewFile { name, text }) => inner.layers.clone().text(name, text),
            None => inner.layers.clone(),
        };
        let wanted = layers.load()?.configuration;
        can_be_had(&wanted)?;
        let running = inner.running();
        let changes = conf::changes(&running, &wanted)?;
        let taken = conf::taken(&running, &wanted)?;
        let edition = Edition::read(&taken.rules)?;
        let rules = inner.policy.news(&edition);
        let configurator = Arc::new(Self {
            inner: Arc::clone(inner),
        });
        let policy = Arc::clone(&inner.policy);
        let settings = settings(&taken, policy, configurator)?;
        let adopter = Arc::clone(inner);
        let is_other = rules.is_some();
        Ok(Draft {
            settings,
            changes: changes.into_iter().map(change_of).collect(),
            rules,
            adopt: Box::new(move || {
                log::set_level(&taken.log.level);
                if is_other {
                    adopter.policy.adopt(edition);
                }
                *adopter.running.lock().unwrap_or_else(PoisonError::into_inner) = taken;
            }),
        })
    }
}

impl Inner {
    fn running(&self) -> conf::Configuration {
        // Nothing in there is ever half done.
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Configurator for Reader {
    fn draft(&self, text: Option<NewFile>) -> Result<Draft, String> {
        self.read(text).map_err(|failure| failure.to_string())
    }
}

fn change_of(change: conf::Change) -> SettingChange {
    SettingChange {
        key: change.key,
        before: change.before,
        after: change.after,
        when: match change.live {
            conf::Live::Now => When::Now,
            conf::Live::Connections => When::Connections,
            conf::Live::Restart => When::Restart,
        },
    }
}
