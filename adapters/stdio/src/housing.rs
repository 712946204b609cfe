//! Where a server lives and what it may touch there: its own directory, the walls around it, and its limits.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};

use orch_core::ports::upstream::{CloseReason, LaunchSpec};
use orch_core::record::{Isolation, ProcessLimits, Walls};
use rustix::process::Signal;

use crate::leash::End;
use crate::shim::cage::{Cage, Ports};
use crate::shim::order::Limits;
use crate::{Ground, program};

/// The ports of the web, which every server with a network may connect to.
const WEB: [u16; 2] = [80, 443];

/// Part of its memory limit that a process has had when it can be said to have ended there. What it asked for last,
/// and was not given, is not in it.
const NEARLY: f64 = 0.8;

const MIB: u64 = 1 << 20;

/// The house of a server that is confined.
pub(crate) struct House {
    isolation: Isolation,
    directory: PathBuf,
    homes: PathBuf,
}

/// Its house, if it is to have one; its directories are made.
pub(crate) fn house(launch: &LaunchSpec, ground: &Ground) -> Result<Option<House>, CloseReason> {
    let isolation = launch.spec.confinement.isolation.unwrap_or_default();
    if !isolation.confines() {
        return Ok(None);
    }
    let Some(homes) = ground.homes.get().cloned() else {
        let words =
            format!("isolation `{}` needs a directory for servers, and there is none", isolation.name());
        return Err(CloseReason::Misconfigured(words));
    };
    // A name may be dots alone.
    let name = launch.server.trim_start_matches('.');
    let name = format!("{}{name}", "_".repeat(launch.server.len().saturating_sub(name.len())));
    let house = House { isolation, directory: homes.join(&launch.project).join(name), homes };
    DirBuilder::new().recursive(true).mode(0o700).create(house.temporary()).map_err(|error| {
        let shown = house.directory.display();
        CloseReason::NotStarted(format!("its directory {shown} could not be made: {error}"))
    })?;
    Ok(Some(house))
}

impl House {
    /// Its own directory, which is its home and where it starts.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    fn temporary(&self) -> PathBuf {
        self.directory.join("tmp")
    }

    /// How the server finds it.
    pub(crate) fn variables(&self) -> [(OsString, OsString); 2] {
        [("HOME".into(), self.directory.clone().into()), ("TMPDIR".into(), self.temporary().into())]
    }

    /// The walls around a server that runs this program.
    pub(crate) fn cage(
        &self,
        launch: &LaunchSpec,
        program: &Path,
        cwd: Option<&Path>,
        environment: &BTreeMap<OsString, OsString>,
    ) -> Result<Cage, CloseReason> {
        let confinement = &launch.spec.confinement;
        let paths = &confinement.paths;
        if let Some(path) = paths.read.iter().chain(&paths.write).find(|path| !Path::new(path).exists()) {
            return Err(CloseReason::NotStarted(format!("{path} of its `paths` is not there")));
        }
        let write: Vec<OsString> =
            paths.write.iter().map(OsString::from).chain([self.directory.clone().into()]).collect();
        let own = self.of_program(program, &write, environment).into_iter().chain(cwd.map(Path::to_path_buf));
        let read = own.map(OsString::from).chain(paths.read.iter().map(OsString::from)).collect();
        let listen = confinement.ports.clone();
        let connect = WEB.into_iter().chain(listen.iter().copied()).collect();
        let ports = (self.isolation != Isolation::Strict).then_some(Ports { connect, listen });
        Ok(Cage { read, write, ports, degraded: confinement.allow_degraded })
    }

    /// Where a program and what interprets it lie, for what they load lies there too. A program that the server can
    /// change says nothing: its first line and its links would open whatever it wants to read next time.
    fn of_program(
        &self,
        program: &Path,
        write: &[OsString],
        environment: &BTreeMap<OsString, OsString>,
    ) -> Vec<PathBuf> {
        let writable: Vec<PathBuf> =
            write.iter().filter_map(|place| Path::new(place).canonicalize().ok()).collect();
        let changeable = |file: &Path| {
            let place = file.parent().and_then(|place| place.canonicalize().ok()).unwrap_or_default();
            writable.iter().any(|own| place.starts_with(own))
        };
        let mut places = Vec::new();
        let mut next = Some(program.to_path_buf());
        // An interpreter may have one itself.
        for _ in 0..3 {
            let Some(program) = next.filter(|program| !changeable(program)) else { break };
            let file = program.canonicalize().unwrap_or_else(|_| program.clone());
            next = None;
            if !changeable(&file) {
                next = interpreter(&file).and_then(|it| program::find(&it, None, environment).ok());
                places.push(self.around(&file));
            }
            places.extend([self.around(&program), program]);
        }
        places.sort();
        places.dedup();
        places
    }

    /// The directory that a program was installed to; the program alone where that holds what is not its own: the
    /// user's home, or the hub's data.
    fn around(&self, program: &Path) -> PathBuf {
        let Some(directory) = program.parent() else { return program.to_path_buf() };
        let of_programs =
            ["bin", "sbin", "shims"].iter().any(|it| directory.file_name() == Some(OsStr::new(it)));
        let above = directory.parent().filter(|_| of_programs);
        let too_much = |place: &Path| {
            let user = std::env::home_dir();
            let shared = user.is_some_and(|home| home.starts_with(place) || home.join(".local") == place);
            shared || self.homes.starts_with(place)
        };
        let places = above.into_iter().chain([directory]);
        places.into_iter().find(|place| !too_much(place)).unwrap_or(program).to_path_buf()
    }
}

