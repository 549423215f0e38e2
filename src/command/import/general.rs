//! Keywords about the broker as a whole: what it keeps, its bounds, its log; and what has no counterpart.

use super::draft::{Draft, Given, Rule};
use super::report::Note;
use super::source::Line;
use crate::failure::Failure;

/// The largest packet that MQTT knows, in bytes.
const PACKET_BYTES_MAX: u32 = 268_435_455;
/// The longest queue of a session that a setting allows, in messages.
const QUEUE_MESSAGES_MAX: u64 = 10_000_000;
/// The largest queue of a session that a setting allows, in bytes.
const QUEUE_BYTES_MAX: u64 = 64 << 30;
/// A session that never expires.
const FOR_EVER: u32 = u32::MAX;
const DAY_SECS: u64 = 86_400;

/// Takes a line about who comes in and what he may do.
pub(super) fn take_security(draft: &mut Draft, line: &Line, at: usize) -> Result<Option<Note>, Failure> {
    let file = || {
        Some(Given {
            value: line.value.clone().into(),
            line: at,
        })
    };
    let security = draft.security();
    let note = match line.key.as_str() {
        "allow_anonymous" => {
            let value = line.flag()?;
            security.anonymous = Some(Given { value, line: at });
            Note::converted("auth.anonymous")
        }
        "password_file" => {
            security.password_file = file();
            draft.default_listener.is_wanted |= draft.is_per_listener && draft.listeners.is_empty();
            Note::converted("auth.password_file, a copy; the passwords stay as they are")
        }
        "acl_file" => {
            security.acl_file = file();
            Note::converted("acl.file, a copy")
        }
        "psk_file" => Note::not_converted("keys that were shared before (TLS-PSK) are not spoken: use certificates"),
        "plugin" | "auth_plugin" | "global_plugin" | "plugin_load" => {
            security.has_plugin = true;
            Note::not_converted(
                "plugins are not loaded; users can come from LDAP, SQL, Redis, HTTP or tokens, rights from groups and rules \
                 (docs/ACCESS.md)",
            )
        }
        key if key.starts_with("auth_opt_") || key.starts_with("plugin_opt_") => {
            Note::not_converted("belongs to the plugin above")
        }
        "plugin_use" | "auth_plugin_deny_special_chars" => Note::not_converted("belongs to a plugin"),
        "per_listener_settings" => Note::converted("each listener is looked at by itself"),
        "check_retain_source" => Note::not_converted(
            "what was retained stays when its publisher loses the right; `strowger retained` deletes it",
        ),
        _ => return Ok(None),
    };
    Ok(Some(note))
}

/// Takes a line about what is kept and how much of it.
pub(super) fn take_bounds(draft: &mut Draft, line: &Line) -> Result<Option<Note>, Failure> {
    let note = match line.key.as_str() {
        "persistence" => {
            draft.is_persistent = line.flag()?;
            Note::converted(
                "storage.engine; what mosquitto.db holds is not read (docs/MIGRATING.md says how it comes over)",
            )
        }
        "persistence_location" | "persistence_file" => {
            Note::not_needed("the store has a directory of its own (storage.directory)")
        }
        "autosave_interval" | "autosave_on_changes" => {
            Note::not_needed("what is acknowledged is on the disk before it is acknowledged")
        }
        "persistent_client_expiration" => expiry(draft, line)?,
        "max_inflight_messages" => inflight(draft, line)?,
        "max_queued_messages" => {
            let count: u64 = line.number_of()?;
            let count = if count == 0 {
                QUEUE_MESSAGES_MAX
            } else {
                u64::min(count, QUEUE_MESSAGES_MAX)
            };
            draft.set("session", "queue_messages_max", count.to_string(), line);
            Note::converted("session.queue_messages_max")
        }
        "max_queued_bytes" => {
            let count: u64 = line.number_of()?;
            let count = if count == 0 {
                QUEUE_BYTES_MAX
            } else {
                count.clamp(1024, QUEUE_BYTES_MAX)
            };
            draft.set("session", "queue_bytes_max", count.to_string(), line);
            Note::converted("session.queue_bytes_max")
        }
        "max_packet_size" => packet(draft, line)?,
        "message_size_limit" => payload(draft, line)?,
        "max_keepalive" => {
            let secs: u16 = line.number_of()?;
            draft.set("session", "keep_alive_max_secs", secs.max(1).to_string(), line);
            Note::converted("session.keep_alive_max_secs")
        }
        "memory_limit" => {
            let bytes: u64 = line.number_of()?;
            draft.set("overload", "memory_bytes_max", bytes.to_string(), line);
            Note::converted("overload.memory_bytes_max; above its marks clients are told that there is no room")
        }
        "sys_interval" => {
            let secs: u64 = line.number_of()?;
            draft.set("broker", "sys_interval_secs", secs.min(DAY_SECS).to_string(), line);
            Note::converted("broker.sys_interval_secs")
        }
        "retain_available" | "clientid_prefixes" => by_rule(draft, line)?,
        _ => return Ok(None),
    };
    Ok(Some(note))
}

