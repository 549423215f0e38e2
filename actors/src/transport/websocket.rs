//! WebSocket (RFC 6455): frames around the bytes of MQTT, in both directions, without their socket.
//!
//! Frame headers are read and written by tungstenite. Payloads are unmasked where they lie, as they come: a frame is
//! never gathered, so that a length which a client announces takes no memory. That is why this is not tungstenite's
//! own connection, nor actix-http's codec, both of which wait for a whole frame and make room for it.

use std::fmt;
use std::io::Cursor;

use bytes::BytesMut;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

pub(crate) mod upgrade;

/// The longest header of a masked frame.
const HEADER_BYTES_MAX: usize = 14;
/// RFC 6455, section 5.5: the payload of a control frame.
const CONTROL_BYTES_MAX: u64 = 125;
/// Payload of one frame to the client.
const FRAME_BYTES_MAX: usize = 64 << 10;

/// How a client broke the rules of WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// RFC 6455, section 5.1: clients mask their frames.
    Unmasked,
    /// A frame that the protocol does not have, or has not at this place.
    Frame,
    /// [MQTT-6.0.0-1]: MQTT is sent in binary frames.
    Text,
    /// A frame longer than a packet may be.
    TooLong,
}

impl Fault {
    /// The status code of the Close frame: RFC 6455, section 7.4.1.
    fn code(self) -> u16 {
        match self {
            Self::Unmasked | Self::Frame => 1002,
            Self::Text => 1003,
            Self::TooLong => 1009,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unmasked => "a WebSocket frame without mask",
            Self::Frame => "a WebSocket frame against the protocol",
            Self::Text => "a WebSocket text frame: MQTT is sent in binary frames",
            Self::TooLong => "a WebSocket frame longer than packet.bytes_max",
        })
    }
}

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data,
    Control(Control),
}

/// A frame that has begun.
#[derive(Debug)]
struct Incoming {
    kind: Kind,
    /// Bytes of its payload that have not come.
    left: u64,
    mask: [u8; 4],
}

/// The WebSocket of one connection, without its socket.
#[derive(Debug)]
pub(crate) struct WebSocket {
    frame_bytes_max: u64,
    /// A header that is not whole.
    header: Vec<u8>,
    incoming: Option<Incoming>,
    /// The payload of a control frame, as far as it has come.
    control: Vec<u8>,
    /// A message is in pieces, and goes on with the next data frame.
    is_fragmented: bool,
    is_over: bool,
    /// A control frame for the client, to be sent between two others. A later one replaces it: RFC 6455, section 5.5.3.
    reply: Vec<u8>,
    /// A Close was put into `reply`; nothing may follow it.
    has_closed: bool,
    /// Bytes of a header or a control frame that are being sent.
    pub(crate) head: Vec<u8>,
    /// Bytes of the frame being sent that are still to be taken from the outbox.
    pub(crate) frame_left: usize,
}

impl WebSocket {
    /// `frame_bytes_max` bounds the payload of the client's frames.
    pub(crate) fn new(frame_bytes_max: u32) -> Self {
        Self {
            frame_bytes_max: u64::from(frame_bytes_max),
            header: Vec::new(),
            incoming: None,
            control: Vec::new(),
            is_fragmented: false,
            is_over: false,
            reply: Vec::new(),
            has_closed: false,
            head: Vec::new(),
            frame_left: 0,
        }
    }

    /// Whether the client has closed.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Turns what came, behind the first `from` bytes of `bytes`, into the payload of data frames.
    ///
    /// # Errors
    ///
    /// The client breaks a rule; a Close that says so waits to be sent.
    pub(crate) fn take(&mut self, bytes: &mut BytesMut, from: usize) -> Result<(), Fault> {
        let mut kept = from;
        let taken = self.take_frames(bytes, &mut kept);
        bytes.truncate(kept);
        if let Err(fault) = taken {
            self.close(fault.code());
        }
        taken
    }

    /// Moves payload together, behind the first `kept` bytes.
    fn take_frames(&mut self, bytes: &mut BytesMut, kept: &mut usize) -> Result<(), Fault> {
        let mut at = *kept;
        while at < bytes.len() && !self.is_over {
            let Some(incoming) = &mut self.incoming else {
                at += self.begin_frame(bytes.get(at..).unwrap_or_default())?;
                continue;
            };
            let there = usize::try_from(incoming.left)
                .unwrap_or(usize::MAX)
                .min(bytes.len() - at);
            let piece = bytes.get_mut(at..at + there).unwrap_or_default();
            unmask(piece, &mut incoming.mask);
            incoming.left -= there as u64;
            match incoming.kind {
                Kind::Data => {
                    bytes.copy_within(at..at + there, *kept);
                    *kept += there;
                }
                Kind::Control(_) => self.control.extend_from_slice(piece),
            }
            at += there;
            self.end_frame();
        }
        Ok(())
    }

