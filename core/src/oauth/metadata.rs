//! Metadata of servers and of authorization servers, and whether they may be believed.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Deserialize;

use super::address::Address;

/// Why an answer is not used. The words are for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// An endpoint that is none, or is not as safe as its issuer.
    #[error("its {0} is no address that may be used")]
    Endpoint(&'static str),
    /// Of another issuer than it was asked of.
    #[error("its metadata are of another issuer, {0}: they may not be used (RFC 8414 3.3)")]
    Issuer(String),
    /// Tokens of another kind.
    #[error("it gave no token for a bearer")]
    NoBearer,
    /// A redirect that ends nothing.
    #[error("the address holds neither a code nor an error")]
    NoCode,
    /// A redirect that does not say whose it is, of an issuer that always says so.
    #[error(
        "the answer names no issuer, and its authorization server always does: it is not used (RFC 9207)"
    )]
    NoIssuer,
    /// An authorization server that cannot be used without giving the code away.
    #[error(
        "its metadata do not say that it checks codes with PKCE and S256 (code_challenge_methods_supported): without that \
         nobody may log in"
    )]
    NoPkce,
    /// A redirect of somebody else.
    #[error("the answer is of another issuer than the login was begun at: it is not used (RFC 9207)")]
    OtherIssuer,
    /// What it said.
    #[error("the authorization server says {0}")]
    Refused(String),
    /// Metadata of another resource.
    #[error(
        "its metadata are of another resource, {0}: its `resource` must be the server's URL or above it (RFC 9728 3.3)"
    )]
    Resource(String),
    /// Not in the form that the standard has.
    #[error("its {0} cannot be read")]
    Unreadable(&'static str),
}

/// What a server says of itself (RFC 9728 2).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ProtectedResource {
    /// Its identifier, as tokens are asked for.
    pub resource: String,
    /// Who gives tokens for it.
    #[serde(default)]
    pub authorization_servers: Vec<String>,
    /// Its scopes.
    pub scopes_supported: Option<Vec<String>>,
}

impl ProtectedResource {
    /// Reads the metadata of a server.
    pub fn read(body: &[u8], server: &Address) -> Result<Self, Misfit> {
        let read: Self =
            serde_json::from_slice(body).map_err(|_| Misfit::Unreadable("protected resource metadata"))?;
        if Address::read(&read.resource).is_some_and(|resource| resource.covers(server)) {
            Ok(read)
        } else {
            Err(Misfit::Resource(shown(&read.resource)))
        }
    }
}

/// What an authorization server says of itself (RFC 8414 2).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AuthorizationServer {
    /// Its name: credentials are of one issuer alone.
    pub issuer: String,
    /// Where people log in.
    pub authorization_endpoint: Option<String>,
    /// Where tokens are.
    pub token_endpoint: String,
    /// Where clients make themselves known.
    pub registration_endpoint: Option<String>,
    /// Its scopes.
    pub scopes_supported: Option<Vec<String>>,
    /// How codes may be bound to who asked for them.
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// How clients may say who they are.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Whether a client may be known by the address of a document.
    #[serde(default)]
    pub client_id_metadata_document_supported: bool,
    /// Whether it says in redirects who it is.
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
}

impl AuthorizationServer {
    /// Reads the metadata of an issuer.
    pub fn read(body: &[u8], issuer: &Address) -> Result<Self, Misfit> {
        let read: Self =
            serde_json::from_slice(body).map_err(|_| Misfit::Unreadable("authorization server metadata"))?;
        let own = Address::read(&read.issuer).filter(|own| own.is(issuer));
        let own = own.ok_or_else(|| Misfit::Issuer(shown(&read.issuer)))?;
        for (name, endpoint) in [
            ("authorization_endpoint", read.authorization_endpoint.as_ref()),
            ("token_endpoint", Some(&read.token_endpoint)),
            ("registration_endpoint", read.registration_endpoint.as_ref()),
        ] {
            let safe = |endpoint: &Address| {
                endpoint.origin().starts_with("https://") || own.origin().starts_with("http://")
            };
            if endpoint.is_some_and(|endpoint| !Address::read(endpoint).is_some_and(|it| safe(&it))) {
                return Err(Misfit::Endpoint(name));
            }
        }
        Ok(read)
    }

