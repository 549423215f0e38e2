//! What stands around the content of every value: the version in front, the checksum behind.

use bytes::{BufMut, Bytes};

use super::{Fault, Fields, Flaw, RECORD_VERSION};
use crate::Table;

const CHECKSUM_BYTES: usize = 4;

/// Appends the value of a key: version, what `content` writes, checksum.
#[inline]
pub(crate) fn seal(table: Table, key: &[u8], out: &mut Vec<u8>, content: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.push(RECORD_VERSION);
    content(out);
    let checksum = checksum(table, key, out.get(start..).unwrap_or_default());
    out.put_u32(checksum);
}

/// Checks a value and reads its content with `read`, to the last byte.
///
/// The checksum comes first: what fails it is damage, whatever its version byte says.
///
/// # Errors
///
/// The value is not what was written under this key, is of an unknown version, or `read` finds no sense in it.
pub(crate) fn open<T>(
    table: Table,
    key: &[u8],
    value: &Bytes,
    read: impl FnOnce(&mut Fields) -> Result<T, &'static str>,
) -> Result<T, Fault> {
    let fault = |flaw| Fault::new(table, key, flaw);
    let (sealed, sum) = value
        .split_last_chunk::<CHECKSUM_BYTES>()
        .ok_or_else(|| fault(Flaw::Checksum))?;
    if checksum(table, key, sealed) != u32::from_be_bytes(*sum) {
        return Err(fault(Flaw::Checksum));
    }
    let (&version, content) = sealed.split_first().ok_or_else(|| fault(Flaw::Checksum))?;
    if version != RECORD_VERSION {
        return Err(fault(Flaw::Version(version)));
    }
    let mut fields = Fields::new(value.slice_ref(content));
    let record = read(&mut fields).map_err(|what| fault(Flaw::Content(what)))?;
    if !fields.is_empty() {
        return Err(fault(Flaw::Content("it is longer than its content")));
    }
    Ok(record)
}

/// Table and key are part of it, so that a value which strays to another key is noticed.
#[inline]
fn checksum(table: Table, key: &[u8], sealed: &[u8]) -> u32 {
    let place = crc32c::crc32c_append(crc32c::crc32c(&[table.0]), key);
    crc32c::crc32c_append(place, sealed)
}
