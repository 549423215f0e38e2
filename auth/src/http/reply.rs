//! What a server's answer means. There is one way to say yes with a body, one without, and no other.

use serde::Deserialize;

use crate::grants::Rights;
use crate::web::Reply;
use crate::{Credentials, Grant, Identity, Refusal, Verdict};

use super::METHOD;

/// A clear answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    Allow {
        groups: Vec<String>,
        is_superuser: bool,
        grants: Vec<Grant>,
    },
    Deny,
    Ignore,
}

/// The body of a 200. A key that is not known is an error: it may have meant less than the others give.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    result: Word,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    is_superuser: bool,
    #[serde(default)]
    acl: Rights,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Allow,
    Deny,
    Ignore,
}

impl Said {
    /// # Errors
    ///
    /// Why it is no answer, as a clause without anything of the body.
    pub(super) fn read(reply: &Reply) -> Result<Self, String> {
        if reply.status == 204 {
            return Ok(Self::Allow {
                groups: Vec::new(),
                is_superuser: false,
                grants: Vec::new(),
            });
        }
        if reply.status != 200 {
            return Err(format!("it answered with status {}, not 200 or 204", reply.status));
        }
        let body: Body =
            serde_json::from_slice(&reply.body).map_err(|error| format!("its JSON cannot be read: {error}"))?;
        Ok(match body.result {
            Word::Allow => Self::Allow {
                groups: body.groups,
                is_superuser: body.is_superuser,
                grants: body.acl.into_grants()?,
            },
            Word::Deny => Self::Deny,
            Word::Ignore => Self::Ignore,
        })
    }

    pub(super) fn verdict(&self, who: &Credentials) -> Verdict {
        match self {
            Self::Allow {
                groups,
                is_superuser,
                grants,
            } => Verdict::Known(Identity {
                username: who.username.clone(),
                groups: groups.clone(),
                is_superuser: *is_superuser,
                grants: grants.clone(),
                expires_at_unix_secs: None,
                method: METHOD,
            }),
            Self::Deny => Verdict::Refused(Refusal::BadCredentials),
            Self::Ignore => Verdict::NotMine,
        }
    }
}
