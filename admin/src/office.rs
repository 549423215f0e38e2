//! The listener for operators: its sockets, its thread, its end.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use actix_server::{Server, ServerHandle};
use actix_web::web::{Data, ServiceConfig};
use actors::Operations;
use rustls::ServerConfig;
use tokio::sync::{mpsc, oneshot};

use crate::access::{Access, AccessSettings};
use crate::envelope::{self, Patience};
use crate::journal::Journal;
use crate::knowledge::Knowledge;
use crate::{Post, api, console, dashboard, health, metrics};

mod pipeline;
mod places;
mod socket;
mod tls;

use places::Places;
pub use tls::TlsFiles;

/// Threads that answer. Operators are few, and their questions are put to the broker, not answered here.
const WORKERS: usize = 1;

/// How operators are served.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A Unix socket whose callers are admins. It is made when the broker serves, and taken from a broker that is gone:
    /// the broker has the lock of its data directory by then.
    pub socket: Option<PathBuf>,
    /// TLS by the network.
    pub tls: Option<TlsFiles>,
    /// Who may come in: see [`crate::tokens`]. It may be missing: then nobody comes in by the network.
    pub tokens_file: PathBuf,
    /// Whether the metrics are for everyone who reaches the listener.
    pub is_metrics_open: bool,
    /// Names by which they are asked for then over the loopback, besides addresses.
    pub metrics_hosts: Vec<String>,
    /// Longest body of a request.
    pub body_bytes_max: usize,
    /// How long a request may take until its answer begins, a connection until its request is there, and a caller until it
    /// takes more of its answer.
    pub timeout: Duration,
    /// Wrong tokens from one address before it is not heard for a while.
    pub failures_max: u32,
    /// How long that is.
    pub lockout: Duration,
    /// How long a browser stays logged in.
    pub session: Duration,
    /// Connections at once; more wait.
    pub connections_max: usize,
    /// Connections of one address at once; more are closed. Three quarters of `connections_max` if that is less.
    pub address_connections_max: usize,
    /// What the daemon knows and the broker does not.
    pub knowledge: Arc<dyn Knowledge>,
    /// The log of the process.
    pub journal: Arc<dyn Journal>,
}

/// The listener could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file of its TLS is not good.
    #[error("cannot listen for operators: {0}; mend the file, or name another in [admin]")]
    Tls(String),
    /// No thread was to be had.
    #[error("cannot listen for operators: {0}")]
    Thread(io::Error),
}

/// The open listener. It is closed when this is dropped.
#[derive(Debug)]
pub struct Office {
    post: Post,
    socket: Option<PathBuf>,
    /// Takes the Unix socket to the thread; that it is gone tells the thread to end.
    sockets: Option<mpsc::Sender<UnixListener>>,
    thread: Option<JoinHandle<()>>,
}

impl Office {
    /// Takes connections from `listeners`, and answers that the broker is starting until [`Office::serve`] is called.
    ///
    /// # Errors
    ///
    /// The file that is not good, or what the system said.
    pub fn open(settings: Settings, listeners: Vec<TcpListener>) -> Result<Self, OpenError> {
        let tls = settings.tls.as_ref().map(tls::config).transpose()?;
        let post = Post::default();
        let socket = settings.socket.clone();
        let (started, starts) = std::sync::mpsc::channel();
        let (sockets, arriving) = mpsc::channel(1);
        let site = Site {
            post: Arc::clone(&post),
            access: Data::new(Access::new(&AccessSettings {
                tokens_file: settings.tokens_file.clone(),
                failures_max: settings.failures_max,
                lockout: settings.lockout,
                session: settings.session,
                is_metrics_open: settings.is_metrics_open,
                metrics_hosts: settings.metrics_hosts.clone(),
            })),
            requests: Data::new(Arc::default()),
            settings: Arc::new(settings),
        };
        let thread = std::thread::Builder::new().name("admin".to_owned());
        let thread = thread.spawn(move || {
            actix_rt::System::new().block_on(run(site, listeners, tls, started, arriving));
        });
        let thread = thread.map_err(OpenError::Thread)?;
        let ended = || io::Error::other("its thread has ended");
        starts
            .recv()
            .unwrap_or_else(|_| Err(ended()))
            .map_err(OpenError::Thread)?;
        Ok(Self {
            post,
            socket,
            sockets: Some(sockets),
            thread: Some(thread),
        })
    }

