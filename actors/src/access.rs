//! Who comes in, and what he may do, as files say it at the start.

use std::sync::Arc;

use actix::Addr;
use auth::Chain;
use broker::acl::Rights;

use crate::message::Entitle;
use crate::rights::{RightsFileError, read_rights};
use crate::session::SessionActor;
use crate::settings::Settings;
use crate::system::StartError;

/// Who is asked about clients.
pub(crate) struct Access {
    pub(crate) chain: Arc<Chain>,
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
        };
        Ok((access, rights_of(settings)?))
    }
}

/// Reads the rights that the settings name.
///
/// # Errors
///
/// Names the file, and the line if one is wrong.
pub(crate) fn rights_of(settings: &Settings) -> Result<Rights, RightsFileError> {
    match &settings.rights_file {
        Some(file) => read_rights(file),
        None => Ok(Rights::open()),
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
