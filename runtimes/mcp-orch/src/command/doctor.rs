//! `mcp-orch doctor`: what could be wrong, each with the next step. Starts nothing.

use std::path::Path;
use std::process::ExitCode;

use orch_config::cli::{DEFAULT_CONFIG, Doctor, UpstreamArgs};
use orch_config::environment;
use orch_config::file::ConfigFile;
use orch_core::Limits;
use orch_core::planner::PlannerSpec;
use orch_core::record::{ServerSpec, Transport, resolve};
use serde::Serialize;

use crate::admin::{Answer, Request, ask, is_running};
use crate::instance::remote;
use crate::terminal;

mod walls;

/// One finding.
#[derive(Debug, Serialize)]
struct Finding {
    ok: bool,
    what: String,
    detail: String,
}

pub(crate) async fn run(args: Doctor) -> anyhow::Result<ExitCode> {
    let data_dir = &args.state.data_dir;
    let mut findings = vec![data_directory(data_dir)];
    findings.extend(walls::findings().await);
    let mut config_file = Path::new(DEFAULT_CONFIG).to_path_buf();
    let running_hub = is_running(data_dir).await;
    if running_hub {
        let (finding, file) = running(data_dir).await;
        findings.push(finding);
        config_file = file.unwrap_or(config_file);
        findings.extend(servers(data_dir, args.state.project).await);
    } else {
        findings.push(good("hub", "not running on this data directory; start it: mcp-orch serve"));
        findings.push(port());
    }
    findings.extend(configuration(&config_file, running_hub, &args.upstream).await);
    let healthy = findings.iter().all(|finding| finding.ok);
    if args.json {
        terminal::line(&serde_json::to_string_pretty(&findings)?);
    } else {
        for finding in &findings {
            let mark = if finding.ok { "ok  " } else { "FAIL" };
            terminal::line(&format!("{mark} {}: {}", finding.what, finding.detail));
        }
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn good(what: &str, detail: impl Into<String>) -> Finding {
    Finding { ok: true, what: what.to_owned(), detail: detail.into() }
}

fn bad(what: &str, detail: impl Into<String>) -> Finding {
    Finding { ok: false, what: what.to_owned(), detail: detail.into() }
}

fn data_directory(path: &Path) -> Finding {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => good("data directory", path.display().to_string()),
        Ok(_) => bad("data directory", format!("{} is not a directory", path.display())),
        Err(_) => good("data directory", format!("{} is not there yet; serve makes it", path.display())),
    }
}

async fn running(data_dir: &Path) -> (Finding, Option<std::path::PathBuf>) {
    match ask(data_dir, Request::Status).await {
        Ok(Answer::Status(status)) => {
            let detail = format!("version {} at {}, process {}", status.version, status.base_url, status.pid);
            (good("hub", detail), Some(status.config_file.into()))
        }
        Ok(_) => (bad("hub", "it answers something that this version does not understand"), None),
        Err(error) => (bad("hub", format!("it does not answer: {error}")), None),
    }
}

async fn servers(data_dir: &Path, project: String) -> Vec<Finding> {
    let Ok(Answer::Servers(servers)) = ask(data_dir, Request::Servers { project }).await else {
        return vec![bad("servers", "the hub does not list them")];
    };
    let finding = |server: orch_core::hub::ServerView| {
        let what = format!("server {}", server.name);
        match server.cause {
            Some(cause) => bad(&what, format!("{cause}; more of it: mcp-orch logs {}", server.name)),
            None => {
                let isolation = server.isolation.map(|it| format!(", isolation {it}")).unwrap_or_default();
                let facts = [server.configured, server.state, server.health].join(", ");
                let process = server.pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
                good(&what, format!("{facts}{process}{isolation}"))
            }
        }
    };
    servers.into_iter().map(finding).collect()
}

fn port() -> Finding {
    match std::net::TcpListener::bind("127.0.0.1:8000") {
        Ok(_) => good("port 8000", "free"),
        Err(error) => bad("port 8000", format!("cannot be used ({error}); serve --port takes another")),
    }
}

async fn configuration(path: &Path, running_hub: bool, upstream: &UpstreamArgs) -> Vec<Finding> {
    if !path.exists() {
        let detail = format!("{} is not there; the built-in server works without it", path.display());
        return vec![good("configuration", detail)];
    }
    match ConfigFile::load(path, &Limits::default()) {
        Err(errors) => errors.iter().map(|error| bad("configuration", error.to_string())).collect(),
        Ok(file) => {
            let detail = format!("{}: {} servers", path.display(), file.servers.len());
            let mut findings = vec![good("configuration", detail)];
            // Of a running hub, the lines of its servers say more: programs and variables are its own affair.
            if !running_hub {
                for (name, spec) in file.servers.iter().filter(|(_, spec)| !spec.disabled) {
                    findings.push(server(name, spec, upstream).await);
                }
                findings.extend(file.planner.as_ref().map(planner));
            }
            findings
        }
    }
}

/// Whether the variables are set that lead to a planner's credentials. It is not asked anything: that may cost money.
fn planner(spec: &PlannerSpec) -> Finding {
    match spec.resolved(environment::lookup) {
        Ok(spec) => good("planner", [spec.provider.name(), &spec.model].join(" ").trim_end()),
        Err(missing) => bad("planner", format!("no such variable is set: {}", missing.join(", "))),
    }
}

/// Whether a server's variables are set, and its program can be found or its URL may be reached.
async fn server(name: &str, spec: &ServerSpec, upstream: &UpstreamArgs) -> Finding {
    let what = match &spec.transport {
        Transport::Remote { .. } => format!("address of {name}"),
        Transport::Stdio { .. } => format!("program of {name}"),
    };
    let spec = match resolve(spec, environment::lookup) {
        Ok(spec) => spec,
        Err(missing) => {
            let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
            return bad(&format!("variables of {name}"), missing.join("; "));
        }
    };
    match &spec.transport {
        Transport::Remote { url, .. } => match remote(upstream, Limits::default()) {
            Ok(way) => match way.examine(url).await {
                Ok(server) => good(&what, format!("{server} may be reached")),
                Err(why) => bad(&what, why),
            },
            Err(error) => bad(&what, format!("{error:#}")),
        },
        Transport::Stdio { command, .. } if is_found(command) => good(&what, command.clone()),
        Transport::Stdio { command, .. } => {
            bad(&what, format!("{command} was not found: install it or give its full path"))
        }
    }
}

fn is_found(command: &str) -> bool {
    if command.contains('/') {
        return Path::new(command).is_file();
    }
    let path = environment::lookup("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(command).is_file())
}
