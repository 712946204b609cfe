//! The admin socket of a running hub. Whoever may open it (mode 0600) may do everything.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Answer, Office, answer};
use crate::handover::{self, Estate};

/// The longest request, in bytes.
const REQUEST: u64 = 8 * 1024 * 1024;

/// Opens the admin socket: from here on commands wait for the hub. What is returned answers them, until `stop`.
pub(crate) fn serve(
    path: &Path,
    office: Office,
    estate: Estate,
    stop: CancellationToken,
) -> anyhow::Result<impl Future<Output = ()>> {
    let listener = listen(path)?;
    let estate = Arc::new(estate);
    Ok(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let (office, estate) = (office.clone(), Arc::clone(&estate));
                        connections.spawn(async move {
                            if let Err(error) = converse(stream, &office, &estate).await {
                                tracing::debug!(%error, "an admin connection ended");
                            }
                        });
                    }
                    Err(error) => tracing::warn!(%error, "the admin socket"),
                }
            }
        }
        drop(fs::remove_file(path));
    })
}

/// The store's lock says that no other hub uses this directory, so a socket that is there was left behind.
fn listen(path: &Path) -> anyhow::Result<UnixListener> {
    drop(fs::remove_file(path));
    let listener = UnixListener::bind(path)
        .with_context(|| format!("the admin socket {} cannot be made", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

async fn converse(mut stream: UnixStream, office: &Office, estate: &Estate) -> anyhow::Result<()> {
    let mut line = String::new();
    BufReader::new((&mut stream).take(REQUEST)).read_line(&mut line).await?;
    if line == handover::REQUEST {
        return estate.hand_over(&mut stream).await;
    }
    let reply = match serde_json::from_str(&line) {
        Ok(request) => answer(office, request).await,
        Err(error) => Answer::Failed(format!(
            "the hub does not understand the request ({error}): is it of another version?"
        )),
    };
    let mut text = serde_json::to_vec(&reply)?;
    text.push(b'\n');
    stream.write_all(&text).await?;
    Ok(())
}
