//! What to run, found before it is run, so that a failure can be put in words.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Where programs are looked for when neither the hub nor the server's environment says.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Finds the file of `command` as a shell would: a name in `PATH`, anything with a slash from `cwd`.
///
/// The error is fit for a user.
pub(crate) fn find(
    command: &str,
    cwd: Option<&Path>,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<PathBuf, String> {
    if command.is_empty() {
        return Err("no command is given".into());
    }
    if let Some(cwd) = cwd {
        check_directory(cwd)?;
    }
    let start = cwd.unwrap_or_else(|| Path::new("."));
    if command.contains('/') {
        return executable(&start.join(command)).map_err(|denied| {
            if denied { not_permitted(command) } else { format!("program `{command}` does not exist") }
        });
    }
    let path =
        environment.get(OsStr::new("PATH")).map_or_else(|| OsStr::new(DEFAULT_PATH), OsString::as_os_str);
    let mut denied = false;
    for directory in std::env::split_paths(path) {
        match executable(&start.join(directory).join(command)) {
            Ok(found) => return Ok(found),
            Err(this) => denied |= this,
        }
    }
    if denied {
        return Err(not_permitted(command));
    }
    Err(format!("program `{command}` was not found in PATH: install it or give the full path"))
}

/// Words for a failure of the start itself.
pub(crate) fn explain(command: &str, error: &io::Error) -> String {
    match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::ACCESS | rustix::io::Errno::PERM) => not_permitted(command),
        Some(rustix::io::Errno::NOENT) => {
            format!("program `{command}` cannot run: the interpreter in its first line does not exist")
        }
        Some(rustix::io::Errno::NOEXEC) => {
            format!("program `{command}` cannot run: it is neither a program for this machine nor a script")
        }
        Some(rustix::io::Errno::AGAIN) => "too many processes are running".into(),
        Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => "too many files are open".into(),
        Some(rustix::io::Errno::TOOBIG) => "the arguments and the environment are too long".into(),
        _ => format!("program `{command}` could not be started: {error}"),
    }
}

fn check_directory(path: &Path) -> Result<(), String> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(format!("working directory {shown} is not a directory")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("working directory {shown} does not exist"))
        }
        Err(error) => Err(format!("working directory {shown} cannot be used: {error}")),
    }
}

/// The absolute path when it is a file that may be run; else whether there is one that may not.
fn executable(path: &Path) -> Result<PathBuf, bool> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return Err(error.kind() == io::ErrorKind::PermissionDenied),
    };
    if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
        std::path::absolute(path).map_err(|_| false)
    } else {
        Err(true)
    }
}

fn not_permitted(command: &str) -> String {
    format!("permission denied: `{command}` is there, but may not be run")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_path(command: &str, path: &str) -> Result<PathBuf, String> {
        find(command, None, &BTreeMap::from([("PATH".into(), path.into())]))
    }

    #[test]
    fn a_name_is_looked_up_in_path_and_the_first_that_may_run_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let (first, second) = (directory.path().join("a"), directory.path().join("b"));
        for (place, mode) in [(&first, 0o644), (&second, 0o755)] {
            std::fs::create_dir(place).unwrap();
            std::fs::write(place.join("tool"), "").unwrap();
            std::fs::set_permissions(place.join("tool"), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let path = format!("/nowhere:{}:{}", first.display(), second.display());
        assert_eq!(in_path("tool", &path), Ok(second.join("tool")));
        assert_eq!(in_path("tool", first.to_str().unwrap()), Err(not_permitted("tool")));
    }

    #[test]
    fn a_name_that_is_nowhere_says_what_to_do() {
        let words = "program `npx` was not found in PATH: install it or give the full path";
        assert_eq!(in_path("npx", "/nowhere"), Err(words.into()));
    }

    #[test]
    fn a_path_is_taken_from_the_working_directory() {
        let directory = tempfile::tempdir().unwrap();
        let tool = directory.path().join("tool");
        std::fs::write(&tool, "").unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(
            find("./tool", Some(directory.path()), &BTreeMap::new()),
            Ok(directory.path().join("./tool"))
        );
        let gone = find("./tool", Some(Path::new("/nowhere")), &BTreeMap::new());
        assert_eq!(gone, Err("working directory /nowhere does not exist".into()));
    }
}
