//! The release binary and what is promised of it: one static file, small, that needs nothing around it.
//!
//! `crt-static` is given to the last link alone, so every dependency is the one that an ordinary release build has.

use std::path::Path;

use crate::invocation::{Failure, Invocation, target};

/// Where the release build puts the hub, below the build directory.
pub(crate) const BINARY: &str = "release/mcp-orch";

const BUILD: &str =
    "rustc --release --package mcp-orch --bin mcp-orch --quiet -- -C target-feature=+crt-static";
const SIZE_LIMIT_BYTES: u64 = 15_000_000;

pub(crate) fn verify() -> Result<(), Failure> {
    let build = Invocation::cargo(BUILD);
    build.run()?;

    let binary = target().join(BINARY);
    let path = binary.display().to_string();
    is_static(&path)?;
    let bytes = size(&binary).map_err(|cause| build.failure(cause))?;
    let version = version_in_empty_environment(&path)?;
    println!("{version}: static, {bytes} bytes, {path}");
    Ok(())
}

fn is_static(path: &str) -> Result<(), Failure> {
    let ldd = Invocation::new("ldd").arg(path);
    // A static-pie file is "statically linked" to ldd; on one that is not dynamic in any way it fails.
    if ldd.capture().is_ok_and(|answer| !answer.contains("statically linked")) {
        return Err(ldd.failure("the binary is linked dynamically"));
    }
    let readelf = Invocation::new("readelf").arg("--dynamic").arg("--wide").arg(path);
    let dynamic = readelf.capture()?;
    let needed = needed_libraries(&dynamic);
    if needed.is_empty() { Ok(()) } else { Err(readelf.failure(format!("needs {}", needed.join(", ")))) }
}

fn size(binary: &Path) -> Result<u64, String> {
    let bytes = binary.metadata().map_err(|error| error.to_string())?.len();
    if bytes < SIZE_LIMIT_BYTES {
        Ok(bytes)
    } else {
        Err(format!("the binary has {bytes} bytes, the limit is {SIZE_LIMIT_BYTES}"))
    }
}

fn version_in_empty_environment(path: &str) -> Result<String, Failure> {
    let ask = Invocation::new(path).arg("--version").in_empty_environment();
    let answer = ask.capture()?;
    let version = answer.trim();
    if version.starts_with("mcp-orch ") {
        Ok(version.to_owned())
    } else {
        Err(ask.failure(format!("answered {version:?}, not its name and version")))
    }
}

/// The shared libraries that `readelf --dynamic` says the loader has to find.
fn needed_libraries(dynamic_section: &str) -> Vec<&str> {
    let needed = dynamic_section.lines().filter(|line| line.contains("(NEEDED)"));
    needed.filter_map(|line| line.split(['[', ']']).nth(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needed_libraries_are_read_from_the_dynamic_section() {
        let dynamic = " 0x01 (NEEDED)  Shared library: [libc.so.6]\n 0x1e (FLAGS)  BIND_NOW\n";
        assert_eq!(needed_libraries(dynamic), ["libc.so.6"]);
        assert!(needed_libraries("There is no dynamic section in this file.\n").is_empty());
    }
}
