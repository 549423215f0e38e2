//! The files of the result: the settings, and what they name.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::doors::rule_of_quality;
use super::draft::{Draft, Rule};
use super::general::log_level;
use super::plan::{Door, Plan, rules_of_strangers};
use super::report::{Note, Report};
use super::rights;
use crate::failure::Failure;

/// What Mosquitto allows and Strowger's defaults would not: a client that works shall go on working.
const AS_MOSQUITTO: [(&str, &str, &str, &str); 7] = [
    ("packet", "bytes_max", "268435455", "1048576"),
    ("packet", "client_id_bytes_max", "65535", "256"),
    ("packet", "topic_bytes_max", "65535", "4096"),
    ("packet", "topic_levels_max", "200", "128"),
    ("session", "expiry_max_secs", "4294967295", "604800"),
    ("session", "queue_full", "\"drop\"", "\"refuse\""),
    ("retained", "payload_bytes_max", "268435455", "1048576"),
];
/// The sections in the order in which they are written.
const SECTIONS: [&str; 11] = [
    "listener", "overload", "auth", "acl", "rules", "packet", "session", "retained", "broker", "log", "storage",
];

/// A file of the result.
#[derive(Debug)]
pub(super) struct Made {
    /// Within the directory of the result.
    pub(super) name: String,
    pub(super) text: String,
}

/// Where the result is written, and where its broker keeps its data.
#[derive(Debug)]
pub(super) struct Places {
    /// Absolute.
    pub(super) out: PathBuf,
    pub(super) data: PathBuf,
}

/// Puts the files together; `strowger.toml` is the last.
///
/// # Errors
///
/// A file that cannot be read, or rights that cannot be kept.
pub(super) fn files(
    draft: &mut Draft,
    plan: &Plan,
    places: &Places,
    report: &mut Report,
) -> Result<Vec<Made>, Failure> {
    let mut files = Vec::new();
    if let Some(file) = &plan.password_file {
        let text = with_newline(text_of(file)?);
        put(draft, "auth", "password_file", quoted_path(places, "passwords"));
        files.push(Made {
            name: "passwords".to_owned(),
            text,
        });
    }
    if let Some(file) = &plan.acl_file {
        let book = rights::converted(file, &text_of(file)?, report)?;
        if rights::speaks_of_users(&book) && plan.password_file.is_none() && plan.name_from.is_none() {
            report.remark(
                "NOT CONVERTED: rights below `user` and of %u apply to nobody, since nothing checks user names \
                 (password_file); Mosquitto took them on trust",
            );
        }
        let open = plan.doors.iter().filter(|door| door.security.acl_file.is_none());
        let open: Vec<String> = open.flat_map(|door| door.names.clone()).collect();
        put(draft, "acl", "file", quoted_path(places, "rights"));
        files.push(Made {
            name: "rights".to_owned(),
            text: book + &rights::open_listeners(&open),
        });
    }
    for door in plan.doors.iter().filter(|door| door.listener.requires_certificate) {
        if let Some(directory) = &door.listener.ca_directory {
            let file = door.listener.ca_file.as_ref();
            let file = file.map(|file| text_of(Path::new(&file.value))).transpose()?;
            let text = file.map(with_newline).unwrap_or_default() + &authorities(&directory.value)?;
            files.push(Made {
                name: authorities_of(door),
                text,
            });
        }
    }
    let rules = rules(draft, plan);
    if !rules.is_empty() {
        put(draft, "rules", "file", quoted_path(places, "rules.toml"));
        files.push(Made {
            name: "rules.toml".to_owned(),
            text: rules.iter().map(rule_text).collect(),
        });
    }
    decide(draft, plan, places, report);
    let text = settings_text(draft, plan, places, report);
    files.push(Made {
        name: "strowger.toml".to_owned(),
        text,
    });
    Ok(files)
}

fn rules(draft: &Draft, plan: &Plan) -> Vec<Rule> {
    let of_doors = plan.doors.iter().flat_map(|door| {
        let names = door.names.iter();
        names.filter_map(|name| rule_of_quality(&door.listener, name))
    });
    let strangers = rules_of_strangers(&plan.doors);
    draft.rules.iter().cloned().chain(of_doors).chain(strangers).collect()
}

/// Settings that follow from everything together.
fn decide(draft: &mut Draft, plan: &Plan, places: &Places, report: &mut Report) {
    let anonymous = if plan.doors.iter().any(|door| door.is_anonymous) {
        "allow"
    } else {
        "deny"
    };
    put(draft, "auth", "anonymous", quoted(anonymous));
    if let Some(name_from) = plan.name_from {
        put(draft, "auth", "certificate_name", quoted(name_from.word()));
    }
    if let Some(level) = log_level(&draft.log_levels).filter(|_| !draft.has("log", "level")) {
        put(draft, "log", "level", quoted(level));
    }
    put(
        draft,
        "storage",
        "directory",
        quoted(&places.data.display().to_string()),
    );
    if !draft.is_persistent {
        put(draft, "storage", "engine", quoted("memory"));
        report.remark(
            "nothing survives a restart, as persistence is off: take out storage.engine to keep sessions and messages",
        );
    }
    let mut raised = Vec::new();
    for (section, key, value, default) in AS_MOSQUITTO {
        if !draft.has(section, key) {
            let place = format!("as Mosquitto has it; Strowger's default is {default}");
            draft.settings.push((section, key, value.to_owned(), place));
            raised.push(format!("{section}.{key} = {value}"));
        }
    }
    report.remark(format!(
        "as Mosquitto has them, and beyond Strowger's defaults: {}; take out what your clients do not need",
        raised.join(", ")
    ));
    report.remark(
        "bounds that Mosquitto does not have are in force (docs/LIMITS.md), such as 16 MiB for a queue (session.queue_bytes_max) \
         and 120 connections a minute of one client (auth.flapping_connects_max); a session belongs to the user who opened it \
         (acl.sessions)",
    );
}

