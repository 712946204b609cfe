//! Which remote servers the hub may reach, and whose certificates it trusts.

use std::path::PathBuf;

use clap::{ArgMatches, Args, FromArgMatches};

/// What an operator says of remote servers.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamArgs {
    /// Remote target that is reached although it is private, local, on another port than 443 or without TLS:
    /// HOST, HOST:PORT, ADDRESS or NETWORK/BITS; repeatable
    #[arg(
        long = "allow-upstream",
        value_name = "TARGET",
        env = "ORCH_ALLOW_UPSTREAM",
        value_delimiter = ','
    )]
    pub allowed: Vec<String>,
    /// PEM file of authorities that remote servers' certificates may come from, beside the public ones
    #[arg(long = "upstream-ca", value_name = "FILE", env = "ORCH_UPSTREAM_CA")]
    pub own_roots: Option<PathBuf>,
}

impl UpstreamArgs {
    /// What the environment says, for commands without these flags.
    pub fn of_environment() -> Self {
        let read = |matches: ArgMatches| Self::from_arg_matches(&matches).ok();
        let command = Self::augment_args(clap::Command::new("mcp-orch"));
        command.try_get_matches_from(["mcp-orch"]).ok().and_then(read).unwrap_or_default()
    }
}
