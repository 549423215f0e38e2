//! The HTTP request that becomes a WebSocket: RFC 6455, section 4.2.

use std::net::IpAddr;
use std::str;

use httparse::{EMPTY_HEADER, Header, Request, Status};
use tungstenite::handshake::derive_accept_key;

use crate::network::Network;
use crate::settings::{ProxySettings, WebSocketSettings};

/// Bytes of a request, up to its empty line.
pub(crate) const REQUEST_BYTES_MAX: usize = 8 << 10;
const HEADERS_MAX: usize = 64;
/// [MQTT-6.0.0-3] in 5.0 and 3.1.1; the second is what clients of 3.1 ask for.
const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];
/// Length of a key: 16 bytes in base64.
const KEY_LENGTH: usize = 24;

/// A request that is good.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Upgrade {
    /// Its length: frames follow.
    pub(crate) length: usize,
    /// What makes the connection a WebSocket.
    pub(crate) answer: String,
    /// The client's address, as a trusted proxy tells it.
    pub(crate) forwarded_for: Option<IpAddr>,
}

/// A request that is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Status and reason: RFC 9110, section 15.
    pub(crate) status: &'static str,
    /// What the client is to do.
    pub(crate) what: &'static str,
}

impl Refusal {
    /// The whole answer.
    pub(crate) fn answer(&self) -> String {
        let Self { status, what } = self;
        let length = what.len() + 1;
        format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Length: {length}\r\nSec-WebSocket-Version: 13\r\n\r\n{what}\n"
        )
    }
}

const fn refusal(status: &'static str, what: &'static str) -> Refusal {
    Refusal { status, what }
}

/// Judges what has come of a request. `None`: it is not whole.
///
/// # Errors
///
/// How the request is answered, if it is no upgrade that this listener takes.
pub(crate) fn judge(
    bytes: &[u8],
    settings: &WebSocketSettings,
    proxies: &ProxySettings,
    peer: Option<IpAddr>,
) -> Result<Option<Upgrade>, Refusal> {
    let mut headers = [EMPTY_HEADER; HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    let length = match request.parse(bytes) {
        Ok(Status::Complete(length)) if length <= REQUEST_BYTES_MAX => length,
        Ok(Status::Partial) if bytes.len() <= REQUEST_BYTES_MAX => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => {
            return Err(refusal(
                "431 Request Header Fields Too Large",
                "The request is too long.",
            ));
        }
        Err(_) => return Err(refusal("400 Bad Request", "This is no HTTP request.")),
    };
    let (protocol, key) = check(&request, settings)?;
    let accept = derive_accept_key(key.as_bytes());
    Ok(Some(Upgrade {
        length,
        answer: format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
        ),
        forwarded_for: peer.and_then(|peer| forwarded_for(request.headers, &proxies.trusted, peer)),
    }))
}

/// Finds the subprotocol and the key of a request that is good.
fn check<'a>(request: &Request<'_, 'a>, settings: &WebSocketSettings) -> Result<(&'static str, &'a str), Refusal> {
    let path = request.path.unwrap_or_default();
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let headers = &*request.headers;
    if request.method != Some("GET") || request.version != Some(1) {
        return Err(refusal(
            "405 Method Not Allowed",
            "Upgrade to a WebSocket with GET and HTTP/1.1.",
        ));
    }
    if path != settings.path {
        return Err(refusal("404 Not Found", "There is no WebSocket at this path."));
    }
    if !has(headers, "Upgrade", "websocket") || !has(headers, "Connection", "upgrade") {
        return Err(refusal("426 Upgrade Required", "Only WebSocket is spoken here."));
    }
    if value(headers, "Sec-WebSocket-Version") != Some("13") {
        return Err(refusal(
            "426 Upgrade Required",
            "Only version 13 of WebSocket is spoken here.",
        ));
    }
    let is_welcome = |origin| settings.origins.iter().any(|known| known.eq_ignore_ascii_case(origin));
    let mut origins = values(headers, "Origin");
    if !settings.origins.is_empty() && !origins.all(|origin| origin.is_some_and(is_welcome)) {
        return Err(refusal("403 Forbidden", "Pages of this origin may not connect."));
    }
    let protocol = SUBPROTOCOLS
        .into_iter()
        .find(|protocol| has(headers, "Sec-WebSocket-Protocol", protocol));
    let protocol = protocol.ok_or(refusal("400 Bad Request", "Ask for the subprotocol mqtt."))?;
    let key = value(headers, "Sec-WebSocket-Key").filter(|key| key.len() == KEY_LENGTH);
    let key = key.ok_or(refusal("400 Bad Request", "There is no key of 16 bytes."))?;
    Ok((protocol, key))
}

/// The values of a header, each time that it is there; `None` for one that is no text.
fn values<'a>(headers: &[Header<'a>], name: &str) -> impl Iterator<Item = Option<&'a str>> {
    let named = headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name));
    named.map(|header| str::from_utf8(header.value).ok().map(str::trim))
}

