//! What a client's certificate says of it.

use auth::Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::parse_x509_certificate;
use x509_parser::x509::X509Name;

/// Reads a certificate in DER that was found good; `None` if its contents make no sense all the same.
pub(super) fn read(der: &[u8]) -> Option<Certificate> {
    let (_, certificate) = parse_x509_certificate(der).ok()?;
    let mut dns_names = Vec::new();
    let mut emails = Vec::new();
    if let Some(names) = certificate.subject_alternative_name().ok()? {
        for name in &names.value.general_names {
            if let GeneralName::DNSName(name) = name {
                dns_names.push((*name).to_owned());
            } else if let GeneralName::RFC822Name(name) = name {
                emails.push((*name).to_owned());
            }
        }
    }
    let common_names = certificate.subject().iter_common_name();
    Some(Certificate {
        subject: written(certificate.subject()),
        common_name: common_names
            .last()
            .and_then(|name| name.as_str().ok())
            .map(str::to_owned),
        dns_names,
        emails,
        not_after_unix_secs: certificate.validity().not_after.timestamp(),
    })
}

/// A name as RFC 4514 writes it: the last part first, special characters escaped.
fn written(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name
        .iter()
        .map(|part| {
            let values = part.iter().map(|value| {
                let kind = oid2abbrev(value.attr_type(), oid_registry());
                let kind = kind.map_or_else(|_| value.attr_type().to_id_string(), str::to_owned);
                format!("{kind}={}", escaped(value.as_str().unwrap_or_default()))
            });
            values.collect::<Vec<_>>().join("+")
        })
        .collect();
    parts.reverse();
    parts.join(",")
}

/// RFC 4514, section 2.4.
fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut text = String::with_capacity(value.len());
    for (place, letter) in value.chars().enumerate() {
        let is_special =
            "\"+,;<>\\".contains(letter) || (place == 0 && "# ".contains(letter)) || (place == last && letter == ' ');
        if is_special {
            text.push('\\');
        }
        if letter == '\0' {
            text.push_str("\\00");
        } else {
            text.push(letter);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn special_characters_are_escaped() {
        assert_eq!(escaped("plain name"), "plain name");
        assert_eq!(escaped(" a,b "), "\\ a\\,b\\ ");
        assert_eq!(escaped("#1+\"2\""), "\\#1\\+\\\"2\\\"");
    }
}
