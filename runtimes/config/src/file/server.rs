//! One entry of the servers' map: the fields, their spellings, and what must not stand together.

use std::collections::BTreeMap;

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::{Range, Ranged};
use orch_core::record::{Confinement, Isolation, RemoteKind, ServerSpec, Transport};

use super::confinement;
use super::finding::{Findings, quoted};
use super::oauth;
use super::tree::json;
use super::value::{self, Means, Wrong};

const APPROVED: [&str; 2] = ["autoApprove", "alwaysAllow"];
const MEANS: [&str; 3] = ["type", "transport", "transportType"];
const OF_STDIO: [&str; 9] =
    ["args", "env", "cwd", "isolation", "allowDegraded", "limits", "paths", "ports", "wrapper"];
const OF_REMOTE: [&str; 2] = ["headers", "oauth"];
/// Every name that a field may have.
pub(crate) const FIELDS: [&str; 24] = [
    "command",
    "args",
    "env",
    "cwd",
    "disabled",
    "timeout",
    "callTimeout",
    "idleTimeout",
    "protocol",
    "sharing",
    "isolation",
    "allowDegraded",
    "limits",
    "paths",
    "ports",
    "wrapper",
    "autoApprove",
    "alwaysAllow",
    "type",
    "transport",
    "transportType",
    "url",
    "headers",
    "oauth",
];

/// The specification in an entry; `None` when a finding says why there is none.
pub(super) fn read(name: Range, object: &Object<'_>, findings: &mut Findings<'_>) -> Option<ServerSpec> {
    let errors = findings.errors();
    let mut entry = Entry::of(name, object, findings);
    let means = entry.take(&MEANS, value::means);
    let disabled = entry.take(&["disabled"], value::flag).unwrap_or(false);
    let timeout_s = entry.take(&["timeout"], value::seconds).unwrap_or(ServerSpec::TIMEOUT_S);
    let call_timeout_s = entry.take(&["callTimeout"], value::seconds);
    let idle_s = entry.take(&["idleTimeout"], value::idle_seconds);
    let protocol = entry.take(&["protocol"], value::protocol).unwrap_or_default();
    let sharing = entry.take(&["sharing"], value::sharing).unwrap_or_default();
    let auto_approve = entry.take(&APPROVED, value::strings).unwrap_or_default();
    let transport = entry.transport(means);
    let confinement = match transport {
        Some(Transport::Remote { .. }) => Confinement::default(),
        Some(Transport::Stdio { .. }) | None => entry.confinement(),
    };
    let oauth = match transport {
        Some(Transport::Remote { .. }) => entry.take(&["oauth"], oauth::oauth),
        Some(Transport::Stdio { .. }) | None => None,
    };
    let unknown = entry.rest(&FIELDS);
    if findings.errors() > errors {
        return None;
    }
    let transport = transport?;
    Some(ServerSpec {
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
    })
}

/// An entry while it is read: what nobody has taken yet.
pub(super) struct Entry<'o, 'f, 't> {
    name: Range,
    properties: BTreeMap<&'o str, &'o ObjectProp<'o>>,
    findings: &'f mut Findings<'t>,
    /// Fields that were there and did not do.
    wrong: Vec<&'static str>,
}

impl<'o, 'f, 't> Entry<'o, 'f, 't> {
    /// An entry of which nothing was taken.
    pub(super) fn of(name: Range, object: &'o Object<'_>, findings: &'f mut Findings<'t>) -> Self {
        let properties = object.properties.iter().map(|it| (it.name.as_str(), it)).collect();
        Self { name, properties, findings, wrong: Vec::new() }
    }
}

