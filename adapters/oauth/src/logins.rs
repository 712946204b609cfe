//! Logins of people: begun here, done in their browser, ended here.

use orch_core::oauth::{Form, Grant, Redirected, with_query};
use orch_core::ports::passes::Visit;

use crate::discover::discover;
use crate::grants::scopes;
use crate::kept::{Pending, Source};
use crate::{Logins, secret};

/// What came of the beginning.
#[derive(Clone, PartialEq, Eq)]
pub enum Begun {
    /// The hub has logged in with rights of its own.
    Done,
    /// Somebody has to open this address.
    Page(String),
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Begun(..)")
    }
}

impl Logins {
    /// Begins a login at a server, whose end is an address that begins with `redirect`. `Err` says why there is none.
    pub async fn begin(&self, visit: &Visit, redirect: &str) -> Result<Begun, String> {
        let slot = self.slot(visit);
        let _turn = slot.turn().await;
        slot.forget_renewals();
        if visit.oauth.grant == Grant::ClientCredentials {
            return self.renew(visit, &slot).await.map(|_| Begun::Done).map_err(|why| why.to_string());
        }
        let mut kept = slot.kept(visit);
        let found = discover(&*self.web, visit, kept.asked.as_ref()).await?;
        let fit =
            |misfit| format!("the authorization server {} is not usable: {misfit}", found.server.issuer);
        let page = found.server.login_page().map_err(fit)?;
        let offline = found.server.scopes_supported.as_deref().unwrap_or_default();
        let scopes = scopes(visit, &found, &kept, offline);
        let client = self.client(visit, &found, &mut kept, redirect, &scopes).await?;
        let (state, verifier) = (secret::mint()?, secret::mint()?);
        let form = Form::default()
            .with("response_type", "code")
            .with("client_id", &client.id)
            .with("redirect_uri", redirect)
            .with("state", &state)
            .with("code_challenge", &secret::challenge(&verifier))
            .with("code_challenge_method", "S256")
            .with("resource", &found.resource)
            .with_some("scope", scopes.text().as_deref());
        let url = with_query(page, &form);
        kept.pending = Some(Pending {
            source: Source {
                issuer: found.server.issuer.clone(),
                endpoint: found.server.token_endpoint.clone(),
                resource: found.resource.clone(),
                client,
            },
            state,
            verifier,
            redirect: redirect.to_owned(),
            scope: scopes.text().unwrap_or_default(),
            names_issuer: found.server.authorization_response_iss_parameter_supported,
            until: (self.now)().after(self.limits.login_wait).0,
        });
        self.keep(visit, &slot, kept).await?;
        Ok(Begun::Page(url))
    }

    /// Ends a login with the address that its browser was sent to. It can be ended once.
    pub async fn finish(&self, visit: &Visit, redirected: &str) -> Result<(), String> {
        let slot = self.slot(visit);
        let _turn = slot.turn().await;
        let again = |why: &str| format!("{why}: begin the login again");
        let read =
            Redirected::read(redirected).ok_or_else(|| again("this is no address that a login ends at"))?;
        let mut kept = slot.kept(visit);
        let pending = kept.pending.clone().ok_or_else(|| again("no login is under way"))?;
        if read.state() != Some(&*pending.state) {
            return Err("this is the end of another login: open the address that was printed last".to_owned());
        }
        kept.pending = None;
        self.keep(visit, &slot, kept.clone()).await?;
        if (self.now)().0 >= pending.until {
            let seconds = self.limits.login_wait.as_secs();
            return Err(again(&format!("the login took longer than {seconds} s (limit login_wait)")));
        }
        let code =
            read.code(&pending.source.issuer, pending.names_issuer).map_err(|misfit| misfit.to_string())?;
        let form = Form::default()
            .with("grant_type", "authorization_code")
            .with("code", code)
            .with("redirect_uri", &pending.redirect)
            .with("code_verifier", &pending.verifier);
        let secrets = [code, &*pending.verifier];
        let tokens =
            self.tokens(visit, &pending.source, form, &secrets).await.map_err(|why| again(&why.words()))?;
        kept.steps = if kept.repeats() { kept.steps.saturating_add(1) } else { 0 };
        kept.scope = pending.scope;
        kept.tokens = Some(tokens);
        slot.forget_renewals();
        self.keep(visit, &slot, kept).await
    }

    /// Forgets the login at a server, and the registration for it.
    pub async fn forget(&self, visit: &Visit) -> Result<(), String> {
        let slot = self.slot(visit);
        let _turn = slot.turn().await;
        self.drop_kept(visit, &slot).await
    }
}