    /// Reads a header, or what has come of it; returns how many bytes of `came` that took.
    fn begin_frame(&mut self, came: &[u8]) -> Result<usize, Fault> {
        let before = self.header.len();
        self.header.extend(came.iter().take(HEADER_BYTES_MAX - before));
        let mut cursor = Cursor::new(&self.header);
        let Some((frame, length)) = FrameHeader::parse(&mut cursor).map_err(|_| Fault::Frame)? else {
            return Ok(self.header.len() - before);
        };
        let used = usize::try_from(cursor.position()).unwrap_or_default();
        self.header = Vec::new();
        let kind = self.judge(&frame, length)?;
        self.incoming = Some(Incoming {
            kind,
            left: length,
            mask: frame.mask.ok_or(Fault::Unmasked)?,
        });
        self.end_frame();
        Ok(used - before)
    }

    fn judge(&mut self, frame: &FrameHeader, length: u64) -> Result<Kind, Fault> {
        if frame.rsv1 || frame.rsv2 || frame.rsv3 {
            return Err(Fault::Frame);
        }
        match frame.opcode {
            OpCode::Control(control) if frame.is_final && length <= CONTROL_BYTES_MAX => Ok(Kind::Control(control)),
            OpCode::Control(_) | OpCode::Data(Data::Reserved(_)) => Err(Fault::Frame),
            OpCode::Data(Data::Text) => Err(Fault::Text),
            OpCode::Data(data @ (Data::Continue | Data::Binary)) => {
                if (data == Data::Continue) != self.is_fragmented {
                    return Err(Fault::Frame);
                }
                if length > self.frame_bytes_max {
                    return Err(Fault::TooLong);
                }
                self.is_fragmented = !frame.is_final;
                Ok(Kind::Data)
            }
        }
    }

    /// Ends the frame if all of it has come.
    fn end_frame(&mut self) {
        let Some(ended) = self.incoming.take_if(|incoming| incoming.left == 0) else {
            return;
        };
        let Kind::Control(control) = ended.kind else { return };
        let payload = std::mem::take(&mut self.control);
        match control {
            Control::Ping if !self.has_closed => self.reply = control_frame(Control::Pong, &payload),
            Control::Close => {
                let code = payload.first_chunk().map_or(1000, |code| u16::from_be_bytes(*code));
                self.close(code);
                self.is_over = true;
            }
            Control::Ping | Control::Pong | Control::Reserved(_) => {}
        }
    }

    /// Puts a Close behind the frame that is being sent; once.
    pub(crate) fn close(&mut self, code: u16) {
        if !std::mem::replace(&mut self.has_closed, true) {
            self.reply = control_frame(Control::Close, &code.to_be_bytes());
        }
    }

    /// Whether bytes wait that are not an outbox's.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.head.is_empty() || self.frame_left == 0 && !self.reply.is_empty()
    }

    /// Begins the next frame, if none is being sent: a control frame, or one for `ready` bytes of an outbox.
    pub(crate) fn begin_sending(&mut self, ready: usize) {
        if !self.head.is_empty() || self.frame_left > 0 {
            return;
        }
        if !self.reply.is_empty() {
            self.head = std::mem::take(&mut self.reply);
        } else if ready > 0 {
            self.frame_left = ready.min(FRAME_BYTES_MAX);
            self.head = header(OpCode::Data(Data::Binary), self.frame_left);
        }
    }

    /// Notes that so many bytes were sent; returns how many of them were the outbox's.
    pub(crate) fn sent(&mut self, written: usize) -> usize {
        let of_head = written.min(self.head.len());
        if of_head == self.head.len() {
            self.head = Vec::new();
        } else {
            self.head.drain(..of_head);
        }
        self.frame_left -= (written - of_head).min(self.frame_left);
        written - of_head
    }
}

fn header(opcode: OpCode, length: usize) -> Vec<u8> {
    let header = FrameHeader {
        opcode,
        ..FrameHeader::default()
    };
    let mut bytes = Vec::with_capacity(HEADER_BYTES_MAX);
    // Writing to memory does not fail.
    let _ = header.format(length as u64, &mut bytes);
    bytes
}

fn control_frame(control: Control, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(OpCode::Control(control), payload.len());
    frame.extend_from_slice(payload);
    frame
}

/// RFC 6455, section 5.3. The mask is turned, so that it goes on with the next piece.
fn unmask(bytes: &mut [u8], mask: &mut [u8; 4]) {
    let mut groups = bytes.chunks_exact_mut(4);
    for group in &mut groups {
        for (byte, key) in group.iter_mut().zip(&*mask) {
            *byte ^= key;
        }
    }
    let rest = groups.into_remainder();
    for (byte, key) in rest.iter_mut().zip(&*mask) {
        *byte ^= key;
    }
    mask.rotate_left(rest.len());
}

#[cfg(test)]
mod tests;
