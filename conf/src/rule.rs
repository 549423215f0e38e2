//! Rules for settings that are text.

/// What a text has to be like.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The rule in words, to go after "allowed: ".
    pub(crate) says: &'static str,
    pub(crate) holds: fn(&str) -> bool,
}

/// A level, or levels by module, as tracing-subscriber's `EnvFilter` reads them.
pub(crate) const LOG_LEVEL: Rule = Rule {
    says: "off, error, warn, info, debug or trace, also by crate such as \"info,actors=debug\"",
    holds: is_log_level,
};

/// A path.
pub(crate) const PATH: Rule = Rule {
    says: "a path",
    holds: |text| !text.is_empty() && !text.contains('\0'),
};

/// A path, or nothing.
pub(crate) const PATH_OR_NONE: Rule = Rule {
    says: "a path, or nothing",
    holds: |text| !text.contains('\0'),
};

/// An address of the web, or nothing. What is sent there holds passwords, so that plain HTTP stays on the machine.
pub(crate) const URL_OR_NONE: Rule = Rule {
    says: "an address such as \"https://auth.example.com/mqtt\", or nothing; http only to this machine",
    holds: |text| text.is_empty() || is_url(text),
};

/// A signature algorithm with a private and a public key (RFC 7518, RFC 8037).
pub(crate) const JWT_ALGORITHM: Rule = Rule {
    says: "an algorithm: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA",
    holds: |text| {
        let of_keys = [
            "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
        ];
        of_keys.contains(&text)
    },
};

/// Any text.
pub(crate) const ANY: Rule = Rule {
    says: "text",
    holds: |text| !text.contains('\0'),
};

fn is_url(text: &str) -> bool {
    // A browser's parser takes a backslash for a slash. A name and a password may stand before the host.
    let host_of = |rest: &str| {
        let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
        authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host)
            .to_owned()
    };
    let is_local = |host: &str| {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        ["localhost", "127.0.0.1", "[::1]"].contains(&name)
    };
    match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => !host_of(rest).is_empty(),
        (None, Some(rest)) => is_local(&host_of(rest)),
        (None, None) => false,
    }
}

/// A topic filter. A shared subscription names subscribers, not topics, so that it is none.
pub(crate) const TOPIC_FILTER: Rule = Rule {
    says: "a topic filter such as \"plant/+/alarm\" or \"telemetry/#\", without $share",
    holds: is_topic_filter,
};

/// The longest topic filter that the wire format can express.
const TOPIC_FILTER_BYTES_MAX: usize = 65_535;

/// The start of a topic; empty where none is wanted.
pub(crate) const TOPIC_START: Rule = Rule {
    says: "the start of a topic, without + and #",
    holds: |text| !text.contains(['+', '#', '\0']),
};

/// `host:port`, or the path of a Unix socket; which of them is wanted shows with the transport. Or a socket that is
/// passed.
pub(crate) const LISTEN: Rule = Rule {
    says: "host:port such as \"0.0.0.0:8883\", the path of a socket for \"unix\", or systemd:NAME",
    holds: |text| match passed_socket(text) {
        Some(name) => is_socket_name(name),
        None => is_address(text) || (PATH.holds)(text),
    },
};

/// `host:port`, or a socket that is passed.
pub(crate) const BIND: Rule = Rule {
    says: "host:port such as \"127.0.0.1:1883\" or \"[::1]:1883\", or systemd:NAME",
    holds: |text| passed_socket(text).map_or_else(|| is_address(text), is_socket_name),
};

/// As `BIND`, or no listener at all.
pub(crate) const BIND_OR_NONE: Rule = Rule {
    says: "host:port such as \"127.0.0.1:1883\" or \"[::1]:1883\", systemd:NAME, or none",
    holds: |text| text == "none" || (BIND.holds)(text),
};

/// The name of a machine, without a port.
pub(crate) const HOST: Rule = Rule {
    says: "a name such as \"broker.example.com\", without a port",
    holds: |text| {
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !text.is_empty() && text.bytes().all(is_good)
    },
};