    /// Where everything is at a host without metadata (MCP 2025-03-26, "fallbacks").
    pub fn without_metadata(host: &Address) -> Self {
        let at = |path: &str| format!("{}{path}", host.origin());
        Self {
            issuer: host.origin().to_owned(),
            authorization_endpoint: Some(at("/authorize")),
            token_endpoint: at("/token"),
            registration_endpoint: Some(at("/register")),
            scopes_supported: None,
            code_challenge_methods_supported: Some(Vec::from(["S256".to_owned()])),
            token_endpoint_auth_methods_supported: None,
            client_id_metadata_document_supported: false,
            authorization_response_iss_parameter_supported: false,
        }
    }

    /// Where people log in, if that is safe here.
    pub fn login_page(&self) -> Result<&str, Misfit> {
        let methods = self.code_challenge_methods_supported.as_deref().unwrap_or_default();
        if !methods.iter().any(|method| method == "S256") {
            return Err(Misfit::NoPkce);
        }
        self.authorization_endpoint.as_deref().ok_or(Misfit::Endpoint("authorization_endpoint"))
    }
}

/// Words of somebody else, fit to be shown.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        Address::read(text).unwrap()
    }

    #[test]
    fn metadata_of_another_resource_are_not_believed() {
        let server = address("https://a.example/mcp");
        let read = |body: &str| ProtectedResource::read(body.as_bytes(), &server);
        let good =
            read(r#"{"resource":"https://a.example/mcp","authorization_servers":["https://b.example"]}"#);
        assert_eq!(good.unwrap().authorization_servers, ["https://b.example"]);
        assert!(read(r#"{"resource":"https://a.example"}"#).is_ok(), "of the whole host");
        assert_eq!(
            read(r#"{"resource":"https://evil.example/mcp"}"#),
            Err(Misfit::Resource("https://evil.example/mcp".to_owned()))
        );
        for body in
            ["{}", "[]", "<html>", r#"{"resource":"https://a.example/mcp","authorization_servers":1}"#]
        {
            assert_eq!(read(body), Err(Misfit::Unreadable("protected resource metadata")), "{body}");
        }
    }

    #[test]
    fn metadata_of_another_issuer_are_not_believed() {
        let read = |issuer: &str, own: &str| {
            let body = format!(r#"{{"issuer":"{own}","token_endpoint":"https://t.example/token"}}"#);
            AuthorizationServer::read(body.as_bytes(), &address(issuer))
        };
        assert!(read("https://a.example/t", "https://a.example/t").is_ok());
        assert!(read("https://a.example", "https://a.example/").is_ok());
        for (issuer, own) in [
            ("https://a.example", "https://evil.example"),
            ("https://a.example/t", "https://a.example"),
            ("https://a.example/t", "https://a.example/t/"),
            ("https://a.example", "nothing"),
        ] {
            assert_eq!(read(issuer, own), Err(Misfit::Issuer(own.to_owned())));
        }
    }

    #[test]
    fn an_endpoint_is_as_safe_as_its_issuer() {
        let read = |scheme: &str, endpoint: &str| {
            let body = format!(
                r#"{{"issuer":"{scheme}://a.example","token_endpoint":"{scheme}://a.example/t","authorization_endpoint":"{endpoint}"}}"#
            );
            AuthorizationServer::read(body.as_bytes(), &address(&format!("{scheme}://a.example")))
        };
        assert!(read("https", "https://b.example/auth?x=1").is_ok());
        assert!(read("http", "http://b.example/auth").is_ok());
        for endpoint in ["http://a.example/auth", "javascript:alert(1)", "", "/auth"] {
            assert_eq!(
                read("https", endpoint),
                Err(Misfit::Endpoint("authorization_endpoint")),
                "{endpoint}"
            );
        }
    }

    #[test]
    fn nobody_logs_in_where_codes_are_not_bound_to_who_asked_for_them() {
        let methods = |methods: Option<&[&str]>| {
            let methods = methods.map(|all| all.iter().map(|&it| it.to_owned()).collect());
            let host = AuthorizationServer::without_metadata(&address("https://a.example/mcp"));
            let server = AuthorizationServer { code_challenge_methods_supported: methods, ..host };
            server.login_page().map(ToOwned::to_owned)
        };
        assert_eq!(methods(Some(&["plain", "S256"])), Ok("https://a.example/authorize".to_owned()));
        assert_eq!(methods(Some(&["plain"])), Err(Misfit::NoPkce));
        assert_eq!(methods(None), Err(Misfit::NoPkce));
    }
}
