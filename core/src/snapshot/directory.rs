//! Who may come in: projects by name, keys by id. One value for the whole instance, replaced whole.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

use crate::key::{Pepper, Token};
use crate::ports::gateway::{Admission, Bearer, Head};
use crate::record::{Key, Project};
use crate::{Denied, Fault, KeyId, ProjectId, Rejection, Timestamp};

/// Projects and keys of the instance.
#[derive(Clone, Debug)]
pub struct Directory {
    projects: BTreeMap<String, ProjectId>,
    keys: BTreeMap<KeyId, Key>,
    default_project: Option<ProjectId>,
    pepper: Pepper,
}

impl Directory {
    /// The slug of the project that short endpoints mean.
    pub const DEFAULT_SLUG: &'static str = "default";

    /// Builds the directory.
    pub fn build(
        projects: impl IntoIterator<Item = Project>,
        keys: impl IntoIterator<Item = Key>,
        pepper: Pepper,
    ) -> Self {
        let mut names = BTreeMap::new();
        for project in projects {
            names.insert(project.id.to_string(), project.id);
            names.insert(project.slug, project.id);
        }
        let default_project = names.get(Self::DEFAULT_SLUG).copied();
        let keys = keys.into_iter().map(|key| (key.id.clone(), key)).collect();
        Self { projects: names, keys, default_project, pepper }
    }

    /// The project of a slug or id; the default one for `None`.
    pub fn project(&self, name: Option<&str>) -> Option<ProjectId> {
        name.map_or(self.default_project, |name| self.projects.get(name).copied())
    }

    /// The keys, for lists.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.values()
    }

    /// The secret that keys are hashed under.
    pub fn pepper(&self) -> &Pepper {
        &self.pepper
    }

    /// Decides whether a caller may enter. Deny by default: no key, a wrong key and an expired key look the same,
    /// and a project that is not the key's looks like one that does not exist.
    ///
    /// The second half of the decision, whether the project has the endpoint, is the snapshot's:
    /// [`super::Snapshot::has`].
    pub fn admit(&self, head: &Head, now: Timestamp) -> Result<Admission, Fault> {
        let key = self.authenticate(head.bearer.as_ref(), now)?;
        let project = self.project(head.project.as_deref());
        if project != Some(key.project) {
            return Err(Rejection::NoSuchEndpoint.into());
        }
        Ok(Admission { project: key.project, key: key.id.clone(), target: head.target.clone() })
    }

    fn authenticate(&self, bearer: Option<&Bearer>, now: Timestamp) -> Result<&Key, Denied> {
        let token = bearer.and_then(|bearer| Token::parse(&bearer.0)).ok_or(Denied::Unauthenticated)?;
        let key = self.keys.get(token.id());
        if token.opens(key, &self.pepper, now) {
            key.ok_or(Denied::Unauthenticated)
        } else {
            Err(Denied::Unauthenticated)
        }
    }
}
