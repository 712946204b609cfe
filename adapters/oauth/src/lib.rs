//! Logins at remote servers: [`Passes`] by way of OAuth 2.1.
//!
//! The rules are the core's (`orch_core::oauth`). Here is the order of the exchanges (`discover`, `exchange`), what is kept
//! of them (`kept`, in files of the data directory, `vault`), and what randomness and keys are needed for (`secret`,
//! `assertion`). Of one server one thing is done at a time: however many requests are refused, one of them gets a new
//! token, and the others take it.
//!
//! Written out, not taken from the crate `oauth2`: that has the token request and the parts of PKCE, about a fifth of this,
//! and brings a second `rand`, `getrandom` and a calendar for it.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orch_core::oauth::Challenge;
use orch_core::ports::BoxFuture;
use orch_core::ports::passes::{NoPass, Pass, Passes, Refusal, Visit};
use orch_core::ports::web::Web;
use orch_core::{Limits, Timestamp};

mod assertion;
mod discover;
mod exchange;
mod grants;
mod kept;
mod logins;
mod secret;
mod slot;
mod vault;

pub use logins::Begun;

use slot::Slot;
use vault::Vault;

/// What tells the time.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Logs in at servers, and has their tokens.
pub struct Logins {
    web: Arc<dyn Web>,
    limits: Limits,
    now: Now,
    vault: Vault,
    /// By project and server.
    slots: Mutex<HashMap<(String, String), Arc<Slot>>>,
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logins(..)")
    }
}

impl Logins {
    /// What is kept of logins is in `directory`, which is made when it is needed.
    pub fn new(directory: PathBuf, web: Arc<dyn Web>, limits: Limits, now: Now) -> Self {
        Self { web, limits, now, vault: Vault::new(directory), slots: Mutex::default() }
    }

    fn slot(&self, visit: &Visit) -> Arc<Slot> {
        let name = (visit.project.clone(), visit.server.clone());
        let mut slots = lock(&self.slots);
        let slot = slots.entry(name).or_insert_with(|| Arc::new(Slot::new(self.vault.read(visit))));
        Arc::clone(slot)
    }
}

impl Passes for Logins {
    fn current<'a>(&'a self, visit: &'a Visit) -> BoxFuture<'a, Option<Pass>> {
        Box::pin(async move {
            let slot = self.slot(visit);
            let now = (self.now)();
            if slot.kept(visit).is_ending(now, self.limits.login_early) && !slot.rests(now, &self.limits) {
                let _turn = slot.turn().await;
                if slot.kept(visit).is_ending(now, self.limits.login_early) {
                    // Why there is no other one is asked for when the server refuses this one.
                    drop(self.renew(visit, &slot).await);
                }
            }
            slot.kept(visit).pass((self.now)())
        })
    }

    fn refused<'a>(&'a self, visit: &'a Visit, refusal: Refusal) -> BoxFuture<'a, Result<Pass, NoPass>> {
        Box::pin(async move {
            let slot = self.slot(visit);
            let _turn = slot.turn().await;
            let Refusal { shown, challenge } = refusal;
            match slot.kept(visit).pass((self.now)()) {
                // Somebody else was refused before, and has got this one.
                Some(pass) if shown.as_ref() != Some(&pass) => return Ok(pass),
                Some(_) | None => {}
            }
            self.remember(visit, &slot, &challenge).await?;
            if challenge.wants_scope() {
                return self.step_up(visit, &slot, &challenge).await;
            }
            self.renew(visit, &slot).await
        })
    }
}

/// The next step for whoever runs the hub.
fn next_step(visit: &Visit) -> String {
    let Visit { project, server, .. } = visit;
    let project = if project == "default" { String::new() } else { format!(" --project {project}") };
    format!("run: mcp-orch login {server}{project}")
}

/// Somebody has to log in, because of this.
fn login(visit: &Visit, why: &str) -> NoPass {
    NoPass::LoginRequired(format!("{why}; {}", next_step(visit)))
}

/// What a server has asked for last is needed at a login.
impl Logins {
    async fn remember(&self, visit: &Visit, slot: &Slot, challenge: &Challenge) -> Result<(), NoPass> {
        let mut kept = slot.kept(visit);
        if kept.heard(challenge) {
            self.keep(visit, slot, kept).await.map_err(NoPass::Unavailable)?;
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
