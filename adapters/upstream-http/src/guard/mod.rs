//! The guard: which servers the hub may reach at all, decided without any IO.
//!
//! Whoever writes a server's URL does not thereby get at the hub's own machine or network, or at a cloud's metadata.
//! A URL is read once, in one spelling only; its host is resolved by the connector, and all of the answers must pass.
//! Public addresses over HTTPS at port 443 do; the rest needs the instance's list, and some never do.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

mod allowed;
mod table;

pub use allowed::{Allowed, BadEntry};

use table::Class;

/// The longest URL.
const URL_BYTES: usize = 2048;

/// The server that a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    /// Over TLS.
    pub(crate) secure: bool,
    pub(crate) host: Host,
    pub(crate) port: u16,
}

/// Why a server is not reached, with the next step. The URL's path and query are not for other eyes, and not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// An address of a special kind, not on the list.
    Blocked { at: Destination, address: IpAddr, class: Class },
    /// An address that no list can allow.
    Never { at: Destination, address: IpAddr, class: Class },
    /// The hub itself.
    Own { at: Destination },
    /// Without TLS, not on the list.
    Plain { at: Destination },
    /// Another port than 443, not on the list.
    Port { at: Destination },
    /// A host that two readers may read differently.
    Spelling { host: String },
    /// Not a URL of a server.
    Url(&'static str),
}

/// Decides.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    pub(crate) allowed: Allowed,
}

impl Guard {
    /// Whether a server may be reached whose host has these addresses: all of them must pass. `is_own` says whether
    /// an address is one of this machine's.
    pub(crate) fn check(
        &self,
        to: &Destination,
        addresses: &[IpAddr],
        is_own: impl Fn(IpAddr) -> bool,
    ) -> Result<(), Refusal> {
        let at = || to.clone();
        let named = matches!(&to.host, Host::Domain(name) if self.allowed.has_name(name, to.port));
        let listed = |address: IpAddr| named || self.allowed.has_address(address, to.port);
        for &address in addresses {
            match Class::of(address) {
                Some(class) if class.is_final() => return Err(Refusal::Never { at: at(), address, class }),
                Some(class) if !listed(address) => return Err(Refusal::Blocked { at: at(), address, class }),
                None if !listed(address) && is_own(address) => return Err(Refusal::Own { at: at() }),
                Some(_) | None => {}
            }
        }
        let listed = named || (!addresses.is_empty() && addresses.iter().copied().all(listed));
        match (listed, to.secure, to.port) {
            (true, ..) | (false, true, 443) => Ok(()),
            (false, false, _) => Err(Refusal::Plain { at: at() }),
            (false, true, _) => Err(Refusal::Port { at: at() }),
        }
    }
}

impl Destination {
    /// The server of a URL.
    pub(crate) fn of(url: &Url) -> Result<Self, Refusal> {
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(Refusal::Url("it must begin with https:// or http://")),
        };
        let host = url.host().ok_or(Refusal::Url("it names no host"))?.to_owned();
        let port = url.port_or_known_default().filter(|port| *port != 0);
        Ok(Self { secure, host, port: port.ok_or(Refusal::Url("its port is 0"))? })
    }
}

/// Reads a URL that somebody wrote, and its server. There is one way to write a host: the way that programs print it.
pub(crate) fn read(text: &str) -> Result<(Url, Destination), Refusal> {
    if text.len() > URL_BYTES {
        return Err(Refusal::Url("it is longer than 2048 bytes"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return Err(Refusal::Url("it holds other than plain ASCII: write host names in their xn-- form"));
    }
    let url = Url::parse(text).map_err(|_| Refusal::Url("it cannot be read"))?;
    let destination = Destination::of(&url)?;
    let (_, rest) = text.split_once("://").ok_or(Refusal::Url("it must begin with https:// or http://"))?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(Refusal::Url("it holds a user or a password: put them into `headers`"));
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        Some(_) | None => authority,
    };
    let plain = url.host_str().unwrap_or_default();
    if !host.eq_ignore_ascii_case(plain) || plain.ends_with('.') {
        return Err(Refusal::Spelling { host: plain.trim_end_matches('.').to_owned() });
    }
    Ok((url, destination))
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |at: &Destination| format!("if that is meant, start the hub with --allow-upstream {at}");
        match self {
            Self::Blocked { at, address, class } => {
                write!(f, "{at} is not reached: {address} is {}; {}", class.words(), list(at))
            }
            Self::Never { at, address, class } => {
                write!(f, "{at} is not reached: {address} is {}, and no list allows that", class.words())
            }
            Self::Own { at } => write!(f, "{at} is not reached: it is this machine; {}", list(at)),
            Self::Plain { at } => write!(f, "{at} is not reached without TLS: use https://, or {}", list(at)),
            Self::Port { at } => write!(f, "{at} is not reached: its port is not 443; {}", list(at)),
            Self::Spelling { host } => {
                write!(f, "the URL's host has an unusual spelling: write it as {host}")
            }
            Self::Url(why) => write!(f, "the URL is not usable: {why}"),
        }
    }
}

#[cfg(test)]
mod tests;
