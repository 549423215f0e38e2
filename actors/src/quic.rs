//! MQTT over QUIC: endpoints on a thread of their own, from the first datagram to the stream that a line takes.
//!
//! One endpoint for each listener, whatever the number of lines: a datagram belongs to a connection by its connection id,
//! which the kernel cannot read, so that it could not give each line its own. Handshakes and encryption are done here,
//! and a line sees a stream of plain bytes. docs/adr/0012 says what else was considered.

use std::io;
use std::net::UdpSocket;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use actix::Addr;
use auth::Chain;
use quinn::{Endpoint, EndpointConfig, TokioRuntime};
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::listener::Listener;
use crate::session::SessionActor;

mod config;
mod door;

use config::Configs;
use door::Door;

/// For clients to hear that their connections have ended, when the broker stops.
const FAREWELL: Duration = Duration::from_millis(300);

/// How far the broker's life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// Nobody comes in; those inside are served.
    Closing,
    Over,
}

/// All endpoints, and the thread that they run on.
pub(crate) struct QuicHouse {
    stage: watch::Sender<Stage>,
    thread: JoinHandle<()>,
}

impl QuicHouse {
    /// Opens an endpoint on each socket.
    ///
    /// # Errors
    ///
    /// The system refuses a thread or an event queue, or a socket is no UDP socket.
    pub(crate) fn open(
        sockets: Vec<(Arc<Listener>, UdpSocket)>,
        lines: &[Addr<SessionActor>],
        (clock, chain): (Clock, &Arc<Chain>),
    ) -> io::Result<Option<Self>> {
        if sockets.is_empty() {
            return Ok(None);
        }
        let (stage, watched) = watch::channel(Stage::Open);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mut endpoints = Vec::new();
        for (listener, socket) in sockets {
            let configs = Configs::new(&listener)?;
            let entered = runtime.enter();
            let mut endpoint = EndpointConfig::default();
            endpoint.grease_quic_bit(true);
            let server = Some((*configs.current()?).clone());
            let endpoint = Endpoint::new(endpoint, server, socket, Arc::new(TokioRuntime))?;
            drop(entered);
            endpoints.push((listener, endpoint, configs));
        }
        let (lines, chain) = (lines.to_vec(), Arc::clone(chain));
        let thread = std::thread::Builder::new().name("quic".to_owned());
        let thread = thread.spawn(move || {
            let doors = endpoints.into_iter().map(|(listener, endpoint, configs)| {
                let around = (clock, Arc::clone(&chain), watched.clone());
                Door::new((listener, endpoint), configs, lines.clone(), around)
            });
            LocalSet::new().block_on(&runtime, serve(doors.collect(), watched.clone()));
        })?;
        Ok(Some(Self { stage, thread }))
    }

    /// Lets nobody in any more; those inside stay.
    pub(crate) fn close(&self) {
        self.stage.send_replace(Stage::Closing);
    }

    /// Lets clients in again.
    pub(crate) fn reopen(&self) {
        self.stage.send_replace(Stage::Open);
    }

    /// Has the thread end, when the lines have ended: it says goodbye to its clients before.
    pub(crate) fn stop(self) -> JoinHandle<()> {
        self.stage.send_replace(Stage::Over);
        self.thread
    }
}

async fn serve(doors: Vec<Door>, mut stage: watch::Receiver<Stage>) {
    let doors: Vec<Rc<Door>> = doors.into_iter().map(Rc::new).collect();
    for door in &doors {
        tokio::task::spawn_local(Rc::clone(door).receive_forever());
    }
    // An error says that nobody is left who could ask for the end.
    while stage.changed().await.is_ok() {
        let seen = *stage.borrow_and_update();
        match seen {
            Stage::Open => doors.iter().for_each(|door| door.let_in(true)),
            Stage::Closing => doors.iter().for_each(|door| door.let_in(false)),
            Stage::Over => break,
        }
    }
    for door in &doors {
        let endpoint = door.endpoint();
        endpoint.close(0_u32.into(), b"");
        if timeout(FAREWELL, endpoint.wait_idle()).await.is_err() {
            tracing::debug!("a client of QUIC did not hear that its connection has ended");
        }
    }
}
