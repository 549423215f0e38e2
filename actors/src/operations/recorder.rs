//! What happened to a client: its flight recorder, and its packets while they come and go.

use tokio::sync::mpsc;

use super::Operations;
use crate::recorder::ask::{Recall, WatchClient};
use crate::recorder::{Recording, RecordingEntry, Seen};

/// A client's packets and decisions from here on.
#[derive(Debug)]
pub struct Trace {
    client_id: String,
    peer: String,
    lines: Vec<mpsc::Receiver<Seen>>,
}

impl Trace {
    /// The next thing that happens, with how many before it were missed because this was not called in time. `None`: the
    /// broker has stopped.
    pub async fn next(&mut self) -> Option<(u64, RecordingEntry)> {
        let seen = std::future::poll_fn(|cx| {
            let mut closed = true;
            for line in &mut self.lines {
                match line.poll_recv(cx) {
                    std::task::Poll::Ready(Some(seen)) => return std::task::Poll::Ready(Some(seen)),
                    std::task::Poll::Ready(None) => {}
                    std::task::Poll::Pending => closed = false,
                }
            }
            if closed {
                std::task::Poll::Ready(None)
            } else {
                std::task::Poll::Pending
            }
        })
        .await?;
        let entry = RecordingEntry::of(seen.record, &self.client_id, &mut self.peer);
        Some((seen.missed, entry))
    }
}

impl Operations {
    /// What is remembered of a client, also of one that is gone or was not let in; or of an address.
    pub async fn recording(&self, name: &str) -> Recording {
        let mut found = Vec::new();
        for line in &self.house.lines {
            let recall = Recall { name: name.to_owned() };
            found.extend(line.send(recall).await.unwrap_or_default());
        }
        Recording::of(name, found)
    }

    /// What happens to a client from here on, whether it is connected or comes later. `None`: as many clients are traced
    /// as may be at once.
    pub async fn trace(&self, client_id: &str) -> Option<Trace> {
        let mut lines = Vec::new();
        for line in &self.house.lines {
            let watch = WatchClient {
                client_id: client_id.to_owned(),
            };
            lines.push(line.send(watch).await.ok().flatten()?);
        }
        Some(Trace {
            client_id: client_id.to_owned(),
            peer: String::new(),
            lines,
        })
    }
}
