//! Tokens without anybody: renewed before and after their end, and for the hub's own rights. To be called in one's turn.

use orch_core::oauth::{Challenge, Form, Grant, Scopes, wanted};
use orch_core::ports::passes::{NoPass, Pass, Visit};

use crate::discover::{Found, discover};
use crate::exchange::NoTokens;
use crate::kept::{Kept, Source, Tokens};
use crate::slot::Slot;
use crate::{Logins, login, next_step};

impl Logins {
    /// Another pass in place of one that is not good (any more).
    pub(crate) async fn renew(&self, visit: &Visit, slot: &Slot) -> Result<Pass, NoPass> {
        match slot.last_renewal((self.now)(), &self.limits) {
            Some(Ok(())) => return Err(login(visit, "it refuses a token that was got for it a moment ago")),
            Some(Err(why)) => return Err(NoPass::Unavailable(why)),
            None => {}
        }
        match visit.oauth.grant {
            Grant::AuthorizationCode => self.refresh(visit, slot).await,
            Grant::ClientCredentials => self.own_rights(visit, slot, false).await,
        }
    }

    async fn refresh(&self, visit: &Visit, slot: &Slot) -> Result<Pass, NoPass> {
        let mut kept = slot.kept(visit);
        let Some(Tokens { source, refresh, .. }) = kept.tokens.clone() else {
            return Err(login(visit, "it lets nobody in without a login"));
        };
        let Some(refresh) = refresh else {
            return Err(login(visit, "its token is not good any more, and nothing renews it"));
        };
        let form = Form::default().with("grant_type", "refresh_token").with("refresh_token", &refresh);
        match self.tokens(visit, &source, form, &[&refresh]).await {
            Ok(tokens) => {
                // Who is given no other one keeps the one that was used (RFC 6749 6).
                let refresh = tokens.refresh.or(Some(refresh));
                self.took(visit, slot, kept, Tokens { refresh, ..tokens }).await
            }
            Err(NoTokens::Refused(error, words)) if matches!(&*error, "invalid_grant" | "invalid_client") => {
                kept.tokens = None;
                self.keep(visit, slot, kept).await.map_err(NoPass::Unavailable)?;
                Err(login(visit, &format!("the login there has ended ({words})")))
            }
            Err(why) => Err(self.failed(slot, why)),
        }
    }

    /// Tokens for what the hub may do itself.
    async fn own_rights(&self, visit: &Visit, slot: &Slot, more: bool) -> Result<Pass, NoPass> {
        match self.own_tokens(visit, slot, more).await {
            Ok((kept, tokens)) => self.took(visit, slot, kept, tokens).await,
            Err(NoTokens::Refused(_, words)) => {
                slot.renewed((self.now)(), Err(words.clone()));
                Err(NoPass::Unavailable(words))
            }
            Err(why) => Err(self.failed(slot, why)),
        }
    }

    async fn own_tokens(&self, visit: &Visit, slot: &Slot, more: bool) -> Result<(Kept, Tokens), NoTokens> {
        let mut kept = slot.kept(visit);
        let found = discover(&*self.web, visit, kept.asked.as_ref()).await.map_err(NoTokens::Unanswered)?;
        let scopes = scopes(visit, &found, &kept, &[]);
        let client =
            self.client(visit, &found, &mut kept, "", &scopes).await.map_err(NoTokens::Unanswered)?;
        let Found { resource, server, .. } = found;
        let source = Source { issuer: server.issuer, endpoint: server.token_endpoint, resource, client };
        let form = Form::default().with("grant_type", visit.oauth.grant.name());
        let form = form.with_some("scope", scopes.text().as_deref());
        let tokens = self.tokens(visit, &source, form, &[]).await?;
        kept.steps = if more && kept.repeats() { kept.steps.saturating_add(1) } else { 0 };
        kept.scope = scopes.text().unwrap_or_default();
        Ok((kept, tokens))
    }

    /// A server wants more rights than the hub has shown. Somebody is asked for them, or they are, so often and no oftener.
    pub(crate) async fn step_up(
        &self,
        visit: &Visit,
        slot: &Slot,
        challenge: &Challenge,
    ) -> Result<Pass, NoPass> {
        let kept = slot.kept(visit);
        let scope = challenge.scope.as_deref().unwrap_or_default();
        let wants = format!("it wants more rights (scope {:?})", scope.chars().take(200).collect::<String>());
        if kept.repeats() && kept.steps >= self.limits.login_steps {
            return Err(NoPass::LoginRequired(format!(
                "{wants}, which were asked for {} times and did not do (limit login_steps): whoever runs it has to grant \
                 them; then {}",
                kept.steps.saturating_add(1),
                next_step(visit)
            )));
        }
        match visit.oauth.grant {
            Grant::AuthorizationCode => Err(login(visit, &wants)),
            Grant::ClientCredentials => self.own_rights(visit, slot, true).await,
        }
    }

    /// Tokens have come.
    pub(crate) async fn took(
        &self,
        visit: &Visit,
        slot: &Slot,
        mut kept: Kept,
        tokens: Tokens,
    ) -> Result<Pass, NoPass> {
        let pass = Pass(format!("Bearer {}", tokens.access));
        kept.tokens = Some(tokens);
        slot.renewed((self.now)(), Ok(()));
        self.keep(visit, slot, kept).await.map_err(NoPass::Unavailable)?;
        Ok(pass)
    }

    fn failed(&self, slot: &Slot, why: NoTokens) -> NoPass {
        let words = why.words();
        slot.renewed((self.now)(), Err(words.clone()));
        NoPass::Unavailable(words)
    }
}

/// The scopes to ask for at a login.
pub(crate) fn scopes(visit: &Visit, found: &Found, kept: &Kept, offline: &[String]) -> Scopes {
    let configured = Scopes::from_iter(&visit.oauth.scopes);
    let before = Scopes::read(&kept.scope);
    wanted(&configured, kept.wanted().as_ref(), found.scopes.as_ref(), &before, offline)
}
