//! The PROXY protocol, version 1 and 2: who a client is that comes through a proxy.

use std::net::SocketAddr;

use proxy_header::{Error, ParseConfig, ProxyHeader};

/// A header with what proxies add to it.
const HEADER_BYTES_MAX: usize = 4 << 10;
/// The longest header of version 1.
const LINE_BYTES_MAX: usize = 107;

/// A header that is good.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Its length.
    pub(crate) length: usize,
    /// Who has connected to the proxy; `None`: the proxy itself speaks.
    pub(crate) source: Option<SocketAddr>,
}

/// What came is no header, or too long to be one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no good PROXY header")]
pub(crate) struct NoHeader;

/// Reads a header off the front. `None`: it is not whole.
///
/// # Errors
///
/// It is none.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<Header>, NoHeader> {
    let config = ParseConfig {
        include_tlvs: false,
        ..ParseConfig::default()
    };
    match ProxyHeader::parse(bytes, config) {
        Ok((header, length)) => Ok(Some(Header {
            length,
            source: header.proxied_address().map(|address| address.source),
        })),
        Err(Error::BufferTooShort) if may_go_on(bytes) => Ok(None),
        Err(_) => Err(NoHeader),
    }
}

/// Whether more bytes could make a header of these.
fn may_go_on(bytes: &[u8]) -> bool {
    let is_line = bytes.first() == Some(&b'P');
    let is_over = is_line && (bytes.len() >= LINE_BYTES_MAX || bytes.contains(&b'\n'));
    bytes.len() < HEADER_BYTES_MAX && !is_over
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_read_in_any_pieces_and_garbage_is_refused() {
        let v1 = b"PROXY TCP4 203.0.113.9 10.0.0.1 5555 1883\r\n".to_vec();
        let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
        v2.extend([203, 0, 113, 9, 10, 0, 0, 1]);
        v2.extend([5555_u16.to_be_bytes(), 1883_u16.to_be_bytes()].concat());
        for header in [v1, v2] {
            for cut in 0..header.len() {
                assert_eq!(read(&header[..cut]), Ok(None), "{cut} of {header:?}");
            }
            let whole = [&*header, b"\x10rest"].concat();
            let expected = Header {
                length: header.len(),
                source: "203.0.113.9:5555".parse().ok(),
            };
            assert_eq!(read(&whole), Ok(Some(expected)));
        }
        let local = Header {
            length: 15,
            source: None,
        };
        assert_eq!(read(b"PROXY UNKNOWN\r\n"), Ok(Some(local)));
        for garbage in [
            &b"\x10\x0c\0\x04MQTT"[..],
            b"PROXY TCP4 nobody\r\n",
            b"PROXY TCP9 1 2 3 4\r\n",
        ] {
            assert_eq!(read(garbage), Err(NoHeader), "{garbage:?}");
        }
    }
}
