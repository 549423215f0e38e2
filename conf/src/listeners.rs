//! The listeners beside that of the section `listener`: their keys, and which of them go together.

use toml::{Table, Value};

use crate::configuration::TooFast;
use crate::rule::{self, ACCOUNT, FILE_MODE, LISTEN, NAME, NETWORK, ORIGIN, PATH, URL_PATH};
use crate::table::Allowed::{List, OneOf, Range, Text};
use crate::table::{Disagreement, Tables, choice, element};

choice! {
    /// What carries MQTT on a listener.
    Transport {
        /// TCP alone.
        Tcp = "tcp",
        /// TLS over TCP.
        Tls = "tls",
        /// WebSocket over TCP.
        WebSocket = "ws",
        /// WebSocket over TLS over TCP.
        SecureWebSocket = "wss",
        /// A Unix domain socket.
        Unix = "unix",
        /// QUIC over UDP.
        Quic = "quic",
    }
}

choice! {
    /// Whether a client has to show a certificate.
    ClientCertificate {
        /// No connection without one.
        Required = "required",
        /// One that is shown has to be good; a client may come without.
        Optional = "optional",
    }
}

choice! {
    /// The lowest version of TLS that is spoken.
    TlsVersion {
        /// TLS 1.2 and 1.3.
        V12 = "1.2",
        /// TLS 1.3 alone.
        V13 = "1.3",
    }
}

choice! {
    /// Whether a proxy in front tells the client's address.
    ProxyProtocol {
        /// The address of the connection is the client's.
        Off = "off",
        /// Every connection comes from a trusted proxy and starts with a PROXY header, version 1 or 2.
        Required = "required",
    }
}

element! {
    /// A listener beside that of the section `listener`.
    "listeners" FurtherListener {
        /// What logs and access rules call it; transport and bind by default, such as "tls:0.0.0.0:8883".
        name: Option<String>, Text(NAME), optional;
        /// Address to listen on, or the path of the Unix socket. A host name stands for all its addresses; "systemd:NAME"
        /// takes the sockets of this name that the service manager passes.
        bind: String, Text(LISTEN);
        /// What carries MQTT: "ws" is WebSocket, "wss" WebSocket over TLS; "quic" is one stream of QUIC with TLS 1.3.
        transport: Transport, OneOf(Transport::WORDS);
        /// Certificate chains in PEM files, the server's own certificate first. Of several, the first that is for the name
        /// that the client asks for is shown, and else the first.
        certificate: Option<Vec<String>>, List(PATH), optional;
        /// The private keys in PEM files, in the order of the certificates.
        key: Option<Vec<String>>, List(PATH), optional;
        /// PEM file of the authorities whose certificates clients may show; without it none is asked for.
        client_ca: Option<String>, Text(PATH), optional;
        /// Whether clients have to show a certificate; "required" by default.
        client_certificate: Option<ClientCertificate>, OneOf(ClientCertificate::WORDS), optional;
        /// PEM files of revocation lists for client certificates. A list whose time is over lets nobody in.
        client_crl: Option<Vec<String>>, List(PATH), optional;
        /// Lowest version of TLS; "1.2" by default.
        tls_min: Option<TlsVersion>, OneOf(TlsVersion::WORDS), optional;
        /// Path of the WebSocket; "/mqtt" by default.
        path: Option<String>, Text(URL_PATH), optional;
        /// Origins of the web pages that may connect; any by default. A client without Origin is no web page and may.
        origins: Option<Vec<String>>, List(ORIGIN), optional;
        /// Rights of the Unix socket; "0660" by default.
        mode: Option<String>, Text(FILE_MODE), optional;
        /// Owner of the Unix socket; the broker's user by default.
        owner: Option<String>, Text(ACCOUNT), optional;
        /// Group of the Unix socket; the broker's group by default.
        group: Option<String>, Text(ACCOUNT), optional;
        /// Whether each connection starts with a PROXY header from a trusted proxy; "off" by default.
        proxy_protocol: Option<ProxyProtocol>, OneOf(ProxyProtocol::WORDS), optional;
        /// Where proxies are: their PROXY headers, and X-Forwarded-For on a WebSocket, are believed.
        trusted_proxies: Option<Vec<String>>, List(NETWORK), optional;
        /// In place of listener.connections_max.
        connections_max: Option<usize>, Range(1..=10_000_000), "connections", optional;
        /// In place of listener.connect_rate_per_sec.
        connect_rate_per_sec: Option<u32>, Range(1..=1_000_000), "connections per second", optional;
        /// In place of listener.connect_burst.
        connect_burst: Option<u32>, Range(1..=1_000_000), "connections", optional;
        /// In place of listener.connect_timeout_secs.
        connect_timeout_secs: Option<u64>, Range(1..=3600), "seconds", optional;
        /// In place of listener.tls_handshake_timeout_secs.
        tls_handshake_timeout_secs: Option<u64>, Range(1..=3600), "seconds", optional;
        /// In place of listener.tls_handshakes_max.
        tls_handshakes_max: Option<usize>, Range(1..=1_000_000), "handshakes", optional;
        /// In place of listener.quic_idle_timeout_secs.
        quic_idle_timeout_secs: Option<u64>, Range(2..=86_400), "seconds", optional;
        /// In place of listener.quic_window_bytes.
        quic_window_bytes: Option<u32>, Range(16_384..=67_108_864), "bytes", optional;
        /// In place of listener.client_messages_per_sec.
        client_messages_per_sec: Option<u32>, Range(0..=4_294_967_295), "messages per second", optional;
        /// In place of listener.client_messages_burst.
        client_messages_burst: Option<u32>, Range(1..=4_294_967_295), "messages", optional;
        /// In place of listener.client_bytes_per_sec.
        client_bytes_per_sec: Option<u32>, Range(0..=4_294_967_295), "bytes per second", optional;
        /// In place of listener.client_bytes_burst.
        client_bytes_burst: Option<u32>, Range(1..=4_294_967_295), "bytes", optional;
        /// In place of listener.client_filters_per_sec.
        client_filters_per_sec: Option<u32>, Range(0..=4_294_967_295), "topic filters per second", optional;
        /// In place of listener.client_filters_burst.
        client_filters_burst: Option<u32>, Range(1..=4_294_967_295), "topic filters", optional;
        /// In place of listener.client_too_fast.
        client_too_fast: Option<TooFast>, OneOf(TooFast::WORDS), optional;
    }
}

