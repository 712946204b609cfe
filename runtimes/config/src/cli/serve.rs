//! `mcp-orch serve`.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use orch_core::record::Mode;

use super::{UpstreamArgs, value};
use crate::limits::{self, Setting};

/// The configuration file that is used when it is there and no other is named.
pub const DEFAULT_CONFIG: &str = "mcp-config.json";

/// How to serve.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
#[command(after_help = "\
Examples:
  mcp-orch serve
  mcp-orch serve --takeover
  mcp-orch serve --port 9000 --config team.json --log-level debug
  mcp-orch serve --limit message_bytes=32MiB --limit call=5m
  mcp-orch serve --allow-upstream localhost:3000 --allow-upstream 10.1.0.0/16
  ORCH_HOST=0.0.0.0 mcp-orch serve --allowed-host hub.example.org")]
pub struct Serve {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", env = "ORCH_HOST", default_value = "127.0.0.1", value_parser = value::address)]
    pub host: IpAddr,
    /// Port to listen on; 0 takes a free one and prints it
    #[arg(long, env = "ORCH_PORT", default_value_t = 8000)]
    pub port: u16,
    /// Directory of the database and of the admin socket; it is made if need be
    #[arg(long, value_name = "DIR", env = "ORCH_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,
    /// Configuration file; without this, ./mcp-config.json when it is there
    #[arg(long, value_name = "FILE", env = "ORCH_CONFIG")]
    pub config: Option<PathBuf>,
    /// How much to log
    #[arg(long, value_name = "LEVEL", env = "ORCH_LOG_LEVEL", default_value = "info", ignore_case = true)]
    pub log_level: LogLevel,
    /// Whether the unified endpoint lists `batch_execute` (batch) or the servers' tools only (proxy);
    /// without this, as the project has it
    #[arg(long, env = "ORCH_MODE", ignore_case = true, value_parser = value::mode())]
    pub mode: Option<Mode>,
    /// Name under which clients may reach the hub, beside the loopback names; repeatable
    #[arg(long = "allowed-host", value_name = "NAME", env = "ORCH_ALLOWED_HOSTS", value_delimiter = ',')]
    #[arg(value_parser = value::host_name)]
    pub allowed_hosts: Vec<String>,
    /// Web page origin that may use the hub from a browser; repeatable
    #[arg(long = "allowed-origin", value_name = "URL", env = "ORCH_ALLOWED_ORIGINS", value_delimiter = ',')]
    #[arg(value_parser = value::origin)]
    pub allowed_origins: Vec<String>,
    /// URL of the hub as clients see it, when there is a proxy before it
    #[arg(long, value_name = "URL", env = "ORCH_PUBLIC_URL", value_parser = value::base_url)]
    pub public_url: Option<String>,
    /// How long calls that are under way may go on after the first signal to stop
    #[arg(long, value_name = "SECONDS", env = "ORCH_DRAIN_SECONDS", default_value_t = 30)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub drain_seconds: u64,
    /// Take the place of the hub that runs on the data directory, if there is one: its listening sockets are taken over
    /// without a gap, and it ends when its calls have
    #[arg(long, env = "ORCH_TAKEOVER")]
    pub takeover: bool,
    /// A bound of the hub that is to be another, as an error names it; repeatable
    #[arg(long = "limit", value_name = "NAME=VALUE", env = "ORCH_LIMITS", value_delimiter = ',')]
    #[arg(value_parser = limits::setting)]
    pub limits: Vec<Setting>,
    /// Servers.
    #[command(flatten)]
    pub upstream: UpstreamArgs,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum LogLevel {
    /// What needs a person
    Error,
    /// And what may need one
    #[value(alias = "warning")]
    Warn,
    /// And what changes: servers, sessions, configuration
    Info,
    /// And every request
    Debug,
    /// And every message
    Trace,
}

impl LogLevel {
    /// The level's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl Serve {
    /// The configuration file. It must be there only when it was named, which `config` tells.
    pub fn config_file(&self) -> &Path {
        self.config.as_deref().unwrap_or_else(|| Path::new(DEFAULT_CONFIG))
    }
}
