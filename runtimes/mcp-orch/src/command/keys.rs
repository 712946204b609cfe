//! `mcp-orch keys`.

use std::process::ExitCode;

use anyhow::bail;
use orch_config::cli::{Expiry, KeyCommand, Keys, KeysCreate, KeysList, KeysRevoke};
use orch_driver::KeyView;

use crate::admin::{Answer, Request, ask};
use crate::terminal;

pub(crate) async fn run(args: Keys) -> anyhow::Result<ExitCode> {
    match args.command {
        KeyCommand::Create(args) => create(args).await,
        KeyCommand::List(args) => list(args).await,
        KeyCommand::Revoke(args) => revoke(args).await,
    }
}

/// The new key is alone on the last line of standard output, for `$(... | tail -n 1)`.
async fn create(args: KeysCreate) -> anyhow::Result<ExitCode> {
    let days = match args.expires {
        Expiry::Days(days) => Some(days),
        Expiry::Never => None,
    };
    let request = Request::CreateKey { project: args.state.project, name: args.name, days };
    let Answer::KeyCreated { id, key } = ask(&args.state.data_dir, request).await? else {
        bail!("unexpected answer")
    };
    let expiry = days.map_or_else(|| "never expires".to_owned(), |days| format!("expires in {days} days"));
    terminal::note(&format!("Key {id} made; it {expiry}. It is shown this once:"));
    terminal::line(&key);
    Ok(ExitCode::SUCCESS)
}

async fn list(args: KeysList) -> anyhow::Result<ExitCode> {
    let request = Request::Keys { project: args.state.project };
    let Answer::Keys(keys) = ask(&args.state.data_dir, request).await? else { bail!("unexpected answer") };
    if args.json {
        terminal::line(&serde_json::to_string_pretty(&keys)?);
        return Ok(ExitCode::SUCCESS);
    }
    if keys.is_empty() {
        terminal::note("No keys. Make one: mcp-orch keys create --name NAME");
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = vec![["ID", "NAME", "STATE", "CREATED"].map(ToOwned::to_owned).to_vec()];
    rows.extend(
        keys.iter()
            .map(|key| vec![key.id.clone(), key.name.clone(), state(key), terminal::date(key.created_at)]),
    );
    terminal::table(&rows);
    Ok(ExitCode::SUCCESS)
}

async fn revoke(args: KeysRevoke) -> anyhow::Result<ExitCode> {
    ask(&args.state.data_dir, Request::RevokeKey { id: args.id.to_string() }).await?;
    terminal::line(&format!("Key {} revoked.", args.id));
    Ok(ExitCode::SUCCESS)
}

fn state(key: &KeyView) -> String {
    match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", terminal::date(at)),
        (None, Some(at)) => format!("valid until {}", terminal::date(at)),
        (None, None) => "valid".to_owned(),
    }
}
