//! SIGINT and SIGTERM as an event, so that a command can say goodbye to the broker.

use std::io;
use std::sync::mpsc::SyncSender;
use std::thread;

use crate::client::Event;

/// Exit code of a process that ended by SIGINT, as shells report it.
const KILLED_BY_SIGINT: i32 = 130;

/// Sends [`Event::Interrupted`] at the first signal. A second one ends the process at once.
pub(crate) fn watch(events: SyncSender<Event>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let watcher = move || {
        if runtime.block_on(signal()).is_ok() && events.send(Event::Interrupted).is_ok() {
            let _ = runtime.block_on(signal());
            std::process::exit(KILLED_BY_SIGINT);
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(watcher)
        .map(drop)
}

#[cfg(unix)]
async fn signal() -> io::Result<()> {
    use std::future::poll_fn;
    use std::task::Poll;
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    poll_fn(|context| {
        if interrupt.poll_recv(context).is_ready() || terminate.poll_recv(context).is_ready() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    Ok(())
}

#[cfg(not(unix))]
async fn signal() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
