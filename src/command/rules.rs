//! `strowger rules`: tries policy rules before a broker has them.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use rules::{Cases, Checked, Limits};

use crate::command::print;
use crate::failure::Failure;
use crate::policy::{read_book, text_of};

/// A case of `rules test` was not met.
const UNMET: u8 = 1;

/// Check and try policy rules.
///
/// Rules are conditions in CEL over what clients ask for, with actions. No broker is needed to try them.
#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = false)]
pub(crate) struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Check(Check),
    Test(Test),
}

/// Compile a rule file, and name the first mistake.
///
/// Syntax, names, types, patterns and bounds are checked as a broker would when it loads the file.
#[derive(Debug, Args)]
struct Check {
    /// The rule file
    file: PathBuf,
}

/// Judge cases by a rule file, and tell where it says something else than expected.
///
/// Each `[[case]]` has a name, a packet (connect, publish, deliver, subscribe, unsubscribe, will), what is known of it
/// (client, user, groups, listener, address, topic, qos, retain, payload, properties, now), and what is expected:
///
///   expect = { verdict = "deny", reason = "quota_exceeded", rule = "no-large-payloads" }
///
/// Each case begins with full rates; times = 21 judges it that often at once, and the last time counts. Ends with 1 if a
/// case is not met.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
struct Test {
    /// The file with the cases
    cases: PathBuf,
    /// The rule file
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
}

/// The name of the command, and how it ended.
pub(crate) fn run(options: &Options) -> (&'static str, Result<ExitCode, Failure>) {
    match &options.verb {
        Verb::Check(options) => ("strowger rules check", check(options)),
        Verb::Test(options) => ("strowger rules test", test(options)),
    }
}

fn check(options: &Check) -> Result<ExitCode, Failure> {
    let book = read_book(&options.file, Limits::default())?;
    let count = book.names().len();
    let noun = if count == 1 { "rule" } else { "rules" };
    print(format!("{}: OK, {count} {noun}\n", options.file.display()).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn test(options: &Test) -> Result<ExitCode, Failure> {
    let book = read_book(&options.rules, Limits::default())?;
    let cases = Cases::parse(&options.cases.display().to_string(), &text_of(&options.cases)?)?;
    let checked = cases.run(&book);
    print(table(&checked).as_bytes())?;
    let is_met = checked.iter().all(|case| case.differences.is_empty());
    Ok(if is_met {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(UNMET)
    })
}

/// A line for each case, its differences under it, and the counts.
fn table(checked: &[Checked]) -> String {
    let width = checked.iter().map(|case| case.name.chars().count()).max().unwrap_or(0);
    let mut table = String::new();
    let mut failed = 0;
    for case in checked {
        let is_met = case.differences.is_empty();
        failed += usize::from(!is_met);
        let word = if is_met { "pass" } else { "FAIL" };
        // Writing to a string cannot fail.
        let _ = writeln!(table, "{word}  {:width$}  {}", case.name, case.said);
        for difference in &case.differences {
            let _ = writeln!(table, "      {difference}");
        }
    }
    let _ = writeln!(table, "{} passed, {failed} failed", checked.len() - failed);
    table
}

#[cfg(test)]
mod tests;
