//! Who may be meant (`Host`) and who may ask (`Origin`): the guard against DNS rebinding and foreign pages.
//!
//! Pure. `Host` and `Origin` are judged independently: a good one never excuses a bad other one.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Uri};
use orch_core::{Denied, Fault, Rejection};
use std::net::SocketAddr;

use crate::head::single;

/// Which names a listener answers to, besides the loopback names of a loopback bind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostPolicy {
    /// Names, with or without a port. Without one, the name is served without a port and with the bound one.
    pub hosts: Vec<String>,
    /// Origins other than `http://` and a served name, such as `https://hub.example.org`.
    pub origins: Vec<String>,
}

impl HostPolicy {
    /// Judges the head of a request that came to the listener `bound`.
    pub(crate) fn check(&self, bound: SocketAddr, uri: &Uri, headers: &HeaderMap) -> Result<(), Fault> {
        let host = single(headers, &HOST)?.ok_or(Rejection::Malformed("a Host header is needed"))?;
        let name = HostName::parse(host).ok_or(Rejection::Malformed("Host is not a name with a port"))?;
        if uri.authority().is_some_and(|authority| !authority.as_str().eq_ignore_ascii_case(host)) {
            return Err(Rejection::Malformed("the request target names another host than Host").into());
        }
        if !self.serves(bound, name) {
            return Err(Denied::Host.into());
        }
        match single(headers, &ORIGIN)? {
            Some(origin) if !self.trusts(bound, origin) => Err(Denied::Origin.into()),
            Some(_) | None => Ok(()),
        }
    }

    fn serves(&self, bound: SocketAddr, name: HostName<'_>) -> bool {
        let loopback = || bound.ip().is_loopback() && name.is_loopback() && name.port_or_80() == bound.port();
        let configured =
            |host: &String| HostName::parse(host).is_some_and(|host| host.covers(name, bound.port()));
        loopback() || self.hosts.iter().any(configured)
    }

    fn trusts(&self, bound: SocketAddr, origin: &str) -> bool {
        let same = || {
            let name = strip_prefix_ignoring_case(origin, "http://").and_then(HostName::parse);
            name.is_some_and(|name| self.serves(bound, name))
        };
        same() || self.origins.iter().any(|known| known.eq_ignore_ascii_case(origin))
    }
}

fn strip_prefix_ignoring_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (head, tail) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}

/// `name` or `name:port`, as in `Host` and after the scheme of `Origin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct HostName<'t> {
    name: &'t str,
    port: Option<u16>,
}

