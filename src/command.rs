//! The command line: the one definition that parsing, `--help`, completions and man pages come from.

mod backup;
mod bench;
mod check;
mod connection;
mod control;
mod drain;
pub(crate) mod explain;
mod generate;
mod import;
mod operate;
mod ownership;
mod passwd;
mod plan;
mod property;
mod publish;
mod reload;
mod remote;
mod replacement;
mod restore;
mod rules;
mod serve;
mod settings;
mod status;
mod stop;
mod store;
mod subscribe;
mod token;
mod upgrade;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

use crate::failure::Failure;

const EXIT_CODES: &str = "\
Exit codes:
  0    done; after SIGTERM or SIGINT: stopped cleanly
  1    explain: it is denied; clients, publish and their like: the broker did not do it,
       or --all is not all
  1    import: something was not converted
  1    bench: a message was lost, came twice or out of order, or the broker went away;
       rules test: a case is not met
  27   sub: the time given with -W is over
  64   wrong usage, configuration or rules
  65   the data directory or the backup is damaged, or of a version that is not known
  69   the port or the data directory is in use, or no broker can be reached
  74   reading or writing failed
  77   the broker does not let this operator do it
  1-5, 128-162  pub and sub: the broker refused; the MQTT return code or reason code";

/// An MQTT broker that loses nothing it acknowledged and says why when it refuses.
///
/// Without a subcommand it serves, on 127.0.0.1:1883 unless told otherwise.
#[derive(Debug, Parser)]
#[command(name = "strowger", version, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
pub(crate) struct Command {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    serve: serve::Options,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Serve(serve::Options),
    Stop(stop::Options),
    Reload(reload::Options),
    Status(status::Options),
    Drain(drain::Options),
    Upgrade(upgrade::Options),
    Check(check::Options),
    Explain(explain::Options),
    Rules(rules::Options),
    Pub(Box<publish::Options>),
    Sub(Box<subscribe::Options>),
    Bench(Box<bench::Options>),
    Store(store::Options),
    Backup(backup::Options),
    Restore(restore::Options),
    Plan(plan::Options),
    Passwd(passwd::Options),
    #[command(flatten)]
    Operate(operate::Verb),
    Import(import::Options),
    Token(token::Options),
    Completions(generate::CompletionsOptions),
    Man(generate::ManOptions),
    #[command(hide = true)]
    Generate(generate::Options),
}

/// Reads this process's arguments. What is no command to run, such as `--help`, is answered here.
pub(crate) fn parse() -> Result<Command, ExitCode> {
    Command::try_parse().map_err(|error| {
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        let arguments: Vec<String> = std::env::args_os()
            .skip(1)
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect();
        let name = name_of(arguments.iter().cloned());
        let remedy = match misplaced(&arguments) {
            Some(meant) => format!("write the options behind the command: `{meant} ...`"),
            None => format!("see `{name} --help`"),
        };
        report(&name, &Failure::Usage(format!("{}; {remedy}", in_one_line(&error))))
    })
}

/// The command and its first option where options stand before the command that takes them.
fn misplaced(arguments: &[String]) -> Option<String> {
    let mut command = Command::command();
    let mut verbs = vec!["strowger".to_owned()];
    let mut before: Vec<&String> = Vec::new();
    let mut rest = arguments.iter();
    while command.has_subcommands() {
        let Some(argument) = rest.next() else { break };
        if let Some(verb) = command.find_subcommand(argument).cloned() {
            verbs.push(verb.get_name().to_owned());
            command = verb;
        } else if argument.starts_with('-') || !before.is_empty() {
            before.push(argument);
        } else {
            return None;
        }
    }
    let option = before.first()?.split('=').next()?;
    let meant = format!("{} {option}", verbs.join(" "));
    let moved = verbs.iter().chain(rest).chain(before.iter().copied());
    (verbs.len() > 1 && Command::try_parse_from(moved).is_ok()).then_some(meant)
}

