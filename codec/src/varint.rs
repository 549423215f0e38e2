//! Variable byte integers: seven bits per byte, the lowest first, four bytes at most.

use crate::violation::rules::{self, Rule};

/// What stands at the front of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Varint {
    pub(crate) value: u32,
    /// Bytes it takes.
    pub(crate) len: usize,
    /// Whether it takes no more bytes than it needs.
    pub(crate) minimal: bool,
}

/// `None` when the bytes end within the number.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<Varint>, &'static Rule> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * index);
        if byte < 0x80 {
            return Ok(Some(Varint {
                value,
                len: index + 1,
                minimal: byte != 0 || index == 0,
            }));
        }
    }
    if bytes.len() < 4 {
        Ok(None)
    } else {
        Err(&rules::VARINT_TOO_LONG)
    }
}

/// Bytes that `value` takes.
pub(crate) const fn len(value: usize) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    }
}

/// Gives the bytes of `value` one by one; values are checked against the maximum before.
#[inline]
pub(crate) fn write(mut value: usize, mut put: impl FnMut(u8)) {
    while value >= 0x80 {
        put((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    put(value as u8);
}

#[cfg(test)]
mod tests;