impl FurtherListener {
    /// What logs and access rules call it.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.name {
            Some(name) => name.clone(),
            None => format!("{}:{}", self.transport.to_string().trim_matches('"'), self.bind),
        }
    }
}

/// The listeners' tables. Each costs sockets and buffers on every line, so that their number is bounded.
pub(crate) const LISTENERS: Tables = Tables {
    keys: FurtherListener::KEYS,
    tables_max: 64,
    agree,
    example: r#"[{ bind = "0.0.0.0:8883", transport = "tls", certificate = "server.pem", key = "server.key" }]"#,
};

/// Keys that have a meaning with some transports only.
const OF_TRANSPORTS: [(&str, &[&str]); 16] = [
    ("certificate", TLS),
    ("key", TLS),
    ("client_ca", TLS),
    ("client_certificate", TLS),
    ("client_crl", TLS),
    ("tls_min", TLS_OVER_TCP),
    ("tls_handshakes_max", TLS),
    ("path", WEBSOCKET),
    ("origins", WEBSOCKET),
    ("mode", UNIX),
    ("owner", UNIX),
    ("group", UNIX),
    ("proxy_protocol", NETWORKS),
    ("trusted_proxies", NETWORKS),
    ("quic_idle_timeout_secs", QUIC),
    ("quic_window_bytes", QUIC),
];
const TLS: &[&str] = &["tls", "wss", "quic"];
const TLS_OVER_TCP: &[&str] = &["tls", "wss"];
const WEBSOCKET: &[&str] = &["ws", "wss"];
const UNIX: &[&str] = &["unix"];
const NETWORKS: &[&str] = &["tcp", "tls", "ws", "wss"];
const QUIC: &[&str] = &["quic"];

/// What the file of a Unix socket has.
const UNIX_FILE: [&str; 3] = ["mode", "owner", "group"];

/// Which keys need another.
const NEEDS: [(&str, &str); 2] = [("client_certificate", "client_ca"), ("client_crl", "client_ca")];

fn agree(tables: &[Table]) -> Result<(), Disagreement> {
    let mut names: Vec<String> = Vec::new();
    for (nth, table) in tables.iter().enumerate() {
        agree_within(table).map_err(|(key, allowed)| Disagreement {
            table: nth,
            key,
            allowed,
        })?;
        let default = || format!("{}:{}", text(table, "transport"), text(table, "bind"));
        let name = table
            .get("name")
            .and_then(Value::as_str)
            .map_or_else(default, str::to_owned);
        if names.contains(&name) || name == "default" {
            return Err(Disagreement {
                table: nth,
                key: "name",
                allowed: format!("a name that no other listener has; `{name}` is taken"),
            });
        }
        names.push(name);
    }
    Ok(())
}

/// The key to blame and what would be right.
type Blame = (&'static str, String);

fn agree_within(table: &Table) -> Result<(), Blame> {
    let transport = text(table, "transport");
    for (key, transports) in OF_TRANSPORTS {
        if table.contains_key(key) && !transports.contains(&transport) {
            let words = transports.join("\" or \"");
            return Err((
                key,
                format!("only with the transport \"{words}\"; take the key out or change the transport"),
            ));
        }
    }
    agree_on_bind(table, transport)?;
    if TLS.contains(&transport) {
        let count = |key| table.get(key).map_or(0, |value| value.as_array().map_or(1, Vec::len));
        if count("certificate") == 0 {
            return Err((
                "certificate",
                format!("a PEM file, or a list of them, with the transport \"{transport}\""),
            ));
        }
        if count("certificate") != count("key") {
            return Err((
                "key",
                "one private key for each certificate, in the same order".to_owned(),
            ));
        }
    }
    for (key, needed) in NEEDS {
        if table.contains_key(key) && !table.contains_key(needed) {
            return Err((
                key,
                format!("only with {needed}: without it no client certificate is asked for"),
            ));
        }
    }
    if text(table, "proxy_protocol") == "required" && !table.contains_key("trusted_proxies") {
        return Err((
            "trusted_proxies",
            "the networks that the proxies are in, with proxy_protocol = \"required\"".to_owned(),
        ));
    }
    Ok(())
}

fn agree_on_bind(table: &Table, transport: &str) -> Result<(), Blame> {
    let bind = text(table, "bind");
    if rule::passed_socket(bind).is_some() {
        return match UNIX_FILE.into_iter().find(|key| table.contains_key(*key)) {
            Some(key) => Err((key, format!("not with bind = \"{bind}\": the socket unit has it"))),
            None => Ok(()),
        };
    }
    match (transport == "unix", rule::is_address(bind)) {
        (true, true) => Err((
            "bind",
            "the path of a socket, such as \"/run/strowger/mqtt.sock\", with the transport \"unix\"".to_owned(),
        )),
        (false, false) => Err((
            "bind",
            format!("{} with the transport \"{transport}\"", rule::BIND.says),
        )),
        (true, false) | (false, true) => Ok(()),
    }
}

fn text<'a>(table: &'a Table, key: &str) -> &'a str {
    table.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;