/// The command that the arguments begin with: `strowger`, `strowger pub`, `strowger bench p2p`.
fn name_of(arguments: impl Iterator<Item = String>) -> String {
    let mut name = "strowger".to_owned();
    let mut command = Command::command();
    for argument in arguments {
        let Some(verb) = command.find_subcommand(&argument).cloned() else {
            break;
        };
        name = format!("{name} {}", verb.get_name());
        command = verb;
    }
    name
}

/// Runs the command, and tells of its failure.
pub(crate) fn run(command: Command) -> ExitCode {
    let (name, result) = match command.verb {
        Some(Verb::Bench(options)) => {
            return bench::run(&options).unwrap_or_else(|failure| report(bench::NAME, &failure));
        }
        Some(Verb::Explain(options)) => {
            return explain::run(&options).unwrap_or_else(|failure| report("strowger explain", &failure));
        }
        Some(Verb::Import(options)) => {
            return import::run(&options).unwrap_or_else(|failure| report("strowger import", &failure));
        }
        Some(Verb::Store(options)) => {
            let (name, result) = store::run(&options);
            return result.unwrap_or_else(|failure| report(name, &failure));
        }
        Some(Verb::Rules(options)) => {
            let (name, result) = rules::run(&options);
            return result.unwrap_or_else(|failure| report(name, &failure));
        }
        Some(Verb::Token(options)) => token::run(&options),
        None => ("strowger", serve::run(&command.serve)),
        Some(Verb::Serve(options)) => ("strowger serve", serve::run(&options)),
        Some(Verb::Stop(options)) => ("strowger stop", stop::run(&options)),
        Some(Verb::Reload(options)) => ("strowger reload", reload::run(&options)),
        Some(Verb::Status(options)) => ("strowger status", status::run(&options)),
        Some(Verb::Drain(options)) => ("strowger drain", drain::run(&options)),
        Some(Verb::Upgrade(options)) => ("strowger upgrade", upgrade::run(&options)),
        Some(Verb::Check(options)) => ("strowger check", check::run(&options)),
        Some(Verb::Pub(options)) => (publish::NAME, publish::run(*options)),
        Some(Verb::Sub(options)) => (subscribe::NAME, subscribe::run(*options)),
        Some(Verb::Backup(options)) => ("strowger backup", backup::run(&options)),
        Some(Verb::Restore(options)) => ("strowger restore", restore::run(&options)),
        Some(Verb::Plan(options)) => ("strowger plan", plan::run(&options)),
        Some(Verb::Passwd(options)) => ("strowger passwd", passwd::run(&options)),
        Some(Verb::Operate(verb)) => (verb.name(), verb.run()),
        Some(Verb::Completions(options)) => ("strowger completions", generate::completions(&options)),
        Some(Verb::Man(options)) => ("strowger man", generate::man(&options)),
        Some(Verb::Generate(options)) => ("strowger generate", generate::run(&options)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(name, &failure),
    }
}

fn report(name: &str, failure: &Failure) -> ExitCode {
    // With standard error closed there is nobody left to tell; the exit code still does.
    let _ = writeln!(io::stderr(), "{name}: {failure}");
    failure.exit_code()
}

/// Clap's message without its usage text: what is wrong, then its tip.
fn in_one_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let mut line = String::new();
    for part in text.lines().map(str::trim).filter(|part| !part.is_empty()) {
        if part.starts_with("Usage:") || part.starts_with("For more information") {
            break;
        }
        let between = match line.chars().last() {
            None => "",
            Some(':') => " ",
            Some(_) if part.starts_with('[') || part.starts_with('-') => " ",
            Some(_) => "; ",
        };
        line = format!(
            "{line}{between}{}",
            part.trim_start_matches("error: ").trim_start_matches("tip: ")
        );
    }
    line
}

/// Writes to standard output. That nobody reads it any more is not a failure.
fn print(text: &[u8]) -> Result<Reader, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => Ok(Reader::Listens),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Reader::Gone),
        Err(error) => Err(Failure::io("write to standard output")(error)),
    }
}

/// Tells on standard error. With it closed or full there is nobody left to tell.
fn say(what: &str) {
    let _ = writeln!(io::stderr(), "{what}");
}

/// Who reads our standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    Listens,
    /// The other end of the pipe is closed.
    Gone,
}

#[cfg(test)]
mod tests;
