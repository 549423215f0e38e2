//! The stream of QUIC in a binary without QUIC: there is none.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::ReadBuf;

/// No value of this type exists.
#[derive(Debug)]
pub(crate) enum QuicStream {}

impl QuicStream {
    pub(crate) fn peer_certificate(&self) -> Option<&[u8]> {
        match *self {}
    }

    pub(crate) fn poll_read(&mut self, _: &mut Context<'_>, _: &mut BytesMut) -> Poll<io::Result<usize>> {
        match *self {}
    }

    pub(crate) fn poll_read_slice(&mut self, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }

    pub(crate) fn try_write(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        match *self {}
    }

    pub(crate) fn poll_write_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }

    pub(crate) fn shut_down(&self) {
        match *self {}
    }
}