/// `14d`, `2m`: a number and the unit, of which Mosquitto knows h, d, w, m and y.
fn expiry(draft: &mut Draft, line: &Line) -> Result<Note, Failure> {
    let wrong = || line.wrong("write a number with h, d, w, m or y behind it");
    let unit = line.value.chars().next_back().ok_or_else(wrong)?;
    let secs = match unit {
        'h' => 3600,
        'd' => DAY_SECS,
        'w' => 7 * DAY_SECS,
        'm' => 30 * DAY_SECS,
        'y' => 365 * DAY_SECS,
        _ => return Err(wrong()),
    };
    let number: u64 = line.value.trim_end_matches(unit).parse().map_err(|_| wrong())?;
    let secs = number.saturating_mul(secs).min(u64::from(FOR_EVER));
    draft.set("session", "expiry_max_secs", secs.to_string(), line);
    Ok(Note::converted("session.expiry_max_secs"))
}

fn inflight(draft: &mut Draft, line: &Line) -> Result<Note, Failure> {
    let count: u16 = line.number_of()?;
    let count = if count == 0 { u16::MAX } else { count };
    draft.set("session", "inflight_max", count.to_string(), line);
    draft.set("session", "inflight_max_v3", count.to_string(), line);
    Ok(Note::converted("session.inflight_max and inflight_max_v3"))
}

fn packet(draft: &mut Draft, line: &Line) -> Result<Note, Failure> {
    let bytes: u32 = line.number_of()?;
    draft.set(
        "packet",
        "bytes_max",
        bytes.clamp(1024, PACKET_BYTES_MAX).to_string(),
        line,
    );
    Ok(match bytes {
        0..1024 => Note::not_converted("packet.bytes_max = 1024: fewer cannot be set"),
        _ => Note::converted("packet.bytes_max"),
    })
}

fn payload(draft: &mut Draft, line: &Line) -> Result<Note, Failure> {
    let bytes: u32 = line.number_of()?;
    if bytes == 0 {
        return Ok(Note::not_needed("it is so"));
    }
    draft.rule(Rule {
        name: "message_size_limit".to_owned(),
        on: "publish",
        when: format!("size(payload) > {bytes}"),
        then: r#"{ deny = "packet_too_large" }"#,
    });
    Ok(Note::converted(
        "a rule: 5.0 is told 0x95, 3.x is disconnected, where Mosquitto acknowledges and drops",
    ))
}

/// What no setting does and a rule can do.
fn by_rule(draft: &mut Draft, line: &Line) -> Result<Note, Failure> {
    if line.key == "clientid_prefixes" {
        let prefix = line.value.replace('\\', "\\\\").replace('\'', "\\'");
        draft.rule(Rule {
            name: "clientid_prefixes".to_owned(),
            on: "connect",
            when: format!("!client.id.startsWith('{prefix}')"),
            then: r#"{ deny = "client_id_invalid" }"#,
        });
        return Ok(Note::converted("a rule on connect"));
    }
    if line.flag()? {
        return Ok(Note::not_needed("it is so"));
    }
    draft.rule(Rule {
        name: "retain_available".to_owned(),
        on: "publish",
        when: "retain".to_owned(),
        then: r#"{ disconnect = "unspecified" }"#,
    });
    Ok(Note::converted(
        "a rule disconnects who publishes with RETAIN; CONNACK does not tell clients of it",
    ))
}

