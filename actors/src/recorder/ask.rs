//! How a line is asked for its records.

use actix::{Handler, Message, MessageResult};
use tokio::sync::mpsc;

use super::{Record, Seen};
use crate::session::SessionActor;

/// From an operator to a line: what do you know of this client or address? Answered from memory; a line with a full box
/// does not answer.
#[derive(Debug, Message)]
#[rtype(result = "Vec<Found>")]
pub(crate) struct Recall {
    pub(crate) name: String,
}

/// What a line knows of one client, or of one who was not let in.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) client_id: String,
    /// Where it came from last, as far as that is known.
    pub(crate) peer: String,
    pub(crate) is_connected: bool,
    pub(crate) records: Vec<Record>,
}

/// From an operator to a line: show what happens to this client. `None`: as many are watched as may be.
#[derive(Debug, Message)]
#[rtype(result = "Option<mpsc::Receiver<Seen>>")]
pub(crate) struct WatchClient {
    pub(crate) client_id: String,
}

impl Handler<Recall> for SessionActor {
    type Result = MessageResult<Recall>;

    fn handle(&mut self, recall: Recall, _: &mut Self::Context) -> Self::Result {
        let gone = self.desk.recorder.recall(&recall.name);
        let mut found: Vec<Found> = gone
            .into_iter()
            .map(|(client_id, peer, records)| Found {
                client_id,
                peer,
                is_connected: false,
                records,
            })
            .collect();
        let connection = self.desk.line.borrow().connection_of(&recall.name);
        if let Some(socket) = connection.and_then(|connection| self.desk.socket_of(connection)) {
            found.push(Found {
                client_id: recall.name,
                peer: String::new(),
                is_connected: true,
                records: socket.tape.borrow().records(),
            });
        }
        MessageResult(found)
    }
}

impl Handler<WatchClient> for SessionActor {
    type Result = MessageResult<WatchClient>;

    fn handle(&mut self, watch: WatchClient, _: &mut Self::Context) -> Self::Result {
        let Some((receiver, sender)) = self.desk.recorder.watch(&watch.client_id) else {
            return MessageResult(None);
        };
        let connection = self.desk.line.borrow().connection_of(&watch.client_id);
        if let Some(socket) = connection.and_then(|connection| self.desk.socket_of(connection)) {
            socket.tape.borrow_mut().watch(sender);
        }
        MessageResult(Some(receiver))
    }
}
