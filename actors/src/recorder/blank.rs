//! Takes out of a packet what nobody may read: passwords and authentication data.
//!
//! What cannot be told apart is taken out too: from the first byte that is not understood, to the end.

const CONNECT: u8 = 1;
const CONNACK: u8 = 2;
const AUTH: u8 = 15;
const AUTHENTICATION_DATA: u8 = 0x16;
const MASK: u8 = b'*';
/// Bytes that are kept of a first packet that is none, such as a request of HTTP.
const STRANGE_BYTES: usize = 16;

const HAS_USER: u8 = 0x80;
const HAS_PASSWORD: u8 = 0x40;
const HAS_WILL: u8 = 0x04;

/// Whether a packet that begins with this byte may hold a secret of its sender's.
#[inline]
pub(super) const fn may_hold_secrets(first: u8) -> bool {
    matches!(first >> 4, CONNECT | CONNACK | AUTH)
}

/// The packet, or its start, with its secrets masked.
pub(super) fn without_secrets(packet: &[u8]) -> Vec<u8> {
    let mut masked = packet.to_vec();
    let mut walk = Walk {
        bytes: &mut masked,
        at: 0,
    };
    let kind = packet.first().map_or(0, |first| first >> 4);
    let understood = match kind {
        CONNECT => walk.connect(),
        CONNACK => walk.connack(),
        _ => walk.auth(),
    };
    if understood.is_none() {
        walk.mask_rest();
    }
    masked
}

/// What a connection sent first, if it is no CONNECT: enough to tell what it speaks.
pub(crate) fn strange(first: &[u8]) -> &[u8] {
    if first.first().is_some_and(|first| first >> 4 == CONNECT) {
        first
    } else {
        first.get(..STRANGE_BYTES).unwrap_or(first)
    }
}

/// Goes through a packet from the front. Each step is `None` where the packet ends too early.
struct Walk<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Walk<'_> {
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn skip(&mut self, bytes: usize) -> Option<()> {
        let end = self.at.checked_add(bytes)?;
        (end <= self.bytes.len()).then(|| self.at = end)
    }

    fn number(&mut self) -> Option<usize> {
        let mut number = 0;
        for place in 0..4 {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn len(&mut self) -> Option<usize> {
        Some(usize::from(self.byte()?) << 8 | usize::from(self.byte()?))
    }

    fn field(&mut self) -> Option<()> {
        let len = self.len()?;
        self.skip(len)
    }

    fn mask(&mut self, end: usize) {
        if let Some(bytes) = self.bytes.get_mut(self.at..end) {
            bytes.fill(MASK);
        }
        self.at = end;
    }

    fn mask_rest(&mut self) {
        self.mask(self.bytes.len());
    }

    fn masked_field(&mut self) -> Option<()> {
        let len = self.len()?;
        let end = self.at + len;
        if end > self.bytes.len() {
            return None;
        }
        self.mask(end);
        Some(())
    }

    fn properties(&mut self) -> Option<()> {
        let len = self.number()?;
        let end = self.at.checked_add(len)?;
        while self.at < end {
            match self.byte()? {
                AUTHENTICATION_DATA => self.masked_field()?,
                0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28 | 0x29 | 0x2a => self.skip(1)?,
                0x13 | 0x21 | 0x22 | 0x23 => self.skip(2)?,
                0x02 | 0x11 | 0x18 | 0x27 => self.skip(4)?,
                0x03 | 0x08 | 0x09 | 0x12 | 0x15 | 0x1a | 0x1c | 0x1f => self.field()?,
                0x26 => {
                    self.field()?;
                    self.field()?;
                }
                0x0b => drop(self.number()?),
                _ => return None,
            }
        }
        Some(())
    }

    fn connect(&mut self) -> Option<()> {
        self.byte()?;
        self.number()?;
        self.field()?;
        let level = self.byte()?;
        let flags = self.byte()?;
        self.skip(2)?;
        if level >= 5 {
            self.properties()?;
        }
        self.field()?;
        if flags & HAS_WILL != 0 {
            if level >= 5 {
                self.properties()?;
            }
            self.field()?;
            self.field()?;
        }
        if flags & HAS_USER != 0 {
            self.user()?;
        }
        if flags & HAS_PASSWORD != 0 {
            self.masked_field()?;
        }
        // Behind the last field there is nothing, or nothing that is understood.
        self.mask_rest();
        Some(())
    }

    /// A user name may be a signed token, which opens doors by itself.
    fn user(&mut self) -> Option<()> {
        let start = self.at.checked_add(2)?;
        if self.bytes.get(start..).is_some_and(|name| name.starts_with(b"eyJ")) {
            self.masked_field()
        } else {
            self.field()
        }
    }

    fn connack(&mut self) -> Option<()> {
        self.byte()?;
        let len = self.number()?;
        self.skip(2)?;
        if len > 2 { self.properties() } else { Some(()) }
    }

    fn auth(&mut self) -> Option<()> {
        self.byte()?;
        if self.number()? == 0 {
            return Some(());
        }
        self.skip(1)?;
        if self.at < self.bytes.len() {
            self.properties()
        } else {
            Some(())
        }
    }
}