fn put(draft: &mut Draft, section: &'static str, key: &'static str, value: String) {
    draft.settings.push((section, key, value, String::new()));
}

fn settings_text(draft: &Draft, plan: &Plan, places: &Places, report: &mut Report) -> String {
    let mut text =
        "# Made by `strowger import` from a configuration of Mosquitto. docs/CONFIG.md describes each setting.\n"
            .to_owned();
    for section in SECTIONS {
        let mut body = String::new();
        if section == "listener" {
            body = main_listener(plan);
        }
        for (_, key, value, from) in draft.settings.iter().filter(|(of, ..)| *of == section) {
            let from = if from.is_empty() {
                String::new()
            } else {
                format!(" # {from}")
            };
            let _ = writeln!(body, "{key} = {value}{from}");
        }
        if !body.is_empty() {
            let _ = write!(text, "\n[{section}]\n{body}");
        }
    }
    for door in &plan.doors {
        let is_main = door.names.first().is_some_and(|name| name == "default");
        let binds = door.binds.iter().zip(&door.names).filter(|_| !is_main);
        for (bind, name) in binds {
            text.push_str(&listener_text(door, bind, name, places, report));
        }
    }
    text
}

fn main_listener(plan: &Plan) -> String {
    let main = plan.doors.first().filter(|door| door.transport == "tcp");
    let Some(door) = main else {
        return "bind = \"none\"\n".to_owned();
    };
    let binds: Vec<String> = door.binds.iter().map(|bind| quoted(bind)).collect();
    let mut text = format!("bind = [{}]\n", binds.join(", "));
    if let Some(limit) = door.listener.connections_max {
        let _ = writeln!(text, "connections_max = {limit}");
    }
    text
}

fn listener_text(door: &Door, bind: &str, name: &str, places: &Places, report: &mut Report) -> String {
    let listener = &door.listener;
    let transport = door.transport;
    let mut text = format!(
        "\n[[listeners]]\nname = {}\nbind = {}\ntransport = \"{transport}\"\n",
        quoted(name),
        quoted(bind)
    );
    let mut line = |key: &str, value: String| {
        let _ = writeln!(text, "{key} = {value}");
    };
    if let Some(limit) = listener.connections_max {
        line("connections_max", limit.to_string());
    }
    if !listener.origins.is_empty() {
        let origins: Vec<String> = listener.origins.iter().map(|origin| quoted(origin)).collect();
        line("origins", format!("[{}]", origins.join(", ")));
    }
    if !matches!(transport, "tls" | "wss") {
        return text;
    }
    line(
        "certificate",
        absolute(listener.certificate.as_deref().unwrap_or_default()),
    );
    line("key", absolute(listener.key.as_deref().unwrap_or_default()));
    if listener.is_tls_1_3_only {
        line("tls_min", quoted("1.3"));
    }
    if listener.requires_certificate {
        // One file is trusted: authorities of a directory are copied into one, with those of the file beside it.
        match (&listener.ca_file, &listener.ca_directory) {
            (Some(file), None) => line("client_ca", absolute(&file.value)),
            (_, Some(_)) => line("client_ca", quoted_path(places, &authorities_of(door))),
            (None, None) => {}
        }
        let file = listener.ca_file.as_ref().map(|file| file.line);
        let directory = listener.ca_directory.as_ref().map(|directory| directory.line);
        for told in file.into_iter().chain(directory) {
            let how = match directory {
                Some(_) => "client_ca of the listener, a copy of all authorities",
                None => "client_ca of the listener",
            };
            report.correct(told, Note::converted(how));
        }
        if let Some(crl) = &listener.crl {
            line("client_crl", absolute(crl));
        }
    }
    text
}

fn rule_text(rule: &Rule) -> String {
    let Rule { name, on, when, then } = rule;
    let (name, when) = (quoted(name), quoted(when));
    format!("[[rule]]\nname = {name}\non = [\"{on}\"]\nwhen = {when}\nthen = [{then}]\n\n")
}

fn authorities_of(door: &Door) -> String {
    format!(
        "{}-authorities.pem",
        door.names.first().map_or("listener", String::as_str)
    )
}

/// The certificates of a directory in one text.
fn authorities(directory: &Path) -> Result<String, Failure> {
    let failed = || Failure::io(format!("read {}", directory.display()));
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed())? {
        files.push(entry.map_err(failed())?.path());
    }
    // `c_rehash` and `openssl rehash` put links beside the files.
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "pem" || extension == "crt")
    });
    files.sort();
    let texts = files.iter().map(|file| text_of(file).map(with_newline));
    texts.collect()
}

fn text_of(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(Failure::io(format!("read {}", file.display())))
}

fn with_newline(mut text: String) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// A text as TOML has it; JSON's escapes are among TOML's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn quoted_path(places: &Places, name: &str) -> String {
    quoted(&places.out.join(name).display().to_string())
}

fn absolute(path: &str) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path));
    quoted(&absolute.display().to_string())
}
