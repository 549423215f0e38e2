//! `strowger backup`: everything that a store holds, at one instant, in one file.

mod target;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use storage::record::Record;
use storage::{BackupEncoder, BackupHead, BackupReader, BackupTotals, Batch, FrozenWalk, Inspection, ScanLimit};

use self::target::Target;
use super::say;
use super::store::{Directory, as_date, in_units};
use crate::failure::{Failure, plain};

/// Records that are read and written at a time.
const PAGE: ScanLimit = ScanLimit {
    entries_max: 1024,
    bytes_max: 256 << 10,
};

/// Back up everything that a store holds, while the broker serves.
///
/// Sessions, subscriptions, queues, what is under way, retained messages and wills, all of them as they were at one
/// instant: what was acknowledged before the command began is in the backup, unless it was delivered by then. The broker
/// that has the data directory is asked for it through the socket control.sock there, so the command has to run on the
/// same machine as the same user. Where no broker runs, the directory is read without one.
///
/// The file is written under another name, checked as it is written, and put in its place when it is whole and on the
/// disk. `strowger restore` makes a data directory of it, with any engine.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The file; - is the standard output
    file: PathBuf,
    #[command(flatten)]
    directory: Directory,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let directory = options.directory.path()?;
    if options.file.exists() && !options.force {
        let file = options.file.display();
        return Err(Failure::Usage(format!(
            "{file} is there already; name another file, or replace it with --force"
        )));
    }
    let socket = options.directory.control_socket()?;
    let call =
        actors::Call::open_at(&socket).map_err(Failure::io(format!("call the broker at {}", socket.display())))?;
    let (head, totals) = match call {
        Some(call) => online(call, options)?,
        None => offline(&directory, options)?,
    };
    let file = match options.file.to_str() {
        Some("-") => "standard output".to_owned(),
        Some(_) | None => options.file.display().to_string(),
    };
    let (records, size) = (totals.records, in_units(totals.bytes));
    // The standard output may be the backup.
    say(&format!(
        "{file}: {records} records, {size}, as of {}",
        as_date(head.made_at_ms)
    ));
    Ok(())
}

/// Takes the backup from the broker.
fn online(call: actors::Call, options: &Options) -> Result<(BackupHead, BackupTotals), Failure> {
    let socket = call.socket().display().to_string();
    let mut answer = call.back_up().map_err(|error| lost(&socket, &error))?;
    if let Err(error) = answer.begin() {
        return Err(declined(&socket, &answer).unwrap_or_else(|| lost(&socket, &error)));
    }
    let copied = Copied {
        from: answer,
        to: Target::create(&options.file)?,
        failure: None,
        lost: None,
    };
    let mut reader = BackupReader::new(copied, Path::new(&socket))?;
    let mut batch = Batch::default();
    loop {
        match reader.next(&mut batch) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                let copied = reader.input_mut();
                let told = declined(&socket, &copied.from);
                let broken = copied.lost.take().map(|error| lost(&socket, &error));
                let failure = copied.failure.take().or(told).or(broken);
                return Err(failure.unwrap_or(Failure::Store(error)));
            }
        }
    }
    let (head, totals) = (reader.head(), reader.totals());
    reader.into_inner().to.finish()?;
    Ok((head, totals))
}

fn declined(socket: &str, answer: &actors::Answer) -> Option<Failure> {
    answer.refusal().map(|why| Failure::Declined {
        socket: socket.to_owned(),
        what: "made no backup",
        why: why.to_owned(),
    })
}

fn lost(socket: &str, error: &io::Error) -> Failure {
    Failure::Lost {
        address: socket.to_owned(),
        why: plain(error),
    }
}

/// An answer whose content is written down as it is read.
struct Copied {
    from: actors::Answer,
    to: Target,
    /// Why it could not be written down.
    failure: Option<Failure>,
    /// Why it could not be read.
    lost: Option<io::Error>,
}

impl Read for Copied {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(bytes).map_err(|error| {
            let kind = error.kind();
            self.lost = Some(error);
            io::Error::from(kind)
        })?;
        self.to
            .write(bytes.get(..read).unwrap_or_default())
            .map_err(|failure| {
                self.failure = Some(failure);
                io::Error::other("the backup cannot be written")
            })?;
        Ok(read)
    }
}

/// Reads the directory without a broker.
fn offline(directory: &Path, options: &Options) -> Result<(BackupHead, BackupTotals), Failure> {
    let mut inspection = Inspection::open(directory)?;
    say(&format!(
        "no broker has {}: it is read without one",
        directory.display()
    ));
    let shard = inspection.shard_mut();
    let mut target = Target::create(&options.file)?;
    let head = BackupHead {
        made_at_ms: now_ms(),
        stamp: shard.stamp(),
    };
    let mut bytes = Vec::new();
    let mut encoder = BackupEncoder::begin(head, &mut bytes);
    let mut walk = FrozenWalk::default();
    // Nothing changes it; a frozen shard is what the walk reads.
    let _ = shard.freeze();
    while let Some(page) = walk.page(shard, PAGE)? {
        for record in &page {
            Record::read(record.table, &record.key, &record.value).map_err(|fault| fault.at(directory))?;
        }
        encoder.block(&page, &mut bytes);
        target.write(&bytes)?;
        bytes.clear();
    }
    let totals = encoder.end(&mut bytes);
    target.write(&bytes)?;
    target.finish()?;
    Ok((head, totals))
}

/// The time of the system, in milliseconds since 1970.
fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
