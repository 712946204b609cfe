//! The dependency rule: which crate of the workspace may name which.
//!
//! `core <- adapters`, `core <- driver, config`, `{core, adapters, driver, config} <- binaries`,
//! everything `<- tests, bench`. The fuzz targets are a workspace of their own.

use crate::checkout::{self, assert_none};
use crate::packages::{Kind, Package, packages};

/// Where a crate stands. A crate may know those that stand further in, never its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ring {
    Core,
    Adapter,
    Library,
    Binary,
    Proof,
}

impl Ring {
    fn of(directory: &str) -> Option<Self> {
        match directory.split('/').collect::<Vec<_>>().as_slice() {
            ["core"] => Some(Self::Core),
            ["adapters", _] => Some(Self::Adapter),
            ["runtimes", "config" | "driver"] => Some(Self::Library),
            ["runtimes", _] => Some(Self::Binary),
            ["tests" | "bench"] | ["tests", "sim"] => Some(Self::Proof),
            _ => None,
        }
    }

    fn may_know(self, other: Self) -> bool {
        match self {
            Self::Core => false,
            Self::Adapter | Self::Library => other == Self::Core,
            Self::Binary => matches!(other, Self::Core | Self::Adapter | Self::Library),
            Self::Proof => true,
        }
    }
}

/// The edges that break the rule. Dev-dependencies count: what a crate's tests know, its authors come to rely on.
fn forbidden_edges(packages: &[Package]) -> Vec<String> {
    let ring = |name: &str| {
        let package = packages.iter().find(|package| package.name == name)?;
        Ring::of(&package.directory)
    };
    let mut forbidden = Vec::new();
    for package in packages {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.local) {
            let allowed = match (ring(&package.name), ring(&dependency.name)) {
                (Some(from), Some(to)) => from.may_know(to),
                _ => false,
            };
            if !allowed {
                forbidden.push(format!("{} -> {} ({:?})", package.name, dependency.name, dependency.kind));
            }
        }
    }
    forbidden
}

#[test]
fn crates_depend_inwards_only() {
    assert_none("these dependencies break the rule:", &forbidden_edges(&packages()));
}

#[test]
fn every_member_stands_in_a_known_ring() {
    let strangers = packages().into_iter().filter(|package| Ring::of(&package.directory).is_none());
    let strangers: Vec<String> = strangers.map(|package| package.directory).collect();
    assert_none("give these directories a ring in tests/arch/dependencies.rs:", &strangers);
}

#[test]
fn adapter_that_knows_an_adapter_is_found_even_in_dev_dependencies() {
    let mut packages = packages();
    let adapters: Vec<String> = packages
        .iter()
        .filter(|package| Ring::of(&package.directory) == Some(Ring::Adapter))
        .map(|package| package.name.clone())
        .collect();
    let [one, other, ..] = adapters.as_slice() else { panic!("two adapters are needed to break the rule") };
    let package = packages.iter_mut().find(|package| &package.name == one).expect("it is a member");
    package.dependencies.push(crate::packages::Dependency {
        name: other.clone(),
        kind: Kind::Dev,
        local: true,
    });
    assert_eq!(forbidden_edges(&packages), [format!("{one} -> {other} (Dev)")]);
}

#[test]
fn fuzz_targets_are_their_own_workspace() {
    assert!(packages().iter().all(|package| !package.directory.starts_with("fuzz")));
    if let Some(manifest) = checkout::text("fuzz/Cargo.toml") {
        assert!(manifest.lines().any(|line| line == "[workspace]"), "fuzz/Cargo.toml opens no workspace");
    }
}

#[test]
fn every_package_is_under_the_mit_licence() {
    let others = packages().into_iter().filter(|package| package.licence.as_deref() != Some("MIT"));
    let others: Vec<String> =
        others.map(|package| format!("{}: {:?}", package.name, package.licence)).collect();
    assert_none("these packages do not say `license = \"MIT\"`:", &others);
}