impl<'t> HostName<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let end = if text.starts_with('[') {
            text.find(']')?.checked_add(1)?
        } else {
            text.find(':').unwrap_or(text.len())
        };
        let (name, rest) = text.split_at_checked(end)?;
        let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        let well_formed = match literal {
            Some(address) => {
                !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b":.".contains(&b))
            }
            None => {
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
            }
        };
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => Some(digits.parse().ok()?),
            None | Some(_) => return None,
        };
        well_formed.then_some(Self { name, port })
    }

    fn is_loopback(self) -> bool {
        self.name.eq_ignore_ascii_case("localhost") || self.name == "127.0.0.1" || self.name == "[::1]"
    }

    fn port_or_80(self) -> u16 {
        self.port.unwrap_or(80)
    }

    /// Whether this configured name stands for `name`, when the listener is bound to `bound`.
    fn covers(self, name: Self, bound: u16) -> bool {
        let port_fits = match self.port {
            Some(port) => name.port == Some(port),
            None => name.port.is_none_or(|port| port == bound),
        };
        port_fits && self.name.eq_ignore_ascii_case(name.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    /// What a listener says to a head: `ok`, or the status and the reason.
    fn verdict(bound: &str, uri: &str, heads: &[(&'static str, &str)]) -> String {
        let policy = HostPolicy {
            hosts: vec!["hub.example.org".into(), "lan.example:9000".into()],
            origins: vec!["https://app.example.org".into()],
        };
        let mut headers = HeaderMap::new();
        for (name, value) in heads {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        match policy.check(bound.parse().unwrap(), &uri.parse().unwrap(), &headers) {
            Ok(()) => "ok".to_owned(),
            Err(fault) => fault.wire().status.to_string(),
        }
    }

    #[track_caller]
    fn check(bound: &str, cases: &[(&str, &str)]) {
        for (host, expected) in cases {
            assert_eq!(verdict(bound, "/mcp", &[("host", host)]), *expected, "Host: {host} at {bound}");
        }
    }

    #[test]
    fn a_loopback_bind_serves_the_loopback_names_with_its_own_port_only() {
        check(
            "127.0.0.1:8000",
            &[
                ("localhost:8000", "ok"),
                ("LocalHost:8000", "ok"),
                ("127.0.0.1:8000", "ok"),
                ("[::1]:8000", "ok"),
                ("localhost", "403"),
                ("localhost:8001", "403"),
                ("localhost.:8000", "403"),
                ("127.0.0.2:8000", "403"),
                ("evil.example:8000", "403"),
                ("localhost.evil.example:8000", "403"),
            ],
        );
        check(
            "[::1]:80",
            &[("localhost", "ok"), ("[::1]", "ok"), ("localhost:80", "ok"), ("localhost:81", "403")],
        );
    }

    #[test]
    fn a_public_bind_serves_configured_names_only() {
        check(
            "0.0.0.0:8000",
            &[
                ("hub.example.org", "ok"),
                ("HUB.example.org:8000", "ok"),
                ("hub.example.org:443", "403"),
                ("lan.example:9000", "ok"),
                ("lan.example", "403"),
                ("lan.example:8000", "403"),
                ("localhost:8000", "403"),
                ("127.0.0.1:8000", "403"),
                ("evil.example", "403"),
            ],
        );
    }

    #[test]
    fn a_host_that_is_no_name_with_a_port_is_malformed() {
        for host in [
            "",
            ":8000",
            "localhost:",
            "localhost:http",
            "localhost:+80",
            "localhost:80000",
            "a/b?c#d",
            "a b",
            "user@localhost:8000",
            "[::1",
            "[]:8000",
            "[::1]8000",
            "[localhost]:8000",
            "::1",
            "localhost:8000:8000",
            "localhost:8000,evil",
            "löcalhost:8000",
        ] {
            assert_eq!(verdict("127.0.0.1:8000", "/mcp", &[("host", host)]), "400", "Host: {host}");
        }
    }

    #[test]
    fn a_missing_host_and_two_hosts_are_malformed() {
        assert_eq!(verdict("127.0.0.1:8000", "/mcp", &[]), "400");
        let twice = [("host", "localhost:8000"), ("host", "localhost:8000")];
        assert_eq!(verdict("127.0.0.1:8000", "/mcp", &twice), "400");
    }

    #[test]
    fn an_absolute_target_must_name_the_same_host() {
        let host = [("host", "localhost:8000")];
        assert_eq!(verdict("127.0.0.1:8000", "http://LOCALHOST:8000/mcp", &host), "ok");
        assert_eq!(verdict("127.0.0.1:8000", "http://evil.example/mcp", &host), "400");
        assert_eq!(verdict("127.0.0.1:8000", "http://127.0.0.1:8000/mcp", &host), "400");
    }

    #[test]
    fn an_origin_is_same_origin_or_configured_or_refused() {
        for (origin, expected) in [
            ("http://localhost:8000", "ok"),
            ("HTTP://127.0.0.1:8000", "ok"),
            ("http://hub.example.org", "ok"),
            ("https://app.example.org", "ok"),
            ("https://localhost:8000", "403"),
            ("http://localhost:3000", "403"),
            ("http://localhost", "403"),
            ("http://localhost:8000/", "403"),
            ("http://app.example.org", "403"),
            ("https://app.example.org.evil.example", "403"),
            ("https://evil.example", "403"),
            ("null", "403"),
            ("", "403"),
            ("http://", "403"),
            ("http", "403"),
        ] {
            let heads = [("host", "localhost:8000"), ("origin", origin)];
            assert_eq!(verdict("127.0.0.1:8000", "/mcp", &heads), expected, "Origin: {origin}");
        }
    }

    #[test]
    fn two_origins_are_malformed_and_a_good_origin_excuses_no_foreign_host() {
        let good = ("origin", "http://localhost:8000");
        assert_eq!(verdict("127.0.0.1:8000", "/mcp", &[("host", "localhost:8000"), good, good]), "400");
        assert_eq!(verdict("127.0.0.1:8000", "/mcp", &[("host", "evil.example"), good]), "403");
    }
}
