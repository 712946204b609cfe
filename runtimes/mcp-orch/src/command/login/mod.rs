//! `mcp-orch login` and `mcp-orch logout`.
//!
//! The instance does all of it; this is where somebody sees the address of the login, and where the browser comes back to.

use std::io;
use std::process::ExitCode;

use anyhow::{Context, bail};
use orch_config::cli::{Login, Logout};
use orch_core::Limits;
use orch_core::hub::ServerView;
use orch_core::oauth::Redirected;
use tokio::time::timeout;

use crate::admin::{Answer, LoginBegun, Request, ask};
use crate::terminal;

mod landing;

use landing::Landing;

/// Where a browser ends that finds nobody: its address is pasted.
const NOBODY: &str = "http://127.0.0.1:53682/callback";

pub(crate) async fn run(args: Login) -> anyhow::Result<ExitCode> {
    let Login { state, server, paste, browser, redirect } = args;
    let (landing, redirect) = if paste {
        (None, if redirect.contains(":0/") { NOBODY.to_owned() } else { redirect })
    } else {
        let landing = Landing::at(&redirect).await?;
        let redirect = landing.address().to_owned();
        (Some(landing), redirect)
    };
    let (data_dir, project) = (&state.data_dir, state.project);
    let request = Request::BeginLogin { project: project.clone(), server: server.clone(), redirect };
    let Answer::LoginBegun(begun) = ask(data_dir, request).await? else { bail!("unexpected answer") };
    let page = match begun {
        LoginBegun::Done(server) => return Ok(tell(&server)),
        LoginBegun::Page(page) => page,
    };
    terminal::note("Open this address in a browser, and log in there:\n");
    terminal::line(&page);
    if browser && let Err(error) = open(&page) {
        terminal::note(&format!("\nNo browser could be opened ({error}): open the address yourself."));
    }
    let redirected = match landing {
        Some(landing) => {
            terminal::note(
                "\nWaiting for the end of the login. (From another machine: mcp-orch login --paste)",
            );
            let state = Redirected::read(&page).and_then(|page| page.state().map(ToOwned::to_owned));
            let state = state.context("the address of the login has no state")?;
            let patience = Limits::default().login_wait;
            let come = timeout(patience, landing.come(&state)).await;
            come.with_context(|| format!("nobody has logged in within {} s", patience.as_secs()))??
        }
        None => {
            terminal::note(
                "\nThen paste the address that the browser ends at, though it shows an error there:",
            );
            tokio::task::spawn_blocking(line).await??
        }
    };
    let request = Request::FinishLogin { project, server, redirected };
    let Answer::Server(server) = ask(data_dir, request).await? else { bail!("unexpected answer") };
    Ok(tell(&server))
}

pub(crate) async fn forget(args: Logout) -> anyhow::Result<ExitCode> {
    let request = Request::Logout { project: args.state.project, server: args.server.clone() };
    ask(&args.state.data_dir, request).await?;
    terminal::line(&format!("{}: the login is forgotten", args.server));
    Ok(ExitCode::SUCCESS)
}

/// How the server does with the new tokens. The login was done, whatever that is.
fn tell(server: &ServerView) -> ExitCode {
    terminal::line(&format!("{}: logged in; {}, health {}", server.name, server.state, server.health));
    if let Some(cause) = &server.cause {
        terminal::note(cause);
    }
    ExitCode::SUCCESS
}

fn line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a browser is no server: it is asked for by hand, and outlives the command"
)]
fn open(page: &str) -> io::Result<()> {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let quiet = || std::process::Stdio::null();
    let mut browser = std::process::Command::new(opener);
    browser.arg(page).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn().map(drop)
}
