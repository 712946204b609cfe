//! The instance's list of targets that are reached although the guard would refuse them.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::table::covers;

/// Names, addresses and networks that an operator has said are meant. A name covers whatever it resolves to; an
/// address or network covers the hosts in it, by whatever name. What is on the list may also be reached by plain HTTP
/// and at other ports than 443; an entry with a port, at that one only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    what: What,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Name(String),
    Network(IpAddr, u32),
}

/// An entry that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEntry(String);

impl fmt::Display for BadEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no host, HOST:PORT, address or network: write it as localhost, localhost:3000, 10.0.0.7 or 10.0.0.0/8",
            self.0
        )
    }
}

impl std::error::Error for BadEntry {}

impl Allowed {
    /// Reads entries: `HOST`, `HOST:PORT`, `ADDRESS`, `ADDRESS:PORT`, `ADDRESS/BITS`.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, BadEntry> {
        let read = |text: &str| Entry::parse(text.trim()).ok_or_else(|| BadEntry(text.to_owned()));
        entries.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn has_name(&self, name: &str, port: u16) -> bool {
        self.at(port).any(|what| matches!(what, What::Name(listed) if listed == name))
    }

    pub(super) fn has_address(&self, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        self.at(port).any(|what| matches!(what, What::Network(net, bits) if covers(*net, *bits, address)))
    }

    fn at(&self, port: u16) -> impl Iterator<Item = &What> {
        let here = move |entry: &&Entry| entry.port.is_none_or(|listed| listed == port);
        self.0.iter().filter(here).map(|entry| &entry.what)
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        if let Some((address, bits)) = text.split_once('/') {
            let (net, bits) = (bare(address)?, bits.parse().ok()?);
            let width = if net.is_ipv4() { 32 } else { 128 };
            return (bits <= width).then_some(Self { what: What::Network(net, bits), port: None });
        }
        if let Some(address) = bare(text) {
            return Some(Self { what: What::host(address), port: None });
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Some(Self { what: What::host(address.ip()), port: Some(address.port()) });
        }
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, Some(port.parse().ok()?)),
            None => (text, None),
        };
        is_name(name).then(|| Self { what: What::Name(name.to_ascii_lowercase()), port })
    }
}

impl What {
    fn host(address: IpAddr) -> Self {
        Self::Network(address.to_canonical(), if address.to_canonical().is_ipv4() { 32 } else { 128 })
    }
}

/// An address, with or without brackets.
fn bare(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.unwrap_or(text).parse().ok()
}

fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.split('.').all(label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_covers_what_it_names_and_nothing_else() {
        let list =
            Allowed::parse(["localhost:3000", "Hub.Example", "10.1.0.0/16", "[::1]:80", "fd00::/8"]).unwrap();
        for (name, port) in [("localhost", 3000), ("hub.example", 1), ("hub.example", 443)] {
            assert!(list.has_name(name, port), "{name}:{port}");
        }
        for (name, port) in [("localhost", 3001), ("b.hub.example", 443), ("example", 443)] {
            assert!(!list.has_name(name, port), "{name}:{port}");
        }
        let covered = |address: &str, port| list.has_address(address.parse().unwrap(), port);
        for (address, port) in [("10.1.2.3", 7), ("::ffff:10.1.2.3", 7), ("::1", 80), ("fdff::1", 443)] {
            assert!(covered(address, port), "{address}:{port}");
        }
        for (address, port) in [("10.2.0.1", 7), ("::1", 81), ("127.0.0.1", 3000), ("fc00::1", 443)] {
            assert!(!covered(address, port), "{address}:{port}");
        }
    }

    #[test]
    fn what_is_no_entry_says_how_to_write_one() {
        for text in
            ["", "a b", "http://a", "*.a", "a:", "a:70000", "10.0.0.0/33", "1.2.3", "10.0.0.0/8:80", "a..b"]
        {
            let error = Allowed::parse([text]).unwrap_err().to_string();
            assert!(error.contains("write it as"), "{text}: {error}");
        }
    }
}
