//! Which server a request is for, and what that server calls what the request names. Pure look-ups in the snapshot.

use alloc::string::String;
use alloc::sync::Arc;

use super::Shown;
use crate::mcp::Route;
use crate::ports::gateway::Target;
use crate::rpc::{Envelope, Field};
use crate::snapshot::{Entry, Place, Snapshot};

/// A server, and its own name for something where that differs from the client's.
pub(super) type Located = (Arc<Entry>, Option<String>);

/// The server of a request.
pub(super) fn locate(
    snapshot: &Snapshot,
    shown: &mut Shown,
    target: &Target,
    route: Route,
    body: &Envelope,
) -> Option<Located> {
    match target {
        Target::Server(name) => snapshot.named(name).cloned().map(|entry| (entry, None)),
        Target::Unified => found(snapshot, unified_place(snapshot, shown, route, body)?),
    }
}

/// The server of a resource.
pub(super) fn locate_resource(
    snapshot: &Snapshot,
    shown: &mut Shown,
    target: &Target,
    uri: &str,
) -> Option<Located> {
    match target {
        Target::Server(name) => snapshot.named(name).cloned().map(|entry| (entry, None)),
        Target::Unified => found(snapshot, resource_place(snapshot, shown, uri)?),
    }
}

fn found(snapshot: &Snapshot, place: Place) -> Option<Located> {
    Some((snapshot.entry(place.server)?.clone(), Some(place.name)))
}

/// Where a name leads on the unified endpoint.
fn unified_place(snapshot: &Snapshot, shown: &mut Shown, route: Route, body: &Envelope) -> Option<Place> {
    let unified = &snapshot.unified;
    match route {
        Route::ByTool => unified.tool(&body.text(Field::Name)?).cloned(),
        Route::ByPrompt => unified.prompt(&body.text(Field::Name)?).cloned(),
        Route::ByUri => resource_place(snapshot, shown, &body.text(Field::Uri)?),
        Route::ByReference => match body.text(Field::RefName) {
            Some(name) => unified.prompt(&name).cloned(),
            None => {
                let uri = body.text(Field::RefUri)?;
                unified.template(&uri).cloned().or_else(|| unified.resource(&uri))
            }
        },
        Route::List(_) | Route::Own => None,
    }
}

/// A URI that nothing lists is of the server that has shown it, or else of the only one that has resources.
fn resource_place(snapshot: &Snapshot, shown: &mut Shown, uri: &str) -> Option<Place> {
    let unified = &snapshot.unified;
    unified.resource(uri).or_else(|| {
        let shower = shown.server_of(uri).filter(|server| unified.has_resources(*server));
        let server = shower.or_else(|| unified.only_with_resources())?;
        Some(Place { server, name: uri.into() })
    })
}