/// `host:port`, or no listener at all.
pub(crate) const ADMIN_BIND: Rule = Rule {
    says: "host:port such as \"127.0.0.1:18083\", or none",
    holds: |text| text == "none" || is_address(text),
};

/// The name of the sockets that a listener takes from the service manager, if its `bind` says so.
#[must_use]
pub fn passed_socket(bind: &str) -> Option<&str> {
    bind.strip_prefix("systemd:")
}

/// As `FileDescriptorName=` has it (systemd.socket(5)), without what a list of them could not hold.
fn is_socket_name(name: &str) -> bool {
    (1..=255).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':')
}

/// A name for logs and access rules.
pub(crate) const NAME: Rule = Rule {
    says: "1 to 64 letters, digits and - _ . :",
    holds: |text| {
        (1..=64).contains(&text.len())
            && text
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "-_.:".contains(letter))
    },
};

/// The path of a URL, without a query.
pub(crate) const URL_PATH: Rule = Rule {
    says: "a path such as \"/mqtt\"",
    holds: |text| {
        text.starts_with('/') && text.len() <= 256 && text.bytes().all(|b| b.is_ascii_graphic() && !b"?#".contains(&b))
    },
};

/// An Origin as browsers send it (RFC 6454, section 6.2): scheme, host, and the port if it is not the scheme's own.
pub(crate) const ORIGIN: Rule = Rule {
    says: "an origin such as \"https://app.example.com\", without a path",
    holds: |text| {
        text == "null"
            || text.split_once("://").is_some_and(|(scheme, host)| {
                !scheme.is_empty()
                    && !host.is_empty()
                    && !host.contains('/')
                    && text.bytes().all(|b| b.is_ascii_graphic())
            })
    },
};

/// Rights of a file.
pub(crate) const FILE_MODE: Rule = Rule {
    says: "rights in octal such as \"0660\"",
    holds: |text| (3..=4).contains(&text.len()) && text.bytes().all(|digit| (b'0'..=b'7').contains(&digit)),
};

/// The name or number of a user or group, or nothing.
pub(crate) const ACCOUNT_OR_NONE: Rule = Rule {
    says: "a name or a number that the system knows, or nothing",
    holds: |text| text.is_empty() || (ACCOUNT.holds)(text),
};

/// The name or number of a user or group.
pub(crate) const ACCOUNT: Rule = Rule {
    says: "a name or a number that the system knows",
    holds: |text| !text.is_empty() && text.len() <= 64 && !text.contains([':', '/', ' ', '\0']),
};

/// A network, or one address.
pub(crate) const NETWORK: Rule = Rule {
    says: "a network such as \"10.0.0.0/8\" or an address such as \"::1\"",
    holds: is_network,
};

fn is_network(text: &str) -> bool {
    text.parse::<ipnet::IpNet>().is_ok() || text.parse::<std::net::IpAddr>().is_ok()
}

/// `host:port`; an IPv6 address stands in brackets. Whether the host exists shows when it is bound.
pub(crate) fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let host_holds = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && !host.contains([':', '[', ']', '/', ' ']),
    };
    host_holds && port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

fn is_topic_filter(text: &str) -> bool {
    let (levels, last) = text
        .rsplit_once('/')
        .map_or((None, text), |(levels, last)| (Some(levels), last));
    let is_level = |level: &str| level == "+" || !level.contains(['+', '#']);
    !text.is_empty()
        && text.len() <= TOPIC_FILTER_BYTES_MAX
        && !text.contains('\0')
        && text.split('/').next() != Some("$share")
        && (last == "#" || is_level(last))
        && levels.is_none_or(|levels| levels.split('/').all(is_level))
}

fn is_log_level(text: &str) -> bool {
    text.split(',').all(|directive| match directive.trim().split_once('=') {
        Some((target, level)) => is_target(target) && is_level(level),
        None => is_level(directive.trim()),
    })
}

fn is_target(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "_-:".contains(letter))
}

fn is_level(text: &str) -> bool {
    ["off", "error", "warn", "info", "debug", "trace"].contains(&text)
}

#[cfg(test)]
mod tests;
