//! How the hub is known to an authorization server, and how it says so (RFC 6749 2.3, RFC 7523, RFC 7591).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::form::encoded;
use super::metadata::{AuthorizationServer, Misfit};
use super::scope::Scopes;

/// How a client says who it is at the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    /// With its secret in a header.
    ClientSecretBasic,
    /// With its secret in the form.
    ClientSecretPost,
    /// It has no secret.
    None,
    /// With a text that its key has signed.
    PrivateKeyJwt,
}

impl ClientAuth {
    const ALL: [(&str, Self); 4] = [
        ("client_secret_basic", Self::ClientSecretBasic),
        ("client_secret_post", Self::ClientSecretPost),
        ("none", Self::None),
        ("private_key_jwt", Self::PrivateKeyJwt),
    ];

    /// The way that has this name in the standard.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find_map(|(known, way)| (known == name).then_some(way))
    }

    /// The way for a client with these credentials at an authorization server that takes those ways; one that does not
    /// say takes a secret in a header (RFC 8414 2).
    pub fn choose(advertised: Option<&[String]>, has_secret: bool, has_key: bool) -> Self {
        let takes = |name: &str| advertised.is_some_and(|all| all.iter().any(|it| it == name));
        match (has_key, has_secret) {
            (true, _) => Self::PrivateKeyJwt,
            (false, true) if advertised.is_none() || takes("client_secret_basic") => Self::ClientSecretBasic,
            (false, true) if takes("client_secret_post") => Self::ClientSecretPost,
            (false, true) if takes("none") => Self::None,
            (false, true) => Self::ClientSecretBasic,
            (false, false) => Self::None,
        }
    }

    /// The value of `Authorization` with a secret. Both are encoded first (RFC 6749 2.3.1).
    pub fn basic(id: &str, secret: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret))))
    }
}

/// What an authorization server has registered.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Registered {
    /// The client's name there.
    pub client_id: String,
    /// Its secret, if it has one.
    pub client_secret: Option<String>,
    /// How it is to say who it is.
    pub token_endpoint_auth_method: Option<String>,
}

impl Registered {
    /// Reads the body of an answer.
    pub fn read(body: &[u8]) -> Result<Self, Misfit> {
        let read: Self = serde_json::from_slice(body).map_err(|_| Misfit::Unreadable("registration"))?;
        if read.client_id.is_empty() {
            return Err(Misfit::Unreadable("registration"));
        }
        Ok(Self { client_secret: read.client_secret.filter(|secret| !secret.is_empty()), ..read })
    }
}

/// The request for a registration: a program on somebody's machine (`native`), whose logins come back to `redirect`.
pub fn registration(redirect: &str, scopes: &Scopes, server: &AuthorizationServer) -> Vec<u8> {
    #[derive(Serialize)]
    struct Metadata<'a> {
        client_name: &'a str,
        application_type: &'a str,
        redirect_uris: [&'a str; 1],
        grant_types: [&'a str; 2],
        response_types: [&'a str; 1],
        token_endpoint_auth_method: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        scope: Option<String>,
    }
    let advertised = server.token_endpoint_auth_methods_supported.as_deref();
    // A program that anybody can read has no secret to keep, if it may choose.
    let preferred = ["none", "client_secret_basic", "client_secret_post"];
    let takes = |name: &&str| advertised.is_none_or(|all| all.iter().any(|it| it == name));
    let client = Metadata {
        client_name: "mcp-orch",
        application_type: "native",
        redirect_uris: [redirect],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: preferred.into_iter().find(takes).unwrap_or("none"),
        scope: scopes.text(),
    };
    // A plain structure always has a JSON form.
    serde_json::to_vec(&client).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::Address;
    use super::*;
    use alloc::borrow::ToOwned;

    #[test]
    fn a_client_says_who_it_is_in_a_way_that_is_taken() {
        use ClientAuth::{ClientSecretBasic, ClientSecretPost, None as Public, PrivateKeyJwt};
        let all = |names: &str| -> Vec<String> { names.split(' ').map(ToOwned::to_owned).collect() };
        for (advertised, has_secret, has_key, expected) in [
            (None, true, false, ClientSecretBasic),
            (Some("client_secret_post client_secret_basic"), true, false, ClientSecretBasic),
            (Some("client_secret_post"), true, false, ClientSecretPost),
            (Some("none"), true, false, Public),
            (Some("client_secret_basic"), false, false, Public),
            (None, false, false, Public),
            (Some("private_key_jwt"), false, true, PrivateKeyJwt),
        ] {
            let advertised = advertised.map(all);
            assert_eq!(
                ClientAuth::choose(advertised.as_deref(), has_secret, has_key),
                expected,
                "{advertised:?}"
            );
        }
        assert_eq!(ClientAuth::named("client_secret_post"), Some(ClientSecretPost));
        assert_eq!(ClientAuth::named("tls_client_auth"), None);
    }

    #[test]
    fn a_name_with_a_colon_is_told_from_its_secret() {
        assert_eq!(ClientAuth::basic("a:b", "c d"), "Basic YSUzQWI6YyUyMGQ=");
    }

    #[test]
    fn a_client_registers_as_a_program_that_stays() {
        let host = AuthorizationServer::without_metadata(&Address::read("https://a.example").unwrap());
        let body = |methods: &[&str]| {
            let methods = methods.iter().map(|&name| name.to_owned()).collect();
            let server =
                AuthorizationServer { token_endpoint_auth_methods_supported: Some(methods), ..host.clone() };
            let body = registration("http://127.0.0.1:7/callback", &Scopes::read("a"), &server);
            String::from_utf8(body).unwrap()
        };
        let public = body(&["client_secret_basic", "none"]);
        for part in [
            r#""application_type":"native""#,
            r#""redirect_uris":["http://127.0.0.1:7/callback"]"#,
            r#""grant_types":["authorization_code","refresh_token"]"#,
            r#""token_endpoint_auth_method":"none""#,
            r#""scope":"a""#,
        ] {
            assert!(public.contains(part), "{public}");
        }
        assert!(
            body(&["client_secret_post"]).contains(r#""token_endpoint_auth_method":"client_secret_post""#)
        );
    }
}