/// What the first line of a script asks for.
fn interpreter(file: &Path) -> Option<String> {
    let mut start = [0; 256];
    let mut file = fs::File::open(file).ok()?;
    let read = std::io::Read::read(&mut file, &mut start).ok()?;
    let line = start.get(..read)?.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let mut words = str::from_utf8(line).ok()?.split_ascii_whitespace();
    let first = words.next()?;
    let through = Path::new(first).file_name() == Some(OsStr::new("env"));
    let named = words.find(|word| through && !word.starts_with('-') && !word.contains('='));
    Some(named.unwrap_or(first).to_owned())
}

/// Whether the isolation of a server can be had, or it may do without; else words for a user.
pub(crate) fn check(launch: &LaunchSpec, walls: Walls) -> Result<(), String> {
    let confinement = &launch.spec.confinement;
    let isolation = confinement.isolation.unwrap_or_default();
    let missing = walls.missing(isolation);
    if missing.is_empty() {
        return Ok(());
    }
    let (name, missing, server) = (isolation.name(), missing.join(", nor "), &launch.server);
    if confinement.allow_degraded {
        tracing::warn!(server, "isolation `{name}` is degraded: nothing here holds {missing}");
        return Ok(());
    }
    Err(format!(
        "isolation `{name}` cannot be had: nothing here holds {missing}. `mcp-orch doctor` says what to do; \
         \"allowDegraded\": true of the server, or --allow-degraded for all, does without"
    ))
}

/// Limits as the system counts.
pub(crate) fn limits(limits: &ProcessLimits) -> Limits {
    let mib = |limit: Option<u32>| limit.map(|mib| u64::from(mib) * MIB);
    Limits {
        memory: mib(limits.memory_mib),
        processes: limits.processes.map(u64::from),
        open_files: limits.open_files.map(u64::from),
        file_size: mib(limits.file_size_mib),
    }
}

/// The limit at which a server has ended, as far as its end tells.
pub(crate) fn limit_hit(end: End, limits: &ProcessLimits) -> Option<String> {
    let signal = end.status.signal();
    if let (Some(most), true) = (limits.file_size_mib, signal == Some(Signal::XFSZ.as_raw())) {
        return Some(format!("it wrote a file over its limit fileSizeMiB ({most})"));
    }
    let most = limits.memory_mib.filter(|_| !end.status.success())?;
    let nearly = f64::from(end.peak_mib) >= f64::from(most) * NEARLY;
    let how = match (end.status.code(), signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, signal) => format!("signal {}", signal.unwrap_or_default()),
    };
    let had = end.peak_mib;
    nearly.then(|| {
        format!("it ended with {how} at its limit memoryMiB ({most}): a process of it had {had} MiB")
    })
}
