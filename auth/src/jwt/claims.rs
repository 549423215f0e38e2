//! What a token that was verified says about its bearer.

use serde::Deserialize as _;
use serde_json::{Map, Value};

use crate::Identity;
use crate::grants::Rights;

use super::{Settings, nobody};

/// Who the claims say that it is.
///
/// # Errors
///
/// What is missing, or has not the form that the settings promise, as a clause.
pub(super) fn identity(settings: &Settings, mut claims: Map<String, Value>) -> Result<Identity, String> {
    let username = match claims.get(&settings.username_claim) {
        Some(Value::String(name)) if !name.is_empty() => name.clone(),
        Some(_) | None => return Err(format!("its claim {:?} names nobody", settings.username_claim)),
    };
    let groups = match settings.groups_claim.as_ref().and_then(|claim| claims.remove(claim)) {
        None | Some(Value::Null) => Vec::new(),
        Some(groups) => Vec::deserialize(groups).map_err(|_| "its groups are no list of names".to_owned())?,
    };
    let grants = match settings.acl_claim.as_ref().and_then(|claim| claims.remove(claim)) {
        None => Vec::new(),
        Some(rights) => Rights::deserialize(rights)
            .map_err(|error| format!("its rights cannot be read: {error}"))?
            .into_grants()?,
    };
    let expires_at = claims.get("exp").and_then(unix_secs).ok_or("it has no end")?;
    Ok(Identity {
        username: Some(username),
        groups,
        grants,
        // Whom the leeway lets in is not thrown out at once.
        expires_at_unix_secs: Some(expires_at.saturating_add(settings.leeway.as_secs())),
        ..nobody()
    })
}

/// A NumericDate of RFC 7519, which may have a fraction.
fn unix_secs(date: &Value) -> Option<u64> {
    let rounded = || date.as_f64().filter(|secs| *secs >= 0.0).map(|secs| secs as u64);
    date.as_u64().or_else(rounded)
}
