//! Addresses of servers, as far as metadata is found by them.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The address of something that is reached over HTTP, kept as it was written, and its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    text: String,
    /// Scheme and authority; lower-case, without a port that the scheme has anyway.
    origin: String,
    /// Empty, or begins with a slash.
    path: String,
    query: Option<String>,
}

impl Address {
    /// Reads an absolute `http` or `https` URL without a user and without a fragment.
    pub fn read(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\\\"<>^`{|}#".contains(&byte);
        let (scheme, rest) = text.split_once("://").filter(|_| text.bytes().all(plain))?;
        let scheme = scheme.to_ascii_lowercase();
        let port = match &*scheme {
            "https" => ":443",
            "http" => ":80",
            _ => return None,
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end)?;
        let authority = authority.to_ascii_lowercase();
        let authority = authority.strip_suffix(port).unwrap_or(&authority);
        if authority.is_empty() || authority.starts_with(':') || authority.contains('@') {
            return None;
        }
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (rest, None),
        };
        let origin = format!("{scheme}://{authority}");
        Some(Self { text: text.to_owned(), origin, path: path.to_owned(), query })
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether credentials that are good for this are meant for a server at that address: it is there or below.
    pub fn covers(&self, server: &Self) -> bool {
        let own = self.path.trim_end_matches('/');
        let below = server.path.strip_prefix(own);
        let whole = below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let dotted = server.path.split('/').any(|part| matches!(part, "." | ".."));
        let same_query = self.query.is_none() || self.query == server.query;
        self.origin == server.origin && whole && !dotted && same_query
    }

    /// Whether it is the other one, where a path that is a slash is none.
    pub fn is(&self, other: &Self) -> bool {
        let path = |it: &Self| if it.path == "/" { String::new() } else { it.path.clone() };
        self.origin == other.origin && path(self) == path(other) && self.query == other.query
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where the metadata of a server may be that has not said where (RFC 9728 3.1): for its path, and for its host.
pub fn protected_resource_urls(server: &Address) -> Vec<String> {
    const NAME: &str = "/.well-known/oauth-protected-resource";
    let Address { origin, path, query, .. } = server;
    let query = query.as_ref().map_or_else(String::new, |query| format!("?{query}"));
    let root = format!("{origin}{NAME}");
    let own = format!("{root}{}{query}", path.trim_end_matches('/'));
    if own == root { Vec::from([root]) } else { Vec::from([own, root]) }
}

/// Where the metadata of an authorization server may be, in the order of the MCP specification (RFC 8414 3.1 and 5,
/// `OpenID` Connect Discovery 4).
pub fn authorization_server_urls(issuer: &Address) -> Vec<String> {
    const NAMES: [&str; 2] = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];
    let (origin, path) = (&issuer.origin, issuer.path.trim_end_matches('/'));
    let mut urls: Vec<String> = NAMES.iter().map(|name| format!("{origin}{name}{path}")).collect();
    if !path.is_empty() {
        urls.push(format!("{origin}{path}/.well-known/openid-configuration"));
    }
    urls
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn read(text: &str) -> Address {
        Address::read(text).unwrap()
    }

    #[test]
    fn an_address_is_an_absolute_url_of_http_without_user_and_fragment() {
        for (text, origin) in [
            ("https://A.example/mcp?x=1", Some("https://a.example")),
            ("HTTPS://a.example:443", Some("https://a.example")),
            ("http://a.example:80/", Some("http://a.example")),
            ("http://a.example:443/", Some("http://a.example:443")),
            ("http://[::1]:3000/mcp", Some("http://[::1]:3000")),
            ("https://a.example/#part", None),
            ("https://user@a.example/", None),
            ("https://:443/", None),
            ("https:///mcp", None),
            ("ftp://a.example/", None),
            ("https://a example/", None),
            ("https://a.example\\@b.example/", None),
            ("a.example/mcp", None),
        ] {
            let found = Address::read(text);
            assert_eq!(found.as_ref().map(Address::origin), origin, "{text}");
        }
        assert_eq!(
            read("https://A.example:443/x").to_string(),
            "https://A.example:443/x",
            "as it was written"
        );
    }

    #[test]
    fn a_resource_covers_what_is_at_it_or_below() {
        let server = read("https://a.example/mcp/v1?x=1");
        for (resource, covers) in [
            ("https://a.example/mcp/v1?x=1", true),
            ("https://a.example/mcp/v1", true),
            ("https://a.example/mcp/", true),
            ("https://a.example", true),
            ("https://A.example:443/", true),
            ("https://a.example/mc", false),
            ("https://a.example/mcp/v1/more", false),
            ("https://a.example/mcp/v1?x=2", false),
            ("http://a.example/mcp", false),
            ("https://a.example:8443/mcp", false),
            ("https://b.example/mcp", false),
        ] {
            assert_eq!(read(resource).covers(&server), covers, "{resource}");
        }
        assert!(!read("https://a.example/a").covers(&read("https://a.example/a/../b")));
    }

    #[test]
    fn a_path_that_is_a_slash_is_none() {
        assert!(read("https://a.example/").is(&read("https://a.example")));
        assert!(!read("https://a.example/t/").is(&read("https://a.example/t")));
    }

    #[test]
    fn metadata_of_a_server_is_looked_for_at_its_path_and_then_at_its_host() {
        let urls = |text| protected_resource_urls(&read(text));
        let root = "https://a.example/.well-known/oauth-protected-resource";
        assert_eq!(urls("https://a.example/x/mcp"), [&format!("{root}/x/mcp"), root]);
        assert_eq!(urls("https://a.example/mcp?t=1"), [&format!("{root}/mcp?t=1"), root]);
        assert_eq!(urls("https://a.example/"), [root]);
    }

    #[test]
    fn metadata_of_an_issuer_is_looked_for_in_the_order_of_the_specification() {
        let urls = |text| authorization_server_urls(&read(text));
        assert_eq!(
            urls("https://a.example/t"),
            [
                "https://a.example/.well-known/oauth-authorization-server/t",
                "https://a.example/.well-known/openid-configuration/t",
                "https://a.example/t/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            urls("https://a.example/"),
            [
                "https://a.example/.well-known/oauth-authorization-server",
                "https://a.example/.well-known/openid-configuration"
            ]
        );
    }
}
