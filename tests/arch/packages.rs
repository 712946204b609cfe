//! The packages of the workspace, as `cargo metadata` tells of them.

use serde_json::Value;

use crate::checkout;

/// A member of the workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    /// The directory below the root, such as `adapters/http`.
    pub(crate) directory: String,
    pub(crate) licence: Option<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// A line in a package's dependency tables.
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Whether it is a package of this checkout, not one of a registry.
    pub(crate) local: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Build,
    Dev,
    Normal,
}

pub(crate) fn packages() -> Vec<Package> {
    let metadata =
        checkout::output("cargo", &["metadata", "--no-deps", "--format-version", "1", "--offline"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo metadata prints JSON");
    array(&metadata["packages"]).iter().map(package).collect()
}

fn package(value: &Value) -> Package {
    let manifest = checkout::root().join(string(&value["manifest_path"]));
    let directory = manifest.parent().and_then(|path| path.strip_prefix(checkout::root()).ok());
    Package {
        name: string(&value["name"]).to_owned(),
        directory: directory.expect("members lie in the checkout").display().to_string(),
        licence: value["license"].as_str().map(str::to_owned),
        dependencies: array(&value["dependencies"]).iter().map(dependency).collect(),
    }
}

fn dependency(value: &Value) -> Dependency {
    let kind = match value["kind"].as_str() {
        None => Kind::Normal,
        Some("dev") => Kind::Dev,
        Some("build") => Kind::Build,
        Some(other) => panic!("cargo has a new kind of dependency: {other}"),
    };
    Dependency { name: string(&value["name"]).to_owned(), kind, local: value["path"].is_string() }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().expect("an array")
}

fn string(value: &Value) -> &str {
    value.as_str().expect("a string")
}