/// The value of a header that is there once.
fn value<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a str> {
    let mut values = values(headers, name);
    let first = values.next()??;
    values.next().is_none().then_some(first)
}

/// Whether a list in a header has this item.
fn has(headers: &[Header<'_>], name: &str, item: &str) -> bool {
    let mut items = values(headers, name).flatten().flat_map(|list| list.split(','));
    items.any(|one| one.trim().eq_ignore_ascii_case(item))
}

/// The last address that no trusted proxy has: those before it anybody could have written.
fn forwarded_for(headers: &[Header<'_>], trusted: &[Network], peer: IpAddr) -> Option<IpAddr> {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(peer) {
        return None;
    }
    let lists: Vec<&str> = values(headers, "X-Forwarded-For").flatten().collect();
    let mut nearest = None;
    for address in lists.iter().flat_map(|list| list.split(',')).rev() {
        let Ok(address) = address.trim().parse() else { break };
        nearest = Some(address);
        if !is_trusted(address) {
            break;
        }
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "GET /mqtt?x=1 HTTP/1.1\r\nHost: h\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
                        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
                        Sec-WebSocket-Protocol: other, mqtt\r\nOrigin: https://a.example\r\n\r\n";

    fn judged(request: &str, origins: &[&str]) -> Result<Option<Upgrade>, Refusal> {
        let settings = WebSocketSettings {
            path: "/mqtt".to_owned(),
            origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
        };
        let proxies = ProxySettings {
            header_required: false,
            trusted: vec!["10.0.0.0/8".parse().expect("a network")],
        };
        judge(request.as_bytes(), &settings, &proxies, "10.0.0.1".parse().ok())
    }

    #[test]
    fn a_good_request_is_answered_as_the_standard_says() {
        let upgrade = judged(GOOD, &[]).expect("good").expect("whole");
        assert_eq!(upgrade.length, GOOD.len());
        // RFC 6455, section 1.3.
        assert!(
            upgrade
                .answer
                .contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")
        );
        assert!(upgrade.answer.contains("Sec-WebSocket-Protocol: mqtt\r\n"));
        for cut in 0..GOOD.len() {
            assert_eq!(judged(&GOOD[..cut], &[]), Ok(None), "{cut}");
        }
    }

    #[test]
    fn each_other_request_is_refused_with_its_status() {
        let without = |header: &str| {
            let lines = GOOD.split_inclusive("\r\n").filter(|line| !line.starts_with(header));
            lines.collect::<String>()
        };
        for (request, status) in [
            (GOOD.replace("GET", "POST"), "405"),
            (GOOD.replace("/mqtt?x=1", "/"), "404"),
            (without("Upgrade"), "426"),
            (without("Connection"), "426"),
            (without("Sec-WebSocket-Version"), "426"),
            (GOOD.replace("13", "8"), "426"),
            (without("Sec-WebSocket-Key"), "400"),
            (without("Sec-WebSocket-Protocol"), "400"),
            (GOOD.replace("other, mqtt", "mqtt5"), "400"),
            ("\u{10}\u{c}\0\u{4}MQTT".to_owned(), "400"),
            (
                GOOD.replace("Host: h", &format!("Host: {}", "h".repeat(REQUEST_BYTES_MAX))),
                "431",
            ),
            (
                format!("GET / HTTP/1.1\r\n{}", "a: b\r\n".repeat(HEADERS_MAX + 1)),
                "431",
            ),
            (format!("GET /{}", "x".repeat(REQUEST_BYTES_MAX)), "431"),
        ] {
            let refused = judged(&request, &[]).expect_err(&request);
            assert!(refused.status.starts_with(status), "{refused:?} for {request}");
        }
    }

    #[test]
    fn pages_of_other_origins_are_refused_and_clients_without_origin_are_not() {
        assert!(judged(GOOD, &["https://a.example"]).is_ok());
        assert_eq!(
            judged(GOOD, &["https://b.example"]).expect_err("other").status,
            "403 Forbidden"
        );
        let none = GOOD.replace("Origin: https://a.example\r\n", "");
        assert!(judged(&none, &["https://b.example"]).is_ok());
        let two = GOOD.replace("\r\nOrigin", "\r\nOrigin: https://b.example\r\nOrigin");
        assert!(judged(&two, &["https://b.example"]).is_err());
    }

    #[test]
    fn the_last_address_that_is_no_proxy_of_ours_is_the_clients() {
        for (list, client) in [
            ("203.0.113.9", Some("203.0.113.9")),
            ("6.6.6.6, 203.0.113.9, 10.1.1.1", Some("203.0.113.9")),
            ("6.6.6.6\r\nX-Forwarded-For: 203.0.113.9", Some("203.0.113.9")),
            ("garbage", None),
            ("garbage, 10.1.1.1", Some("10.1.1.1")),
        ] {
            let request = GOOD.replace("Host: h", &format!("X-Forwarded-For: {list}"));
            let upgrade = judged(&request, &[]).expect("good").expect("whole");
            assert_eq!(
                upgrade.forwarded_for,
                client.map(|client| client.parse().expect("an address")),
                "{list}"
            );
        }
    }
}
