//! Logging in at remote servers that ask for it.

use clap::Args;

use super::StateArgs;

/// `mcp-orch login`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "\
Examples:
  mcp-orch login linear             Prints an address: open it, log in, and the hub has the tokens
  mcp-orch login linear --browser   Opens it as well
  mcp-orch login linear --paste     For machines without a browser: open the address anywhere, and paste the
                                    address that the browser ends at, though it shows an error there

Which servers want a login: mcp-orch list-servers. The hub keeps the tokens in its data directory, renews them
and asks again only when that is no longer possible. An authorization server that wants a client to be known
beforehand: `oauth` in the configuration, with the redirect URI that was registered here as --redirect.")]
pub struct Login {
    /// Data and project.
    #[command(flatten)]
    pub state: StateArgs,
    /// The server, as `list-servers` shows it
    pub server: String,
    /// Listen for nobody: the address that the browser ends at is pasted here
    #[arg(long)]
    pub paste: bool,
    /// Open the address in a browser of this machine
    #[arg(long, conflicts_with = "paste")]
    pub browser: bool,
    /// Where the browser is sent at the end, on this machine; port 0 is any that is free
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:0/callback")]
    pub redirect: String,
}

/// `mcp-orch logout`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "\
Example:
  mcp-orch logout linear

The hub forgets the tokens; what the server has granted is revoked there, not here.")]
pub struct Logout {
    /// Data and project.
    #[command(flatten)]
    pub state: StateArgs,
    /// The server, as `list-servers` shows it
    pub server: String,
}
