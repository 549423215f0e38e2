//! `strowger top`: what a broker does at this moment, and who has most of it.

mod figures;
mod screen;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal, stdout};
use std::time::Duration;

use clap::Args;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use self::figures::{Figures, Sample};
use self::screen::Screen;
use super::Manner;
use crate::client::now;
use crate::command::remote::Remote;
use crate::command::remote::listing::print_json;
use crate::failure::Failure;

/// Clients that are asked for at a time.
const CLIENTS: usize = 100;

/// Watch a broker that runs: rates, queues, memory, and the clients with most of something.
///
/// Keys: s sorts by the next column, r turns the order, space halts, q ends. Where the output is no terminal, one
/// interval is measured and printed.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Seconds between two looks
    #[arg(short, long, value_name = "SECS", default_value_t = 2.0, value_parser = interval)]
    interval: f64,
    /// Measure one interval, print it and end
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    manner: Manner,
}

fn interval(text: &str) -> Result<f64, &'static str> {
    let secs: f64 = text.parse().map_err(|_| "it is a number of seconds")?;
    if (0.2..=3600.0).contains(&secs) {
        Ok(secs)
    } else {
        Err("it is 0.2 to 3600 seconds")
    }
}

/// What the clients are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Order {
    key: usize,
    is_descending: bool,
}

/// The keys that the API sorts by, with the titles of their columns.
const KEYS: [(&str, &str); 6] = [
    ("packets_in", "packets in"),
    ("packets_out", "packets out"),
    ("queued", "queued"),
    ("inflight", "in flight"),
    ("subscriptions", "subscriptions"),
    ("client_id", "client"),
];

impl Order {
    fn key(self) -> &'static str {
        KEYS.get(self.key).map_or("client_id", |(key, _)| key)
    }

    fn title(self) -> &'static str {
        KEYS.get(self.key).map_or("client", |(_, title)| title)
    }

    fn next(self) -> Self {
        let key = (self.key + 1) % KEYS.len();
        Self {
            key,
            is_descending: key + 1 != KEYS.len(),
        }
    }

    fn parameter(self) -> String {
        format!("{}{}", if self.is_descending { "-" } else { "" }, self.key())
    }
}

const FIRST: Order = Order {
    key: 0,
    is_descending: true,
};

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let remote = options.manner.open()?;
    let pause = Duration::from_secs_f64(options.interval);
    if options.once || options.manner.json || !stdout().is_terminal() {
        let first = take(&remote, FIRST)?;
        std::thread::sleep(pause);
        let figures = Figures::between(&first, &take(&remote, FIRST)?);
        return match options.manner.json {
            true => print_json(&figures.to_json()),
            false => crate::command::print(figures.to_string().as_bytes()).map(drop),
        };
    }
    watch(&remote, pause)
}

fn take(remote: &Remote, order: Order) -> Result<Sample, Failure> {
    let query = [
        ("state", "connected".to_owned()),
        ("sort", order.parameter()),
        ("limit", CLIENTS.to_string()),
    ];
    let (overview, clients) = (remote.get(&["overview"], &[])?, remote.get(&["clients"], &query)?);
    Ok(Sample::read(now(), &overview, &clients))
}

/// Shows figures until a key ends it.
fn watch(remote: &Remote, pause: Duration) -> Result<(), Failure> {
    let mut order = FIRST;
    let mut before = take(remote, order)?;
    let mut screen = Screen::open()?;
    let mut is_halted = false;
    let mut due = now() + Duration::from_millis(500).min(pause);
    screen.draw(&Figures::between(&before, &before), order, None)?;
    loop {
        let wait = due.saturating_duration_since(now());
        match next_key(wait)? {
            Key::End => return Ok(()),
            Key::Halt => is_halted = !is_halted,
            Key::NextOrder => (order, due) = (order.next(), now()),
            Key::TurnOrder => {
                order.is_descending = !order.is_descending;
                due = now();
            }
            Key::None => {}
        }
        if is_halted || now() < due {
            continue;
        }
        due = now() + pause;
        match take(remote, order) {
            Ok(sample) => {
                screen.draw(&Figures::between(&before, &sample), order, None)?;
                before = sample;
            }
            // It may be a restart: what was seen last stays, with the reason above it.
            Err(failure) => screen.draw(&Figures::between(&before, &before), order, Some(&failure.to_string()))?,
        }
    }
}

/// What a key asks for.
enum Key {
    None,
    End,
    Halt,
    NextOrder,
    TurnOrder,
}

fn next_key(wait: Duration) -> Result<Key, Failure> {
    let failed = || Failure::io("read the keyboard");
    // A halted screen waits for keys alone.
    if !event::poll(wait.max(Duration::from_millis(50))).map_err(failed())? {
        return Ok(Key::None);
    }
    let Event::Key(key) = event::read().map_err(failed())? else {
        return Ok(Key::None);
    };
    if key.kind == KeyEventKind::Release {
        return Ok(Key::None);
    }
    let is_interrupt = key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
    Ok(
        if is_interrupt || [KeyCode::Char('q'), KeyCode::Esc].contains(&key.code) {
            Key::End
        } else if key.code == KeyCode::Char(' ') {
            Key::Halt
        } else if key.code == KeyCode::Char('s') {
            Key::NextOrder
        } else if key.code == KeyCode::Char('r') {
            Key::TurnOrder
        } else {
            Key::None
        },
    )
}
