//! What a server may do on this machine: the fields, as they are read and written.

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged as _;
use orch_core::record::{Isolation, Paths, ProcessLimits};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::value::{Wrong, refused, strings, whole_number, word, wrong};
use super::write::unless;

/// How far it is walled off.
pub(super) fn isolation(value: &Value<'_>) -> Result<Isolation, Wrong> {
    word(value, "\"strict\", \"standard\", \"trusted\" or \"external\"", Isolation::ALL, Isolation::name)
}

/// What its processes may use.
pub(super) fn limits(value: &Value<'_>) -> Result<ProcessLimits, Wrong> {
    const EXPECTED: &str = "an object of whole numbers: memoryMiB (16 to 1048576), processes (1 to 1000000), openFiles (16 to 1000000), \
         fileSizeMiB (1 to 1048576)";
    let mut limits = ProcessLimits::default();
    for (name, value) in members(value, EXPECTED)? {
        let (limit, allowed) = match name {
            "memoryMiB" => (&mut limits.memory_mib, 16..=1_048_576),
            "processes" => (&mut limits.processes, 1..=1_000_000),
            "openFiles" => (&mut limits.open_files, 16..=1_000_000),
            "fileSizeMiB" => (&mut limits.file_size_mib, 1..=1_048_576),
            _ => return refused(value, EXPECTED, "another name"),
        };
        *limit = Some(whole_number(value, allowed, EXPECTED)?);
    }
    Ok(limits)
}

/// What it may use of the files.
pub(super) fn paths(value: &Value<'_>) -> Result<Paths, Wrong> {
    const EXPECTED: &str = "an object of two arrays of absolute paths, read and write";
    let mut paths = Paths::default();
    for (name, value) in members(value, EXPECTED)? {
        let list = strings(value)?;
        if list.iter().any(|path| !path.starts_with(['/', '$'])) {
            return refused(value, EXPECTED, "a path that does not begin with /");
        }
        match name {
            "read" => paths.read = list,
            "write" => paths.write = list,
            _ => return refused(value, EXPECTED, "another name"),
        }
    }
    Ok(paths)
}

/// The TCP ports that it may use.
pub(super) fn ports(value: &Value<'_>) -> Result<Vec<u16>, Wrong> {
    const EXPECTED: &str = "an array of port numbers from 1 to 65535";
    let Some(array) = value.as_array() else { return wrong(value, EXPECTED) };
    let port = |element: &Value<'_>| {
        let number = whole_number(element, 1..=65_535, EXPECTED)?;
        u16::try_from(number).or_else(|_| wrong(element, EXPECTED))
    };
    array.elements.iter().map(port).collect()
}

/// The members of an object, each once.
pub(super) fn members<'v, 'a>(
    value: &'v Value<'a>,
    expected: &'static str,
) -> Result<impl Iterator<Item = (&'v str, &'v Value<'a>)>, Wrong> {
    let Some(object) = value.as_object() else { return wrong(value, expected) };
    let twice = |object: &Object<'_>| {
        let mut names: Vec<_> = object.properties.iter().map(|it| it.name.as_str()).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair.first() == pair.last())
    };
    if twice(object) {
        return Err(Wrong { at: object.range(), expected, found: "a name twice".to_owned() });
    }
    Ok(object.properties.iter().map(|it| (it.name.as_str(), &it.value)))
}

/// As it is written.
pub(super) struct Written<'a, T>(pub(super) &'a T);

impl Serialize for Written<'_, Isolation> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl Serialize for Written<'_, ProcessLimits> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ProcessLimits { memory_mib, processes, open_files, file_size_mib } = self.0;
        let mut map = serializer.serialize_map(None)?;
        unless(memory_mib.is_none(), &mut map, "memoryMiB", memory_mib)?;
        unless(processes.is_none(), &mut map, "processes", processes)?;
        unless(open_files.is_none(), &mut map, "openFiles", open_files)?;
        unless(file_size_mib.is_none(), &mut map, "fileSizeMiB", file_size_mib)?;
        map.end()
    }
}

impl Serialize for Written<'_, Paths> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Paths { read, write } = self.0;
        let mut map = serializer.serialize_map(None)?;
        unless(read.is_empty(), &mut map, "read", read)?;
        unless(write.is_empty(), &mut map, "write", write)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use orch_core::Limits;
    use orch_core::record::{Confinement, Isolation, Paths, ProcessLimits};

    use crate::file::ConfigFile;

    fn entry(members: &str) -> Result<ConfigFile, String> {
        let text = format!("{{\"mcpServers\": {{\"s\": {{{members}}}}}}}");
        let file = ConfigFile::parse("f", &text, &Limits::default());
        file.map_err(|findings| findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn what_a_server_may_do_here_is_read() {
        let file = entry(
            r#""command": "c", "isolation": "Standard", "allowDegraded": true, "ports": [5432],
               "limits": {"memoryMiB": 256, "processes": 20, "openFiles": 64, "fileSizeMiB": 8},
               "paths": {"read": ["/srv", "${HOME}/x"], "write": ["/tmp"]}"#,
        );
        let expected = Confinement {
            isolation: Some(Isolation::Standard),
            allow_degraded: true,
            limits: ProcessLimits {
                memory_mib: Some(256),
                processes: Some(20),
                open_files: Some(64),
                file_size_mib: Some(8),
            },
            paths: Paths { read: vec!["/srv".into(), "${HOME}/x".into()], write: vec!["/tmp".into()] },
            ports: vec![5432],
            wrapper: vec![],
        };
        assert_eq!(file.unwrap().servers["s"].confinement, expected);
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_said_to_be_so() {
        for (members, words) in [
            (
                r#""isolation": "loose""#,
                "\"isolation\" must be \"strict\", \"standard\", \"trusted\" or \"external\"",
            ),
            (r#""limits": {"memory": 1}"#, "memoryMiB (16 to 1048576)"),
            (r#""limits": {"memoryMiB": 8}"#, "found 8"),
            (r#""limits": {"processes": 20, "processes": 30}"#, "found a name twice"),
            (r#""paths": {"read": ["here"]}"#, "found a path that does not begin with /"),
            (r#""paths": ["/here"]"#, "\"paths\" must be an object of two arrays"),
            (r#""ports": [0]"#, "\"ports\" must be an array of port numbers from 1 to 65535, found 0"),
            (r#""wrapper": ["docker"]"#, "\"wrapper\" goes with \"isolation\": \"external\" only"),
        ] {
            let found = entry(&format!("\"command\": \"c\", {members}")).unwrap_err();
            assert!(found.contains(words), "{found}");
        }
    }

    #[test]
    fn a_remote_server_runs_nowhere_here_so_it_keeps_them_with_a_warning() {
        let file = entry(r#""url": "https://h", "isolation": "strict""#).unwrap();
        assert_eq!(file.servers["s"].confinement, Confinement::default());
        assert!(file.warnings[0].to_string().contains("\"isolation\" means nothing for a remote server"));
    }
}
