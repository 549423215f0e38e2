//! Mosquitto's ACL file as our book of rights: the same lines, but for those that our book cannot hold.

use std::path::Path;

use broker::acl::Rights;

use super::report::{Note, Report};
use crate::failure::Failure;

/// Rights that no listener's own file bounds.
const EVERYTHING: &str = "allow all #\nallow all $SYS/#\n";

/// The file's text with what cannot be read as a comment.
///
/// # Errors
///
/// A line that takes something away, or says whom others are for, and cannot be read: without it, others would allow more
/// than they did.
pub(super) fn converted(file: &Path, text: &str, report: &mut Report) -> Result<String, Failure> {
    let name = file.display().to_string();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    loop {
        let book = lines.join("\n") + "\n";
        let Err(error) = Rights::parse(&name, &book) else {
            return Ok(book);
        };
        let at = usize::try_from(error.line).unwrap_or(usize::MAX).saturating_sub(1);
        let Some(line) = lines.get_mut(at) else {
            return Err(Failure::Policy(error.to_string()));
        };
        let mut words = line.split_whitespace();
        let only_allows = matches!(words.next(), Some("topic" | "pattern")) && words.next() != Some("deny");
        if !only_allows {
            return Err(Failure::Policy(error.to_string()));
        }
        let why = format!("it allows nothing: {}; {}", error.what, error.remedy);
        report.tell_of(format!("{name}:{}", error.line), line, Note::not_converted(why));
        *line = format!("# not converted: {}", line.trim());
    }
}

/// Whether lines are for users, by name or by pattern.
pub(super) fn speaks_of_users(book: &str) -> bool {
    let mut lines = book.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines.any(|line| line.starts_with("user ") || line.starts_with("pattern ") && line.contains("%u"))
}

/// What lets the clients of these listeners do everything.
pub(super) fn open_listeners(names: &[String]) -> String {
    names
        .iter()
        .map(|name| format!("listener {name}\n{EVERYTHING}"))
        .collect()
}
