//! The names by which what is open may be asked for.
//!
//! A page of the web can have its own name lead to this machine (DNS rebinding), and its browser takes what is answered there
//! for the page's own. It cannot have the browser send another name than that. Over the network a scraper may come by any
//! name, and whoever has a browser there to fear asks for tokens.

use std::net::{Ipv4Addr, Ipv6Addr};

use actix_web::HttpRequest;
use actix_web::http::header::HOST;

/// See the module.
pub(super) struct Hosts(Vec<String>);

/// Noted of a connection that came over the loopback.
pub(crate) struct Loopback;

impl Hosts {
    pub(super) fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    /// Whether the request asks by a name that is taken where it came in. One that says none is of no browser.
    pub(super) fn take(&self, request: &HttpRequest) -> bool {
        let is_by_loopback = request.conn_data::<Loopback>().is_some();
        let host = request.headers().get(HOST).filter(|_| is_by_loopback);
        host.is_none_or(|host| host.to_str().is_ok_and(|host| self.has(host)))
    }

    fn has(&self, host: &str) -> bool {
        if let Some(address) = host.strip_prefix('[') {
            let address = address.split(']').next();
            return address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
        }
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        name.parse::<Ipv4Addr>().is_ok() || self.0.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_the_names_that_are_given_are_taken() {
        let hosts = Hosts::new(&["localhost".to_owned(), "Broker.example.com".to_owned()]);
        for (host, is_taken) in [
            ("127.0.0.1:18083", true),
            ("[::1]:18083", true),
            ("[::1]", true),
            ("localhost:18083", true),
            ("LocalHost.", true),
            ("broker.example.com:18083", true),
            ("BROKER.example.com.", true),
            ("evil.example.net:18083", false),
            ("127.0.0.1.evil.example.net", false),
            ("localhost.evil.example.net", false),
            ("[evil]", false),
            ("", false),
        ] {
            assert_eq!(hosts.has(host), is_taken, "{host}");
        }
    }
}
