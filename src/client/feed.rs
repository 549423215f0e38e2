//! A thread that fetches the payloads to publish, because reading standard input may take for ever.

use std::io;
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use bytes::Bytes;

use crate::client::Event;

/// Fetches payloads when asked, so that none are read that cannot be sent yet.
#[derive(Debug)]
pub(crate) struct Feed {
    requests: SyncSender<()>,
    /// Requests without an answer.
    awaited: usize,
    /// That there are no more payloads.
    pub(crate) ended: bool,
}

impl Feed {
    /// Starts the thread. It answers each request by one [`Event::Fed`]; at most `window` may wait.
    pub(crate) fn start(
        payloads: impl Iterator<Item = io::Result<Bytes>> + Send + 'static,
        window: usize,
        events: SyncSender<Event>,
    ) -> io::Result<Self> {
        let (requests, inbox) = mpsc::sync_channel(window);
        let feeder = move || {
            let mut payloads = payloads.fuse();
            while let Ok(()) = inbox.recv() {
                let payload = payloads.next();
                let more = payload.is_some();
                if events.send(Event::Fed(payload)).is_err() || !more {
                    return;
                }
            }
        };
        thread::Builder::new().name("feed".to_owned()).spawn(feeder)?;
        Ok(Self {
            requests,
            awaited: 0,
            ended: false,
        })
    }

    /// Asks for as many payloads as `wanted` allows to be under way.
    pub(crate) fn ask(&mut self, wanted: usize) {
        // The feed takes no more requests once it has answered that there are no more payloads.
        while !self.ended && self.awaited < wanted && self.requests.try_send(()).is_ok() {
            self.awaited += 1;
        }
    }

    /// Notes an answer: a payload, or the end.
    pub(crate) fn note(&mut self, end: bool) {
        self.ended |= end;
        self.awaited = if self.ended { 0 } else { self.awaited.saturating_sub(1) };
    }
}