    /// From here on the broker is there, and the Unix socket with it. A broker serves without that as well.
    pub fn serve(&self, operations: Operations) {
        if self.post.set(operations).is_err() {
            tracing::error!("the broker was introduced to its operators twice");
            return;
        }
        let Some(path) = &self.socket else { return };
        match (socket::listen(path), &self.sockets) {
            (Ok(listener), Some(sockets)) => {
                if sockets.try_send(listener).is_err() {
                    tracing::error!("the listener for operators has ended");
                }
            }
            (Err(error), _) => tracing::warn!(
                socket = %path.display(),
                %error,
                "no socket for operators on this machine: the commands for a running broker need a token (admin.socket)"
            ),
            (Ok(_), None) => {}
        }
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        drop(self.sockets.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the listener for operators ended in a panic");
        }
        if let Some(socket) = self.socket.as_ref().filter(|_| self.post.get().is_some()) {
            // A socket that stays is replaced at the next start.
            let _ = std::fs::remove_file(socket);
        }
    }
}

/// What all threads that answer share.
#[derive(Clone)]
struct Site {
    post: Post,
    access: Data<Access>,
    requests: Data<Arc<metrics::Requests>>,
    settings: Arc<Settings>,
}

impl Site {
    /// Everything that can be asked for.
    fn furnish(&self, service: &mut ServiceConfig) {
        service
            .app_data(Data::new(Arc::clone(&self.post)))
            .app_data(self.access.clone())
            .app_data(Data::new(Arc::clone(&self.settings.knowledge)))
            .app_data(Data::new(Arc::clone(&self.settings.journal)))
            .app_data(self.requests.clone())
            .app_data(Data::new(Patience(self.settings.timeout)));
        envelope::bounds(service, self.settings.body_bytes_max);
        health::routes(service);
        metrics::routes(service);
        api::routes(service);
        console::routes(service);
        dashboard::routes(service);
    }
}

/// The thread's work: serves until nobody is left who could bring a socket.
async fn run(
    site: Site,
    listeners: Vec<TcpListener>,
    tls: Option<ServerConfig>,
    started: std::sync::mpsc::Sender<io::Result<()>>,
    mut arriving: mpsc::Receiver<UnixListener>,
) {
    // Whoever has a place can begin a handshake.
    actix_tls::accept::max_concurrent_tls_connect(site.settings.connections_max);
    let settings = &site.settings;
    let places = Places::new(
        settings.connections_max,
        settings.address_connections_max,
        settings.timeout,
    );
    let server = || {
        Server::build()
            .workers(WORKERS)
            .max_concurrent_connections(site.settings.connections_max)
            .shutdown_timeout(1)
            .disable_signals()
    };
    let mut by_address = server();
    let has_addresses = !listeners.is_empty();
    for listener in listeners {
        by_address = match pipeline::listen(by_address, listener, tls.as_ref(), &site, &places) {
            Ok(server) => server,
            Err(error) => return drop(started.send(Err(error))),
        };
    }
    let mut running = Vec::new();
    if has_addresses {
        running.push(watch(by_address.run()));
    }
    // Nobody listens only if the one who asked has gone.
    let _ = started.send(Ok(()));
    while let Some(listener) = arriving.recv().await {
        match pipeline::listen_unix(server(), listener, &site) {
            Ok(server) => running.push(watch(server.run())),
            Err(error) => tracing::error!(%error, "the socket for operators could not be served"),
        }
    }
    for (handle, ended) in running {
        handle.stop(false).await;
        // It has ended, whether or not it says so.
        let _ = ended.await;
    }
}

/// Lets a server run and says when it has ended.
fn watch(server: Server) -> (ServerHandle, oneshot::Receiver<()>) {
    let handle = server.handle();
    let (sender, ended) = oneshot::channel();
    actix_rt::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "the listener for operators has ended");
        }
        let _ = sender.send(());
    });
    (handle, ended)
}
