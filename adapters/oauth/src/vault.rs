//! Files for what is kept: one for each server, readable by nobody else, replaced whole.
//!
//! They lie beside the store and not in it, as the instance's key does: a copy of the database alone opens nothing. The
//! store's lock is theirs too: whoever has an instance open is alone with them.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use orch_core::ports::passes::Visit;

use crate::kept::Kept;

/// The directory.
#[derive(Clone)]
pub(crate) struct Vault(PathBuf);

impl Vault {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// Names of projects and servers are checked where they come from: they are plain, and none begins with a dot.
    fn file(&self, visit: &Visit) -> PathBuf {
        self.0.join(&visit.project).join(format!("{}.json", visit.server))
    }

    /// What is kept; nothing where there is no file that can be read.
    pub(crate) fn read(&self, visit: &Visit) -> Kept {
        let bytes = fs::read(self.file(visit)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Writes it, so that it survives a crash of the machine.
    pub(crate) async fn write(&self, visit: &Visit, kept: Kept) -> Result<(), String> {
        let file = self.file(visit);
        let shown = file.display().to_string();
        off_the_runtime(move || replace(&file, &serde_json::to_vec(&kept)?))
            .await
            .map_err(|error| format!("what came of the login cannot be kept in {shown}: {error}"))
    }

    pub(crate) async fn remove(&self, visit: &Visit) -> Result<(), String> {
        let file = self.file(visit);
        let shown = file.display().to_string();
        let removed = off_the_runtime(move || match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        });
        removed.await.map_err(|error| format!("{shown} cannot be removed: {error}"))
    }
}

async fn off_the_runtime(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> io::Result<()> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|ended| Err(io::Error::other(ended)))
}

fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = file.parent().unwrap_or(file);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let draft = file.with_extension("draft");
    drop(fs::remove_file(&draft));
    let mut written = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    written.write_all(bytes)?;
    written.sync_all()?;
    fs::rename(&draft, file)?;
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use orch_core::oauth::OauthSpec;

    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_read_again_and_by_nobody_else() {
        let home = tempfile::tempdir().unwrap();
        let vault = Vault::new(home.path().join("logins"));
        let visit = Visit {
            project: "default".to_owned(),
            server: "a.b".to_owned(),
            url: "https://a.example".to_owned(),
            oauth: OauthSpec::default(),
        };
        assert!(vault.read(&visit) == Kept::default());
        for steps in [1, 2] {
            let kept = Kept { url: visit.url.clone(), steps, ..Kept::default() };
            vault.write(&visit, kept.clone()).await.unwrap();
            assert!(vault.read(&visit) == kept);
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let file = home.path().join("logins/default/a.b.json");
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
        fs::write(&file, "{").unwrap();
        assert!(vault.read(&visit) == Kept::default(), "what cannot be read is nothing");
        vault.remove(&visit).await.unwrap();
        vault.remove(&visit).await.unwrap();
        assert!(!file.exists());
    }
}
