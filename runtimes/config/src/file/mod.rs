//! `mcp-config.json`: the servers of a project as a person writes them.
//!
//! JSON with comments, trailing commas and a byte order mark if need be. Every spelling that clients use is read and
//! one is written; what is not known is kept. All findings come at once, each with its place. `${VAR}` stays as
//! written: `orch_core::record::resolve` replaces it when a server starts.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged;
use orch_core::planner::PlannerSpec;
use orch_core::record::ServerSpec;
use orch_core::{Limit, Limits};

mod confinement;
mod finding;
mod oauth;
mod planner;
mod server;
mod tree;
mod value;
mod write;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use finding::{Finding, Position};
#[cfg(test)]
pub(crate) use oauth::FIELDS as OAUTH_FIELDS;
#[cfg(test)]
pub(crate) use planner::FIELDS as PLANNER_FIELDS;
#[cfg(test)]
pub(crate) use server::FIELDS;
pub use write::write;

use finding::{Findings, quoted};

/// The servers' map: the common name, and the one of VS Code.
const SERVERS: [&str; 2] = ["mcpServers", "servers"];
/// Who makes plans of goals in words.
const PLANNER: &str = "planner";
/// All that a file has.
const NAMES: [&str; 3] = [SERVERS[0], SERVERS[1], PLANNER];
/// The name of the server that the hub itself is.
const BUILT_IN: &str = "hub";

/// A configuration file without errors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigFile {
    /// The servers by name, as written.
    pub servers: BTreeMap<String, ServerSpec>,
    /// Who makes plans of goals in words, if the file says so.
    pub planner: Option<PlannerSpec>,
    /// Other members of the file, as JSON text by name.
    pub unknown: BTreeMap<String, String>,
    /// What is allowed, but looks like a mistake.
    pub warnings: Vec<Finding>,
}

impl ConfigFile {
    /// Reads and parses a file.
    pub fn load(path: &Path, limits: &Limits) -> Result<Self, Vec<Finding>> {
        let file = path.display().to_string();
        match read(path, limits.body_bytes) {
            Ok(text) => Self::parse(&file, &text, limits),
            Err(message) => Err(vec![Finding { file, at: None, message }]),
        }
    }

    /// Parses the text of a file, whose name appears in findings. With errors come the warnings: a slip of the pen
    /// is often what an error is about.
    pub fn parse(file: &str, text: &str, limits: &Limits) -> Result<Self, Vec<Finding>> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut findings = Findings::new(file, text);
        let parsed = top(text, limits, &mut findings);
        match parsed {
            Some(file) if findings.errors() == 0 => Ok(Self { warnings: findings.in_order(), ..file }),
            Some(_) | None => Err(findings.in_order()),
        }
    }
}

/// The text of a file that is not longer than it may be, or what is wrong with it.
fn read(path: &Path, most: usize) -> Result<String, String> {
    let unreadable = |error| format!("cannot be read: {error}");
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > most {
        return Err(format!("expected at most {most} bytes ({}), found more", Limit::BodyBytes));
    }
    String::from_utf8(bytes).map_err(|_| "expected UTF-8 text, found other bytes".to_owned())
}

fn top(text: &str, limits: &Limits, findings: &mut Findings<'_>) -> Option<ConfigFile> {
    let value = tree::parse(text, findings)?;
    tree::report_duplicates(&value, findings);
    let Value::Object(object) = &value else {
        findings.error(value.range(), format!("expected an object, found {}", tree::kind(&value)));
        return None;
    };
    let (mut unknown, mut planner) = (BTreeMap::new(), None);
    let mut maps = Vec::new();
    for property in &object.properties {
        let name = property.name.as_str();
        if SERVERS.contains(&name) {
            maps.push(property);
        } else if name == PLANNER {
            planner = of_object(property, findings);
        } else {
            server::hint(name, &NAMES, property.range(), findings);
            unknown.insert(name.to_owned(), tree::json(&property.value));
        }
    }
    let servers = servers(the_one_map(object, &maps, findings)?, limits, findings);
    Some(ConfigFile { servers, planner, unknown, warnings: Vec::new() })
}

fn of_object(property: &ObjectProp<'_>, findings: &mut Findings<'_>) -> Option<PlannerSpec> {
    let Some(object) = property.value.as_object() else {
        let kind = tree::kind(&property.value);
        findings.error(property.value.range(), format!("\"planner\" must be an object, found {kind}"));
        return None;
    };
    planner::read(property.name.range(), object, findings)
}

fn the_one_map<'o>(
    object: &Object<'_>,
    maps: &[&'o ObjectProp<'o>],
    findings: &mut Findings<'_>,
) -> Option<&'o Object<'o>> {
    let (property, more) = match maps {
        [] => {
            findings.error(object.range(), "expected \"mcpServers\", an object of servers by name");
            return None;
        }
        [first, more @ ..] => (first, more),
    };
    for other in more {
        findings.error(other.range(), "\"mcpServers\" and \"servers\" are one field: expected it once");
    }
    let map = property.value.as_object();
    if map.is_none() {
        let (name, kind) = (quoted(property.name.as_str()), tree::kind(&property.value));
        findings.error(
            property.value.range(),
            format!("{name} must be an object of servers by name, found {kind}"),
        );
    }
    map
}

fn servers(map: &Object<'_>, limits: &Limits, findings: &mut Findings<'_>) -> BTreeMap<String, ServerSpec> {
    let (most, count) = (limits.project_servers, map.properties.len());
    if count > most {
        let message = format!("expected at most {most} servers ({}), found {count}", Limit::ProjectServers);
        findings.error(map.range(), message);
    }
    let mut servers = BTreeMap::new();
    for property in &map.properties {
        let name = property.name.as_str();
        if let Some(problem) = problem_with(name) {
            findings.error(property.name.range(), format!("server name {}: {problem}", quoted(name)));
        }
        let Value::Object(entry) = &property.value else {
            let kind = tree::kind(&property.value);
            findings.error(
                property.value.range(),
                format!("server {} must be an object, found {kind}", quoted(name)),
            );
            continue;
        };
        if let Some(spec) = server::read(property.name.range(), entry, findings) {
            servers.insert(name.to_owned(), spec);
        }
    }
    servers
}

/// Names stand in URLs and in tool names.
fn problem_with(name: &str) -> Option<&'static str> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
        Some("expected 1 to 64 of A-Z a-z 0-9 _ . -")
    } else if name.bytes().all(|b| b == b'.') {
        Some("expected more than dots, which mean a directory in a URL")
    } else if name == BUILT_IN {
        Some("the hub's own server has this name; expected another")
    } else {
        None
    }
}
