//! Names of entries, as RFC 4514 writes them.

/// What a group is called: the value of the first part of its name, if the rest of it is `base` or stands below it.
/// What is no name of an entry is the name of a group as it is, unless groups have to stand somewhere.
pub(super) fn of_group(dn: &str, base: &str) -> Option<String> {
    if !dn.contains('=') {
        return base.is_empty().then(|| dn.to_owned());
    }
    let (value, rest) = first_value(dn)?;
    let (rest, base) = (normal(rest), normal(base));
    let is_below = base.is_empty() || rest == base || rest.ends_with(&format!(",{base}"));
    is_below.then_some(value)
}

/// Of `cn=Office\, north,ou=groups` it is `Office, north` and `ou=groups`.
fn first_value(dn: &str) -> Option<(String, &str)> {
    let (_, text) = dn.split_once('=')?;
    let mut bytes = Vec::new();
    let mut letters = text.bytes().enumerate();
    while let Some((at, letter)) = letters.next() {
        match letter {
            b',' => return Some((String::from_utf8(bytes).ok()?, text.get(at + 1..)?)),
            // The entry has a name of several parts; which of them is the group's is not for us to guess.
            b'+' => return None,
            b'\\' => {
                let (_, first) = letters.next()?;
                match char::from(first).to_digit(16) {
                    Some(high) => {
                        let low = char::from(letters.next()?.1).to_digit(16)?;
                        bytes.push(u8::try_from(high * 16 + low).ok()?);
                    }
                    None => bytes.push(first),
                }
            }
            plain => bytes.push(plain),
        }
    }
    Some((String::from_utf8(bytes).ok()?, ""))
}

fn normal(dn: &str) -> String {
    let parts: Vec<&str> = dn.split(',').map(str::trim).collect();
    parts.join(",").to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
