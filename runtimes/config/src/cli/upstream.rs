//! Which remote servers the hub may reach, and whose certificates it trusts.

use std::path::PathBuf;

use clap::{ArgMatches, Args, FromArgMatches, ValueEnum};

/// What an operator says of servers, remote ones and programs.
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
    /// Whether the processes of a server have a PID namespace of their own, and see themselves alone
    #[arg(long, value_name = "WHEN", env = "ORCH_PID_NAMESPACES", value_enum, ignore_case = true)]
    #[arg(default_value_t)]
    pub pid_namespaces: PidNamespaces,
}

/// When there are PID namespaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PidNamespaces {
    /// Where the system permits them.
    #[default]
    Auto,
    /// Nowhere.
    Never,
}

impl UpstreamArgs {
    /// What the environment says, for commands without these flags.
    pub fn of_environment() -> Self {
        let read = |matches: ArgMatches| Self::from_arg_matches(&matches).ok();
        let command = Self::augment_args(clap::Command::new("mcp-orch"));
        command.try_get_matches_from(["mcp-orch"]).ok().and_then(read).unwrap_or_default()
    }
}