impl Entry<'_, '_, '_> {
    /// Takes a field out. All of its spellings that are there must say the same.
    pub(super) fn take<T: PartialEq>(
        &mut self,
        spellings: &[&'static str],
        read: impl Fn(&Value<'_>) -> Result<T, Wrong>,
    ) -> Option<T> {
        let mut taken: Option<(&'static str, T)> = None;
        for spelling in spellings {
            let Some(property) = self.properties.remove(spelling) else { continue };
            match (read(&property.value), &taken) {
                (Ok(value), None) => taken = Some((spelling, value)),
                (Ok(value), Some((_, first))) if value == *first => {}
                (Ok(_), Some((first, _))) => {
                    let message =
                        format!("\"{spelling}\" contradicts \"{first}\": they are two names of one field");
                    self.findings.error(property.range(), message);
                }
                (Err(Wrong { at, expected, found }), _) => {
                    self.wrong.push(spelling);
                    self.findings.error(at, format!("\"{spelling}\" must be {expected}, found {found}"));
                }
            }
        }
        taken.map(|(_, value)| value)
    }

    fn transport(&mut self, means: Option<Means>) -> Option<Transport> {
        let started = self.properties.get("command").map(|it| it.range());
        let reached = self.properties.get("url").map(|it| it.range());
        match (started, reached, means) {
            (Some(_), None, None | Some(Means::Stdio)) => self.stdio(),
            (None, Some(_), None) => self.remote(RemoteKind::Http),
            (None, Some(_), Some(Means::Remote(kind))) => self.remote(kind),
            (Some(_), Some(url), _) => {
                self.refuse(url, "\"url\" contradicts \"command\": expected one of them")
            }
            (Some(command), None, Some(Means::Remote(_))) => {
                self.refuse(command, "\"command\" contradicts the transport: a remote server has a \"url\"")
            }
            (None, Some(url), Some(Means::Stdio)) => {
                self.refuse(url, "\"url\" contradicts the transport: a stdio server has a \"command\"")
            }
            (None, None, _) => self.refuse(
                self.name,
                "a server needs \"command\" (started here) or \"url\" (remote), found neither",
            ),
        }
    }

    /// Says what else is wrong too, whichever kind of server was meant.
    fn refuse(&mut self, at: Range, message: &str) -> Option<Transport> {
        self.findings.error(at, message);
        drop((self.stdio_fields(), self.remote_fields(RemoteKind::Http)));
        None
    }

    fn stdio(&mut self) -> Option<Transport> {
        self.warn_of_strangers(&OF_REMOTE, "a server that is started here");
        self.stdio_fields()
    }

    fn stdio_fields(&mut self) -> Option<Transport> {
        let command = self.take(&["command"], value::path);
        let args = self.take(&["args"], value::strings).unwrap_or_default();
        let env = self.take(&["env"], value::environment).unwrap_or_default();
        let cwd = self.take(&["cwd"], value::path);
        Some(Transport::Stdio { command: command?, args, env, cwd })
    }

    fn confinement(&mut self) -> Confinement {
        let wraps = self.properties.get("wrapper").map(|it| it.range());
        let confinement = Confinement {
            isolation: self.take(&["isolation"], confinement::isolation),
            allow_degraded: self.take(&["allowDegraded"], value::flag).unwrap_or_default(),
            limits: self.take(&["limits"], confinement::limits).unwrap_or_default(),
            paths: self.take(&["paths"], confinement::paths).unwrap_or_default(),
            ports: self.take(&["ports"], confinement::ports).unwrap_or_default(),
            wrapper: self.take(&["wrapper"], value::strings).unwrap_or_default(),
        };
        if let Some(wrapper) = wraps.filter(|_| confinement.isolation != Some(Isolation::External)) {
            self.findings.error(wrapper, "\"wrapper\" goes with \"isolation\": \"external\" only");
        }
        confinement
    }

    fn remote(&mut self, kind: RemoteKind) -> Option<Transport> {
        self.warn_of_strangers(&OF_STDIO, "a remote server");
        self.remote_fields(kind)
    }

    fn remote_fields(&mut self, kind: RemoteKind) -> Option<Transport> {
        let url = self.take(&["url"], value::url);
        let headers = self.take(&["headers"], value::headers).unwrap_or_default();
        Some(Transport::Remote { kind, url: url?, headers })
    }

    /// Fields of the other kind of server mean nothing, and are kept like those that nobody knows.
    pub(super) fn warn_of_strangers(&mut self, names: &[&str], server: &str) {
        for name in names {
            if let Some(property) = self.properties.get(name) {
                self.findings
                    .warn(property.range(), format!("\"{name}\" means nothing for {server}; it is kept"));
            }
        }
    }

    /// Where a field is that was not taken yet.
    pub(super) fn place(&self, field: &str) -> Option<Range> {
        self.properties.get(field).map(|it| it.range())
    }

    /// Says what looks like a mistake at a place.
    pub(super) fn warn(&mut self, at: Range, words: &str) {
        self.findings.warn(at, words);
    }

    /// Says that a field is missing.
    pub(super) fn refuse_field(&mut self, field: &str, expected: &str) {
        if !self.wrong.contains(&field) {
            self.findings.error(self.name, format!("\"{field}\" is missing: expected {expected}"));
        }
    }

    /// What is left is kept as it is, with a hint where it looks like a slip of the pen.
    pub(super) fn rest(self, known: &[&str]) -> BTreeMap<String, String> {
        for (name, property) in &self.properties {
            hint(name, known, property.range(), self.findings);
        }
        self.properties.into_iter().map(|(name, it)| (name.to_owned(), json(&it.value))).collect()
    }
}

/// Warns of a name that is nearly, but not quite, one that has a meaning.
pub(super) fn hint(name: &str, known: &[&str], at: Range, findings: &mut Findings<'_>) {
    if known.contains(&name) {
        return;
    }
    let (lower, near) =
        (name.to_ascii_lowercase().replace(['-', '_'], ""), if name.len() < 5 { 1 } else { 2 });
    let distance = |it: &&&str| strsim::damerau_levenshtein(&lower, &it.to_ascii_lowercase());
    if let Some(meant) = known.iter().min_by_key(distance).filter(|it| distance(it) <= near) {
        findings.warn(at, format!("{} is not a field; did you mean `{meant}`?", quoted(name)));
    }
}
