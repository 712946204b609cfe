//! Which remote servers the hub may reach, and whose certificates it trusts.

use std::path::PathBuf;

use clap::{ArgMatches, Args, FromArgMatches, ValueEnum};
use orch_core::record::Isolation;

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
    /// How far a server is walled off that does not say so itself
    #[arg(long, value_name = "HOW", env = "ORCH_ISOLATION", value_enum, ignore_case = true)]
    #[arg(default_value_t)]
    pub isolation: DefaultIsolation,
    /// Start servers also where some of their isolation cannot be had here
    #[arg(long, env = "ORCH_ALLOW_DEGRADED")]
    pub allow_degraded: bool,
}

/// The isolation of servers that name none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DefaultIsolation {
    /// Like standard, and without any network.
    Strict,
    /// They read the system's programs, write to their own directory, and connect to ports 80 and 443.
    Standard,
    /// They may do what the hub's user may do.
    #[default]
    Trusted,
}

impl From<DefaultIsolation> for Isolation {
    fn from(default: DefaultIsolation) -> Self {
        match default {
            DefaultIsolation::Strict => Self::Strict,
            DefaultIsolation::Standard => Self::Standard,
            DefaultIsolation::Trusted => Self::Trusted,
        }
    }
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
