//! Finding out who gives tokens for a server: its metadata, and those of its authorization server.

use orch_core::oauth::{
    Address, AuthorizationServer, Misfit, ProtectedResource, Scopes, authorization_server_urls,
    protected_resource_urls,
};
use orch_core::ports::passes::Visit;
use orch_core::ports::web::{Web, WebRequest};

use crate::kept::Asked;

/// What was found.
pub(crate) struct Found {
    /// What tokens are asked for.
    pub resource: String,
    /// The server's scopes.
    pub scopes: Option<Scopes>,
    pub server: AuthorizationServer,
}

/// Looks for them, as the server says itself and as the standards say otherwise.
pub(crate) async fn discover(web: &dyn Web, visit: &Visit, asked: Option<&Asked>) -> Result<Found, String> {
    let server = Address::read(&visit.url).ok_or("the URL of the server is not usable for a login")?;
    let resource = protected_resource(web, &server, asked).await?;
    let issuer = match (&resource, &visit.oauth.issuer) {
        (Some(resource), Some(wanted)) if !resource.authorization_servers.contains(wanted) => {
            return Err(format!(
                "the server does not name `issuer` ({wanted}) as its authorization server, but {}",
                listed(&resource.authorization_servers)
            ));
        }
        (_, Some(wanted)) => Some(wanted.clone()),
        (Some(resource), None) => resource.authorization_servers.first().cloned(),
        (None, None) => None,
    };
    if resource.is_none() && asked.is_none() {
        return Err("the server asks for no login, and has no metadata for one".to_owned());
    }
    let scopes = resource.as_ref().and_then(|it| it.scopes_supported.as_ref()).map(Scopes::from_iter);
    let found = authorization_server(web, &server, issuer.as_deref()).await?;
    let resource = resource.map_or_else(|| visit.url.clone(), |resource| resource.resource);
    Ok(Found { resource, scopes, server: found })
}

async fn protected_resource(
    web: &dyn Web,
    server: &Address,
    asked: Option<&Asked>,
) -> Result<Option<ProtectedResource>, String> {
    let named = asked.and_then(|asked| asked.resource_metadata.clone());
    let urls = named.into_iter().chain(protected_resource_urls(server));
    let read = |body: &[u8]| ProtectedResource::read(body, server);
    first(web, urls, read).await.map_err(|why| format!("the server's metadata are not usable: {why}"))
}

/// Without a name it is the server's own host (MCP 2025-03-26), which may have no metadata.
async fn authorization_server(
    web: &dyn Web,
    server: &Address,
    issuer: Option<&str>,
) -> Result<AuthorizationServer, String> {
    let named = issuer.unwrap_or_else(|| server.origin());
    let address =
        Address::read(named).ok_or("the server names an authorization server that has no address")?;
    let read = |body: &[u8]| AuthorizationServer::read(body, &address);
    let found = first(web, authorization_server_urls(&address), read).await;
    match (found, issuer) {
        (Ok(Some(found)), _) => Ok(found),
        (Ok(None), None) => Ok(AuthorizationServer::without_metadata(server)),
        (Ok(None), Some(issuer)) => Err(format!("the authorization server {issuer} has no metadata")),
        (Err(why), _) => Err(format!("the authorization server {named} is not usable: {why}")),
    }
}

/// The first document that is there. One that cannot be read is none: many servers have a page for every path.
async fn first<T>(
    web: &dyn Web,
    urls: impl IntoIterator<Item = String>,
    read: impl Fn(&[u8]) -> Result<T, Misfit>,
) -> Result<Option<T>, String> {
    for url in urls {
        let answer = web.exchange(WebRequest { url: url.clone(), ..WebRequest::default() }).await?;
        match answer.status {
            200 => match read(&answer.body) {
                Ok(found) => return Ok(Some(found)),
                Err(Misfit::Unreadable(_)) => {}
                Err(misfit) => return Err(misfit.to_string()),
            },
            500.. => return Err(format!("{url} was answered with HTTP {}: try again later", answer.status)),
            _ => {}
        }
    }
    Ok(None)
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
