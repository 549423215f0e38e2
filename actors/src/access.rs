//! Who comes in, and what he may do: read from files at the start, and again when the operator asks for it.

use std::path::PathBuf;
use std::sync::Arc;

use actix::Addr;
use auth::Chain;
use broker::acl::Rights;

use crate::message::Entitle;
use crate::policy::{self, Policy};
use crate::rights::{RightsFileError, read_rights};
use crate::session::SessionActor;
use crate::settings::Settings;
use crate::system::StartError;

/// The files, and what was read from them last.
pub(crate) struct Access {
    pub(crate) chain: Arc<Chain>,
    rights_file: Option<PathBuf>,
    policy: Arc<dyn Policy>,
}

impl Access {
    /// Reads all of it.
    ///
    /// # Errors
    ///
    /// Names what is wrong.
    pub(crate) async fn open(settings: &Settings) -> Result<(Self, Rights), StartError> {
        let access = Self {
            chain: Arc::new(Chain::open(&settings.authentication).await?),
            rights_file: settings.rights_file.clone(),
            policy: Arc::clone(&settings.policy),
        };
        let rights = access.rights()?;
        Ok((access, rights))
    }

    fn rights(&self) -> Result<Rights, RightsFileError> {
        match &self.rights_file {
            Some(file) => read_rights(file),
            None => Ok(Rights::open()),
        }
    }

    /// Reads all of it anew. What is wrong stays as it was, and the log says why.
    pub(crate) async fn reload(&self, lines: &[Addr<SessionActor>]) {
        match self.chain.reload().await {
            Ok(()) => tracing::info!("authentication reloaded"),
            Err(error) => tracing::error!(%error, "authentication stays as it was"),
        }
        match self.rights() {
            Ok(rights) => {
                entitle(lines, &rights).await;
                tracing::info!("rights reloaded");
            }
            Err(error) => tracing::error!(%error, "rights: acl.file stays as it was"),
        }
        policy::reload(&self.policy, lines).await;
    }
}

/// Puts rights in force on all lines; when it returns, they are.
pub(crate) async fn entitle(lines: &[Addr<SessionActor>], rights: &Rights) {
    for line in lines {
        if line.send(Entitle(rights.clone())).await.is_err() {
            tracing::error!("a line has ended and was not told of the rights");
        }
    }
}
