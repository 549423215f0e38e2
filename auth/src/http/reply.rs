//! What a server's answer means. There is one way to say yes with a body, one without, and no other.

use serde::Deserialize;

use crate::grants::Rights;
use crate::said::{Privileges, Said};
use crate::web::Reply;

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

/// # Errors
///
/// Why it is no answer, as a clause without anything of the body.
pub(super) fn read(reply: &Reply) -> Result<Said, String> {
    if reply.status == 204 {
        return Ok(Said::Allow(Privileges::default()));
    }
    if reply.status != 200 {
        return Err(format!("it answered with status {}, not 200 or 204", reply.status));
    }
    let body: Body =
        serde_json::from_slice(&reply.body).map_err(|error| format!("its JSON cannot be read: {error}"))?;
    Ok(match body.result {
        Word::Allow => Said::Allow(Privileges {
            groups: body.groups,
            is_superuser: body.is_superuser,
            grants: body.acl.into_grants()?,
        }),
        Word::Deny => Said::Deny,
        Word::Ignore => Said::Ignore,
    })
}
