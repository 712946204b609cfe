//! What does not hold yet, with its reason. A cell that holds after all fails its test.

use orch_core::mcp::{ListKind, Revision};

use crate::client::Client;
use crate::feature::{Feature, News};
use crate::fixture::Face;

/// The cells of these features between each of these clients and each of these faces.
struct Excuse {
    clients: &'static [Client],
    faces: &'static [Face],
    features: &'static [Feature],
    reason: &'static str,
}

const EVERYBODY: [Client; 6] = [
    Client::Sse,
    Client::Session(Revision::V2024_11_05),
    Client::Session(Revision::V2025_03_26),
    Client::Session(Revision::V2025_06_18),
    Client::Session(Revision::V2025_11_25),
    Client::Stateless,
];

const NOT_YET: [Excuse; 1] = [Excuse {
    clients: &EVERYBODY,
    faces: &[Face::StdioLegacy],
    features: &[Feature::NewsAfterQuestion(News::ListChanged(ListKind::Tools))],
    reason: "lists are those of the process that all share, also for a client whose own process has others",
}];

/// Why a cell need not hold.
pub(crate) fn reason(client: Client, face: Face, feature: Feature) -> Option<&'static str> {
    let is_it = |excuse: &&Excuse| {
        excuse.clients.contains(&client) && excuse.faces.contains(&face) && excuse.features.contains(&feature)
    };
    NOT_YET.iter().find(is_it).map(|excuse| excuse.reason)
}