/// Takes a line about the process and its log.
pub(super) fn take_process(draft: &mut Draft, line: &Line) -> Result<Option<Note>, Failure> {
    let note = match line.key.as_str() {
        "log_type" => {
            draft
                .log_levels
                .extend(line.value.split_whitespace().map(str::to_owned));
            Note::converted("log.level")
        }
        "log_dest" => match line.value.split_whitespace().next().unwrap_or_default() {
            "stderr" | "stdout" | "syslog" => {
                Note::converted("the log is on standard error, which systemd keeps in its journal")
            }
            "none" => {
                draft.set("log", "level", "\"off\"", line);
                Note::converted("log.level = \"off\"")
            }
            "file" => Note::not_converted(
                "the log is on standard error, which systemd keeps in its journal; log.file puts it into a file that the broker's \
                 user can write, with the package /var/log/strowger/strowger.log",
            ),
            _ => Note::not_converted("the log is on standard error, which systemd keeps in its journal"),
        },
        "log_timestamp" | "log_timestamp_format" | "log_facility" | "connection_messages" => {
            Note::not_needed("each record has its time and its level; look for one client with `strowger trace`")
        }
        "pid_file" => Note::not_needed("systemd knows the process"),
        "user" => Note::not_needed("the unit runs the broker as its own user"),
        "include_dir" => Note::converted("its files follow"),
        "allow_duplicate_messages" | "set_tcp_nodelay" | "retry_interval" | "store_clean_interval" => {
            Note::not_needed("has no counterpart and needs none")
        }
        "allow_zero_length_clientid" | "queue_qos0_messages" | "upgrade_outgoing_qos" => habit(line)?,
        "auto_id_prefix" => Note::not_converted("identifiers that the broker gives have a form of their own"),
        "max_inflight_bytes" => Note::not_converted("only the number of messages under way is bounded"),
        _ => return Ok(None),
    };
    Ok(Some(note))
}

/// Habits of Mosquitto that MQTT does not ask for.
fn habit(line: &Line) -> Result<Note, Failure> {
    Ok(match (line.key.as_str(), line.flag()?) {
        ("allow_zero_length_clientid", true) | ("queue_qos0_messages" | "upgrade_outgoing_qos", false) => {
            Note::not_needed("it is so")
        }
        ("allow_zero_length_clientid", _) => {
            Note::not_converted("a client that leaves out its identifier is given one, as MQTT wants it")
        }
        ("queue_qos0_messages", _) => {
            Note::not_converted("QoS 0 is not kept for clients that are away: publish with QoS 1")
        }
        _ => Note::not_converted("a message is delivered with its own QoS at most: publish with a higher one"),
    })
}

/// Takes a line about a bridge.
pub(super) fn take_bridge(draft: &mut Draft, line: &Line) -> Option<Note> {
    if line.key == "connection" {
        draft.bridge = Some(line.value.clone());
        return Some(Note::not_converted(
            "bridges are not there: let the other broker bridge to this one, or run a client that passes messages on",
        ));
    }
    let bridge = draft.bridge.as_ref()?;
    is_about_bridges(&line.key).then(|| Note::not_converted(format!("belongs to the bridge {bridge}")))
}

fn is_about_bridges(key: &str) -> bool {
    const KEYS: [&str; 26] = [
        "address",
        "addresses",
        "topic",
        "cleansession",
        "local_cleansession",
        "clientid",
        "remote_clientid",
        "local_clientid",
        "keepalive_interval",
        "idle_timeout",
        "username",
        "remote_username",
        "local_username",
        "password",
        "remote_password",
        "local_password",
        "notifications",
        "notifications_local_only",
        "notification_topic",
        "restart_timeout",
        "round_robin",
        "start_type",
        "threshold",
        "try_private",
        "max_topic_alias",
        "insecure",
    ];
    KEYS.contains(&key) || key.starts_with("bridge_")
}

/// The level of the log that shows what Mosquitto's types showed.
pub(super) fn log_level(types: &[String]) -> Option<&'static str> {
    const LEVELS: [(&str, &[&str]); 5] = [
        ("debug", &["all", "debug"]),
        (
            "info",
            &["information", "notice", "subscribe", "unsubscribe", "websockets"],
        ),
        ("warn", &["warning"]),
        ("error", &["error"]),
        ("off", &["none"]),
    ];
    let found = LEVELS
        .iter()
        .find(|(_, words)| types.iter().any(|one| words.contains(&one.as_str())));
    found.map(|(level, _)| *level)
}
