//! What judges the exchanges of all lines: an overseer for each, from one source.

use std::fmt;
use std::sync::Arc;

use actix::Addr;
use broker::exchange::{Open, Overseer};

use crate::message::Oversee;
use crate::session::SessionActor;

/// A policy, shared by all lines.
pub trait Policy: fmt::Debug + Send + Sync {
    /// The overseer of one line, by what is in force at this moment. It is called on that line's thread.
    fn overseer(&self) -> Box<dyn Overseer>;

    /// Reads its source anew, whole or not at all. True: from here on overseers are other ones.
    ///
    /// # Errors
    ///
    /// What is wrong, in one line. What was in force stays.
    fn reload(&self) -> Result<bool, String>;

    /// What it says of itself, by topics beneath `$SYS/broker/`.
    fn states(&self) -> Vec<(String, String)>;
}

/// Everything proceeds.
#[derive(Debug)]
pub struct OpenHouse;

impl Policy for OpenHouse {
    fn overseer(&self) -> Box<dyn Overseer> {
        Box::new(Open)
    }

    fn reload(&self) -> Result<bool, String> {
        Ok(false)
    }

    fn states(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// Reads a policy anew and puts it in force, line by line.
pub(crate) async fn reload(policy: &Arc<dyn Policy>, lines: &[Addr<SessionActor>]) {
    match policy.reload() {
        Ok(false) => tracing::info!("rules are as they were"),
        Ok(true) => {
            for line in lines {
                if line.send(Oversee(Arc::clone(policy))).await.is_err() {
                    tracing::error!("a line has ended and was not told of the rules");
                }
            }
            tracing::info!("rules reloaded");
        }
        Err(error) => tracing::error!(error, "rules: rules.file stays as it was"),
    }
}
