//! The client's two messages, as RFC 5802, section 7 writes them.

use super::ScramError;

/// Longer messages are nonsense: nonces have a few dozen bytes. What a client says is kept until it has proven itself.
const MESSAGE_BYTES_MAX: usize = 4_096;
const NONCE_BYTES_MAX: usize = 1_024;

/// `n,,n=user,r=nonce`
#[derive(Debug)]
pub(super) struct ClientFirst<'a> {
    /// `n,,`: neither channel nor foreign identity.
    pub(super) gs2_header: &'a str,
    /// All behind it.
    pub(super) bare: &'a str,
    pub(super) name: String,
    pub(super) nonce: &'a str,
}

impl<'a> ClientFirst<'a> {
    pub(super) fn read(message: &'a [u8]) -> Result<Self, ScramError> {
        let message = text(message)?;
        let mut parts = message.splitn(3, ',');
        let (Some(binding), Some(identity), Some(bare)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(ScramError::Malformed("the first message has no header"));
        };
        match binding {
            // "y": the client could bind to a channel and believes that we cannot, which is so.
            "n" | "y" => {}
            _ if binding.starts_with("p=") => return Err(ScramError::Unsupported("to bind to a channel")),
            _ => return Err(ScramError::Malformed("the header begins with neither n, y nor p")),
        }
        if !identity.is_empty() {
            return Err(ScramError::Unsupported("to act for another identity"));
        }
        let header_len = message.len() - bare.len();
        let mut fields = bare.split(',');
        let name = match fields.next() {
            Some(field) if field.starts_with("m=") => return Err(ScramError::Unsupported("an extension")),
            field => name(value(field, "n=")?)?,
        };
        let nonce = value(fields.next(), "r=")?;
        let is_printable = nonce.bytes().all(|byte| byte.is_ascii_graphic());
        if nonce.is_empty() || nonce.len() > NONCE_BYTES_MAX || !is_printable {
            return Err(ScramError::Malformed("r is no nonce"));
        }
        Ok(Self {
            gs2_header: message.get(..header_len).unwrap_or_default(),
            bare,
            name,
            nonce,
        })
    }
}

/// `c=biws,r=nonce,p=proof`
#[derive(Debug)]
pub(super) struct ClientFinal<'a> {
    pub(super) binding: &'a str,
    pub(super) nonce: &'a str,
    pub(super) proof: &'a str,
    pub(super) without_proof: &'a str,
}

impl<'a> ClientFinal<'a> {
    pub(super) fn read(message: &'a [u8]) -> Result<Self, ScramError> {
        let message = text(message)?;
        let (without_proof, proof) = message
            .rsplit_once(",p=")
            .ok_or(ScramError::Malformed("the last message has no p"))?;
        let mut fields = without_proof.split(',');
        Ok(Self {
            binding: value(fields.next(), "c=")?,
            nonce: value(fields.next(), "r=")?,
            proof,
            without_proof,
        })
    }
}

fn text(message: &[u8]) -> Result<&str, ScramError> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(ScramError::Malformed("it is too long"));
    }
    str::from_utf8(message).map_err(|_| ScramError::Malformed("it is not UTF-8"))
}

fn value<'a>(field: Option<&'a str>, name: &'static str) -> Result<&'a str, ScramError> {
    field
        .and_then(|field| field.strip_prefix(name))
        .ok_or(ScramError::Malformed("a field is missing or out of order"))
}

/// In names, `=2C` stands for a comma and `=3D` for `=`, and nothing else for anything.
fn name(written: &str) -> Result<String, ScramError> {
    let mut parts = written.split('=');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (sign, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (None, Some(rest)) => ('=', rest),
            (None, None) => return Err(ScramError::Malformed("n has an = that stands for nothing")),
        };
        name.push(sign);
        name.push_str(rest);
    }
    if name.is_empty() || name.contains('\0') {
        return Err(ScramError::Malformed("n is no name"));
    }
    Ok(name)
}
