//! What servers and authorization servers say of logins: no bytes make a reader panic, and what is taken of them keeps to
//! the rules that it was taken by.
//!
//! An input is the value of a header, the body of every kind of answer, an address, and what a browser came back with.

use orch_core::oauth::{
    Address, AuthorizationServer, Challenge, Form, ProtectedResource, Redirected, Refused, Registered,
    Scopes, TokenAnswer, authorization_server_urls, protected_resource_urls, with_query,
};

const SERVER: &str = "https://a.example/mcp";

pub fn check(input: &[u8]) {
    let server = Address::read(SERVER).expect("it is one");
    if let Some(challenge) = Challenge::read([input]) {
        let said = [challenge.resource_metadata, challenge.scope, challenge.error];
        assert!(said.iter().flatten().all(|text| text.len() <= input.len()));
    }
    if let Ok(found) = ProtectedResource::read(input, &server) {
        let resource = Address::read(&found.resource).expect("a resource has an address");
        assert_eq!(resource.origin(), server.origin(), "another server's metadata are believed");
    }
    if let Ok(found) = AuthorizationServer::read(input, &server) {
        assert_eq!(Address::read(&found.issuer).map(|it| it.is(&server)), Some(true));
        let endpoint = Address::read(&found.token_endpoint).expect("an endpoint has an address");
        assert!(endpoint.origin().starts_with("https://"), "less safe than its issuer");
    }
    if let Ok(tokens) = TokenAnswer::read(input) {
        assert!(tokens.access_token.bytes().all(|byte| byte.is_ascii_graphic()));
    }
    if let Ok(registered) = Registered::read(input) {
        assert!(!registered.client_id.is_empty());
    }
    if let Some(refused) = Refused::read(input) {
        assert!(!refused.words().contains(char::is_control));
    }
    if let Ok(text) = std::str::from_utf8(input) {
        check_text(text);
    }
}

/// The same of what is a text.
fn check_text(text: &str) {
    if let Some(address) = Address::read(text) {
        assert_eq!(address.to_string(), text);
        assert!(address.is(&address));
        let urls = protected_resource_urls(&address).into_iter().chain(authorization_server_urls(&address));
        for url in urls {
            assert_eq!(Address::read(&url).map(|it| it.origin() == address.origin()), Some(true), "{url}");
        }
    }
    if let Some(redirected) = Redirected::read(text) {
        assert!(redirected.code(SERVER, true).is_err() || text.contains("iss"));
    }
    let form = Form::default().with("code", text).with("iss", SERVER);
    let again = Redirected::read(&with_query("https://hub.example/callback", &form)).expect("a form is read");
    assert_eq!(again.code(SERVER, true).ok(), Some(text).filter(|text| !text.is_empty()));
    let scopes = Scopes::read(text);
    assert_eq!(Scopes::read(&scopes.text().unwrap_or_default()), scopes);
}
