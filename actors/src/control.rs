//! The control socket: what an operator's commands ask of a broker that runs.
//!
//! It is a Unix socket, in the data directory unless told otherwise, which only the broker's user may open. A request is
//! one line: a verb, the version of its answer, and what the verb needs. The answer is frames ([`frame`]), of which the
//! last says how it ended:
//!
//! ```text
//! backup 1      a backup of everything at one instant, in the format of `storage::BackupReader`
//! status 1      how the broker fares: lines of a word and what it is
//! stop 1        the broker stops; the answer ends when it has begun to
//! reload 1      what has changed, a line each
//! drain 1       pace=CLIENTS_PER_SEC to=REFERENCE stay: clients are sent away from here on
//! undrain 1     clients are accepted again
//! upgrade 1     lossy binary=PATH: the answer ends when the binary was checked and is about to take over
//! plan 1 LENGTH what a reload with the file of settings would do that follows, LENGTH bytes with the line of its name in
//!               front, in JSON
//! ```

mod backup;
mod call;
mod frame;
mod plan;
mod request;

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_rt::task::JoinHandle;
use tokio::io::AsyncReadExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

pub use call::{Answer, Call};

use self::frame::Frames;
use self::request::Request;
use crate::operations::Operations;
use crate::store::StoreAddr;

/// The name of the socket in a data directory.
const SOCKET: &str = "control.sock";
/// The end of its name until only the broker's user may open it.
const DRAFT: &str = "new";
/// The longest path that a socket can have, in bytes.
const PATH_BYTES_MAX: usize = 107;
const MODE: u32 = 0o600;
/// Callers that are answered at once; others wait.
const CALLERS_MAX: usize = 8;
const REQUEST_BYTES_MAX: usize = 8192;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two attempts when the system gives no connection.
const RETRY: Duration = Duration::from_secs(1);

/// The socket while it is open; closed and removed when dropped.
pub(crate) struct Control {
    listening: JoinHandle<()>,
    socket: PathBuf,
}

/// Who answers.
#[derive(Clone)]
struct House {
    operations: Operations,
    /// `None`: nothing outlives the process.
    store: Option<StoreAddr>,
}

impl Control {
    /// Opens the socket. A broker serves without it as well.
    pub(crate) fn open(socket: &Path, store: Option<StoreAddr>, operations: Operations) -> Option<Self> {
        match listen(socket) {
            Ok(listener) => Some(Self {
                listening: actix_rt::spawn(serve(listener, House { operations, store })),
                socket: socket.to_owned(),
            }),
            Err(error) => {
                tracing::warn!(
                    socket = %socket.display(),
                    %error,
                    "no control socket: `strowger stop`, `status`, `backup` and the like do not reach this broker"
                );
                None
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.listening.abort();
        // A socket that stays is replaced at the next start.
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// Listens under another name until the mode is right. What a broker has left that is gone is replaced.
fn listen(socket: &Path) -> io::Result<UnixListener> {
    let bytes = socket.as_os_str().len();
    if bytes > PATH_BYTES_MAX {
        let what = format!("its path has {bytes} bytes, {PATH_BYTES_MAX} at most; set a shorter daemon.control_socket");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    if let Some(directory) = socket.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory)?;
    }
    if std::os::unix::net::UnixStream::connect(socket).is_ok() {
        let what = "another broker answers there; give each a daemon.control_socket or a storage.directory of its own";
        return Err(io::Error::new(io::ErrorKind::AddrInUse, what));
    }
    let draft = socket.with_extension(DRAFT);
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&draft)?;
    std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(MODE))?;
    std::fs::rename(&draft, socket)?;
    Ok(listener)
}

async fn serve(listener: UnixListener, house: House) {
    let places = Arc::new(Semaphore::new(CALLERS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let house = house.clone();
                actix_rt::spawn(async move {
                    answer(stream, &house).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the control socket gives no connection");
                sleep(RETRY).await;
            }
        }
    }
}

/// Answers one request. Nobody is told when the caller has gone.
async fn answer(mut stream: UnixStream, house: &House) {
    let request = timeout(REQUEST_TIMEOUT, read_request(&mut stream)).await;
    let told = match request {
        Ok(Ok(Some(line))) => match Request::read(&line, &mut stream).await {
            Ok(request) => request.answer(&mut Frames::new(stream), house).await,
            Err(why) => Frames::new(stream).fail(&why).await,
        },
        Ok(Ok(None)) => {
            let what = format!("a request is one line of at most {REQUEST_BYTES_MAX} bytes");
            Frames::new(stream).fail(&what).await
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Frames::new(stream).fail("no request came in time").await,
    };
    if let Err(error) = told {
        tracing::debug!(%error, "a caller of the control socket has gone");
    }
}

/// The first line, without its end; `None` if it is none.
async fn read_request(stream: &mut UnixStream) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    while line.len() < REQUEST_BYTES_MAX {
        match stream.read_u8().await {
            Ok(b'\n') => return Ok(String::from_utf8(line).ok()),
            Ok(byte) => line.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
