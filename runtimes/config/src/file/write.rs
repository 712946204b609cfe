//! Specifications as JSON text: every field in its one spelling, defaults left out, unknown members as they were.

use std::collections::BTreeMap;

use orch_core::planner::PlannerSpec;
use orch_core::record::{
    Confinement, Paths, ProcessLimits, Protocol, RemoteKind, ServerSpec, Sharing, Transport,
};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::ConfigFile;
use super::confinement::Written;
use super::planner;

/// The entry of one server, which reads back as the same specification.
pub fn write(spec: &ServerSpec) -> String {
    pretty(&Entry(spec))
}

impl ConfigFile {
    /// The whole file, which reads back as the same servers and unknown members. Comments are lost.
    pub fn write(&self) -> String {
        pretty(&Whole(self))
    }
}

/// Writing to memory fails only for values that have no JSON form, and these all have one.
fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

struct Whole<'a>(&'a ConfigFile);

impl Serialize for Whole<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ConfigFile { servers, planner, unknown, warnings: _ } = self.0;
        let servers: BTreeMap<_, _> = servers.iter().map(|(name, spec)| (name, Entry(spec))).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("mcpServers", &servers)?;
        if let Some(spec) = planner {
            map.serialize_entry("planner", &Planner(spec))?;
        }
        members(&mut map, unknown)?;
        map.end()
    }
}

struct Planner<'a>(&'a PlannerSpec);

impl Serialize for Planner<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        planner::write(&mut map, self.0)?;
        map.end()
    }
}

struct Entry<'a>(&'a ServerSpec);

impl Serialize for Entry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ServerSpec {
            transport,
            disabled,
            timeout_s,
            call_timeout_s,
            idle_s,
            protocol,
            sharing,
            confinement,
            oauth,
            auto_approve,
            unknown,
        } = self.0;
        let mut map = serializer.serialize_map(None)?;
        match transport {
            Transport::Stdio { command, args, env, cwd } => {
                map.serialize_entry("command", command)?;
                unless(args.is_empty(), &mut map, "args", args)?;
                unless(env.is_empty(), &mut map, "env", env)?;
                unless(cwd.is_none(), &mut map, "cwd", cwd)?;
            }
            Transport::Remote { kind, url, headers } => {
                map.serialize_entry("type", word(*kind))?;
                map.serialize_entry("url", url)?;
                unless(headers.is_empty(), &mut map, "headers", headers)?;
            }
        }
        unless(!disabled, &mut map, "disabled", disabled)?;
        unless(*timeout_s == ServerSpec::TIMEOUT_S, &mut map, "timeout", timeout_s)?;
        unless(call_timeout_s.is_none(), &mut map, "callTimeout", call_timeout_s)?;
        unless(idle_s.is_none(), &mut map, "idleTimeout", idle_s)?;
        unless(*protocol == Protocol::default(), &mut map, "protocol", &protocol.name())?;
        unless(*sharing == Sharing::default(), &mut map, "sharing", &sharing.name())?;
        confined(&mut map, confinement)?;
        if let Some(oauth) = oauth {
            map.serialize_entry("oauth", &Written(&**oauth))?;
        }
        unless(auto_approve.is_empty(), &mut map, "autoApprove", auto_approve)?;
        members(&mut map, unknown)?;
        map.end()
    }
}

/// What it may do here.
fn confined<M: SerializeMap>(map: &mut M, confinement: &Confinement) -> Result<(), M::Error> {
    let Confinement { isolation, allow_degraded, limits, paths, ports, wrapper } = confinement;
    if let Some(isolation) = isolation {
        map.serialize_entry("isolation", &Written(isolation))?;
    }
    unless(!allow_degraded, map, "allowDegraded", allow_degraded)?;
    unless(*limits == ProcessLimits::default(), map, "limits", &Written(limits))?;
    unless(*paths == Paths::default(), map, "paths", &Written(paths))?;
    unless(ports.is_empty(), map, "ports", ports)?;
    unless(wrapper.is_empty(), map, "wrapper", wrapper)
}

fn word(kind: RemoteKind) -> &'static str {
    match kind {
        RemoteKind::Http => "streamable-http",
        RemoteKind::Sse => "sse",
    }
}

pub(super) fn unless<M: SerializeMap>(
    is_default: bool,
    map: &mut M,
    name: &str,
    value: &impl Serialize,
) -> Result<(), M::Error> {
    if is_default { Ok(()) } else { map.serialize_entry(name, value) }
}

/// Members that are JSON text already. Text that is not JSON can only be written as a string.
pub(super) fn members<M: SerializeMap>(
    map: &mut M,
    members: &BTreeMap<String, String>,
) -> Result<(), M::Error> {
    for (name, text) in members {
        match RawValue::from_string(text.clone()).or_else(|_| to_raw_value(text)) {
            Ok(json) => map.serialize_entry(name, &json)?,
            Err(_) => map.serialize_entry(name, text)?,
        }
    }
    Ok(())
}
