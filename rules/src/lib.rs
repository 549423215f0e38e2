//! The rule book: predicates over an exchange, and what follows from them.
//!
//! A [`RuleBook`] is compiled from a TOML file and immutable; any number of threads may share it. [`RuleBook::judge`]
//! takes an [`Event`] (one request of one client), the line's own [`Tally`] (hit counters, rates) and an [`Outcome`] that
//! is filled and used again. It reads no clock and no file: time is part of the event, the text of the rules an argument.
//!
//! Predicates are written in CEL. The `cel` crate parses them; types are checked and the expression is rebuilt as a tree
//! of our own at load, so that an evaluation borrows from the packet, counts its steps and cannot meet a name, a function
//! or a regular expression that was not checked before. What the language knows is in `docs/POLICY.md`.
//!
//! ```
//! use broker::exchange::{Kind, Refusal};
//! use rules::{Event, Limits, Outcome, RuleBook, Tally, Verdict};
//!
//! let text = r#"
//!     [[rule]]
//!     name = "small-payloads"
//!     on = ["publish"]
//!     topics = ["sensors/#"]
//!     when = "size(payload) > 1024"
//!     then = [{ deny = "packet_too_large" }]
//! "#;
//! let book = RuleBook::parse("rules.toml", text, Limits::default())?;
//! let (mut tally, mut outcome) = (Tally::of(&book), Outcome::default());
//! let event = Event { topic: "sensors/1", payload: &[0; 2000], ..Event::new(Kind::Publish, "meter-1") };
//! book.judge(&event, &mut tally, &mut outcome);
//! assert_eq!(outcome.verdict(), Verdict::Deny(Refusal::PacketTooLarge));
//! # Ok::<(), rules::RulesError>(())
//! ```

pub use book::RuleBook;
pub use cases::{Cases, Checked};
pub use error::RulesError;
pub use event::Event;
pub use expression::Failure;
pub use limits::Limits;
pub use outcome::{Level, Line, Outcome, Republish, Verdict};
pub use reason::{reason_named, word_of};
pub use tally::{Counts, Hits, Tally};

mod book;
mod cases;
mod error;
mod event;
mod expression;
mod filter;
mod limits;
mod outcome;
mod rates;
mod reason;
mod source;
mod tally;
