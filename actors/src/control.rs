//! The control socket: what an operator's commands ask of a broker that runs.
//!
//! It is a Unix socket in the data directory, which only the broker's user may open. A request is one line, a verb and
//! the version of its answer; the answer is frames ([`frame`]), of which the last says how it ended. So far there is one
//! request:
//!
//! ```text
//! backup 1      a backup of everything at one instant, in the format of `storage::BackupReader`
//! ```

mod backup;
mod call;
mod frame;

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
use crate::store::StoreAddr;

/// The name of the socket in the data directory.
const SOCKET: &str = "control.sock";
/// Its name until only the broker's user may open it.
const DRAFT: &str = "control.new";
/// The longest path that a socket can have, in bytes.
const PATH_BYTES_MAX: usize = 107;
const MODE: u32 = 0o600;
/// Callers that are answered at once; others wait.
const CALLERS_MAX: usize = 8;
const REQUEST_BYTES_MAX: usize = 256;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two attempts when the system gives no connection.
const RETRY: Duration = Duration::from_secs(1);
const BACKUP: &str = "backup 1";

/// The socket while it is open; closed and removed when dropped.
pub(crate) struct Control {
    listening: JoinHandle<()>,
    socket: PathBuf,
}

impl Control {
    /// Opens the socket in a data directory that this process has locked. A broker serves without it as well.
    pub(crate) fn open(directory: &Path, store: StoreAddr) -> Option<Self> {
        let socket = directory.join(SOCKET);
        match listen(directory, &socket) {
            Ok(listener) => Some(Self {
                listening: actix_rt::spawn(serve(listener, store)),
                socket,
            }),
            Err(error) => {
                tracing::warn!(
                    socket = %socket.display(),
                    %error,
                    "no control socket: `strowger backup` has to wait until the broker is stopped"
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

/// Listens under another name until the mode is right. What stands there is of a broker that is gone: ours has the lock.
fn listen(directory: &Path, socket: &Path) -> io::Result<UnixListener> {
    let bytes = socket.as_os_str().len();
    if bytes > PATH_BYTES_MAX {
        let what = format!("its path has {bytes} bytes, {PATH_BYTES_MAX} at most; choose a shorter storage.directory");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    let draft = directory.join(DRAFT);
    match std::fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&draft)?;
    std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(MODE))?;
    std::fs::rename(&draft, socket)?;
    Ok(listener)
}

async fn serve(listener: UnixListener, store: StoreAddr) {
    let places = Arc::new(Semaphore::new(CALLERS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let store = store.clone();
                actix_rt::spawn(async move {
                    answer(stream, &store).await;
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
async fn answer(mut stream: UnixStream, store: &StoreAddr) {
    let request = timeout(REQUEST_TIMEOUT, read_request(&mut stream)).await;
    let mut frames = Frames::new(stream);
    let told = match request {
        Ok(Ok(Some(request))) if request == BACKUP => backup::answer(&mut frames, store).await,
        Ok(Ok(Some(request))) => {
            let what = format!(
                "the request \"{}\" is not known; known is \"{BACKUP}\"",
                request.escape_debug()
            );
            frames.fail(&what).await
        }
        Ok(Ok(None)) => {
            let what = format!("a request is one line of at most {REQUEST_BYTES_MAX} bytes");
            frames.fail(&what).await
        }
        Ok(Err(error)) => Err(error),
        Err(_) => frames.fail("no request came in time").await,
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
