//! Logins at remote servers, and what servers do with what came of them.

use orch_core::hub::ServerView;
use orch_core::shard::Order;
use orch_driver::AdminError;
use orch_oauth::Begun;

use super::{Answer, LoginBegun, Office};

/// Begins a login. What the server asks for is known from what it has refused, so it is tried first.
pub(super) async fn begin(
    office: &Office,
    project: &str,
    server: &str,
    redirect: &str,
) -> Result<Answer, AdminError> {
    let visit = office.driver.visit(project, server)?;
    office.driver.order(project, server, Order::Start).await?;
    Ok(match office.logins.begin(&visit, redirect).await {
        Ok(Begun::Page(page)) => Answer::LoginBegun(LoginBegun::Page(page)),
        Ok(Begun::Done) => {
            let view = restarted(office, project, server).await?;
            Answer::LoginBegun(LoginBegun::Done(Box::new(view)))
        }
        Err(why) => Answer::Failed(format!("no login at {server}: {why}")),
    })
}

/// Ends it, and starts the server anew.
pub(super) async fn finish(
    office: &Office,
    project: &str,
    server: &str,
    redirected: &str,
) -> Result<Answer, AdminError> {
    let visit = office.driver.visit(project, server)?;
    match office.logins.finish(&visit, redirected).await {
        Ok(()) => Ok(Answer::Server(Box::new(restarted(office, project, server).await?))),
        Err(why) => Ok(Answer::Failed(format!("no login at {server}: {why}"))),
    }
}

/// Forgets it; the server hears of that at once.
pub(super) async fn forget(office: &Office, project: &str, server: &str) -> Result<Answer, AdminError> {
    let visit = office.driver.visit(project, server)?;
    if let Err(why) = office.logins.forget(&visit).await {
        return Ok(Answer::Failed(why));
    }
    restarted(office, project, server).await?;
    Ok(Answer::Done)
}

async fn restarted(office: &Office, project: &str, server: &str) -> Result<ServerView, AdminError> {
    office.driver.order(project, server, Order::Restart).await
}
