//! What is said to an authorization server: who the hub is, and that it wants tokens.

use bytes::Bytes;
use orch_core::Timestamp;
use orch_core::oauth::{ClientAuth, Form, Refused, Registered, Scopes, TokenAnswer, registration};
use orch_core::ports::passes::Visit;
use orch_core::ports::web::{WebAnswer, WebRequest};

use crate::discover::Found;
use crate::kept::{Client, Kept, Registration, Source, Tokens};
use crate::{Logins, assertion};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Why there are no tokens.
pub(crate) enum NoTokens {
    /// It was said so: the word of the standard, and what people are told.
    Refused(String, String),
    /// Nobody has said anything, or nothing of it.
    Unanswered(String),
}

impl NoTokens {
    pub(crate) fn words(self) -> String {
        match self {
            Self::Refused(_, words) | Self::Unanswered(words) => words,
        }
    }
}

impl Logins {
    /// How the hub is known to an authorization server: as it was configured, by its document, or as it has registered.
    pub(crate) async fn client(
        &self,
        visit: &Visit,
        found: &Found,
        kept: &mut Kept,
        redirect: &str,
        scopes: &Scopes,
    ) -> Result<Client, String> {
        let (oauth, server) = (&visit.oauth, &found.server);
        let ways = server.token_endpoint_auth_methods_supported.as_deref();
        let has_key = oauth.private_key.is_some() || oauth.private_key_file.is_some();
        if let Some(id) = &oauth.client_id {
            let auth = ClientAuth::choose(ways, oauth.client_secret.is_some(), has_key);
            return Ok(Client { id: id.clone(), secret: None, auth });
        }
        if let Some(id) =
            oauth.client_metadata_url.as_ref().filter(|_| server.client_id_metadata_document_supported)
        {
            return Ok(Client {
                id: id.clone(),
                secret: None,
                auth: ClientAuth::choose(ways, false, has_key),
            });
        }
        if let Some(known) = &kept.registered
            && known.issuer == server.issuer
            && known.redirect == redirect
        {
            return Ok(known.client.clone());
        }
        let client = self.register(found, redirect, scopes).await?;
        let (issuer, redirect) = (server.issuer.clone(), redirect.to_owned());
        kept.registered = Some(Registration { issuer, redirect, client: client.clone() });
        Ok(client)
    }

    async fn register(&self, found: &Found, redirect: &str, scopes: &Scopes) -> Result<Client, String> {
        let server = &found.server;
        let Some(url) = &server.registration_endpoint else {
            return Err(format!(
                "the authorization server {} registers nobody by itself: register the hub there by hand with the redirect \
                 URI {redirect}, and set `clientId` (and `clientSecret`, if it gives one) in `oauth` of the server",
                server.issuer
            ));
        };
        let body = Bytes::from(registration(redirect, scopes, server));
        let request = WebRequest { url: url.clone(), body: Some((JSON, body)), ..WebRequest::default() };
        let answer = self.web.exchange(request).await?;
        if !matches!(answer.status, 200 | 201) {
            let words = refusal(&answer).map_or_else(String::new, |refused| format!(": {}", refused.words()));
            return Err(format!(
                "{} did not register the hub (HTTP {}){words}",
                server.issuer, answer.status
            ));
        }
        let registered = Registered::read(&answer.body);
        let registered = registered.map_err(|misfit| format!("{}: {misfit}", server.issuer))?;
        let ways = server.token_endpoint_auth_methods_supported.as_deref();
        let given = registered.token_endpoint_auth_method.as_deref().and_then(ClientAuth::named);
        let auth =
            given.unwrap_or_else(|| ClientAuth::choose(ways, registered.client_secret.is_some(), false));
        Ok(Client { id: registered.client_id, secret: registered.client_secret, auth })
    }

    /// Asks for tokens with a grant; what must not be repeated of it is in `secrets`.
    pub(crate) async fn tokens(
        &self,
        visit: &Visit,
        source: &Source,
        form: Form,
        secrets: &[&str],
    ) -> Result<Tokens, NoTokens> {
        let Source { issuer, endpoint, resource, client } = source;
        let now = (self.now)();
        let secret = client.secret.as_deref().or(visit.oauth.client_secret.as_deref());
        let form = form.with("resource", resource);
        let (form, authorization) =
            identify(visit, client, secret, issuer, now, form).map_err(NoTokens::Unanswered)?;
        let body = Some((FORM, Bytes::copy_from_slice(form.text().as_bytes())));
        let answer = self.web.exchange(WebRequest { url: endpoint.clone(), authorization, body }).await;
        let answer = answer.map_err(NoTokens::Unanswered)?;
        if answer.status == 200 {
            let read = TokenAnswer::read(&answer.body);
            let read = read.map_err(|misfit| NoTokens::Unanswered(format!("{issuer}: {misfit}")))?;
            let expires_at =
                read.expires_in.map(|seconds| now.0.saturating_add(seconds.saturating_mul(1000)));
            let TokenAnswer { access_token: access, refresh_token: refresh, .. } = read;
            return Ok(Tokens { source: source.clone(), access, refresh, expires_at });
        }
        Err(match refusal(&answer).filter(|_| (400..500).contains(&answer.status)) {
            Some(refused) => {
                let hidden = secrets.iter().copied().chain(secret).filter(|secret| !secret.is_empty());
                let words = hidden.fold(refused.words(), |words, secret| words.replace(secret, "[secret]"));
                NoTokens::Refused(refused.error, format!("the authorization server {issuer} says {words}"))
            }
            None => NoTokens::Unanswered(format!(
                "the authorization server {issuer} answered with HTTP {}: try again later",
                answer.status
            )),
        })
    }
}

/// Says in a request which client it is from.
fn identify(
    visit: &Visit,
    client: &Client,
    secret: Option<&str>,
    issuer: &str,
    now: Timestamp,
    form: Form,
) -> Result<(Form, Option<String>), String> {
    let id = &client.id;
    let lacks = |what: &str| format!("the client {id} says who it is with {what}, and has none");
    Ok(match client.auth {
        ClientAuth::ClientSecretBasic => {
            let secret = secret.ok_or_else(|| lacks("a secret (`clientSecret`)"))?;
            (form, Some(ClientAuth::basic(id, secret)))
        }
        ClientAuth::ClientSecretPost => {
            let secret = secret.ok_or_else(|| lacks("a secret (`clientSecret`)"))?;
            (form.with("client_id", id).with("client_secret", secret), None)
        }
        ClientAuth::None => (form.with("client_id", id), None),
        ClientAuth::PrivateKeyJwt => {
            let key = match (&visit.oauth.private_key, &visit.oauth.private_key_file) {
                (Some(key), _) => key.clone(),
                (None, Some(file)) => assertion::read(file)?,
                (None, None) => return Err(lacks("a key (`privateKey`)")),
            };
            let signed = assertion::sign(&key, id, issuer, now)?;
            let form = form.with("client_id", id).with("client_assertion_type", assertion::TYPE);
            (form.with("client_assertion", &signed), None)
        }
    })
}

fn refusal(answer: &WebAnswer) -> Option<Refused> {
    Refused::read(&answer.body)
}
